"""The shared directory: who hosts whom, who is competent where, which keys and endpoints are valid.

Everybody else uses one interface: `selectors.current()` (or `store.load` in the asyncio processes)
returns a `Directory`, a verified version in memory that never changes.
"""
