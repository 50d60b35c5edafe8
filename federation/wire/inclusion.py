"""One signature for letters that are posted together: over the root of a Merkle tree.

A signature costs half of what sealing a letter does, its verification more. Each carries the way
from its own bytes to the root, so it is proven alone, wherever it goes. That way says how many were
signed with it, and hashes of the others that tell nothing: each of them has random bytes in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import batched
from typing import Final

from amtsbruecke.exchange.v1beta1 import envelope_pb2

from centre.keys import sign
from centre.keys.errors import SignatureInvalid
from centre.keys.sign import SigningKey, VerifyKey
from federation.protocol import merkle
from federation.protocol.limits import MAX_SIGNED_TOGETHER
from federation.wire.convert import Malformed

_HASH: Final = merkle.HASH_SIZE
_LONGEST_PATH: Final = (MAX_SIGNED_TOGETHER - 1).bit_length() * _HASH
#: Signatures that have held; each comes again with the other letters that it covers.
_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A letter's place among those that one signature covers, and its way to what was signed."""

    size: int
    index: int
    path: bytes

    def verify(self, *, key: VerifyKey, signed: bytes, signature: bytes) -> None:
        """Raise `SignatureInvalid` unless the key signed a tree with these bytes in this place."""
        path = [self.path[at : at + _HASH] for at in range(0, len(self.path), _HASH)]
        root = merkle.root_from_proof(_leaf(signed), index=self.index, size=self.size, path=path)
        if root is None:
            raise SignatureInvalid
        _hold(key, _statement(self.size, root), signature)


def sign_each(texts: Sequence[bytes], *, by: SigningKey) -> list[tuple[bytes, Inclusion | None]]:
    """Return for each text a signature of its own."""
    return [(by.sign(context=sign.ENVELOPE, message=text), None) for text in texts]


def sign_together(
    texts: Sequence[bytes], *, by: SigningKey
) -> list[tuple[bytes, Inclusion | None]]:
    """Return for each text a signature and its way there; a lone one has a signature of its own."""
    signed: list[tuple[bytes, Inclusion | None]] = []
    for group in batched(texts, MAX_SIGNED_TOGETHER):
        if len(group) == 1:
            signed += sign_each(group, by=by)
            continue
        root, paths = merkle.proofs([_leaf(text) for text in group])
        signature = by.sign(context=sign.ENVELOPES, message=_statement(len(group), root))
        signed += [
            (signature, Inclusion(len(group), index, b"".join(path)))
            for index, path in enumerate(paths)
        ]
    return signed


def write_inclusion(inclusion: Inclusion) -> envelope_pb2.Inclusion:
    return envelope_pb2.Inclusion(size=inclusion.size, index=inclusion.index, path=inclusion.path)


def read_inclusion(pb: envelope_pb2.Inclusion) -> Inclusion:
    """Return the place of a letter; `Malformed` where there is no such place."""
    if not 1 < pb.size <= MAX_SIGNED_TOGETHER or pb.index >= pb.size:
        raise Malformed("the letter's place among those signed with it is impossible")
    if not pb.path or len(pb.path) % _HASH or len(pb.path) > _LONGEST_PATH:
        raise Malformed("the way to the signature has an impossible length")
    return Inclusion(pb.size, pb.index, pb.path)


def _leaf(text: bytes) -> bytes:
    return sha256(b"\0" + text).digest()


def _statement(size: int, root: bytes) -> bytes:
    return size.to_bytes(4, "big") + root


@lru_cache(maxsize=_REMEMBERED)
def _hold(key: VerifyKey, statement: bytes, signature: bytes) -> None:
    """Raise `SignatureInvalid` unless it holds: only what holds is remembered.

    Whether the key was valid when it signed, the caller asks for each letter.
    """
    key.verify(context=sign.ENVELOPES, message=statement, signature=signature)
