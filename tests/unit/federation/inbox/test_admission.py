"""Letters and the time in which the key that signed them is valid."""

from datetime import UTC, datetime, timedelta

import pytest

from centre.kernel import clock
from federation.inbox.admission import Admission, Host
from federation.inbox.arrivals import Arrival, Settled
from federation.protocol.limits import CLOCK_SKEW
from federation.protocol.reasons import Reaction, Reason
from tests.factories.letters import Centre, Office, SmallDirectory, letter, letters_together

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
KIEL, ALPHA = Office("nord"), Office("krz")


def _answers(items: list[bytes], *, begin: datetime, end: datetime | None) -> list[Reason | None]:
    """Return what becomes of letters when the directory says that of Kiel's key."""
    kiel = Office("nord", KIEL.id, KIEL.signing, KIEL.sealing, not_before=begin, not_after=end)
    admission = Admission(
        origin="nord",
        receiver="krz",
        directory=SmallDirectory(1, {"nord": Centre("nord")}, {kiel.id: kiel, ALPHA.id: ALPHA}),
        hosts={ALPHA.id: Host("town", active=True)},
        now=NOW,
    )
    answers: list[Reason | None] = []
    for each in admission.examine(items, first_lseq=1):
        if isinstance(each, Settled):
            # It comes again: a newer directory may say another time.
            assert each.verdict.retry_delay == timedelta(minutes=5)
            answers.append(each.verdict.reason)
        else:
            assert isinstance(each, Arrival)
            answers.append(None)
    return answers


def _written(at: datetime) -> list[bytes]:
    with clock.frozen(at):
        return [letter(KIEL, ALPHA, created_at=at), *letters_together(KIEL, ALPHA, 3)]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (NOW - 400 * DAY, NOW - 30 * DAY),
        (NOW - 400 * DAY, NOW - CLOCK_SKEW - SECOND),
        (NOW + CLOCK_SKEW + SECOND, None),
        (NOW + 30 * DAY, NOW + 60 * DAY),
    ],
)
def test_a_letter_written_when_its_key_is_not_valid_is_put_off(
    begin: datetime, end: datetime | None
) -> None:
    assert _answers(_written(NOW), begin=begin, end=end) == [Reason.SIGNER_UNKNOWN] * 4
    assert not Reason.SIGNER_UNKNOWN.final
    assert Reason.SIGNER_UNKNOWN.reaction is Reaction.REFRESH


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (NOW - 400 * DAY, None),
        (NOW - 400 * DAY, NOW + DAY),
        # Clocks differ.
        (NOW - 400 * DAY, NOW - CLOCK_SKEW + 2 * SECOND),
        (NOW + CLOCK_SKEW - 2 * SECOND, None),
    ],
)
def test_a_letter_written_when_its_key_is_valid_arrives(
    begin: datetime, end: datetime | None
) -> None:
    assert _answers(_written(NOW), begin=begin, end=end) == [None] * 4


def test_a_letter_arrives_although_its_key_has_ended_on_the_way() -> None:
    letters = _written(NOW - 3 * DAY)
    assert _answers(letters, begin=NOW - 400 * DAY, end=NOW - 2 * DAY) == [None] * 4
