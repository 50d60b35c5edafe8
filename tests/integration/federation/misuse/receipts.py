"""Receipts of a stranger that knows the proto files: changed on their way, forged, and lying.

It owns its key, and signs whatever helps it. The answer is the fault that dispatch notes.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from amtsbruecke.exchange.v1beta1 import receipt_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.kernel import clock
from tests.integration.federation.misuse.fields import Path, flip, name, paths
from tests.integration.federation.misuse.speaker import (
    Authority,
    Receiver,
    envelope,
    leaf,
    letter,
    root,
    uuid7,
)
from tests.integration.federation.misuse.table import Group, strange_receivers

RECEIPT_INVALID: Final = "RECEIPT_INVALID"

type Change = Callable[[Receiver], None]
type Forgery = Callable[[receipt_pb2.Receipt], None]
type Lie = Callable[[receipt_pb2.ReceiptBody], None]


def _enter(group: Group, title: str, change: Change) -> None:
    async def misuse(receiver: Receiver) -> str:
        change(receiver)
        return RECEIPT_INVALID

    group.add(title, misuse, RECEIPT_INVALID, alarm=True)


def _forged(forgery: Forgery) -> Change:
    return lambda receiver: setattr(receiver, "forge", forgery)


def _lying(lie: Lie) -> Change:
    return lambda receiver: setattr(receiver, "lie", lie)


# -- receipts that others could have changed -------------------------------------------------

_FLIPPED = strange_receivers("A flipped bit in each field of a receipt, under the old signature")


def _flip(receipt: receipt_pb2.Receipt, *, path: Path) -> None:
    body = receipt_pb2.ReceiptBody.FromString(receipt.body)
    flip(body, path)
    receipt.body = body.SerializeToString()


for _path in paths(receipt_pb2.ReceiptBody.DESCRIPTOR):
    _change = _forged(partial(_flip, path=_path))
    _enter(_FLIPPED, f"flipped_bit_in_receipt_{name(_path)}", _change)


def _body(change: Callable[[bytes], bytes]) -> Forgery:
    def forge(receipt: receipt_pb2.Receipt) -> None:
        receipt.body = change(receipt.body)

    return forge


def _signature(**values: Any) -> Forgery:
    def forge(receipt: receipt_pb2.Receipt) -> None:
        for field, value in values.items():
            setattr(receipt.signature, field, value)

    return forge


_FORGED = strange_receivers("Forged and truncated receipts")
for _name, _forgery in {
    "receipt_without_a_signature": _signature(value=b""),
    "receipt_with_a_signature_of_zeros": _signature(value=bytes(64)),
    "receipt_with_half_a_signature": _signature(value=bytes(32)),
    "receipt_of_a_key_that_nobody_knows": _signature(key_id="0" * 16),
    "receipt_that_is_cut_off": _body(lambda body: body[:-1]),
    "receipt_of_nothing": _body(lambda _: b""),
    "receipt_of_garbage": _body(lambda _: b"\xff" * 100),
    "receipt_with_padding": _body(lambda body: body + b"\xa2\x06\x01x"),
}.items():
    _enter(_FORGED, _name, _forged(_forgery))


def _foreign_key(receiver: Receiver) -> None:
    receiver.key = Ed25519PrivateKey.generate()


_enter(_FORGED, "receipt_signed_with_a_foreign_key", _foreign_key)


# -- receipts that the receiver itself signs, and that lie -----------------------------------

_LYING = strange_receivers("Receipts that are signed and lie")


def _fields(**values: Any) -> Lie:
    def lie(body: receipt_pb2.ReceiptBody) -> None:
        for field, value in values.items():
            setattr(body, field, value)

    return lie


def _refuse_a_stranger(body: receipt_pb2.ReceiptBody) -> None:
    body.exceptions.add(
        lseq=99, status=receipt_pb2.OUTCOME_STATUS_REFUSED, reason="RECIPIENT_UNKNOWN"
    )


def _refuse_after_all(body: receipt_pb2.ReceiptBody) -> None:
    """The root says accepted, the list says refused."""
    body.exceptions.add(
        lseq=body.first_lseq, status=receipt_pb2.OUTCOME_STATUS_REFUSED, reason="EXPIRED"
    )


def _outcome_of_tomorrow(body: receipt_pb2.ReceiptBody) -> None:
    body.exceptions.add(lseq=body.first_lseq, status=99)  # type: ignore[arg-type]


for _name, _lie in {
    "wrong_root": _fields(merkle_root=bytes(32)),
    "half_a_root": _fields(merkle_root=bytes(16)),
    "wrong_place_in_the_chain": _fields(prev_hash=b"\1" * 32),
    "another_issuer": _fields(issuer="sachsen"),
    "another_origin": _fields(origin="sachsen"),
    "letters_that_were_never_sent": _fields(last_lseq=1000),
    "all_numbers_there_are": _fields(last_lseq=2**63 - 1),
    "more_numbers_than_there_are": _fields(last_lseq=2**64 - 1),
    "a_range_that_ends_before_it_begins": _fields(first_lseq=5, last_lseq=1),
    "a_gap": _fields(first_lseq=2),
    "numbers_from_zero": _fields(first_lseq=0),
    "a_format_of_tomorrow": _fields(format=2),
    "an_outcome_outside_its_range": _refuse_a_stranger,
    "an_outcome_that_the_root_does_not_cover": _refuse_after_all,
    "an_outcome_of_tomorrow": _outcome_of_tomorrow,
}.items():
    _enter(_LYING, f"receipt_with_{_name}", _lying(_lie))


def _issued(ago: timedelta) -> Lie:
    """The key that the directory has was valid since yesterday and is for a month."""
    return lambda body: body.issue_time.FromDatetime(clock.now() - ago)


for _name, _ago in {
    "before_its_key_begins": timedelta(days=30),
    "when_its_key_had_ended": timedelta(days=-60),
    "at_the_beginning_of_all_times": timedelta(days=365 * 2000),
    "at_the_end_of_all_times": timedelta(days=-365 * 7900),
}.items():
    _enter(_LYING, f"receipt_issued_{_name}", _lying(_issued(_ago)))


def _other_letters(receiver: Receiver) -> None:
    by = Authority()
    other = letter(envelope(receiver.origin, by, uuid7()), by)

    def lie(body: receipt_pb2.ReceiptBody) -> None:
        numbers = range(body.first_lseq, body.last_lseq + 1)
        body.merkle_root = root([leaf(other, lseq) for lseq in numbers])

    receiver.lie = lie


_enter(_LYING, "receipt_for_other_letters", _other_letters)
