from itertools import product

import pytest
from cryptography.hazmat.bindings._rust import openssl as rust_openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from centre.keys.errors import KeyMalformed, SealBroken
from centre.keys.seal import SealPrivateKey, SealPublicKey, SealSuite, open_sealed, seal

KEYS = {suite: SealPrivateKey.generate(suite) for suite in SealSuite}


@pytest.mark.parametrize("suite", SealSuite)
@given(plaintext=st.binary(max_size=500), info=st.binary(max_size=20).filter(lambda b: 0 not in b))
def test_what_is_sealed_can_be_opened(suite: SealSuite, plaintext: bytes, info: bytes) -> None:
    key = SealPrivateKey.from_bytes(suite, KEYS[suite].to_bytes())
    to = SealPublicKey(suite, key.public.raw)
    assert to.kid == KEYS[suite].kid
    sealed = seal(to=to, info=info, aad=b"aad", plaintext=plaintext)
    assert open_sealed(key=key, info=info, aad=b"aad", sealed=sealed) == plaintext


@pytest.mark.parametrize("suite", SealSuite)
def test_context_and_key_belong_to_the_seal(suite: SealSuite) -> None:
    key = KEYS[suite]
    sealed = seal(to=key.public, info=b"info", aad=b"aad", plaintext=b"content")
    tries = list(product([key, SealPrivateKey.generate(suite)], [b"info", b"x"], [b"aad", b"x"]))
    for other, info, aad in tries[1:]:
        with pytest.raises(SealBroken):
            open_sealed(key=other, info=info, aad=aad, sealed=sealed)


@pytest.mark.parametrize("suite", SealSuite)
@given(data=st.data())
def test_no_bit_may_flip_and_no_byte_be_lost(suite: SealSuite, data: st.DataObject) -> None:
    sealed = seal(to=KEYS[suite].public, info=b"i", aad=b"a", plaintext=b"content")
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    for broken in (bytes(flipped), sealed[: bit // 8]):
        with pytest.raises(SealBroken):
            open_sealed(key=KEYS[suite], info=b"i", aad=b"a", sealed=broken)


def test_two_seals_of_one_content_share_nothing() -> None:
    to = KEYS[SealSuite.HYBRID].public
    first, second = (seal(to=to, info=b"", aad=b"", plaintext=bytes(64)) for _ in range(2))
    assert first[:32] != second[:32]
    assert first[-64:] != second[-64:]


def test_hpke_known_answer() -> None:
    """RFC 9180, A.1.1: DHKEM(X25519), HKDF-SHA256, AES-128-GCM, base mode, without its aad."""
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    assert private.public_key().public_bytes_raw().hex() == (
        "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"
    )
    sealed = bytes.fromhex(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
        "6d8770ac83d07bea87e13c512a"
    )
    plain = rust_openssl.hpke._decrypt_with_aad(
        Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM),
        sealed,
        private,
        info=bytes.fromhex("4f6465206f6e2061204772656369616e2055726e"),
        aad=bytes.fromhex("436f756e742d30"),
    )
    assert plain == b"Beauty is truth, truth beauty"


def test_keys_that_are_none_are_refused() -> None:
    with pytest.raises(KeyMalformed):
        SealPublicKey("HPKE-ROT13", bytes(32))
    with pytest.raises(KeyMalformed):
        SealPublicKey(SealSuite.HYBRID, bytes(32))
    with pytest.raises(KeyMalformed):
        SealPrivateKey.from_bytes(SealSuite.CLASSICAL, bytes(96))
    with pytest.raises(KeyMalformed):  # coefficients beyond the modulus (FIPS 203, 7.2)
        SealPublicKey(SealSuite.HYBRID, b"\xff" * 1216)
