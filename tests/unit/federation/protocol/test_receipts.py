from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.kernel.ids import new_id
from federation.protocol import receipts
from federation.protocol.errors import ReceiptInvalid
from federation.protocol.reasons import Reason
from federation.protocol.receipts import ACCEPTED, DUPLICATE, NOTHING, VOID, Sent, Status, Verdict

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
VERDICTS = st.sampled_from(
    [
        ACCEPTED,
        DUPLICATE,
        VOID,
        receipts.refused(Reason.EXPIRED),
        receipts.refused(Reason.BLOB_MISSING, retry_delay=timedelta(seconds=5)),
    ]
)
ITEMS = st.lists(VERDICTS, min_size=1, max_size=70).map(
    lambda verdicts: [
        (NOTHING if verdict is VOID else Sent(new_id(), sha256(bytes([n])).digest()), verdict)
        for n, verdict in enumerate(verdicts)
    ]
)
type Items = list[tuple[Sent, Verdict]]


def _compose(items: Items, first: int = 5) -> tuple[receipts.ReceiptBody, bytes]:
    return receipts.compose(
        issuer="nord",
        origin="krz",
        first_lseq=first,
        items=items,
        prev_hash=receipts.GENESIS,
        issued_at=AT,
    )


def _check(body: receipts.ReceiptBody, sent: list[Sent], **other: object) -> bytes:
    facts = {"issuer": "nord", "origin": "krz", "prev_hash": receipts.GENESIS, **other}
    return receipts.check(body, sent=sent, **facts)  # type: ignore[arg-type]


@given(items=ITEMS)
def test_sender_and_receiver_find_the_same_leaves(items: Items) -> None:
    body, leaves = _compose(items)
    assert _check(body, [sent for sent, _ in items]) == leaves
    assert body.verdicts() == [verdict for _, verdict in items]


@given(items=ITEMS, data=st.data())
def test_one_letter_is_provable_by_itself(items: Items, data: st.DataObject) -> None:
    body, leaves = _compose(items)
    index = data.draw(st.integers(0, len(items) - 1))
    sent, verdict = items[index]
    path = receipts.proof(leaves, index=index)
    assert receipts.proves(body, sent=sent, lseq=5 + index, path=path) == verdict
    other = Sent(sent.message_id, sha256(b"other").digest())
    assert receipts.proves(body, sent=other, lseq=5 + index, path=path) is None
    assert receipts.proves(body, sent=sent, lseq=4, path=path) is None


@given(items=ITEMS)
def test_a_receipt_that_states_something_else_is_refused(items: Items) -> None:
    body, _ = _compose(items)
    sent = [each for each, _ in items]
    changed = [Sent(sent[0].message_id, sha256(b"changed").digest()), *sent[1:]]
    for wrong, facts in (
        (body, {"sent": changed}),
        (body, {"sent": [*sent, sent[0]]}),
        (body, {"sent": sent, "issuer": "sachsen"}),
        (body, {"sent": sent, "origin": "sachsen"}),
        (body, {"sent": sent, "prev_hash": b"x" * 32}),
        (replace(body, merkle_root=b"x" * 32), {"sent": sent}),
        (replace(body, first_lseq=6, last_lseq=body.last_lseq + 1, exceptions=()), {"sent": sent}),
    ):
        with pytest.raises(ReceiptInvalid):
            _check(wrong, **facts)  # type: ignore[arg-type]


def test_a_refusal_cannot_be_turned_into_an_acceptance() -> None:
    sent = Sent(new_id(), sha256(b"").digest())
    body, _ = _compose([(sent, receipts.refused(Reason.EXPIRED))])
    with pytest.raises(ReceiptInvalid, match="other letters"):
        _check(replace(body, exceptions=()), [sent])


def test_final_reasons_refuse_and_the_others_defer() -> None:
    assert receipts.refused(Reason.MESSAGE_ID_REUSED).status is Status.REFUSED
    assert receipts.refused(Reason.QUOTA_EXCEEDED).status is Status.DEFERRED


@pytest.mark.parametrize(
    "make",
    [
        lambda: Verdict(Status.REFUSED),
        lambda: Verdict(Status.ACCEPTED, Reason.EXPIRED),
        lambda: Verdict(Status.REFUSED, Reason.EXPIRED, timedelta(1)),
        lambda: _compose([(NOTHING, VOID)], first=0),
        lambda: _compose([(NOTHING, VOID)] * 4097),
        lambda: replace(_compose([(NOTHING, VOID)])[0], exceptions=((9, VOID),)),
        lambda: replace(_compose([(NOTHING, VOID)])[0], exceptions=((5, ACCEPTED),)),
        lambda: _compose([(NOTHING, VOID)])[0].verdict(6),
    ],
)
def test_impossible_receipts_cannot_be_made(make: object) -> None:
    with pytest.raises(ReceiptInvalid):
        make()  # type: ignore[operator]


def test_a_leaf_says_what_became_of_the_letter_and_where_it_stands() -> None:
    sent = Sent(new_id(), sha256(b"letter").digest())
    refusal = receipts.refused(Reason.EXPIRED)
    leaves = {
        receipts.leaf(sent, lseq=lseq, verdict=verdict)
        for lseq in (1, 2)
        for verdict in (ACCEPTED, DUPLICATE, refusal)
    }
    assert len(leaves) == 6
