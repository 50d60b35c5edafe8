import pytest
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
