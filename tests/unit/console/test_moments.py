"""Moments that commands print say of which zone they are."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from console import commands
from console.moments import moment, span

CEST = timezone(timedelta(hours=2))


def test_a_moment_is_told_in_utc_and_says_so() -> None:
    assert moment(datetime(2026, 7, 1, 0, 30, 5, 999, tzinfo=CEST)) == "2026-06-30 22:30:05 UTC"
    assert moment(datetime(2026, 11, 27, 14, 3, tzinfo=UTC)) == "2026-11-27 14:03:00 UTC"
    assert moment(None) == "-"


def test_a_length_of_time_is_told_to_the_nearest_unit() -> None:
    day, minute = timedelta(days=1), timedelta(minutes=1)
    assert span(90 * day - minute) == "90 days"
    assert span(2 * day) == "2 days"
    assert span(2 * day - minute) == "48 hours"
    assert span(59 * minute) == "less than an hour"


def test_no_command_formats_moments_in_its_own_way() -> None:
    own_way = re.compile(r"strftime|:%[A-Za-z]|isoformat\(sep")
    folder = Path(commands.__path__[0])
    assert [each.name for each in folder.glob("*.py") if own_way.search(each.read_text())] == []
