"""Where the gateway puts the bytes of an upload: rows of the database, or a file.

Each step is part of a transaction that has locked the upload's row, and changes that row last.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final, Protocol

from psycopg_pool import AsyncConnectionPool

from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.errors import FilesUnusable
from federation.blobs.files import Files, OpenFile
from federation.gateway import sql
from federation.gateway.sql import Connection, Upload

_ROWS_READ: Final = 8
_BYTES_READ: Final = 8 * SEALED_CHUNK_SIZE


class Store(Protocol):
    """One of the two."""

    #: How many bytes a step had best have.
    step: int

    async def add(
        self, connection: Connection, upload: Upload, data: memoryview, *, now: datetime
    ) -> Upload:
        """Add whole chunks, or the end; durable with the commit. Return how far it has come."""
        ...

    async def empty(self, connection: Connection, upload: Upload, *, now: datetime) -> None:
        """Throw all bytes away, so that the upload can start again."""
        ...

    def read(self, upload: Upload) -> AsyncIterator[bytes]:
        """Yield what has been added, in order."""
        ...

    async def whole(self, upload: Upload) -> bool:
        """Return whether all is here that the row states."""
        ...

    def close(self) -> None:
        """Let go of what an upload needed."""
        ...


class Rows:
    """Chunks as rows: durable when their transaction is."""

    step = 8 * SEALED_CHUNK_SIZE

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    async def add(
        self, connection: Connection, upload: Upload, data: memoryview, *, now: datetime
    ) -> Upload:
        chunks = [
            bytes(data[start : start + SEALED_CHUNK_SIZE])
            for start in range(0, len(data), SEALED_CHUNK_SIZE)
        ]
        await sql.add_chunks(connection, upload, chunks)
        return await sql.grow_upload(connection, upload, len(data), now=now)

    async def empty(self, connection: Connection, upload: Upload, *, now: datetime) -> None:
        await sql.delete_chunks(connection, upload)
        await sql.empty_upload(connection, upload, now=now)

    async def read(self, upload: Upload) -> AsyncIterator[bytes]:
        for number in range(0, upload.chunk_count, _ROWS_READ):
            async with self._pool.connection() as connection:
                stored = await sql.chunks(connection, upload, first_number=number, limit=_ROWS_READ)
            for chunk in stored:
                yield chunk

    async def whole(self, upload: Upload) -> bool:
        del upload
        return True

    def close(self) -> None:
        """Nothing is held."""


class InFiles:
    """A file in the folder of the centre, for one call: on the disk before the row says so.

    A step that is not committed leaves bytes behind the end that the row states: the next one
    writes over them.
    """

    step = 32 * SEALED_CHUNK_SIZE

    def __init__(self, files: Files) -> None:
        self._files = files
        self._open: OpenFile | None = None

    async def add(
        self, connection: Connection, upload: Upload, data: memoryview, *, now: datetime
    ) -> Upload:
        await _to_its_end(lambda: self._add(upload, data))
        return await sql.grow_upload(connection, upload, len(data), now=now)

    async def empty(self, connection: Connection, upload: Upload, *, now: datetime) -> None:
        # While the row is locked: afterwards the bytes of another call may be there.
        await _to_its_end(lambda: self._files.empty(upload.tenant_role, upload.id))
        await sql.empty_upload(connection, upload, now=now)

    async def read(self, upload: Upload) -> AsyncIterator[bytes]:
        for at in range(0, upload.received, _BYTES_READ):
            size = min(_BYTES_READ, upload.received - at)
            yield await asyncio.to_thread(
                self._files.read, upload.tenant_role, upload.id, at=at, size=size
            )

    async def whole(self, upload: Upload) -> bool:
        size = await asyncio.to_thread(self._files.size, upload.tenant_role, upload.id)
        return size >= upload.received

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def _add(self, upload: Upload, data: memoryview) -> None:
        if self._open is None:
            self._open = self._files.open_to_add(upload.tenant_role, upload.id, at=upload.received)
        self._open.add(data, at=upload.received)


class Stores:
    """Both: new uploads go where the setting says, others stay where their rows say."""

    def __init__(self, pool: AsyncConnectionPool[Connection], files: Files | None) -> None:
        self._rows = Rows(pool)
        self._files = files

    @property
    def new_in_file(self) -> bool:
        return self._files is not None

    def of(self, upload: Upload) -> Store:
        """Return where the bytes of an upload lie, for one call.

        Raises `FilesUnusable` if nobody knows.
        """
        if not upload.in_file:
            return self._rows
        if self._files is None:
            raise FilesUnusable(
                "An upload lies in a file, and AMTSBRUECKE_DOCUMENTS does not say where."
            )
        return InFiles(self._files)


async def _to_its_end(work: Callable[[], None]) -> None:
    """Run a change of a file in a thread. A call that is cancelled waits for it all the same.

    Its transaction holds the row's lock: it must not end while the file still changes.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    running.result()
