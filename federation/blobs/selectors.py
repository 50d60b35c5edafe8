"""Reading documents back, chunk by chunk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from django.db.models import Sum

from centre.kernel.counting import counted
from centre.keys.blobs import BlobOpener
from centre.keys.errors import BlobBroken
from federation.blobs import stores
from federation.blobs.errors import BlobError, BlobMissing, FilesUnusable
from federation.blobs.models import Blob

log = structlog.get_logger(__name__)

_LOOKED_AT_ONCE: Final = 1_000


def exists(*, digest: bytes) -> bool:
    """Return whether the current tenant has this document, whole."""
    return Blob.objects.filter(digest=digest, complete=True).exists()


def read(*, digest: bytes, key: bytes) -> Iterator[bytes]:
    """Return the plain bytes of a document of the current tenant, one chunk in memory at a time.

    Raises `BlobMissing` or `FilesUnusable` at once, and `BlobBroken` where its first chunk was
    changed. The iterator raises when a later one was changed, moved or cut off; what it gave before
    that is genuine, but not the whole document.
    """
    blob = Blob.objects.filter(digest=digest, complete=True).first()
    if blob is None:
        raise BlobMissing(f"The document {digest.hex()[:16]}… is not here, or not whole.")
    stores.check(blob)
    pieces = _open(blob, key)
    return _again(next(pieces), pieces)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _open(blob: Blob, key: bytes) -> Iterator[bytes]:
    opener, last = BlobOpener(key), blob.chunk_count - 1
    for number in range(blob.chunk_count):
        try:
            piece = opener.open_chunk(stores.chunk(blob, number), final=number == last)
        except (BlobBroken, BlobError) as error:
            log.error(  # noqa: TRY400 -- where it lies says more than the way to it
                "document cannot be read",
                tenant_role=blob.tenant_role,
                blob=str(blob.id),
                chunk=number,
                error=error,
            )
            raise
        yield piece
    opener.close()


def files_of(*, tenant_role: str) -> Iterator[tuple[str, Path, str]]:
    """Yield name, path and SHA-256 of the files of a tenant's documents, for its archive.

    Raises `FilesUnusable` where none of them can be found: a disk that is away is no loss.
    """
    rows = Blob.objects.filter(tenant_role=tenant_role, in_file=True, complete=True)
    if not rows.exists():
        return
    files = stores.need_folder()
    files.check()
    if not files.has(tenant_role):
        raise FilesUnusable(
            f"The documents of {tenant_role} are not in the folder of documents. Is its disk "
            "mounted? If they are lost for good, make a folder of that name there, and repeat."
        )
    for blob_id, digest in rows.order_by("id").values_list("id", "digest"):
        yield f"documents/{blob_id}", files.path(tenant_role, blob_id), bytes(digest).hex()


def without_file() -> Iterator[Blob]:
    """Yield the documents, of all whom the caller may see, whose file is gone or not whole."""
    stated = Blob.objects.filter(in_file=True, complete=True)
    for blob in stated.only("tenant_role", "size").iterator(chunk_size=_LOOKED_AT_ONCE):
        if stores.need_folder().size(blob.tenant_role, blob.id) >= blob.size:
            continue
        if stated.filter(id=blob.id).exists():  # not deleted since
            yield blob


def what_has_lost_its_file() -> str:
    """Say how many documents of the current tenant no archive can hold any more, or nothing."""
    lost = sum(1 for _ in without_file())
    words = counted(lost, "document has lost its", "documents have lost their")
    return f"{words} file and will be in no archive." if lost else ""


def fullest(*, from_bytes: float) -> list[tuple[str, int]]:
    """Return role and bytes of the tenants whose documents take so much, the fullest first."""
    totals = Blob.objects.values("tenant_role").annotate(total=Sum("size"))
    found = totals.filter(total__gte=from_bytes).order_by("-total")
    return [(each["tenant_role"], each["total"]) for each in found]


def count_in_files() -> int:
    """Return how many documents of all tenants lie in files. For the owner, in nobody's name."""
    return Blob.objects.filter(in_file=True).count()
