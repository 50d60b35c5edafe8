import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.kernel.ids import new_id
from federation.protocol import backoff, limits
from federation.protocol.errors import MessageInvalid
from federation.protocol.messages import BlobRef, MessageKind, OutboundMessage
from federation.protocol.reasons import RULES, Code, Reaction, Reason

ROOM = Path(__file__).parents[4] / "federation"


def test_every_reason_has_a_rule_and_a_german_sentence() -> None:
    assert set(RULES) == set(Reason)
    for reason in Reason:
        assert reason.german.endswith("."), reason
        assert reason.code in Code
        assert reason == reason.name


def test_every_reason_is_given_somewhere() -> None:
    """The list is published: peers prepare for what it names."""
    sources = [path for path in ROOM.rglob("*.py") if path.name != "reasons.py"]
    given = re.findall(r"\bReason\.([A-Z_]+)", "".join(path.read_text() for path in sources))
    assert {reason.name for reason in Reason} <= set(given)


def test_what_is_final_is_never_sent_again() -> None:
    final = {reason for reason in Reason if reason.final}
    assert Reason.MESSAGE_ID_REUSED in final
    assert Reason.MESSAGE_ID_REUSED.reaction is Reaction.ALARM
    assert not final & {Reason.UNAVAILABLE, Reason.SIGNER_UNKNOWN, Reason.QUOTA_EXCEEDED}


@given(failures=st.integers(1, 40), seed=st.integers())
def test_the_link_waits_at_most_five_minutes(failures: int, seed: int) -> None:
    ceiling = 0
    for _ in range(failures):
        ceiling = backoff.next_ceiling_ms(ceiling)
    assert ceiling == min(300_000, 1000 * 2 ** (failures - 1))
    chance = random.Random(seed)  # noqa: S311 -- jitter
    delay = backoff.delay(ceiling, uniform=chance.uniform)
    assert timedelta(milliseconds=100) <= delay <= timedelta(milliseconds=ceiling)


@given(ceiling=st.integers(backoff.FIRST_MS, backoff.LONGEST_MS), seed=st.integers())
def test_delays_are_spread_over_all_that_the_ceiling_allows(ceiling: int, seed: int) -> None:
    """Else all peers of a centre that comes back would knock at the same moment."""
    chance = random.Random(seed)  # noqa: S311 -- jitter
    delays = [backoff.delay(ceiling, uniform=chance.uniform) for _ in range(200)]
    tenth = timedelta(milliseconds=ceiling / 10)
    assert min(delays) < 2 * tenth
    assert max(delays) > 8 * tenth


def test_delays_are_drawn_by_chance_where_nobody_says_how() -> None:
    assert len({backoff.delay(backoff.LONGEST_MS) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("drawn", "milliseconds"), [(0.0, 100), (99.0, 100), (101.0, 101), (2000.0, 2000)]
)
def test_delay_is_what_was_drawn_and_never_none(drawn: float, milliseconds: int) -> None:
    asked = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return drawn

    assert backoff.delay(2000, uniform=uniform) == timedelta(milliseconds=milliseconds)
    assert asked == [(0, 2000)]


def _message(**changes: object) -> OutboundMessage:
    fields = {
        "message_id": new_id(),
        "recipient": new_id(),
        "case_id": new_id(),
        "case_sequence": 1,
        "kind": MessageKind.QUERY,
        "schema_version": 1,
        "payload": b"",
        "expires_at": datetime(2026, 12, 1, tzinfo=UTC),
        **changes,
    }
    return OutboundMessage(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"case_sequence": 0},
        {"case_sequence": 2**63},
        {"schema_version": 0},
        {"payload": bytes(limits.MAX_PAYLOAD_BYTES + 1)},
        {"expires_at": datetime(2026, 12, 1)},  # noqa: DTZ001 -- that is the point
        {"traceparent": "junk"},
        {"blobs": (BlobRef("0" * 64, 1),) * 65},
    ],
)
def test_a_message_that_no_receiver_would_take_cannot_be_made(changes: dict[str, object]) -> None:
    _message()
    with pytest.raises(MessageInvalid):
        _message(**changes)


def test_only_a_processing_failure_stands_outside_the_order() -> None:
    _message(kind=MessageKind.PROCESSING_FAILURE, case_sequence=0)


@pytest.mark.parametrize(("digest", "size"), [("", 1), ("G" * 64, 1), ("0" * 64, 0)])
def test_documents_have_a_digest_and_a_size(digest: str, size: int) -> None:
    with pytest.raises(MessageInvalid):
        BlobRef(digest, size)
