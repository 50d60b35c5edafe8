"""Where the bytes of a row lie, for those who know the ORM: in rows of chunks, or in a file.

New documents go where the setting says; old ones are found where their rows say.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

import structlog
from django.conf import settings

from centre.keys.blobs import SEALED_CHUNK_SIZE
from centre.tenancy import binary
from federation.blobs.buffers import Buffers
from federation.blobs.errors import BlobMissing, FilesUnusable
from federation.blobs.files import BLOCK, Files, WrittenFile
from federation.blobs.models import Blob, BlobChunk

log = structlog.get_logger(__name__)


#: A sealed document is written in pieces of so many chunks, 1 MiB; so many of them are in memory.
_CHUNKS_IN_A_PIECE: Final = 4
_PIECES: Final = 3


class Sink(Protocol):
    """Takes the sealed chunks of a new document, one after the other."""

    def place(self, size: int) -> memoryview:
        """Return where to put the next chunk. The one before is complete."""
        ...


class _Rows:
    """Part of the caller's transaction."""

    def __init__(self, role: str, blob_id: UUID) -> None:
        self._role = role
        self._blob_id = blob_id
        self._number = 0
        self._buffers = Buffers(SEALED_CHUNK_SIZE, count=1)

    def place(self, size: int) -> memoryview:
        self.store()
        return self._buffers.place(size)

    def store(self) -> None:
        if data := self._buffers.turn():
            row = BlobChunk(
                blob_id=self._blob_id, number=self._number, tenant_role=self._role, data=data
            )
            # In binary form: as text, each byte would travel as two digits.
            binary.insert(BlobChunk, [row])
            self._number += 1


class _File:
    """Written while the next chunks are sealed."""

    def __init__(self, file: WrittenFile) -> None:
        self._file = file
        self._buffers = Buffers(_CHUNKS_IN_A_PIECE * SEALED_CHUNK_SIZE + BLOCK, count=_PIECES)
        self._under_way: deque[Future[None]] = deque()

    def place(self, size: int) -> memoryview:
        if self._buffers.left < size:
            self._hand_over(cut=BLOCK)
        return self._buffers.place(size)

    def finish(self) -> None:
        self._hand_over(cut=1)

    def _hand_over(self, *, cut: int) -> None:
        # The buffer after this one is to be free.
        self._await(_PIECES - 2)
        self._under_way.append(self._file.add(self._buffers.turn(cut=cut)))

    def _await(self, left: int) -> None:
        while len(self._under_way) > left:
            self._under_way.popleft().result()


def folder() -> Files | None:
    """Return the folder for documents, or None where they are kept in rows."""
    named: Path | None = settings.AMTSBRUECKE.documents
    return None if named is None else Files(named)


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
        rows = _Rows(role, blob_id)
        yield rows
        rows.store()
        return
    try:
        with files.new(role, blob_id) as file:
            sink = _File(file)
            yield sink
            sink.finish()
    except FilesUnusable as error:
        log.warning("document not stored", tenant_role=role, error=error.message)
        raise


def path(blob: Blob) -> Path:
    """Return where the file of a document lies, or should."""
    return need_folder().path(blob.tenant_role, blob.id)


def check(blob: Blob) -> None:
    """Raise `BlobMissing` if a document is in a file and that is gone."""
    if blob.in_file and need_folder().size(blob.tenant_role, blob.id) < blob.size:
        log.error("document's file missing", file=str(path(blob)))
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
