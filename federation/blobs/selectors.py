"""Reading documents back, chunk by chunk."""

from collections.abc import Iterator

from centre.keys.blobs import BlobOpener
from federation.blobs.errors import BlobMissing
from federation.blobs.models import Blob, BlobChunk


def exists(*, digest: bytes) -> bool:
    """Return whether the current tenant has this document, whole."""
    return Blob.objects.filter(digest=digest, complete=True).exists()


def read(*, digest: bytes, key: bytes) -> Iterator[bytes]:
    """Return the plain bytes of a document of the current tenant, one chunk in memory at a time.

    Raises `BlobMissing` at once. The iterator raises when a chunk was changed, moved or cut off;
    what it gave before that is genuine, but not the whole document.
    """
    blob = Blob.objects.filter(digest=digest, complete=True).first()
    if blob is None:
        raise BlobMissing(f"The document {digest.hex()[:16]}… is not here, or not whole.")
    return _open(blob, key)


def _open(blob: Blob, key: bytes) -> Iterator[bytes]:
    opener = BlobOpener(key)
    for number in range(blob.chunk_count):
        # A query for each chunk: no cursor stays open while a slow reader takes its time.
        chunk = BlobChunk.objects.get(blob_id=blob.id, number=number)
        yield opener.open_chunk(bytes(chunk.data), final=number == blob.chunk_count - 1)
    opener.close()
