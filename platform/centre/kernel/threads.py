"""Blocking work of a coroutine, in a thread."""

import asyncio
from collections.abc import Callable


async def to_its_end(work: Callable[[], object]) -> None:
    """Run work in a thread. A caller that is cancelled waits for it all the same.

    With `asyncio.to_thread` the work would go on behind the back of a caller who believes that it
    is over: a file that was just opened would stay open, a lock would be given up too early.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not running.cancelled():
            running.exception()
        raise cancelled
    running.result()
