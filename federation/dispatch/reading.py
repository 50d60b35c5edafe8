"""The sealed bytes of a document of ours, from a file or from rows, read while others travel."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.errors import BlobMissing, FilesUnusable
from federation.blobs.files import Files, OpenFile
from federation.dispatch import sql
from federation.dispatch.sql import Document
from federation.dispatch.tools import Tools

#: Chunks that one look at the database, or at the disk, brings.
_ROWS_READ: Final = 4
_CHUNKS_READ: Final = 16

type _Read = Callable[[int], Awaitable[list[bytes]]]


async def pieces(document: Document, tools: Tools, *, offset: int) -> AsyncGenerator[bytes]:
    """Yield a document from there on, a chunk at a time; a few chunks are in memory.

    Raises `BlobError` where its file is gone or cannot be read.
    """
    number, skip = divmod(offset, SEALED_CHUNK_SIZE)
    async with _reader(document, tools) as read:
        reading = asyncio.ensure_future(read(number))
        try:
            while chunks := await reading:
                # The next chunks are read while these are on their way.
                number += len(chunks)
                reading = asyncio.ensure_future(read(number))
                for chunk in chunks:
                    if piece := chunk[skip:]:
                        yield piece
                    skip = 0
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
        file = await asyncio.to_thread(_files(tools).open, document.tenant_role, document.id)
        try:
            yield lambda number: asyncio.to_thread(_chunks, file, document, number)
        finally:
            file.close()
    else:
        yield lambda number: _rows(document, tools, number)


async def _rows(document: Document, tools: Tools, first: int) -> list[bytes]:
    async with tools.around.database.connection() as connection:
        return await sql.chunks(connection, document, first=first, most=_ROWS_READ)


def _chunks(file: OpenFile, document: Document, first: int) -> list[bytes]:
    begin = first * SEALED_CHUNK_SIZE
    end = min(document.size, begin + _CHUNKS_READ * SEALED_CHUNK_SIZE)
    if begin >= end:
        return []
    data = file.read(at=begin, size=end - begin)
    return [data[at : at + SEALED_CHUNK_SIZE] for at in range(0, len(data), SEALED_CHUNK_SIZE)]
