"""Content encryption of documents, chunk by chunk, in bounded memory.

AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each document has
a random key of its own; the nonce of a chunk is its number and a flag that is 1 for the last one.
A chunk that is changed, moved, repeated or missing, also at the end, is refused with `BlobBroken`.
"""

import os
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from centre.keys.errors import BlobBroken, KeyMalformed

KEY_SIZE: Final = 32
CHUNK_SIZE: Final = 256 * 1024
TAG_SIZE: Final = 16
SEALED_CHUNK_SIZE: Final = CHUNK_SIZE + TAG_SIZE
_MAX_CHUNKS: Final = 2**32


def new_key() -> bytes:
    return os.urandom(KEY_SIZE)


def sealed_size(size: int) -> int:
    """Return the sealed size of a document of `size` bytes; an empty one has one chunk."""
    return size + TAG_SIZE * max(1, -(-size // CHUNK_SIZE))


class _Stream:
    """The cipher and the place in the stream that sealing and opening share."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise KeyMalformed(f"a document key has {KEY_SIZE} bytes, not {len(key)}")
        self._cipher = AESGCM(key)
        self._number = 0
        self._digest = sha256()
        self._size = 0
        self._finished = False

    def _next_nonce(self, *, final: bool) -> bytes:
        if self._finished:
            raise BlobBroken("the document goes on after its last chunk")
        if self._number >= _MAX_CHUNKS:
            raise BlobBroken("the document has too many chunks")
        nonce = self._number.to_bytes(11, "big") + (b"\1" if final else b"\0")
        self._number += 1
        self._finished = final
        return nonce

    def _note(self, sealed: memoryview | bytes) -> None:
        self._digest.update(sealed)
        self._size += len(sealed)

    @property
    def digest(self) -> bytes:
        """The SHA-256 over all sealed chunks so far; that of the document once it is finished."""
        return self._digest.digest()

    @property
    def size(self) -> int:
        """The count of sealed bytes so far."""
        return self._size

    @property
    def chunk_count(self) -> int:
        return self._number

    @property
    def finished(self) -> bool:
        return self._finished


class BlobSealer(_Stream):
    """Seals a document. All chunks but the last have `CHUNK_SIZE` bytes; only the last is final."""

    def seal_into(
        self, place: memoryview, data: bytes | bytearray | memoryview, *, final: bool
    ) -> None:
        """Seal a chunk into a place that is `TAG_SIZE` bytes longer: no new memory is needed."""
        if len(data) > CHUNK_SIZE or (len(data) < CHUNK_SIZE and not final):
            raise BlobBroken(f"a chunk that is not the last has {CHUNK_SIZE} bytes")
        self._cipher.encrypt_into(self._next_nonce(final=final), data, None, place)
        self._note(place)

    def seal_chunk(self, data: bytes | bytearray | memoryview, *, final: bool) -> bytes:
        sealed = bytearray(len(data) + TAG_SIZE)
        self.seal_into(memoryview(sealed), data, final=final)
        return bytes(sealed)


class BlobOpener(_Stream):
    """Opens a document. Call `close` at its end: a document cut at a chunk's border shows there."""

    def open_chunk(self, sealed: bytes, *, final: bool) -> bytes:
        if not TAG_SIZE <= len(sealed) <= SEALED_CHUNK_SIZE:
            raise BlobBroken
        try:
            data = self._cipher.decrypt(self._next_nonce(final=final), sealed, None)
        except InvalidTag as error:
            raise BlobBroken from error
        self._note(sealed)
        return data

    def close(self) -> None:
        """Raise `BlobBroken` unless the final chunk has been opened."""
        if not self._finished:
            raise BlobBroken("the document ends before its last chunk")
