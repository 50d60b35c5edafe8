"""The time of day, replaceable in tests. All times are aware and in UTC."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
_frozen: ContextVar[datetime | None] = ContextVar("frozen_clock", default=None)


def now() -> datetime:
    """Return the present moment in UTC."""
    return _frozen.get() or datetime.now(UTC)


def today() -> date:
    """Return the present day where all municipalities of the federation are."""
    return now().astimezone(BERLIN).date()


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
