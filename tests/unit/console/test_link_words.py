"""What an operator reads of a link, the gravest word first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.commands.link import _line
from federation.outbox.selectors import LinkOverview

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
CALM = LinkOverview(
    name="nord",
    state="active",
    under_way=0,
    waiting=0,
    held=0,
    deferred=0,
    deferred_until=None,
    oldest_age=None,
    failing_since=None,
    next_try_at=None,
    last_error="",
    last_error_detail="",
    last_contact_at=AT,
    owned=True,
    acked_lseq=7,
    dead=0,
)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "active"),
        ({"failing_since": AT, "last_error": "UNAVAILABLE"}, "failing"),
        ({"failing_since": AT, "last_error": "UNAVAILABLE", "state": "paused"}, "paused"),
    ],
)
def test_the_state_that_counts_comes_first(changed: dict[str, Any], word: str) -> None:
    assert _line(replace(CALM, **changed)).split()[:2] == ["nord", word]


def test_age_and_owner_are_told() -> None:
    line = _line(replace(CALM, waiting=2, held=1, oldest_age=timedelta(seconds=90), owned=False))
    assert "backlog 3  oldest 90 s" in line
    assert "no dispatch process works on it" in line
    assert "last contact 2026-11-27 12:00:00 UTC" in line


def test_what_the_peer_wants_later_is_counted_with_its_time() -> None:
    assert "later" not in _line(CALM)
    line = _line(replace(CALM, held=3, deferred=2, deferred_until=AT))
    assert "backlog 3" in line
    assert "2 wanted later by the peer, until 2026-11-27 12:00:00 UTC" in line
