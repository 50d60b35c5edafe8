"""Ed25519 signatures (RFC 8032) over bytes with a context.

What is signed is `context || 0x00 || message`, so that a signature given for one purpose never
passes for another: a receipt's bytes cannot be shown as a letter's.
"""

import hmac
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from centre.keys.errors import KeyMalformed, SignatureInvalid

SUITE: Final = "Ed25519"

ENVELOPE: Final = b"amtsbruecke envelope v1"
ENVELOPES: Final = b"amtsbruecke envelopes v1"
RECEIPT: Final = b"amtsbruecke receipt v1"
DIRECTORY: Final = b"amtsbruecke directory v1"
AUDIT_HEAD: Final = b"amtsbruecke audit head v1"
EVIDENCE: Final = b"amtsbruecke evidence v1"

_PRIME: Final = 2**255 - 19
#: The y of a point whose order is 8. `_SMALL_ORDER` has the y of every point whose order divides 8.
_Y8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER: Final = frozenset({0, 1, _PRIME - 1, _Y8, _PRIME - _Y8})


def key_id(raw: bytes) -> str:
    """Return the id of a raw public key: eight bytes of its SHA-256 in hexadecimal digits."""
    return sha256(raw).digest()[:8].hex()


class VerifyKey:
    """The public half."""

    __slots__ = ("_key", "kid", "raw")

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.raw = key.public_bytes_raw()
        self.kid = key_id(self.raw)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Raise `KeyMalformed` for bytes that are no key, or under which anybody can sign."""
        try:
            key = Ed25519PublicKey.from_public_bytes(raw)
        except ValueError as error:
            raise KeyMalformed(f"{len(raw)} bytes are no Ed25519 public key") from error
        # Such a point has no private half, and one signature holds for many messages or all. The
        # highest bit is the sign of x. The library also takes y + p for y, which RFC 8032 forbids.
        y = int.from_bytes(raw, "little") & 2**255 - 1
        if y % _PRIME in _SMALL_ORDER:
            raise KeyMalformed("a point of small order is no Ed25519 public key")
        return cls(key)

    def verify(self, *, context: bytes, message: bytes, signature: bytes) -> None:
        """Raise `SignatureInvalid` unless this key signed the message in this context."""
        try:
            self._key.verify(signature, b"%b\0%b" % (context, message))
        except InvalidSignature as error:
            raise SignatureInvalid from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"VerifyKey({self.kid})"


class SigningKey:
    """The private half. Its representation tells the id only."""

    __slots__ = ("_key", "kid", "verify_key")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verify_key = VerifyKey(key.public_key())
        self.kid = self.verify_key.kid

    @classmethod
    def generate(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(raw))
        except ValueError as error:
            raise KeyMalformed(f"{len(raw)} bytes are no Ed25519 private key") from error

    def to_bytes(self) -> bytes:
        return self._key.private_bytes_raw()

    def sign(self, *, context: bytes, message: bytes) -> bytes:
        return self._key.sign(b"%b\0%b" % (context, message))

    def derive(self, *, label: bytes, about: bytes) -> bytes:
        """Return 32 secret bytes that only the holder of this key can find, again and again."""
        return hmac.digest(self._key.private_bytes_raw(), b"%b\0%b" % (label, about), "sha256")

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"
