"""Where the bytes of a row lie, for those who know the ORM: in rows of chunks, or in a file.

New documents go where the setting says; old ones are found where their rows say.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings

from centre.keys.blobs import SEALED_CHUNK_SIZE
from centre.tenancy import binary
from federation.blobs.errors import BlobMissing, FilesUnusable
from federation.blobs.files import Files
from federation.blobs.models import Blob, BlobChunk

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Takes the sealed chunks of a new document, one after the other."""

    def add(self, data: bytes) -> None: ...


@dataclass(slots=True)
class _Rows:
    """Part of the caller's transaction."""

    role: str
    blob_id: UUID
    number: int = 0

    def add(self, data: bytes) -> None:
        # In binary form: as text, each byte would travel as two digits.
        row = BlobChunk(blob_id=self.blob_id, number=self.number, tenant_role=self.role, data=data)
        binary.insert(BlobChunk, [row])
        self.number += 1


def folder() -> Files | None:
    """Return the folder for documents, or None where they are kept in rows."""
    path: Path | None = settings.AMTSBRUECKE.documents
    return None if path is None else Files(path)


def need_folder() -> Files:
    """Return the folder; raise `FilesUnusable` where a document lies in a file all the same."""
    found = folder()
    if found is None:
        raise FilesUnusable(
            "A document lies in a file, and AMTSBRUECKE_DOCUMENTS does not say where."
        )
    return found


@contextmanager
def new(role: str, blob_id: UUID) -> Iterator[Sink]:
    """Store a new document. After the block it is durable as soon as its row is."""
    if (files := folder()) is None:
        yield _Rows(role, blob_id)
        return
    try:
        with files.new(role, blob_id) as file:
            yield file
    except FilesUnusable as error:
        log.warning("document not stored", tenant_role=role, error=error.message)
        raise


def check(blob: Blob) -> None:
    """Raise `BlobMissing` if a document is in a file and that is gone."""
    if blob.in_file and need_folder().size(blob.tenant_role, blob.id) < blob.size:
        log.error("document's file missing", tenant_role=blob.tenant_role, blob=str(blob.id))
        raise BlobMissing(f"The file {blob.tenant_role}/{blob.id} is not here, or not whole.")


def chunk(blob: Blob, number: int) -> bytes:
    """Return one sealed chunk."""
    if blob.in_file:
        at = number * SEALED_CHUNK_SIZE
        size = min(SEALED_CHUNK_SIZE, blob.size - at)
        return need_folder().read(blob.tenant_role, blob.id, at=at, size=size)
    # A query for each chunk: no cursor stays open while a slow reader takes its time.
    return bytes(BlobChunk.objects.get(blob_id=blob.id, number=number).data)


def remove_files(files: Iterable[tuple[str, UUID]]) -> None:
    """Delete files, by role and id, whose rows are gone. The sweep finds what is left of them."""
    try:
        for role, blob_id in files:
            need_folder().remove(role, blob_id)
    except FilesUnusable as error:
        log.warning("files not removed", error=error)
