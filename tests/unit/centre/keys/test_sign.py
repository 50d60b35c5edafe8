from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from centre.keys import sign
from centre.keys.errors import KeyMalformed, SignatureInvalid
from centre.keys.sign import SigningKey, VerifyKey

KEY = SigningKey.from_bytes(bytes(range(32)))


def test_signature_holds_for_its_context_only() -> None:
    signature = KEY.sign(context=sign.ENVELOPE, message=b"m")
    KEY.verify_key.verify(context=sign.ENVELOPE, message=b"m", signature=signature)
    with pytest.raises(SignatureInvalid):
        KEY.verify_key.verify(context=sign.RECEIPT, message=b"m", signature=signature)


@given(message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_no_bit_of_a_signature_may_flip(message: bytes, bit: int) -> None:
    signature = bytearray(KEY.sign(context=sign.RECEIPT, message=message))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureInvalid):
        KEY.verify_key.verify(context=sign.RECEIPT, message=message, signature=bytes(signature))


def test_ed25519_known_answer() -> None:
    """RFC 8032, 7.1, test 2: the message 0x72. Ours has a context before it, so ask below it."""
    key = SigningKey.from_bytes(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert key.verify_key.raw.hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert key._key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_what_is_derived_depends_on_key_label_and_subject() -> None:
    first = KEY.derive(label=b"l", about=b"a")
    assert first == KEY.derive(label=b"l", about=b"a")
    others = {
        KEY.derive(label=b"k", about=b"a"),
        KEY.derive(label=b"l", about=b"b"),
        SigningKey.generate().derive(label=b"l", about=b"a"),
    }
    assert first not in others
    assert len(others) == 3


def test_representations_tell_no_secret() -> None:
    assert KEY.to_bytes().hex() not in repr(KEY)
    assert repr(KEY) == f"SigningKey({KEY.kid})"


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33)])
def test_keys_of_another_size_are_refused(raw: bytes) -> None:
    with pytest.raises(KeyMalformed):
        SigningKey.from_bytes(raw)
    with pytest.raises(KeyMalformed):
        VerifyKey.from_bytes(raw)


def _small_order() -> Iterator[bytes]:
    """Yield each way to write a point that vanishes when it is doubled three times."""
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime) % prime
    root = pow(2, (prime - 1) // 4, prime)  # of -1
    y8 = int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    )
    for y in (0, 1, prime - 1, y8, prime - y8):
        square = (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime
        x = pow(square, (prime + 3) // 8, prime)
        if x * x % prime != square:
            x = x * root % prime
        assert x * x % prime == square
        point = (x, y)
        for _ in range(3):
            u, v = point
            both = d * u * u * v * v
            point = (
                2 * u * v * pow(1 + both, -1, prime) % prime,
                (u * u + v * v) * pow(1 - both, -1, prime) % prime,
            )
        assert point == (0, 1)
        for written in {y, y + prime}:
            if written < 2**255:
                for sign_of_x in (0, 1 << 255):
                    yield (written | sign_of_x).to_bytes(32, "little")


def test_points_of_small_order_are_no_keys() -> None:
    points = set(_small_order())
    assert len(points) == 14
    for raw in points:
        with pytest.raises(KeyMalformed, match="small order"):
            VerifyKey.from_bytes(raw)


def test_under_a_point_of_small_order_anybody_could_sign() -> None:
    """Why they are refused: the library below takes them, and signatures that nobody has made."""
    signature = b"\x01" + bytes(63)
    key = Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    for message in (b"one", b"another"):
        key.verify(signature, message)
