"""Moments as every command prints them: in UTC, and they say so, like the logs."""

from datetime import UTC, datetime


def moment(at: datetime | None) -> str:
    """Return a moment as 2026-11-27 13:03:05 UTC; a hyphen for none."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
