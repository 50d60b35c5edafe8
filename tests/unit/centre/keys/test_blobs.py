from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.keys import blobs
from centre.keys.blobs import CHUNK_SIZE, SEALED_CHUNK_SIZE, BlobOpener, BlobSealer
from centre.keys.errors import BlobBroken, KeyMalformed

KEY = bytes(range(32))


def _seal(content: bytes) -> tuple[list[bytes], BlobSealer]:
    sealer = BlobSealer(KEY)
    parts = [content[at : at + CHUNK_SIZE] for at in range(0, len(content), CHUNK_SIZE)] or [b""]
    return [sealer.seal_chunk(p, final=n == len(parts)) for n, p in enumerate(parts, 1)], sealer


def _open(chunks: list[bytes]) -> bytes:
    opener = BlobOpener(KEY)
    content = b"".join(
        opener.open_chunk(chunk, final=number == len(chunks))
        for number, chunk in enumerate(chunks, 1)
    )
    opener.close()
    return content


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
def test_documents_of_all_sizes_come_back(size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    chunks, sealer = _seal(content)
    assert _open(chunks) == content
    assert sealer.size == sum(map(len, chunks)) == blobs.sealed_size(size)
    assert sealer.digest == sha256(b"".join(chunks)).digest()
    assert all(len(each) == SEALED_CHUNK_SIZE for each, _ in pairwise(chunks))


def test_cut_repeated_and_reordered_chunks_are_refused() -> None:
    chunks, _ = _seal(bytes(3 * CHUNK_SIZE))
    for broken in (
        chunks[:-1],
        chunks[1:],
        [*chunks, chunks[-1]],
        [chunks[1], chunks[0], chunks[2]],
    ):
        with pytest.raises(BlobBroken):
            _open(broken)


def test_an_unfinished_document_is_noticed_at_the_end() -> None:
    chunks, _ = _seal(bytes(2 * CHUNK_SIZE))
    opener = BlobOpener(KEY)
    opener.open_chunk(chunks[0], final=False)
    with pytest.raises(BlobBroken, match="ends before"):
        opener.close()


@given(bit=st.integers(0, (20 + 16) * 8 - 1))
def test_no_bit_may_flip(bit: int) -> None:
    (chunk,), _ = _seal(bytes(20))
    flipped = bytearray(chunk)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BlobBroken):
        _open([bytes(flipped)])


def test_chunks_of_a_wrong_size_and_keys_too() -> None:
    with pytest.raises(BlobBroken):
        BlobSealer(KEY).seal_chunk(b"short", final=False)
    with pytest.raises(BlobBroken):
        BlobSealer(KEY).seal_chunk(bytes(CHUNK_SIZE + 1), final=True)
    with pytest.raises(BlobBroken):
        BlobOpener(KEY).open_chunk(bytes(SEALED_CHUNK_SIZE + 1), final=True)
    with pytest.raises(KeyMalformed):
        BlobSealer(b"short")
    sealer = BlobSealer(KEY)
    sealer.seal_chunk(b"", final=True)
    with pytest.raises(BlobBroken, match="goes on"):
        sealer.seal_chunk(b"", final=True)
