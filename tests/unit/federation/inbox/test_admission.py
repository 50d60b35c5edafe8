"""Which letters come in, why the others do not, and which reason counts where there are several."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from amtsbruecke.exchange.v1beta1 import envelope_pb2

from centre.kernel import clock
from centre.kernel.ids import new_id
from federation.inbox.admission import Admission, Host
from federation.inbox.arrivals import NO_ID, Arrival, Item, Settled
from federation.protocol.limits import CLOCK_SKEW, MAX_ITEM_BYTES, MAX_LIFETIME
from federation.protocol.messages import BlobRef
from federation.protocol.reasons import Reaction, Reason
from federation.protocol.receipts import NOTHING, VOID, Status
from tests.factories.letters import (
    Centre,
    Office,
    SmallDirectory,
    forged,
    letter,
    letters_together,
    tampered,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
KIEL, ALPHA = Office("nord"), Office("krz")


# -- the time in which the key that signed is valid -----------------------------------------------


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


# -- the reasons, in the order in which they are judged -------------------------------------------

DIRECTORY = SmallDirectory(1, {"nord": Centre("nord")}, {KIEL.id: KIEL, ALPHA.id: ALPHA})
OPEN = Host("town", active=True)
ADMISSION = Admission(
    origin="nord", receiver="krz", directory=DIRECTORY, hosts={ALPHA.id: OPEN}, now=NOW
)
SOON, LATER = timedelta(seconds=30), timedelta(minutes=5)


def _letter(**changes: Any) -> bytes:
    """Return a letter from Kiel to Alpha that was written now, but for these changes."""
    with clock.frozen(NOW):
        return letter(**{"sender": KIEL, "recipient": ALPHA, "created_at": NOW, **changes})


def _one(item: bytes, admission: Admission = ADMISSION) -> Item:
    (found,) = admission.examine([item], first_lseq=7)
    assert found.lseq == 7
    return found


def _refused(item: bytes, admission: Admission = ADMISSION) -> Settled:
    found = _one(item, admission)
    assert isinstance(found, Settled)
    assert found.sent.digest == sha256(item).digest()
    return found


def _knowing(*offices: Office, host: Host | None = OPEN) -> Admission:
    """Return what judges with these offices in the directory, too, and Alpha hosted like that."""
    directory = DIRECTORY
    for office in offices:
        directory = directory.with_office(office)
    return replace(ADMISSION, directory=directory, hosts={ALPHA.id: host} if host else {})


def _id(item: bytes) -> bytes:
    outer = envelope_pb2.SignedEnvelope.FromString(item)
    return envelope_pb2.Envelope.FromString(outer.envelope).message_id


def _of_another_format(envelope: envelope_pb2.Envelope) -> None:
    envelope.format = 2


def _of_another_kind(envelope: envelope_pb2.Envelope) -> None:
    envelope.kind = 99  # type: ignore[assignment]


def _with_a_short_id(envelope: envelope_pb2.Envelope) -> None:
    envelope.message_id = b"short"


def test_a_letter_arrives_with_all_that_the_inbox_keeps() -> None:
    blob, case, message_id = BlobRef("ab" * 32, 1000), new_id(), new_id()
    item = _letter(message_id=message_id, case_id=case, blobs=(blob,))
    assert _one(item) == Arrival(
        lseq=7,
        message_id=message_id,
        digest=sha256(item).digest(),
        envelope=item,
        tenant_role="town",
        sender=KIEL.id,
        case_id=case,
        case_sequence=1,
        kind="assistance_request",
        blobs=((bytes.fromhex(blob.digest), blob.size),),
    )


def test_each_letter_of_a_batch_has_its_own_answer_in_its_place() -> None:
    good, torn, late = _letter(), b"torn", _letter(created_at=NOW - 2 * DAY, expires_at=NOW - DAY)
    found = ADMISSION.examine([torn, good, b"", late, good], first_lseq=41)
    assert [each.lseq for each in found] == [41, 42, 43, 44, 45]
    assert [type(each) for each in found] == [Settled, Arrival, Settled, Settled, Arrival]
    assert found[2] == Settled(43, NOTHING, VOID)
    assert [each.verdict.reason for each in found if isinstance(each, Settled)] == [
        Reason.ENVELOPE_MALFORMED,
        None,
        Reason.EXPIRED,
    ]


def _unread(item: bytes, reason: Reason) -> Settled:
    found = _refused(item)
    assert found.verdict.reason is reason
    assert found.sent.message_id == NO_ID  # nobody believes what was not signed, or not understood
    return found


def test_too_large_comes_before_anything_is_parsed() -> None:
    _unread(b"x" * (MAX_ITEM_BYTES + 1), Reason.ENVELOPE_TOO_LARGE)
    _unread(b"x" * MAX_ITEM_BYTES, Reason.ENVELOPE_MALFORMED)


def test_a_frame_of_another_form_comes_before_its_key() -> None:
    outer = envelope_pb2.SignedEnvelope.FromString(_letter(sender=Office("nord")))
    outer.signature.value = b"short"
    _unread(outer.SerializeToString(), Reason.ENVELOPE_MALFORMED)


@pytest.mark.parametrize(
    "item",
    [
        _letter(sender=Office("nord")),
        _letter(signer=Office("nord")),
        tampered(_letter(sender=Office("nord")), _of_another_format),
    ],
    ids=["unknown office", "unknown key", "unknown office and altered"],
)
def test_an_unknown_key_comes_before_the_signature_and_is_waited_for(item: bytes) -> None:
    """Nobody can tell whether it signed: a newer directory may know it in a moment."""
    found = _unread(item, Reason.SIGNER_UNKNOWN)
    assert (found.verdict.status, found.verdict.retry_delay) == (Status.DEFERRED, SOON)


@pytest.mark.parametrize("change", [_of_another_format, _of_another_kind, _with_a_short_id])
def test_the_signature_comes_before_anything_that_it_covers(
    change: Callable[[envelope_pb2.Envelope], None],
) -> None:
    _unread(tampered(_letter(), change), Reason.SIGNATURE_INVALID)


def test_a_signature_of_another_office_is_none_of_the_sender() -> None:
    ours = envelope_pb2.SignedEnvelope.FromString(_letter())
    theirs = envelope_pb2.SignedEnvelope.FromString(
        forged(ours.SerializeToString(), other := Office("nord"), lambda _: None)
    )
    theirs.signature.signer, theirs.signature.key_id = other.id.bytes, other.signing.kid
    found = _refused(theirs.SerializeToString(), _knowing(other))
    assert found.verdict.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_of_another_format, Reason.VERSION_UNSUPPORTED),
        (_of_another_kind, Reason.KIND_UNKNOWN),
        (_with_a_short_id, Reason.ENVELOPE_MALFORMED),
    ],
)
def test_what_is_signed_and_not_understood_comes_before_what_it_says(
    change: Callable[[envelope_pb2.Envelope], None], reason: Reason
) -> None:
    elsewhere = _letter(recipient=Office("sued"), origin="sued")
    assert _unread(forged(elsewhere, KIEL, change), reason).verdict.status is Status.REFUSED


#: What may be wrong with a letter that is understood, each together with all that is judged later:
#: the letter's changes, the offices and the host as this centre knows them, and what is answered.
_EXPIRED: dict[str, Any] = {"created_at": NOW - 2 * DAY, "expires_at": NOW}
_EARLY: dict[str, Any] = {"created_at": NOW + DAY}
_SUSPENDED = replace(KIEL, state="suspended")
_ENDED = replace(KIEL, not_after=NOW - 30 * DAY)
_AWAY = replace(ALPHA, home_centre="sued")
_CLOSED, _GONE = Host("town", active=False), Host("town", active=False, deleted=True)
R = Reason
JUDGED: list[tuple[str, dict[str, Any], tuple[Office, ...], Host | None, R, timedelta | None]] = [
    (
        "another centre wrote it",
        {**_EXPIRED, "origin": "sued"},
        (_SUSPENDED,),
        None,
        R.AUTHORITY_NOT_REPRESENTED,
        None,
    ),
    (
        "its sender is at home elsewhere",
        _EXPIRED,
        (replace(_SUSPENDED, home_centre="sued"),),
        None,
        R.AUTHORITY_NOT_REPRESENTED,
        None,
    ),
    ("its sender is suspended", _EXPIRED, (_SUSPENDED,), _GONE, R.AUTHORITY_SUSPENDED, None),
    ("its recipient was deleted", _EXPIRED, (_ENDED,), _GONE, R.RECIPIENT_DELETED, None),
    # It has moved: the other centre hosts it now, and a deletion here ends nothing.
    ("deleted and elsewhere", _EXPIRED, (_ENDED, _AWAY), _GONE, R.RECIPIENT_UNKNOWN, LATER),
    ("its recipient is elsewhere", _EXPIRED, (_ENDED, _AWAY), OPEN, R.RECIPIENT_UNKNOWN, LATER),
    ("its recipient is nowhere", _EXPIRED, (_ENDED,), None, R.RECIPIENT_UNKNOWN, LATER),
    ("its recipient is closed", _EXPIRED, (_ENDED,), _CLOSED, R.RECIPIENT_SUSPENDED, LATER),
    (
        "its recipient is suspended by the umbrella",
        _EXPIRED,
        (_ENDED, replace(ALPHA, state="suspended")),
        OPEN,
        R.RECIPIENT_SUSPENDED,
        LATER,
    ),
    ("it has expired", _EXPIRED, (replace(KIEL, not_after=NOW - 3 * DAY),), OPEN, R.EXPIRED, None),
    ("it comes from the future", _EARLY, (_ENDED,), OPEN, R.CREATED_IN_FUTURE, DAY - CLOCK_SKEW),
    ("its key had ended", {}, (_ENDED,), OPEN, R.SIGNER_UNKNOWN, LATER),
]


@pytest.mark.parametrize(
    ("changes", "offices", "host", "reason", "delay"),
    [case[1:] for case in JUDGED],
    ids=[case[0] for case in JUDGED],
)
def test_the_first_reason_counts(
    changes: dict[str, Any],
    offices: tuple[Office, ...],
    host: Host | None,
    reason: Reason,
    delay: timedelta | None,
) -> None:
    item = _letter(**changes)
    found = _refused(item, _knowing(*offices, host=host))
    assert (found.verdict.reason, found.verdict.retry_delay) == (reason, delay)
    assert found.verdict.status is (Status.DEFERRED if delay else Status.REFUSED)
    assert found.sent.message_id.bytes == _id(item)


def test_a_hosted_recipient_that_the_directory_does_not_know_is_waited_for() -> None:
    admission = replace(ADMISSION, directory=DIRECTORY.without_office(ALPHA))
    found = _refused(_letter(), admission)
    assert (found.verdict.reason, found.verdict.retry_delay) == (R.RECIPIENT_UNKNOWN, LATER)
    deleted = _refused(_letter(), replace(admission, hosts={ALPHA.id: _GONE}))
    assert deleted.verdict.reason is R.RECIPIENT_DELETED


@pytest.mark.parametrize(
    ("created_at", "arrives"),
    [(NOW + CLOCK_SKEW, True), (NOW + CLOCK_SKEW + timedelta(microseconds=1), False)],
)
def test_a_clock_may_be_fast_by_the_skew(created_at: datetime, *, arrives: bool) -> None:
    assert isinstance(_one(_letter(created_at=created_at)), Arrival) == arrives


def test_nobody_waits_longer_for_a_wrong_clock_than_a_letter_lives() -> None:
    created_at = NOW + 1000 * DAY
    item = _letter(created_at=created_at, expires_at=created_at + DAY)
    assert _refused(item).verdict.retry_delay == MAX_LIFETIME


def test_a_letter_lives_until_the_moment_that_it_names() -> None:
    assert isinstance(_one(_letter(expires_at=NOW + timedelta(microseconds=1))), Arrival)
    old = _letter(created_at=NOW - DAY, expires_at=NOW)
    assert _refused(old).verdict.reason is Reason.EXPIRED
