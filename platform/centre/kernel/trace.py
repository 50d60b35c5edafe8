"""Which work belongs together, across processes and centres (W3C Trace Context, level 1). Pure.

A `traceparent` is `00-<trace>-<span>-<flags>`; the trace stays, every piece of work has a span of
its own. It names nothing and nobody: random digits only.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_WELL_FORMED: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("traceparent", default="")


def following(traceparent: str) -> str:
    """Return a span of the same trace; of a new one where there is none that can be read."""
    span = os.urandom(8).hex()
    if _WELL_FORMED.fullmatch(traceparent):
        return f"{traceparent[:36]}{span}{traceparent[52:]}"
    return f"00-{os.urandom(16).hex()}-{span}-01"


def here() -> str:
    """Return a span of what is being done just now."""
    return following(_current.get())


def trace_id(traceparent: str) -> str:
    """Return the digits that all spans of a trace share."""
    return traceparent[3:35]


@contextmanager
def continued(traceparent: str) -> Iterator[str]:
    """Do what the block does as a part of a trace; yields its span."""
    span = following(traceparent)
    token = _current.set(span)
    try:
        yield span
    finally:
        _current.reset(token)
