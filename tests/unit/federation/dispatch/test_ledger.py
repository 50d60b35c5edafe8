"""A receipt counts if it is signed, follows the last one, and states what was sent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from centre.directory.interface import ListedKey
from centre.directory.records import SIGN, PublicKey
from centre.keys import sign
from centre.keys.sign import SigningKey
from federation.dispatch.errors import ReceiptInvalid
from federation.dispatch.frames import Item, void
from federation.dispatch.ledger import Ledger, Verified
from federation.protocol.limits import CLOCK_SKEW
from federation.protocol.reasons import Reason
from federation.protocol.receipts import (
    ACCEPTED,
    DUPLICATE,
    GENESIS,
    VOID,
    Sent,
    SignedReceipt,
    Verdict,
    compose,
    refused,
)
from federation.wire.receipt import sign_receipt

KEY = SigningKey.generate()
AT = datetime(2026, 11, 23, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def listed(
    key: SigningKey = KEY, *, begin: datetime = AT - HOUR, end: datetime | None = None
) -> ListedKey:
    record = PublicKey(
        kid=key.kid,
        purpose=SIGN,
        suite=sign.SUITE,
        raw=key.verify_key.raw,
        not_before=begin,
        not_after=end,
    )
    return ListedKey(key.verify_key, record)


def item(lseq: int) -> Item:
    return Item(lseq, Sent(UUID(int=lseq), lseq.to_bytes(32, "big")), 10)


def ledger(count: int, *, acked: int = 0) -> Ledger:
    found = Ledger(peer="nord", origin="krz", acked=acked, receipt_hash=GENESIS)
    found.flight.add([item(lseq) for lseq in range(acked + 1, acked + count + 1)])
    return found


def receipt(
    items: list[Item], verdicts: list[Verdict] | None = None, *, prev: bytes = GENESIS
) -> SignedReceipt:
    verdicts = verdicts or [ACCEPTED] * len(items)
    body, _ = compose(
        issuer="nord",
        origin="krz",
        first_lseq=items[0].lseq,
        items=[(each.sent, verdict) for each, verdict in zip(items, verdicts, strict=True)],
        prev_hash=prev,
        issued_at=AT,
    )
    return sign_receipt(body, by=KEY)


def take(book: Ledger, given: SignedReceipt, **instead: Item) -> Verified:
    body = book.read(given, key=listed())
    return book.land(given, body, instead={each.lseq: each for each in instead.values()})


def test_receipts_follow_each_other() -> None:
    book = ledger(3)
    first = receipt([item(1), item(2)])
    assert take(book, first).body.last_lseq == 2
    take(book, receipt([item(3)], prev=first.hash))
    assert book.acked == 3
    assert not book.flight


def test_receipt_out_of_its_place_is_invalid() -> None:
    with pytest.raises(ReceiptInvalid, match="came after 0"):
        take(ledger(3), receipt([item(2)]))
    with pytest.raises(ReceiptInvalid, match="does not follow"):
        take(ledger(3), receipt([item(1)], prev=bytes(range(32))))
    with pytest.raises(ReceiptInvalid, match="1 items were under way"):
        take(ledger(1), receipt([item(1), item(2)]))


def test_receipt_of_nobody_is_invalid() -> None:
    given = receipt([item(1)])
    with pytest.raises(ReceiptInvalid, match="has no key"):
        ledger(1).read(given, key=None)
    with pytest.raises(ReceiptInvalid, match="signature"):
        ledger(1).read(replace(given, signature=bytes(64)), key=listed())
    with pytest.raises(ReceiptInvalid, match="signature"):
        ledger(1).read(given, key=listed(SigningKey.generate()))


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (AT - HOUR, None),
        (AT - HOUR, AT + SECOND),
        (AT + CLOCK_SKEW, None),
        (AT - HOUR, AT - CLOCK_SKEW + SECOND),
    ],
)
def test_a_receipt_holds_for_ever_if_its_key_was_valid_when_it_was_issued(
    begin: datetime, end: datetime | None
) -> None:
    """Give or take the clocks: all of these keys have long ended, or begun, when it is read."""
    given = receipt([item(1)])
    assert ledger(1).read(given, key=listed(begin=begin, end=end)).issued_at == AT


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (AT - HOUR, AT - CLOCK_SKEW),
        (AT - 2 * HOUR, AT - HOUR),
        (AT + CLOCK_SKEW + SECOND, None),
    ],
)
def test_a_receipt_issued_when_its_key_was_not_valid_is_invalid(
    begin: datetime, end: datetime | None
) -> None:
    given = receipt([item(1)])
    with pytest.raises(ReceiptInvalid, match="not valid"):
        ledger(1).read(given, key=listed(begin=begin, end=end))


def test_no_receipt_is_older_than_the_letters_it_is_for() -> None:
    """It can name a time at which its key was valid; the letters say that it was later."""
    book, key = ledger(1), listed(end=AT + HOUR)
    body = book.read(receipt([item(1)]), key=key)
    for posted_at in (None, AT - 9 * HOUR, AT + HOUR, AT + HOUR + CLOCK_SKEW - SECOND):
        book.check_time(body, key=key, posted_at=posted_at)
    with pytest.raises(ReceiptInvalid, match="letters posted until"):
        book.check_time(body, key=key, posted_at=AT + HOUR + CLOCK_SKEW)


def test_a_receipt_of_a_clock_that_is_behind_is_believed() -> None:
    """As long as the key is valid: refused, it would come again for ever."""
    book, key = ledger(1), listed()
    body = book.read(receipt([item(1)]), key=key)
    book.check_time(body, key=key, posted_at=AT + 9 * HOUR)


def test_receipt_for_other_letters_is_invalid_and_changes_nothing() -> None:
    book = ledger(1)
    other = Item(1, Sent(UUID(int=9), bytes(32)), 10)
    with pytest.raises(ReceiptInvalid, match="other letters"):
        take(book, receipt([other]))
    assert book.acked == 0
    assert len(book.flight) == 1


def test_refusals_are_told_apart() -> None:
    book = ledger(5)
    given = receipt(
        [item(lseq) for lseq in range(1, 6)],
        [
            DUPLICATE,
            refused(Reason.SIGNATURE_INVALID),
            refused(Reason.EXPIRED),
            refused(Reason.QUOTA_EXCEEDED, retry_delay=timedelta(seconds=7)),
            refused(Reason.RECIPIENT_UNKNOWN),
        ],
    )
    verified = take(book, given)
    invalid, expired, later, unknown = verified.refusals
    assert verified.duplicates == 1
    assert (invalid.retry, invalid.alarm) == (None, True)
    assert (expired.retry, expired.expired) == (None, True)
    assert later.retry == timedelta(seconds=7)
    assert unknown.retry == timedelta(seconds=30)


def test_void_position_has_a_leaf_and_is_no_refusal() -> None:
    book = Ledger(peer="nord", origin="krz", acked=0, receipt_hash=b"")
    book.flight.add([item(1), void(2)])
    assert take(book, receipt([item(1), void(2)], [ACCEPTED, VOID])).refusals == ()


def test_letter_that_had_arrived_before_it_was_taken_out_is_believed() -> None:
    book = Ledger(peer="nord", origin="krz", acked=0, receipt_hash=b"")
    book.flight.add([item(1), void(2)])
    given = receipt([item(1), item(2)])
    with pytest.raises(ReceiptInvalid):
        take(book, given)
    verified = take(book, given, two=item(2))
    assert (verified.refusals, verified.arrived) == ((), (item(2),))


def test_letters_taken_out_before_and_after_they_were_sent_are_told_apart() -> None:
    """The first went as nothing, the second arrived: the receipt says which is which."""
    book = Ledger(peer="nord", origin="krz", acked=0, receipt_hash=b"")
    book.flight.add([void(1), void(2)])
    given = receipt([void(1), item(2)], [VOID, ACCEPTED])
    verified = take(book, given, one=item(1), two=item(2))
    assert verified.arrived == (item(2),)


def test_letter_refused_at_a_position_that_is_void_has_not_arrived() -> None:
    book = Ledger(peer="nord", origin="krz", acked=0, receipt_hash=b"")
    book.flight.add([item(1), void(2)])
    given = receipt([item(1), item(2)], [ACCEPTED, refused(Reason.SIGNATURE_INVALID)])
    assert take(book, given, two=item(2)).arrived == ()
