from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2, link_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from centre.kernel.ids import new_id
from centre.keys.sign import SigningKey
from federation.protocol import limits, receipts
from federation.protocol.errors import CallRefused, MessageUnprocessable, ReceiptInvalid
from federation.protocol.frames import BatchLimits, BlobHeader, Credit, Hello, Welcome
from federation.protocol.notices import ProcessingFailureNotice, VoidNotice
from federation.protocol.reasons import Reaction, Reason
from federation.protocol.receipts import ACCEPTED, DUPLICATE, Sent
from federation.wire import errors, frames, notices, receipt

KEY = SigningKey.from_bytes(bytes(range(32)))
BODY, _ = receipts.compose(
    issuer="nord",
    origin="krz",
    first_lseq=1,
    items=[
        (Sent(new_id(), sha256(b"1").digest()), ACCEPTED),
        (Sent(new_id(), sha256(b"2").digest()), DUPLICATE),
        (Sent(new_id(), sha256(b"3").digest()), receipts.refused(Reason.EXPIRED)),
        (
            Sent(new_id(), sha256(b"4").digest()),
            receipts.refused(Reason.BLOB_MISSING, retry_delay=timedelta(seconds=1.5)),
        ),
        (receipts.NOTHING, receipts.VOID),
    ],
    prev_hash=receipts.GENESIS,
    issued_at=datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC),
)
SIGNED = receipt.sign_receipt(BODY, by=KEY)


def test_a_receipt_comes_back_as_it_was_given() -> None:
    sent = receipt.from_message(receipt.to_message(SIGNED, issuer="nord"))
    assert sent == SIGNED
    assert receipt.verify_receipt(sent, key=KEY.verify_key) == BODY


@given(bit=st.integers(0, len(SIGNED.body) * 8 - 1))
def test_no_bit_of_a_receipt_may_flip(bit: int) -> None:
    body = bytearray(SIGNED.body)
    body[bit // 8] ^= 1 << bit % 8
    broken = receipts.SignedReceipt(bytes(body), SIGNED.kid, SIGNED.signature)
    with pytest.raises(ReceiptInvalid, match="signature"):
        receipt.verify_receipt(broken, key=KEY.verify_key)


@given(junk=st.one_of(st.binary(max_size=200), st.just(SIGNED.body + b"\xf8\x07\x01")))
def test_signed_junk_is_no_receipt(junk: bytes) -> None:
    with pytest.raises(ReceiptInvalid):
        receipt.decode_body(junk)


def test_a_reason_from_the_future_stays_a_word() -> None:
    raw = SIGNED.body.replace(b"EXPIRED", b"EXPIRES")
    assert receipt.decode_body(raw).verdict(3).reason == "EXPIRES"


def test_hello_and_welcome_come_back() -> None:
    hello = Hello(origin="krz", acked_lseq=7, next_lseq=9, directory_version=3)
    assert frames.read_hello(frames.write_hello(hello)) == hello
    welcome = Welcome(receiver="nord", in_lseq=8, credit=Credit(5, 6), directory_version=4)
    assert frames.read_welcome(frames.write_welcome(welcome)) == welcome
    of_before = frames.write_welcome(welcome)
    of_before.ClearField("max_signed_together")
    assert frames.read_welcome(of_before).max_signed_together == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"origin": "K"}, Reason.FRAME_MALFORMED),
        ({"next_lseq": 0}, Reason.FRAME_MALFORMED),
        ({"versions": [2]}, Reason.PROTOCOL_UNSUPPORTED),
        ({"versions": range(17)}, Reason.FRAME_MALFORMED),
    ],
)
def test_a_hello_that_is_none_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    fields: dict[str, Any] = {"origin": "krz", "versions": [1], "next_lseq": 1, **changes}
    with pytest.raises(CallRefused) as refusal:
        frames.read_hello(link_service_pb2.Hello(**fields))
    assert refusal.value.why is reason


@pytest.mark.parametrize("changes", [{"version": 2}, {"receiver": ""}, {"receipt_hash": b""}])
def test_a_welcome_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    pb = frames.write_welcome(Welcome(receiver="nord", in_lseq=0))
    for name, value in changes.items():
        setattr(pb, name, value)
    with pytest.raises(CallRefused):
        frames.read_welcome(pb)


def test_batches_are_limited() -> None:
    within = BatchLimits(max_items=2, max_bytes=10, max_item_bytes=10)
    batch = link_service_pb2.Batch
    assert frames.check_batch(batch(first_lseq=1, items=[b"12345", b""]), within=within) == 5
    for broken, reason in (
        (batch(items=[b""]), Reason.FRAME_MALFORMED),
        (batch(first_lseq=1), Reason.FRAME_MALFORMED),
        (batch(first_lseq=1, items=[b""] * 3), Reason.BATCH_TOO_LARGE),
        (batch(first_lseq=1, items=[b"x" * 11]), Reason.BATCH_TOO_LARGE),
    ):
        with pytest.raises(CallRefused) as refusal:
            frames.check_batch(broken, within=within)
        assert refusal.value.why is reason


def test_blob_headers() -> None:
    header = BlobHeader(sender=new_id(), recipient=new_id(), digest=bytes(32), size=9, offset=4)
    pb = frames.write_blob_header(header)
    assert frames.read_blob_header(pb) == header
    for name, value, reason in (
        ("sender", b"", Reason.BLOB_MALFORMED),
        ("digest", bytes(31), Reason.BLOB_MALFORMED),
        ("offset", 10, Reason.BLOB_MALFORMED),
        ("size", limits.MAX_BLOB_BYTES + 1, Reason.BLOB_TOO_LARGE),
    ):
        broken = blob_service_pb2.BlobHeader()
        broken.CopyFrom(pb)
        setattr(broken, name, value)
        with pytest.raises(CallRefused) as refusal:
            frames.read_blob_header(broken)
        assert refusal.value.why is reason


def test_notices_come_back_and_long_words_are_cut() -> None:
    void = VoidNotice(new_id())
    assert notices.read_void(notices.write_void(void)) == void
    failure = ProcessingFailureNotice(message_id=new_id(), reason="R" * 99, text="ü" * 2000)
    assert (len(failure.reason), len(failure.text)) == (63, 1000)
    assert notices.read_processing_failure(notices.write_processing_failure(failure)) == failure
    for read in (notices.read_void, notices.read_processing_failure):
        with pytest.raises(MessageUnprocessable):
            read(b"\xff")


@dataclass
class RpcError(grpc.RpcError):
    """A failed call as the library raises it."""

    status: grpc.StatusCode
    trailers: Sequence[tuple[str, str | bytes]] = ()

    def code(self) -> grpc.StatusCode:
        return self.status

    def details(self) -> str:
        return "words"

    def trailing_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        return self.trailers


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_crosses_the_wire(reason: Reason) -> None:
    abort = errors.to_abort(CallRefused(reason, "words", retry_delay=1.5, metadata={"a": "b"}))
    assert abort.code.name == reason.code.name
    failure = errors.from_rpc_error(RpcError(abort.code, abort.trailing_metadata))
    assert (failure.reason, failure.reaction) == (reason, reason.reaction)
    assert failure.retry_delay == timedelta(seconds=1.5)
    assert failure.metadata == {"a": "b"}


def test_faults_of_our_own_show_no_detail() -> None:
    abort = errors.to_abort(ValueError("password=secret"))
    assert abort.code is grpc.StatusCode.INTERNAL
    assert "secret" not in abort.details + repr(abort.trailing_metadata)


@pytest.mark.parametrize(
    ("code", "reaction"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reaction.RETRY),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reaction.RETRY),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reaction.WAIT),
        (grpc.StatusCode.UNAUTHENTICATED, Reaction.CALL_OPERATOR),
        (grpc.StatusCode.UNKNOWN, Reaction.RETRY),
    ],
)
def test_a_bare_status_says_enough(code: grpc.StatusCode, reaction: Reaction) -> None:
    for trailers in ((), (("grpc-status-details-bin", b"\xff"),)):
        assert errors.from_rpc_error(RpcError(code, trailers)).reaction is reaction


def test_reasons_of_a_stranger_are_not_ours() -> None:
    abort = errors.to_abort(CallRefused(Reason.EXPIRED, "words"))
    trailers = [(key, value.replace(b"amtsbruecke", b"amtsbrueXke"))
                for key, value in abort.trailing_metadata]  # fmt: skip
    failure = errors.from_rpc_error(RpcError(grpc.StatusCode.UNAVAILABLE, trailers))
    assert failure.reason is Reason.UNAVAILABLE
