"""Letters as bytes: sealed, signed and written by the sender; verified, read and opened by others.

The order on the receiving side is the order of the functions: `read_outer` looks at the frame of a
letter only, `Carried.verify` checks the signature over the carried bytes, `Carried.read` parses
them, `open_payload` opens the seal. What was carried is what is stored: nothing is encoded anew.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import envelope_pb2
from google.protobuf.message import DecodeError

from centre.keys import sign
from centre.keys.errors import SealBroken, SignatureInvalid
from centre.keys.seal import SealPrivateKey, SealPublicKey, open_sealed, seal
from centre.keys.sign import SigningKey, VerifyKey
from federation.protocol import limits
from federation.protocol.errors import ItemRefused, MessageInvalid
from federation.protocol.messages import (
    BlobRef,
    Envelope,
    MessageKind,
    OutboundMessage,
    check_order,
)
from federation.protocol.reasons import Reason
from federation.wire.convert import (
    KIND_NUMBERS,
    KINDS,
    Malformed,
    read_timestamp,
    read_uuid,
    refuse_unknown_fields,
    set_timestamp,
)
from federation.wire.inclusion import (
    Inclusion,
    read_inclusion,
    sign_each,
    sign_together,
    write_inclusion,
)

FORMAT: Final = 1
OPENING_SIZE: Final = 32

_SEAL_INFO: Final = b"amtsbruecke seal v1"
_COMMITMENT: Final = b"amtsbruecke content v1"
_OPENING: Final = b"amtsbruecke opening v1"
_BINDING: Final = struct.Struct(">16s16s16s16sQII")
_HASH_SIZE: Final = 32
_SIGNATURE_SIZE: Final = 64
_KID_SIZE: Final = 16
_MAX_SUITE: Final = 63
_UUID7: Final = 7
_MAX_LIFETIME: Final = limits.MAX_LIFETIME.total_seconds()


@dataclass(frozen=True, slots=True)
class Written:
    """A finished letter: the bytes to store and send, and their SHA-256."""

    item: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Carried:
    """A letter of which only the frame has been read. Believe `signer` after `verify` only."""

    item: bytes
    digest: bytes
    signed: bytes
    signer: UUID
    kid: str
    signature: bytes
    #: Where it is not the only letter that the signature covers.
    inclusion: Inclusion | None

    def verify(self, key: VerifyKey) -> None:
        """Raise `ItemRefused` unless the key (that of `signer` with `kid`) signed the letter."""
        try:
            if self.inclusion is None:
                key.verify(context=sign.ENVELOPE, message=self.signed, signature=self.signature)
            else:
                self.inclusion.verify(key=key, signed=self.signed, signature=self.signature)
        except SignatureInvalid as error:
            raise ItemRefused(Reason.SIGNATURE_INVALID, "the signature does not hold") from error

    def read(self) -> Envelope:
        """Parse the signed bytes, strictly; raise `ItemRefused` for all that is not understood."""
        envelope = _read_envelope(self.signed)
        if envelope.sender != self.signer:
            raise ItemRefused(
                Reason.SIGNATURE_INVALID, "signed by another authority than the sender"
            )
        return envelope


def write_letter(
    message: OutboundMessage,
    *,
    origin_centre: str,
    sender: UUID,
    created_at: datetime,
    to: SealPublicKey,
    by: SigningKey,
) -> Written:
    """Seal the message to its recipient's key, sign it, and return the letter."""
    [written] = write_letters(
        [message], [to], origin_centre=origin_centre, sender=sender, created_at=created_at, by=by
    )
    return written


def write_letters(
    messages: Sequence[OutboundMessage],
    to: Sequence[SealPublicKey],
    *,
    origin_centre: str,
    sender: UUID,
    created_at: datetime,
    by: SigningKey,
    together: bool = False,
) -> list[Written]:
    """Seal each message to the key of its recipient, sign it, and return the letters.

    `together` lets one signature cover several: for peers that say that they take it. All are
    sealed, then all signed: a processor that does one thing many times does it faster than two in
    turns.
    """
    sealed = [_seal(message, sender, key, by) for message, key in zip(messages, to, strict=True)]
    signed = [
        _signed(message, payload, origin_centre=origin_centre, sender=sender, created_at=created_at)
        for message, payload in zip(messages, sealed, strict=True)
    ]
    signatures = (sign_together if together else sign_each)(signed, by=by)
    return [
        _framed(each, signature, inclusion, sender=sender, kid=by.kid)
        for each, (signature, inclusion) in zip(signed, signatures, strict=True)
    ]


def _seal(
    message: OutboundMessage, sender: UUID, to: SealPublicKey, by: SigningKey
) -> envelope_pb2.SealedPayload:
    opening = opening_of(message.message_id, by=by)
    return envelope_pb2.SealedPayload(
        suite=to.suite.value,
        key_id=to.kid,
        sealed=seal(
            to=to,
            info=_SEAL_INFO,
            aad=_binding(message, sender),
            plaintext=opening + message.payload,
        ),
        commitment=commitment(opening, message.payload),
    )


def _signed(
    message: OutboundMessage,
    payload: envelope_pb2.SealedPayload,
    *,
    origin_centre: str,
    sender: UUID,
    created_at: datetime,
) -> bytes:
    pb = envelope_pb2.Envelope(
        format=FORMAT,
        message_id=message.message_id.bytes,
        origin_centre=origin_centre,
        sender=sender.bytes,
        recipient=message.recipient.bytes,
        case_id=message.case_id.bytes,
        case_sequence=message.case_sequence,
        kind=KIND_NUMBERS[message.kind],
        schema_version=message.schema_version,
        traceparent=message.traceparent,
        payload=payload,
    )
    set_timestamp(pb.create_time, created_at)
    set_timestamp(pb.expire_time, message.expires_at)
    for blob in message.blobs:
        pb.blobs.add(digest=bytes.fromhex(blob.digest), size=blob.size)
    return pb.SerializeToString()


def _framed(
    signed: bytes, signature: bytes, inclusion: Inclusion | None, *, sender: UUID, kid: str
) -> Written:
    item = envelope_pb2.SignedEnvelope(
        envelope=signed,
        signature=envelope_pb2.Signature(signer=sender.bytes, key_id=kid, value=signature),
        inclusion=write_inclusion(inclusion) if inclusion else None,
    ).SerializeToString()
    if len(item) > limits.MAX_ITEM_BYTES:
        raise MessageInvalid(f"the letter has {len(item)} bytes; {limits.MAX_ITEM_BYTES} can go")
    return Written(item, sha256(item).digest())


def read_outer(item: bytes) -> Carried:
    """Read the frame of a letter; raise `ItemRefused` where it is none, or too large."""
    if len(item) > limits.MAX_ITEM_BYTES:
        raise ItemRefused(Reason.ENVELOPE_TOO_LARGE, f"the letter has {len(item)} bytes")
    try:
        return _read_outer(item)
    except (DecodeError, Malformed) as error:
        raise ItemRefused(Reason.ENVELOPE_MALFORMED, str(error)) from error


def _read_outer(item: bytes) -> Carried:
    pb = envelope_pb2.SignedEnvelope.FromString(item)
    # The frame is not signed. If it could be written in two ways, one letter would have two
    # digests, and a repetition would look like an attack.
    pb.DiscardUnknownFields()
    if pb.SerializeToString(deterministic=True) != item:
        raise Malformed("the frame is not written as it should be")
    signature = pb.signature
    if len(signature.value) != _SIGNATURE_SIZE or len(signature.key_id) != _KID_SIZE:
        raise Malformed("the signature has another size")
    return Carried(
        item=item,
        digest=sha256(item).digest(),
        signed=pb.envelope,
        signer=read_uuid(signature.signer),
        kid=signature.key_id,
        signature=signature.value,
        inclusion=read_inclusion(pb.inclusion) if pb.HasField("inclusion") else None,
    )


def _read_envelope(signed: bytes) -> Envelope:
    try:
        pb = envelope_pb2.Envelope.FromString(signed)
        kind = _understand(pb, len(signed))
        envelope = Envelope(
            message_id=read_uuid(pb.message_id),
            origin_centre=pb.origin_centre,
            sender=read_uuid(pb.sender),
            recipient=read_uuid(pb.recipient),
            case_id=read_uuid(pb.case_id),
            case_sequence=pb.case_sequence,
            kind=kind,
            schema_version=pb.schema_version,
            created_at=read_timestamp(pb.create_time),
            expires_at=read_timestamp(pb.expire_time),
            traceparent=pb.traceparent,
            seal_suite=pb.payload.suite,
            seal_kid=pb.payload.key_id,
            sealed=pb.payload.sealed,
            commitment=pb.payload.commitment,
            blobs=_read_blobs(pb),
        )
        _check(envelope)
    except (DecodeError, Malformed, MessageInvalid) as error:
        raise ItemRefused(Reason.ENVELOPE_MALFORMED, str(error)) from error
    return envelope


def _understand(pb: envelope_pb2.Envelope, size: int) -> MessageKind:
    """Raise `ItemRefused` unless format, kind and every field are known here; return the kind."""
    if pb.format != FORMAT:
        raise ItemRefused(
            Reason.VERSION_UNSUPPORTED, f"format {pb.format} of the envelope is not known here"
        )
    try:
        refuse_unknown_fields(pb, size)
    except Malformed as error:
        raise ItemRefused(Reason.ENVELOPE_NOT_CANONICAL, str(error)) from error
    kind = KINDS.get(pb.kind)
    if kind is None:
        raise ItemRefused(Reason.KIND_UNKNOWN, f"kind {pb.kind} is not known here")
    return kind


def _read_blobs(pb: envelope_pb2.Envelope) -> tuple[BlobRef, ...]:
    if not pb.blobs:
        return ()
    if len(pb.blobs) > limits.MAX_BLOBS:
        raise Malformed("the letter names too many documents")
    blobs = tuple(BlobRef(blob.digest.hex(), blob.size) for blob in pb.blobs)
    if len({blob.digest for blob in blobs}) != len(blobs):
        raise Malformed("the letter names a document twice")
    return blobs


def _check(envelope: Envelope) -> None:
    """Raise `Malformed` or `MessageInvalid` for values that no letter may have."""
    if envelope.message_id.version != _UUID7:
        raise Malformed("the message id is no UUID of version 7")
    if not limits.CENTRE_ID.fullmatch(envelope.origin_centre):
        raise Malformed("the id of the sending centre is not one")
    check_order(envelope.kind, envelope.case_sequence)
    if not envelope.schema_version:
        raise Malformed("the version of the schema is missing")
    if not 0 < (envelope.expires_at - envelope.created_at).total_seconds() <= _MAX_LIFETIME:
        raise Malformed("the letter expires before it is written, or too late")
    if len(envelope.traceparent) > limits.MAX_TRACEPARENT:
        raise Malformed("the trace context is too long")
    if (
        not 0 < len(envelope.seal_suite) <= _MAX_SUITE
        or len(envelope.seal_kid) != _KID_SIZE
        or len(envelope.commitment) != _HASH_SIZE
        or not envelope.sealed
    ):
        raise Malformed("the sealed content is incomplete")


def open_payload(envelope: Envelope, *, key: SealPrivateKey) -> bytes:
    """Return the content. Raise `SealBroken` where the key or anything in the letter differs."""
    return open_with_opening(envelope, key=key)[1]


def open_with_opening(envelope: Envelope, *, key: SealPrivateKey) -> tuple[bytes, bytes]:
    """Return the opening of the commitment, which proves the content to others, and the content."""
    if envelope.seal_suite != key.suite:
        raise SealBroken(f"the letter is sealed with {envelope.seal_suite}, not {key.suite}")
    plaintext = open_sealed(
        key=key,
        info=_SEAL_INFO,
        aad=_binding(envelope, envelope.sender),
        sealed=envelope.sealed,
    )
    opening, payload = plaintext[:OPENING_SIZE], plaintext[OPENING_SIZE:]
    if not hmac.compare_digest(commitment(opening, payload), envelope.commitment):
        raise SealBroken("the content is not the one that the envelope commits to")
    return opening, payload


def opening_of(message_id: UUID, *, by: SigningKey) -> bytes:
    """Return the opening of a letter's commitment, which its signer can find again at any time."""
    return by.derive(label=_OPENING, about=message_id.bytes)


def commitment(opening: bytes, payload: bytes) -> bytes:
    """Return the hash in the envelope that binds the sender to the content without telling it."""
    return sha256(b"%b\0%b%b" % (_COMMITMENT, opening, payload)).digest()


def _binding(letter: OutboundMessage | Envelope, sender: UUID) -> bytes:
    """Return what ties sealed content to its letter: nobody can put it into one of his own."""
    return _BINDING.pack(
        letter.message_id.bytes,
        sender.bytes,
        letter.recipient.bytes,
        letter.case_id.bytes,
        letter.case_sequence,
        KIND_NUMBERS[letter.kind],
        letter.schema_version,
    )
