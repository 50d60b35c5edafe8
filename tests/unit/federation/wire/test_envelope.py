from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from amtsbruecke.exchange.v1beta1 import envelope_pb2
from hypothesis import given
from hypothesis import strategies as st

from centre.kernel.ids import new_id
from centre.keys import sign
from centre.keys.errors import SealBroken
from centre.keys.seal import SealPrivateKey, SealSuite
from centre.keys.sign import SigningKey
from federation.protocol import limits
from federation.protocol.errors import ItemRefused, MessageInvalid
from federation.protocol.messages import BlobRef, MessageKind, OutboundMessage
from federation.protocol.reasons import Reason
from federation.wire import envelope as wire

AT = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=UTC)
SENDER = UUID("9a0c5a5e-7b0e-5d3c-8f43-0a0000000001")
SIGNER = SigningKey.from_bytes(bytes(range(32)))
SEALS = {suite: SealPrivateKey.generate(suite) for suite in SealSuite}
SEAL = SEALS[SealSuite.HYBRID]
MESSAGE = OutboundMessage(
    message_id=new_id(),
    recipient=UUID("9a0c5a5e-7b0e-5d3c-8f43-0a0000000002"),
    case_id=new_id(),
    case_sequence=3,
    kind=MessageKind.ANSWER,
    schema_version=1,
    payload=b"content",
    expires_at=AT + timedelta(days=30),
    blobs=(BlobRef("ab" * 32, 1000),),
    traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
)


def _write(message: OutboundMessage = MESSAGE, seal: SealPrivateKey = SEAL) -> wire.Written:
    return wire.write_letter(
        message, origin_centre="krz", sender=SENDER, created_at=AT, to=seal.public, by=SIGNER
    )


LETTER = _write()


def _resign(pb: envelope_pb2.Envelope, extra: bytes = b"") -> bytes:
    """Write a letter that its sender really signed, however odd it is."""
    signed = pb.SerializeToString() + extra
    return envelope_pb2.SignedEnvelope(
        envelope=signed,
        signature=envelope_pb2.Signature(
            signer=SENDER.bytes,
            key_id=SIGNER.kid,
            value=SIGNER.sign(context=sign.ENVELOPE, message=signed),
        ),
    ).SerializeToString()


def _parsed() -> envelope_pb2.Envelope:
    return envelope_pb2.Envelope.FromString(wire.read_outer(LETTER.item).signed)


def _receive(item: bytes) -> bytes:
    carried = wire.read_outer(item)
    carried.verify(SIGNER.verify_key)
    return wire.open_payload(carried.read(), key=SEAL)


def _refusal(item: bytes) -> Reason:
    with pytest.raises(ItemRefused) as refusal:
        _receive(item)
    return refusal.value.why


@pytest.mark.parametrize("suite", SealSuite)
@given(
    payload=st.binary(max_size=300),
    kind=st.sampled_from(MessageKind),
    sequence=st.integers(1, 2**63 - 1),
    microseconds=st.integers(0, 10**15),
)
def test_what_is_written_can_be_read(
    suite: SealSuite, payload: bytes, kind: MessageKind, sequence: int, microseconds: int
) -> None:
    created = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    message = replace(
        MESSAGE,
        payload=payload,
        kind=kind,
        case_sequence=sequence,
        expires_at=created + timedelta(days=1),
    )
    key = SEALS[suite]
    written = wire.write_letter(
        message, origin_centre="krz", sender=SENDER, created_at=created, to=key.public, by=SIGNER
    )
    carried = wire.read_outer(written.item)
    assert (carried.signer, carried.kid) == (SENDER, SIGNER.kid)
    assert (carried.item, carried.digest) == (written.item, written.digest)
    carried.verify(SIGNER.verify_key)
    envelope = carried.read()
    for field in ("message_id", "recipient", "case_id", "case_sequence", "kind", "schema_version"):
        assert getattr(envelope, field) == getattr(message, field)
    assert (envelope.created_at, envelope.expires_at) == (created, message.expires_at)
    assert (envelope.blobs, envelope.traceparent) == (message.blobs, message.traceparent)
    assert (envelope.origin_centre, envelope.sender) == ("krz", SENDER)
    assert (envelope.seal_suite, envelope.seal_kid) == (suite.value, key.kid)
    opening, opened = wire.open_with_opening(envelope, key=key)
    assert opened == payload
    assert opening == wire.opening_of(message.message_id, by=SIGNER)
    assert wire.commitment(opening, payload) == envelope.commitment


@given(bit=st.integers(0, len(LETTER.item) * 8 - 1))
def test_no_bit_of_a_letter_may_flip(bit: int) -> None:
    flipped = bytearray(LETTER.item)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        carried = wire.read_outer(bytes(flipped))
    except ItemRefused:
        return
    assert carried.digest != LETTER.digest
    # Who is said to have signed, and with which key, is looked up; all else the signature covers.
    if (carried.signer, carried.kid) == (SENDER, SIGNER.kid):
        with pytest.raises(ItemRefused) as refused:
            carried.verify(SIGNER.verify_key)
        assert refused.value.why is Reason.SIGNATURE_INVALID


@given(junk=st.binary(max_size=200))
def test_junk_is_refused_and_nothing_else_happens(junk: bytes) -> None:
    assert _refusal(junk) is Reason.ENVELOPE_MALFORMED


@given(cut=st.integers(0, len(LETTER.item) - 1))
def test_a_cut_letter_is_refused(cut: int) -> None:
    assert _refusal(LETTER.item[:cut]) in {Reason.ENVELOPE_MALFORMED, Reason.SIGNATURE_INVALID}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("format", 2, Reason.VERSION_UNSUPPORTED),
        ("kind", 0, Reason.KIND_UNKNOWN),
        ("kind", 99, Reason.KIND_UNKNOWN),
        ("message_id", bytes(15), Reason.ENVELOPE_MALFORMED),
        ("message_id", UUID(int=5, version=4).bytes, Reason.ENVELOPE_MALFORMED),
        ("case_id", b"", Reason.ENVELOPE_MALFORMED),
        ("recipient", bytes(17), Reason.ENVELOPE_MALFORMED),
        ("sender", bytes(16), Reason.SIGNATURE_INVALID),
        ("origin_centre", "KRZ", Reason.ENVELOPE_MALFORMED),
        ("origin_centre", "", Reason.ENVELOPE_MALFORMED),
        ("case_sequence", 0, Reason.ENVELOPE_MALFORMED),
        ("case_sequence", 2**63, Reason.ENVELOPE_MALFORMED),
        ("schema_version", 0, Reason.ENVELOPE_MALFORMED),
        ("traceparent", "x" * 56, Reason.ENVELOPE_MALFORMED),
        ("create_time.nanos", 1, Reason.ENVELOPE_MALFORMED),
        ("create_time.nanos", -1000, Reason.ENVELOPE_MALFORMED),
        ("create_time.seconds", 0, Reason.ENVELOPE_MALFORMED),
        ("expire_time.seconds", 2**62, Reason.ENVELOPE_MALFORMED),
        ("expire_time.seconds", 1, Reason.ENVELOPE_MALFORMED),
        ("payload.suite", "", Reason.ENVELOPE_MALFORMED),
        ("payload.suite", "x" * 64, Reason.ENVELOPE_MALFORMED),
        ("payload.key_id", "", Reason.ENVELOPE_MALFORMED),
        ("payload.sealed", b"", Reason.ENVELOPE_MALFORMED),
        ("payload.commitment", bytes(31), Reason.ENVELOPE_MALFORMED),
    ],
)
def test_a_signed_letter_with_an_impossible_value_is_refused(
    field: str, value: object, reason: Reason
) -> None:
    pb = _parsed()
    *path, name = field.split(".")
    target = getattr(pb, path[0]) if path else pb
    setattr(target, name, value)
    assert _refusal(_resign(pb)) is reason


@pytest.mark.parametrize(
    "change",
    [
        lambda pb: pb.blobs.add(digest=bytes(32), size=0),
        lambda pb: pb.blobs.add(digest=bytes(31), size=1),
        lambda pb: pb.blobs.add(digest=bytes.fromhex("ab" * 32), size=1),
        lambda pb: [pb.blobs.add(digest=bytes([n]) * 32, size=1) for n in range(64)],
        lambda pb: pb.ClearField("payload"),
    ],
)
def test_documents_and_content_must_be_possible(change: object) -> None:
    pb = _parsed()
    change(pb)  # type: ignore[operator]
    assert _refusal(_resign(pb)) is Reason.ENVELOPE_MALFORMED


@pytest.mark.parametrize(
    "extra",
    [
        b"\xf8\x07\x01",  # field 127, a number
        b"\x08\x01",  # the format once more
        b"\x32\x03\x08\xff\x01",  # a nested field where none is known
    ],
)
def test_fields_that_nobody_here_knows_are_refused(extra: bytes) -> None:
    assert _refusal(_resign(_parsed(), extra)) in {
        Reason.ENVELOPE_NOT_CANONICAL,
        Reason.ENVELOPE_MALFORMED,
    }


def test_the_frame_can_be_written_in_one_way_only() -> None:
    assert _refusal(LETTER.item + b"\xf8\x07\x01") is Reason.ENVELOPE_MALFORMED
    pb = envelope_pb2.SignedEnvelope.FromString(LETTER.item)
    signature = envelope_pb2.SignedEnvelope(signature=pb.signature).SerializeToString()
    envelope = envelope_pb2.SignedEnvelope(envelope=pb.envelope).SerializeToString()
    assert _refusal(signature + envelope) is Reason.ENVELOPE_MALFORMED


def test_a_letter_that_is_too_large_is_refused_on_both_sides() -> None:
    assert _refusal(bytes(limits.MAX_ITEM_BYTES + 1)) is Reason.ENVELOPE_TOO_LARGE
    largest = _write(replace(MESSAGE, payload=bytes(limits.MAX_PAYLOAD_BYTES)))
    assert len(largest.item) <= limits.MAX_ITEM_BYTES
    with pytest.raises(MessageInvalid):
        replace(MESSAGE, payload=bytes(limits.MAX_PAYLOAD_BYTES + 1))


def test_sealed_content_cannot_be_put_into_another_letter() -> None:
    for field, value in (
        ("case_id", new_id().bytes),
        ("message_id", new_id().bytes),
        ("case_sequence", 4),
        ("kind", 5),
        ("schema_version", 2),
        ("recipient", new_id().bytes),
    ):
        pb = _parsed()
        setattr(pb, field, value)
        carried = wire.read_outer(_resign(pb))
        carried.verify(SIGNER.verify_key)
        with pytest.raises(SealBroken):
            wire.open_payload(carried.read(), key=SEAL)


def test_a_commitment_to_other_content_breaks_the_seal() -> None:
    pb = _parsed()
    pb.payload.commitment = bytes(32)
    carried = wire.read_outer(_resign(pb))
    with pytest.raises(SealBroken, match="commits"):
        wire.open_payload(carried.read(), key=SEAL)


def test_a_key_of_another_suite_does_not_open() -> None:
    with pytest.raises(SealBroken, match="sealed with"):
        wire.open_payload(wire.read_outer(LETTER.item).read(), key=SEALS[SealSuite.CLASSICAL])
