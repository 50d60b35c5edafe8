"""Letters that one signature covers: each is proven by itself, and nothing else is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from amtsbruecke.exchange.v1beta1 import envelope_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from centre.kernel.ids import new_id
from centre.keys import sign
from centre.keys.seal import SealPrivateKey, SealSuite
from centre.keys.sign import SigningKey, VerifyKey
from federation.protocol import merkle
from federation.protocol.errors import ItemRefused
from federation.protocol.messages import MessageKind, OutboundMessage
from federation.protocol.reasons import Reason
from federation.wire import inclusion
from federation.wire.envelope import Written, open_payload, read_outer, write_letters

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
SENDER = UUID("9a0c5a5e-7b0e-5d3c-8f43-0a0000000001")
SIGNER = SigningKey.from_bytes(bytes(range(32)))
SEAL = SealPrivateKey.generate(SealSuite.CLASSICAL)


class Counted(VerifyKey):
    """A key that counts how often it is asked."""

    __slots__ = ("asked",)

    def __init__(self, key: VerifyKey) -> None:
        super().__init__(Ed25519PublicKey.from_public_bytes(key.raw))
        self.asked = 0

    def verify(self, *, context: bytes, message: bytes, signature: bytes) -> None:
        self.asked += 1
        super().verify(context=context, message=message, signature=signature)


def _write(count: int, *, by: SigningKey = SIGNER) -> list[Written]:
    message = OutboundMessage(
        message_id=new_id(),
        recipient=new_id(),
        case_id=new_id(),
        case_sequence=1,
        kind=MessageKind.ANSWER,
        schema_version=1,
        payload=b"content",
        expires_at=AT + timedelta(days=30),
    )
    return write_letters(
        [replace(message, message_id=new_id()) for _ in range(count)],
        [SEAL.public] * count,
        origin_centre="krz",
        sender=SENDER,
        created_at=AT,
        by=by,
        together=True,
    )


FIVE = [each.item for each in _write(5)]


def _changed(item: bytes, change: Callable[[envelope_pb2.SignedEnvelope], None]) -> bytes:
    outer = envelope_pb2.SignedEnvelope.FromString(item)
    change(outer)
    return outer.SerializeToString()


def _refusal(item: bytes) -> Reason:
    with pytest.raises(ItemRefused) as refused:
        read_outer(item).verify(SIGNER.verify_key)
    return refused.value.why


@pytest.mark.parametrize("count", [1, 2, 3, 5, 63, 64, 65, 129])
def test_every_letter_is_proven_by_itself(count: int) -> None:
    for written in _write(count):
        carried = read_outer(written.item)
        carried.verify(SIGNER.verify_key)
        assert open_payload(carried.read(), key=SEAL) == b"content"


def test_sixty_four_have_one_signature_and_the_next_its_own() -> None:
    letters = [read_outer(written.item) for written in _write(65)]
    assert len({each.signature for each in letters[:64]}) == 1
    assert [each.inclusion is None for each in letters] == [False] * 64 + [True]
    # What the letter grows by.
    assert [len(each.inclusion.path) for each in letters if each.inclusion] == [6 * 32] * 64


@given(number=st.integers(0, 4), at=st.floats(0, 1, exclude_max=True))
def test_no_bit_of_such_a_letter_may_flip(number: int, at: float) -> None:
    bit = int(at * len(FIVE[number]) * 8)
    flipped = bytearray(FIVE[number])
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        carried = read_outer(bytes(flipped))
    except ItemRefused:
        return
    # Who is said to have signed, and with which key, is looked up; all else the signature covers.
    if (carried.signer, carried.kid) == (SENDER, SIGNER.kid):
        with pytest.raises(ItemRefused) as refused:
            carried.verify(SIGNER.verify_key)
        assert refused.value.why is Reason.SIGNATURE_INVALID


def _take_place_of(other: int) -> Callable[[envelope_pb2.SignedEnvelope], None]:
    return lambda outer: outer.inclusion.CopyFrom(
        envelope_pb2.SignedEnvelope.FromString(FIVE[other]).inclusion
    )


def _set(**fields: object) -> Callable[[envelope_pb2.SignedEnvelope], None]:
    def change(outer: envelope_pb2.SignedEnvelope) -> None:
        for name, value in fields.items():
            setattr(outer.inclusion, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_take_place_of(1), Reason.SIGNATURE_INVALID),
        (_set(index=1), Reason.SIGNATURE_INVALID),
        (_set(size=4), Reason.SIGNATURE_INVALID),
        (_set(size=6), Reason.SIGNATURE_INVALID),
        (_set(path=bytes(96)), Reason.SIGNATURE_INVALID),
        (_set(path=bytes(64)), Reason.SIGNATURE_INVALID),
        (_set(path=bytes(128)), Reason.SIGNATURE_INVALID),
        (lambda outer: outer.ClearField("inclusion"), Reason.SIGNATURE_INVALID),
        (_set(path=bytes(95)), Reason.ENVELOPE_MALFORMED),
        (_set(path=b""), Reason.ENVELOPE_MALFORMED),
        (_set(path=bytes(7 * 32)), Reason.ENVELOPE_MALFORMED),
        (_set(index=5), Reason.ENVELOPE_MALFORMED),
        (_set(size=65), Reason.ENVELOPE_MALFORMED),
        (_set(size=1, index=0), Reason.ENVELOPE_MALFORMED),
        (_set(size=0, index=0, path=b""), Reason.ENVELOPE_MALFORMED),
    ],
)
def test_another_way_to_the_signature_is_refused(
    change: Callable[[envelope_pb2.SignedEnvelope], None], reason: Reason
) -> None:
    assert _refusal(_changed(FIVE[0], change)) is reason


def test_a_letter_of_its_own_signature_needs_no_way() -> None:
    [alone] = _write(1)
    assert _refusal(_changed(alone.item, _take_place_of(0))) is Reason.SIGNATURE_INVALID


def test_what_is_signed_is_the_count_and_the_root_for_this_purpose() -> None:
    leaves = [sha256(b"\0" + read_outer(item).signed).digest() for item in FIVE]
    statement = (5).to_bytes(4, "big") + merkle.root(leaves)
    value = SIGNER.sign(context=sign.ENVELOPES, message=statement)
    assert read_outer(FIVE[0]).signature == value
    of_a_letter = SIGNER.sign(context=sign.ENVELOPE, message=statement)
    item = _changed(FIVE[0], lambda outer: setattr(outer.signature, "value", of_a_letter))
    assert _refusal(item) is Reason.SIGNATURE_INVALID


def test_a_signature_is_verified_once_for_all_that_it_covers() -> None:
    signer = SigningKey.generate()
    key = Counted(signer.verify_key)
    for written in _write(64, by=signer):
        read_outer(written.item).verify(key)
    assert key.asked == 1


def _flip(outer: envelope_pb2.SignedEnvelope) -> None:
    outer.signature.value = bytes([outer.signature.value[0] ^ 1]) + outer.signature.value[1:]


def test_a_signature_that_has_held_does_not_let_another_one_pass() -> None:
    for item in FIVE:
        read_outer(item).verify(SIGNER.verify_key)
    assert _refusal(_changed(FIVE[1], _flip)) is Reason.SIGNATURE_INVALID


def test_what_is_remembered_has_a_bound() -> None:
    assert inclusion._hold.cache_info().maxsize == 1024


def test_what_has_not_held_is_asked_again_and_other_keys_are_not_believed() -> None:
    signer, other = SigningKey.generate(), Counted(SigningKey.generate().verify_key)
    letters = [read_outer(written.item) for written in _write(4, by=signer)]
    for carried in letters:
        carried.verify(signer.verify_key)
    for carried in letters:
        with pytest.raises(ItemRefused):
            carried.verify(other)
    assert other.asked == 4
