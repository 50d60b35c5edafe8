"""Receipts as bytes: written and signed by the receiver, read and verified by the sender."""

from datetime import datetime, timedelta
from typing import Final

from amtsbruecke.exchange.v1beta1 import envelope_pb2, receipt_pb2
from google.protobuf.message import DecodeError

from centre.directory.interface import ListedKey
from centre.keys import sign
from centre.keys.errors import SignatureInvalid
from centre.keys.sign import SigningKey, VerifyKey
from federation.protocol import limits
from federation.protocol.errors import ReceiptInvalid
from federation.protocol.reasons import Reason
from federation.protocol.receipts import ReceiptBody, SignedReceipt, Status, Verdict
from federation.wire.convert import (
    Malformed,
    read_timestamp,
    refuse_unknown_fields,
    set_timestamp,
)

FORMAT: Final = 1
_HASH_SIZE: Final = 32


def sign_receipt(body: ReceiptBody, *, by: SigningKey) -> SignedReceipt:
    """Return the receipt as it is stored and sent."""
    raw = encode_body(body)
    return SignedReceipt(body=raw, kid=by.kid, signature=by.sign(context=sign.RECEIPT, message=raw))


def verify_receipt(receipt: SignedReceipt, *, key: VerifyKey) -> ReceiptBody:
    """Check the signature over the carried bytes, then read them; raise `ReceiptInvalid`.

    Whether the receipt states what was sent is told by `receipts.check`.
    """
    try:
        key.verify(context=sign.RECEIPT, message=receipt.body, signature=receipt.signature)
    except SignatureInvalid as error:
        raise ReceiptInvalid("the signature of the receipt does not hold") from error
    return decode_body(receipt.body)


def key_held(body: ReceiptBody, *, key: ListedKey, posted_at: datetime | None = None) -> bool:
    """Return whether the key was valid when the receipt was issued.

    The receipt names that time, so whoever has a key that ended can name an old one. `posted_at`,
    when the newest of its letters was posted, it cannot choose: none was receipted before.
    """
    moments = {body.issued_at, max(body.issued_at, posted_at or body.issued_at)}
    return all(key.valid_at(moment, skew=limits.CLOCK_SKEW) for moment in moments)


def encode_body(body: ReceiptBody) -> bytes:
    pb = receipt_pb2.ReceiptBody(
        format=FORMAT,
        issuer=body.issuer,
        origin=body.origin,
        first_lseq=body.first_lseq,
        last_lseq=body.last_lseq,
        merkle_root=body.merkle_root,
        prev_hash=body.prev_hash,
    )
    set_timestamp(pb.issue_time, body.issued_at)
    for lseq, verdict in body.exceptions:
        outcome = pb.exceptions.add(
            lseq=lseq,
            status=receipt_pb2.OutcomeStatus.ValueType(verdict.status),
            reason=verdict.reason or "",
        )
        if verdict.retry_delay is not None:
            outcome.retry_delay.FromTimedelta(verdict.retry_delay)
    return pb.SerializeToString(deterministic=True)


def decode_body(raw: bytes) -> ReceiptBody:
    """Parse the bytes of a receipt, strictly; raise `ReceiptInvalid`."""
    try:
        return _decode_body(raw)
    except (DecodeError, Malformed) as error:
        raise ReceiptInvalid(f"the receipt cannot be read: {error}") from error


def _decode_body(raw: bytes) -> ReceiptBody:
    if len(raw) > limits.MAX_RECEIPT_BYTES:
        raise Malformed(f"it has {len(raw)} bytes")
    pb = receipt_pb2.ReceiptBody.FromString(raw)
    if pb.format != FORMAT:
        raise Malformed(f"its format {pb.format} is not known here")
    refuse_unknown_fields(pb, len(raw))
    if len(pb.merkle_root) != _HASH_SIZE or len(pb.prev_hash) != _HASH_SIZE:
        raise Malformed("a hash does not have 32 bytes")
    return ReceiptBody(
        issuer=pb.issuer,
        origin=pb.origin,
        first_lseq=pb.first_lseq,
        last_lseq=pb.last_lseq,
        merkle_root=pb.merkle_root,
        prev_hash=pb.prev_hash,
        issued_at=read_timestamp(pb.issue_time),
        exceptions=tuple((each.lseq, _read_verdict(each)) for each in pb.exceptions),
    )


def _read_verdict(pb: receipt_pb2.ItemOutcome) -> Verdict:
    try:
        status = Status(pb.status)
    except ValueError as error:
        raise Malformed(f"outcome {pb.status} is not known here") from error
    if pb.reason and not limits.REASON.fullmatch(pb.reason):
        raise Malformed("a reason is too long, or no word")
    delay: timedelta | None = None
    if pb.HasField("retry_delay"):
        if not 0 <= pb.retry_delay.seconds <= limits.MAX_LIFETIME.total_seconds():
            raise Malformed("a time to come again is out of range")
        delay = pb.retry_delay.ToTimedelta()
    return Verdict(status, _read_reason(pb.reason), delay)


def _read_reason(name: str) -> Reason | str | None:
    """Return the reason; one that only newer receivers know stays a word."""
    try:
        return Reason(name) if name else None
    except ValueError:
        return name


def to_message(receipt: SignedReceipt, *, issuer: str) -> receipt_pb2.Receipt:
    """Return the receipt as a frame of the link holds it."""
    return receipt_pb2.Receipt(
        body=receipt.body,
        signature=envelope_pb2.Signature(
            signer=issuer.encode(), key_id=receipt.kid, value=receipt.signature
        ),
    )


def from_message(pb: receipt_pb2.Receipt) -> SignedReceipt:
    """Return the receipt of a frame. Who signed it, the key that fits says, not the frame."""
    return SignedReceipt(body=pb.body, kid=pb.signature.key_id, signature=pb.signature.value)
