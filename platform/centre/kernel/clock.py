"""The time of day, replaceable in tests. All times are aware and in UTC."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_frozen: ContextVar[datetime | None] = ContextVar("frozen_clock", default=None)


def now() -> datetime:
    """Return the present moment in UTC."""
    return _frozen.get() or datetime.now(UTC)


def in_future(**parts: float) -> datetime:
    """Return the moment that lies `timedelta(**parts)` ahead."""
    return now() + timedelta(**parts)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Let the clock stand still within the block. `at` must be aware."""
    if at.tzinfo is None:
        message = "a frozen clock needs an aware time"
        raise ValueError(message)
    token = _frozen.set(at)
    try:
        yield
    finally:
        _frozen.reset(token)
