"""A hostile receiver against our dispatch: it owns its key, and signs whatever helps it.

Each case changes how a receiver answers; the answer here is the fault that dispatch notes with the
link. Nothing it says counts: no letter becomes *relayed* that was not receipted by the protocol.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import receipt_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from centre.keys import sign
from centre.keys.sign import SigningKey
from federation.dispatch import session
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.protocol.receipts import SignedReceipt, Status, Verdict
from federation.wire.errors import DOMAIN
from tests.fakes import receiver as fake
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.misuse.fields import Path, flip, name, paths
from tests.integration.federation.misuse.table import receivers

RECEIPT_INVALID: Final = "RECEIPT_INVALID"

type Change = Callable[[FakeReceiver], None]


def _enter(group: Any, title: str, change: Change, expected: str, *, alarm: bool = True) -> None:
    async def misuse(receiver: FakeReceiver) -> str:
        change(receiver)
        return expected

    group.add(title, misuse, expected, alarm=alarm)


# -- receipts that others could have changed -------------------------------------------------

_FLIPPED = receivers("A flipped bit in each field of a receipt, under the old signature")


def _flipped(path: Path) -> Change:
    def change(receipt: SignedReceipt) -> SignedReceipt:
        body = receipt_pb2.ReceiptBody.FromString(receipt.body)
        flip(body, path)
        return replace(receipt, body=body.SerializeToString())

    return lambda receiver: setattr(receiver, "change", change)


for _path in paths(receipt_pb2.ReceiptBody.DESCRIPTOR):
    _enter(_FLIPPED, f"flipped_bit_in_receipt_{name(_path)}", _flipped(_path), RECEIPT_INVALID)

_FORGED = receivers("Forged and truncated receipts")
for _name, _change in {
    "receipt_without_a_signature": lambda receipt: replace(receipt, signature=b""),
    "receipt_with_a_signature_of_zeros": lambda receipt: replace(receipt, signature=bytes(64)),
    "receipt_of_a_key_that_nobody_knows": lambda receipt: replace(receipt, kid="0" * 16),
    "receipt_that_is_cut_off": lambda receipt: replace(receipt, body=receipt.body[:-1]),
    "receipt_of_nothing": lambda receipt: replace(receipt, body=b""),
    "receipt_of_garbage": lambda receipt: replace(receipt, body=b"\xff" * 100),
    "receipt_with_padding": lambda receipt: replace(receipt, body=receipt.body + b"\xa2\x06\x01x"),
}.items():
    _enter(
        _FORGED,
        _name,
        lambda receiver, change=_change: setattr(receiver, "change", change),  # type: ignore[misc]
        RECEIPT_INVALID,
    )


def _foreign_key(receiver: FakeReceiver) -> None:
    receiver.key = SigningKey.generate()


_enter(_FORGED, "receipt_signed_with_a_foreign_key", _foreign_key, RECEIPT_INVALID)


# -- receipts that the receiver itself signs, and that lie -----------------------------------

_LYING = receivers("Receipts that are signed and lie")


def _signed(change: Callable[[Any], None]) -> Change:
    """Let the receiver sign another body than the true one."""

    def enter(receiver: FakeReceiver) -> None:
        def resign(receipt: SignedReceipt) -> SignedReceipt:
            body = receipt_pb2.ReceiptBody.FromString(receipt.body)
            change(body)
            raw = body.SerializeToString(deterministic=True)
            value = receiver.key.sign(context=sign.RECEIPT, message=raw)
            return replace(receipt, body=raw, signature=value)

        receiver.change = resign

    return enter


def _fields(**values: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for field, value in values.items():
            setattr(body, field, value)

    return change


def _refuse_a_stranger(body: Any) -> None:
    body.exceptions.add(
        lseq=99, status=receipt_pb2.OUTCOME_STATUS_REFUSED, reason=Reason.RECIPIENT_UNKNOWN
    )


def _refuse_after_all(body: Any) -> None:
    """The root says accepted, the list says refused."""
    body.exceptions.add(
        lseq=body.first_lseq, status=receipt_pb2.OUTCOME_STATUS_REFUSED, reason="EXPIRED"
    )


def _outcome_of_tomorrow(body: Any) -> None:
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
    _enter(_LYING, f"receipt_with_{_name}", _signed(_lie), RECEIPT_INVALID)


def _other_letters(receiver: FakeReceiver) -> None:
    hold = receiver._hold
    receiver._hold = lambda batch: hold(  # type: ignore[method-assign]
        pb.Batch(first_lseq=batch.first_lseq, items=[b""] * len(batch.items))
    )


_enter(_LYING, "receipt_for_other_letters", _other_letters, RECEIPT_INVALID)


# -- the stream ------------------------------------------------------------------------------

_STREAM = receivers("Welcomes, frames and silence")


def _welcome(**values: Any) -> Change:
    def enter(receiver: FakeReceiver) -> None:
        receiver.welcome = lambda welcome: replace(welcome, **values)

    return enter


_enter(
    _STREAM,
    "welcome_that_claims_what_was_never_sent",
    _welcome(in_lseq=1000),
    "POSITION_IMPOSSIBLE",
)
_enter(
    _STREAM,
    "welcome_at_the_end_of_all_numbers",
    _welcome(in_lseq=2**63 - 1),
    "POSITION_IMPOSSIBLE",
)
_enter(_STREAM, "welcome_in_another_name", _welcome(receiver="sachsen"), "WRONG_PEER")


def _ends(*, reason: Reason) -> Change:
    def refuse(_: pb.Batch) -> None:
        raise CallRefused(reason, "as it pleases")

    return lambda receiver: setattr(receiver, "before", refuse)


for _reason in (Reason.UNAVAILABLE, Reason.RATE_EXCEEDED, Reason.STREAM_SUPERSEDED):
    _enter(
        _STREAM,
        f"stream_that_ends_again_and_again_with_{_reason.lower()}",
        _ends(reason=_reason),
        _reason,
        alarm=False,
    )


def _answers(make: Callable[[], Any]) -> Change:
    """Let the receiver answer each batch with other frames."""

    def enter(receiver: FakeReceiver) -> None:
        async def send(context: Any, _: SignedReceipt) -> None:
            for response in make():
                await context.write(response)

        receiver._send = send  # type: ignore[method-assign]

    return enter


def _many_credits() -> Iterator[pb.ExchangeResponse]:
    for _ in range(2000):
        yield pb.ExchangeResponse(credit=pb.Credit(messages=2**32 - 1, bytes=2**64 - 1))


_enter(
    _STREAM,
    "frame_without_content",
    _answers(lambda: [pb.ExchangeResponse()]),
    "FRAME_UNKNOWN",
)
_enter(
    _STREAM,
    "second_welcome",
    _answers(lambda: [pb.ExchangeResponse(welcome=pb.Welcome(receiver="nord"))]),
    "FRAME_UNKNOWN",
)
_enter(
    _STREAM,
    "receipt_without_content",
    _answers(lambda: [pb.ExchangeResponse(receipt=receipt_pb2.Receipt())]),
    RECEIPT_INVALID,
)


def _endless_credit(receiver: FakeReceiver) -> None:
    """Credit beyond all numbers, and never a receipt: what is under way stays bounded."""
    _answers(_many_credits)(receiver)
    patch.object(session, "RECEIPT_TIMEOUT_S", 1.0).start()
    patch.object(session, "_LOOK_FOR_OVERDUE_S", 0.2).start()


def _silence(receiver: FakeReceiver) -> None:
    _answers(list)(receiver)
    patch.object(session, "RECEIPT_TIMEOUT_S", 1.0).start()
    patch.object(session, "_LOOK_FOR_OVERDUE_S", 0.2).start()


_enter(
    _STREAM, "credit_without_end_and_no_receipt", _endless_credit, "RECEIPT_MISSING", alarm=False
)
_enter(_STREAM, "silence_instead_of_receipts", _silence, "RECEIPT_MISSING", alarm=False)


def _no_welcome(receiver: FakeReceiver) -> None:
    async def exchange(context: Any) -> None:
        receiver.hellos.append((await context.read()).hello)
        await asyncio.sleep(60)

    receiver._exchange = exchange  # type: ignore[method-assign]
    patch.object(session, "HELLO_TIMEOUT_S", 0.3).start()


_enter(_STREAM, "hello_that_is_never_answered", _no_welcome, "WELCOME_MISSING", alarm=False)


def _garbage_welcome(receiver: FakeReceiver) -> None:
    async def exchange(context: Any) -> None:
        receiver.hellos.append((await context.read()).hello)
        await context.write(pb.ExchangeResponse(credit=pb.Credit(messages=1)))

    receiver._exchange = exchange  # type: ignore[method-assign]


_enter(_STREAM, "credit_instead_of_a_welcome", _garbage_welcome, "WELCOME_MISSING")


# -- words ----------------------------------------------------------------------------------


def _ends_with_words(reason: str, message: str) -> Change:
    """Let the stream end with words of the receiver's own."""

    async def exchange(context: Any) -> None:
        await context.read()
        status = status_pb2.Status(code=code_pb2.Code.FAILED_PRECONDITION, message=message)
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
        trailers = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message, trailers)

    return lambda receiver: setattr(receiver, "_exchange", exchange)


_WORDS = receivers("Words of its own")
for _name, _said, _message, _noted in (
    ("reason_of_a_thousand_letters", "X" * 1000, "as it pleases", Reason.INTERNAL),
    ("reason_of_null_bytes", "\0" * 10, "as it pleases", Reason.INTERNAL),
    ("reason_that_nobody_knows", "OF_TOMORROW", "as it pleases", "OF_TOMORROW"),
    ("message_of_null_bytes", "OF_TOMORROW", "\0" * 10, "OF_TOMORROW"),
    ("message_of_four_thousand_letters", "OF_TOMORROW", "x" * 4000, "OF_TOMORROW"),
):
    _enter(
        _WORDS,
        f"stream_that_ends_with_a_{_name}",
        _ends_with_words(_said, _message),
        _noted,
        alarm=False,
    )


def _refuses(reason: str) -> Change:
    """Let the receiver refuse everything, by a receipt that is in order but for the reason."""
    verdict = Verdict(Status.REFUSED, reason)
    return lambda _: patch.object(fake, "ACCEPTED", verdict).start()


_enter(_WORDS, "refusal_for_a_reason_of_null_bytes", _refuses("\0" * 10), RECEIPT_INVALID)
_enter(_WORDS, "refusal_for_a_reason_of_a_thousand_letters", _refuses("X" * 1000), RECEIPT_INVALID)
_enter(_WORDS, "refusal_for_a_reason_of_62_letters", _refuses("X" * 62), RECEIPT_INVALID)
