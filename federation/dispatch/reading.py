"""The sealed bytes of a document of ours, from a file or from rows, read while others travel."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from mmap import mmap
from typing import Final

from centre.kernel.threads import to_its_end
from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.errors import BlobMissing, FilesUnusable
from federation.blobs.files import BLOCK, Files, ReadFile
from federation.dispatch import sql
from federation.dispatch.sql import Document
from federation.dispatch.tools import Tools

#: Chunks that one look at the database brings, and bytes that one at the disk does.
_ROWS_READ: Final = 4
_BYTES_READ: Final = 256 * BLOCK
_PIECE: Final = 64 * BLOCK

type _Read = Callable[[int], Awaitable[list[memoryview]]]


async def pieces(document: Document, tools: Tools, *, offset: int) -> AsyncGenerator[memoryview]:
    """Yield a document from there on, in pieces of a chunk at most; a few are in memory.

    A piece lasts until the next one is asked for. Raises `BlobError` where its file is gone or
    cannot be read.
    """
    async with _reader(document, tools) as read:
        reading = asyncio.ensure_future(read(offset))
        try:
            while found := await reading:
                # The next pieces are read while these are on their way.
                offset += sum(map(len, found))
                reading = asyncio.ensure_future(read(offset))
                for piece in found:
                    yield piece
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def check(document: Document, tools: Tools) -> None:
    """Raise `BlobError` if a document's file is not here, or not whole.

    An error while the call runs would end it without its reason.
    """
    if document.in_file:
        files = _files(tools)
        size = await asyncio.to_thread(files.size, document.tenant_role, document.id)
        if size < document.size:
            raise BlobMissing(
                f"{document.tenant_role}/{document.id} has {size} of {document.size} bytes."
            )


def _files(tools: Tools) -> Files:
    if tools.documents is None:
        raise FilesUnusable(
            "A document lies in a file, and AMTSBRUECKE_DOCUMENTS does not say where."
        )
    return tools.documents


@asynccontextmanager
async def _reader(document: Document, tools: Tools) -> AsyncIterator[_Read]:
    if document.in_file:
        blocks = _Blocks(_files(tools), document)
        try:
            await to_its_end(blocks.open)
            yield blocks.read
        finally:
            blocks.close()
    else:
        yield lambda offset: _rows(document, tools, offset)


async def _rows(document: Document, tools: Tools, offset: int) -> list[memoryview]:
    number, skip = divmod(offset, SEALED_CHUNK_SIZE)
    async with tools.around.database.connection() as connection:
        rows = await sql.chunks(connection, document, first=number, most=_ROWS_READ)
    # What was there before may end within the first one.
    found = [memoryview(row)[skip if at == 0 else 0 :] for at, row in enumerate(rows)]
    return [piece for piece in found if piece]


class _Blocks:
    """Two buffers in turns: one is read into while the other travels."""

    def __init__(self, files: Files, document: Document) -> None:
        self._files = files
        self._document = document
        self._file: ReadFile | None = None
        self._next, self._other = (memoryview(mmap(-1, _BYTES_READ)) for _ in range(2))

    def open(self) -> None:
        document = self._document
        self._file = self._files.open(document.tenant_role, document.id, direct=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    async def read(self, offset: int) -> list[memoryview]:
        """Return what lies there. Who is cancelled waits for the thread: the file stays open."""
        left = self._document.size - offset
        if left <= 0:
            return []
        place, self._next, self._other = self._next, self._other, self._next
        skip, there = offset % BLOCK, 0

        def fetch() -> None:
            nonlocal there
            assert self._file is not None
            there = self._file.read_into(place, at=offset - skip)

        await to_its_end(fetch)
        found = place[skip : min(there, skip + left)]
        if not found:
            raise BlobMissing(f"A document ends at byte {offset} of {self._document.size}.")
        return [found[at : at + _PIECE] for at in range(0, len(found), _PIECE)]
