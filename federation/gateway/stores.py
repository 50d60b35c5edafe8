"""Where the gateway puts the bytes of an upload: rows of the database, or a file.

A store serves one call. The row of the document is what counts: it is locked, found where this call
has left it, and moved on only when the bytes behind it are durable. So two uploads of one document
do not mix.
"""

import asyncio
import hashlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from psycopg_pool import AsyncConnectionPool

from centre.kernel import clock
from centre.kernel.threads import to_its_end
from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.errors import FileBusy, FilesUnusable
from federation.blobs.files import BLOCK, Files, WrittenFile
from federation.gateway import sql
from federation.gateway.sql import Connection, Upload
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason

type Pool = AsyncConnectionPool[Connection]

_ROWS_READ: Final = 8
_BYTES_READ: Final = 8 * SEALED_CHUNK_SIZE
#: How often a row tells how far a file has come: a call that breaks does so, too.
_STATED_EVERY_S: Final = 1.0


class Store(ABC):
    """One of the two, for one call."""

    #: How many bytes a step has.
    step: int
    #: A step that is not the end has a multiple of so many.
    cut: int
    #: How many steps are in memory: one is filled while the others are stored.
    buffers: int

    def __init__(self, pool: Pool, upload: Upload, digest: bytes) -> None:
        self._pool = pool
        #: How far the document has come, as its row states it.
        self.upload = upload
        self._digest = digest
        # Of a document that comes in one call, the digest is ready with its last byte.
        self._hashing = None if upload.received else hashlib.sha256()

    async def open(self) -> None:
        """Keep other calls out; raise `CallRefused` where another one is at it."""
        return

    def hash(self, data: memoryview) -> None:
        """Take note of data that have just come.

        Here, and not in the thread that stores them: what lies in another core's cache takes twice
        as long, and a part of 256 KiB no more than 0.2 ms.
        """
        if self._hashing is not None:
            self._hashing.update(data)

    @abstractmethod
    async def put(self, data: memoryview) -> None:
        """Begin to store whole chunks, or the end. Then the buffer after the next one is free."""

    @abstractmethod
    async def settle(self) -> None:
        """Wait until all that was put is durable, and stated by the row."""

    async def finish(self) -> Upload:
        """Settle; believe the document by its digest, or throw it away."""
        await self.settle()
        hashing = self._hashing or await self._read_again()
        async with self._locked() as connection:
            if hashing.digest() == self._digest:
                self.upload = await sql.complete_upload(connection, self.upload, now=clock.now())
                return self.upload
            await self._empty(connection)
        raise CallRefused(
            Reason.BLOB_DIGEST_MISMATCH, "The document has another digest; send it anew."
        )

    async def as_it_is(self) -> Upload:
        """Return how far it has come; it starts again if its bytes are gone, as after a restore.

        A document that is complete stays so: its letter may have come, and a person must see to it.
        """
        if not self.upload.complete and not await self._whole():
            async with self._locked() as connection:
                await self._empty(connection)
        return self.upload

    def close(self) -> None:
        """Let go of what the call needed."""
        return

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[Connection]:
        """Lock the row in a transaction; raise `CallRefused` unless it is where we have left it."""
        async with self._pool.connection() as connection, connection.transaction():
            stored = await sql.upload(connection, self.upload.tenant_role, self._digest, lock=True)
            if stored != self.upload:
                raise wrong_offset(stored)
            yield connection

    async def _read_again(self) -> "hashlib._Hash":
        """Hash a document that came in several calls."""
        hashing = hashlib.sha256()
        async for piece in self._read():
            await asyncio.to_thread(hashing.update, piece)
        return hashing

    @abstractmethod
    def _read(self) -> AsyncIterator[bytes]:
        """Yield what is stored, in order."""

    @abstractmethod
    async def _empty(self, connection: Connection) -> None:
        """Throw all bytes away, so that the upload can start again."""

    @abstractmethod
    async def _whole(self) -> bool:
        """Return whether all is here that the row states."""


class Rows(Store):
    """Chunks as rows: durable when their transaction is."""

    step = 8 * SEALED_CHUNK_SIZE
    cut = SEALED_CHUNK_SIZE
    buffers = 3

    def __init__(self, pool: Pool, upload: Upload, digest: bytes) -> None:
        super().__init__(pool, upload, digest)
        self._storing: asyncio.Task[None] | None = None

    async def put(self, data: memoryview) -> None:
        await self.settle()
        self._storing = asyncio.create_task(self._store(data))

    async def settle(self) -> None:
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing

    async def _store(self, data: memoryview) -> None:
        chunks = [
            bytes(data[start : start + SEALED_CHUNK_SIZE])
            for start in range(0, len(data), SEALED_CHUNK_SIZE)
        ]
        async with self._locked() as connection:
            await sql.add_chunks(connection, self.upload, chunks)
            grown = await sql.grow_upload(connection, self.upload, len(data), now=clock.now())
        self.upload = grown

    async def _read(self) -> AsyncIterator[bytes]:
        for number in range(0, self.upload.chunk_count, _ROWS_READ):
            async with self._pool.connection() as connection:
                stored = await sql.chunks(
                    connection, self.upload, first_number=number, limit=_ROWS_READ
                )
            for chunk in stored:
                yield chunk

    async def _empty(self, connection: Connection) -> None:
        await sql.delete_chunks(connection, self.upload)
        self.upload = await sql.empty_upload(connection, self.upload, now=clock.now())

    async def _whole(self) -> bool:
        return True


class InFiles(Store):
    """A file in the folder of the centre, which one call at a time may write to.

    Bytes that no row states are nothing: the next call writes over them.
    """

    step = 256 * BLOCK
    cut = BLOCK
    buffers = 4

    def __init__(self, pool: Pool, upload: Upload, digest: bytes, files: Files) -> None:
        super().__init__(pool, upload, digest)
        self._files = files
        self._file: WrittenFile | None = None
        self._under_way: deque[tuple[asyncio.Future[None], int]] = deque()
        #: Bytes that are written, and that the row does not state yet.
        self._unstated = 0
        self._stated_at = time.monotonic()

    async def open(self) -> None:
        upload = self.upload
        try:
            await to_its_end(self._open)
        except FileBusy as error:
            raise CallRefused(
                Reason.TOO_MANY_STREAMS, "Another call brings this document.", retry_delay=1.0
            ) from error
        # Whoever had the file before us may have moved the row on.
        async with self._pool.connection() as connection:
            stored = await sql.upload(connection, upload.tenant_role, self._digest)
        if stored != upload:
            raise wrong_offset(stored)

    async def put(self, data: memoryview) -> None:
        assert self._file is not None
        adding = self._file.add(data)
        self._under_way.append((asyncio.wrap_future(adding), len(data)))
        while len(self._under_way) > self.buffers - 2:
            await self._oldest()
        if time.monotonic() > self._stated_at + _STATED_EVERY_S:
            await self.settle()

    async def settle(self) -> None:
        try:
            while self._under_way:
                await self._oldest()
        finally:
            await self._state()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        for adding, _ in self._under_way:
            # Only the first error of a call is told.
            adding.add_done_callback(lambda each: each.cancelled() or each.exception())

    def _open(self) -> None:
        upload = self.upload
        self._file = self._files.open_to_add(upload.tenant_role, upload.id, at=upload.received)

    async def _oldest(self) -> None:
        adding, size = self._under_way[0]
        # Not cancelled with its call: what is written is written.
        await asyncio.wait([adding])
        adding.result()
        self._under_way.popleft()
        self._unstated += size

    async def _state(self) -> None:
        self._stated_at = time.monotonic()
        if self._unstated:
            assert self._file is not None
            await asyncio.wrap_future(self._file.sync())
            async with self._locked() as connection:
                grown = await sql.grow_upload(
                    connection, self.upload, self._unstated, now=clock.now()
                )
            self.upload, self._unstated = grown, 0

    async def _read(self) -> AsyncIterator[bytes]:
        upload = self.upload
        for at in range(0, upload.received, _BYTES_READ):
            size = min(_BYTES_READ, upload.received - at)
            yield await asyncio.to_thread(
                self._files.read, upload.tenant_role, upload.id, at=at, size=size
            )

    async def _empty(self, connection: Connection) -> None:
        # While the row is locked: afterwards the bytes of another call may be there.
        upload = self.upload
        await to_its_end(lambda: self._files.empty(upload.tenant_role, upload.id))
        self.upload = await sql.empty_upload(connection, upload, now=clock.now())

    async def _whole(self) -> bool:
        size = await asyncio.to_thread(self._files.size, self.upload.tenant_role, self.upload.id)
        return size >= self.upload.received


class Stores:
    """Both: new uploads go where the setting says, others stay where their rows say."""

    def __init__(self, pool: Pool, files: Files | None) -> None:
        self._pool = pool
        self._files = files

    @property
    def new_in_file(self) -> bool:
        return self._files is not None

    def of(self, upload: Upload, digest: bytes) -> Store:
        """Return where the bytes of an upload lie; raise `FilesUnusable` if nobody knows."""
        if not upload.in_file:
            return Rows(self._pool, upload, digest)
        if self._files is None:
            raise FilesUnusable(
                "An upload lies in a file, and AMTSBRUECKE_DOCUMENTS does not say where."
            )
        return InFiles(self._pool, upload, digest, self._files)


def wrong_offset(upload: Upload | None) -> CallRefused:
    """Return the refusal that tells a peer where to go on."""
    offset = 0 if upload is None else upload.received
    return CallRefused(
        Reason.BLOB_OFFSET_WRONG,
        f"The document goes on at byte {offset}.",
        metadata={"offset": str(offset)},
    )
