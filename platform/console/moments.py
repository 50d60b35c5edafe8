"""Moments as every command prints them: in UTC, and they say so, like the logs."""

from datetime import UTC, datetime, timedelta
from typing import Final

from centre.kernel.counting import counted

_IN_HOURS: Final = 48


def moment(at: datetime | None) -> str:
    """Return a moment as 2026-11-27 13:03:05 UTC; a hyphen for none."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """Return a length of time to the nearest day, a short one to the nearest hour."""
    hours = length / timedelta(hours=1)
    if hours < 1:
        return "less than an hour"
    if hours < _IN_HOURS:
        return counted(round(hours), "hour", "hours")
    return counted(round(hours / 24), "day", "days")
