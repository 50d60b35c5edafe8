"""`BlobService`: sealed documents come in ahead of the letters that name them.

An upload holds two steps of a few chunks in memory and commits as it goes, so that a broken call
goes on where the last commit left it. Two uploads of one document do not mix: each step locks the
document's row and finds it where this call has left it, or the call ends.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import grpc
import structlog
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.kernel import clock
from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.sizes import MAX_ANNOUNCED_BYTES
from federation.gateway import metrics, sql
from federation.gateway.calls import Context, Malformed, admitted, expect
from federation.gateway.desk import Desk, database
from federation.gateway.guards import Guard
from federation.gateway.peers import Peer
from federation.gateway.sql import Connection, Upload
from federation.gateway.stores import Store
from federation.protocol import limits
from federation.protocol.errors import CallRefused
from federation.protocol.frames import BlobHeader
from federation.protocol.reasons import Reason
from federation.wire.frames import read_blob_header, read_blob_question

log = structlog.get_logger(__name__)

#: So long a call may wait for the next data.
_DATA_TIMEOUT_S = 60.0
#: How much of an upload is still read after it was refused, and how long.
_DRAIN_BYTES = 4 * limits.MIB
_DRAIN_S = 2.0


class BlobServicer:
    """Takes documents for the municipalities of this centre."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._uploads = Guard(at_once=4, rate=20, burst=100)
        self._calls = Guard(at_once=8, rate=100, burst=200)

    async def GetBlobOffset(  # noqa: N802 -- gRPC's name
        self, request: pb.GetBlobOffsetRequest | Malformed, context: Context
    ) -> pb.GetBlobOffsetResponse:
        async with admitted(self._desk, context, self._calls) as peer:
            sender, recipient, digest = read_blob_question(expect(request, pb.GetBlobOffsetRequest))
            tenant_role = self._address(peer, sender, recipient)
            with database():
                async with self._desk.pool.connection() as connection:
                    upload = await sql.upload(connection, tenant_role, digest)
                if upload is not None:
                    upload = await _as_it_is(self._desk, upload, digest)
            if upload is None:
                return pb.GetBlobOffsetResponse()
            return pb.GetBlobOffsetResponse(offset=upload.received, complete=upload.complete)

    async def PutBlob(self, _requests: Any, context: Context) -> pb.PutBlobResponse:  # noqa: N802
        async with admitted(self._desk, context, self._uploads) as peer:
            try:
                upload = await self._take(peer, context)
            except CallRefused as error:
                # A read that was given up is still pending in gRPC: no other may follow it.
                if error.why is not Reason.DEADLINE_EXCEEDED:
                    await _drain(context)
                raise
            return pb.PutBlobResponse(offset=upload.received, complete=upload.complete)

    async def _take(self, peer: Peer, context: Context) -> Upload:
        parts = _parts(context)
        first = await anext(parts, None)
        if first is None or first.WhichOneof("part") != "header":
            raise CallRefused(Reason.BLOB_MALFORMED, "The first part must be a header.")
        header = read_blob_header(first.header)
        tenant_role = self._address(peer, header.sender, header.recipient)
        receiving = Receiving(self._desk, peer, header, tenant_role)
        upload = await receiving.begin()
        if upload.complete:
            return upload
        try:
            return await receiving.take(parts)
        finally:
            receiving.close()

    def _address(self, peer: Peer, sender: UUID, recipient: UUID) -> str:
        """Return whose blob it is; raise `CallRefused` unless this peer may put it there."""
        view = self._desk.lookout.view
        authority = view.directory.authority(sender)
        if authority is None:
            # Our directory may be a version behind: not for ever, as for a letter of this sender.
            raise CallRefused(Reason.SIGNER_UNKNOWN, "The directory does not know the sender.")
        if authority.home_centre != peer.centre:
            raise CallRefused(
                Reason.AUTHORITY_NOT_REPRESENTED, "This centre does not speak for the sender."
            )
        if authority.state != "active":
            raise CallRefused(Reason.AUTHORITY_SUSPENDED, "The sender is suspended.")
        host = view.hosts.get(recipient)
        if host is None:
            raise CallRefused(Reason.RECIPIENT_UNKNOWN, "The recipient is not hosted here.")
        if host.deleted:
            raise CallRefused(Reason.RECIPIENT_DELETED, "The recipient is not hosted any more.")
        if not host.active:
            raise CallRefused(Reason.RECIPIENT_SUSPENDED, "The recipient is suspended.")
        return host.tenant_role


class Steps:
    """Two buffers in turns: one is filled while the other is stored. No others are ever made."""

    def __init__(self, size: int, *, most: int) -> None:
        size = max(1, min(size, most))
        self._filling, self._other = memoryview(bytearray(size)), memoryview(bytearray(size))
        self._filled = 0

    def fill(self, data: bytes) -> Iterator[memoryview]:
        """Take data; yield each buffer that is full. It is free once the next one is asked for."""
        with memoryview(data) as view:
            done = 0
            while done < len(view):
                taken = min(len(view) - done, len(self._filling) - self._filled)
                self._filling[self._filled : self._filled + taken] = view[done : done + taken]
                self._filled += taken
                done += taken
                if self._filled == len(self._filling):
                    yield self._filling
                    self._filling, self._other, self._filled = self._other, self._filling, 0

    def rest(self, *, final: bool) -> memoryview:
        """Return what is left, without a chunk's beginning unless it is the document's end."""
        cut = 0 if final else self._filled % SEALED_CHUNK_SIZE
        return self._filling[: self._filled - cut]


class Receiving:
    """One upload on its way into its store."""

    def __init__(self, desk: Desk, peer: Peer, header: BlobHeader, tenant_role: str) -> None:
        self._desk = desk
        self._peer = peer
        self._header = header
        self._tenant_role = tenant_role
        #: Up to where the document is stored.
        self._at = header.offset
        self._store: Store
        self._upload: Upload
        self._storing: asyncio.Task[None] | None = None
        # Of a document that comes in one piece, the digest is ready with its last byte.
        self._digest = hashlib.sha256() if header.offset == 0 else None

    async def begin(self) -> Upload:
        """Return how far the document has come; raise unless this call goes on exactly there."""
        header = self._header
        with database():
            async with self._desk.pool.connection() as connection:
                upload = await sql.upload(connection, self._tenant_role, header.digest)
                if upload is None:
                    announced = await sql.announced_bytes(connection, self._peer.centre)
                    if announced + header.size > MAX_ANNOUNCED_BYTES:
                        raise CallRefused(
                            Reason.QUOTA_EXCEEDED,
                            "Too many documents without a letter.",
                            retry_delay=60.0,
                        )
                    await sql.begin_upload(
                        connection,
                        tenant_role=self._tenant_role,
                        digest=header.digest,
                        size=header.size,
                        origin=self._peer.centre,
                        in_file=self._desk.stores.new_in_file,
                        now=clock.now(),
                    )
                    upload = await sql.upload(connection, self._tenant_role, header.digest)
            if upload is None:
                raise LookupError("an upload that was just begun is gone")
            upload = await _as_it_is(self._desk, upload, header.digest)
            self._upload, self._store = upload, self._desk.stores.of(upload)
        if upload.size != header.size:
            raise CallRefused(Reason.BLOB_MALFORMED, "The document was announced in another size.")
        if not upload.complete and upload.received != header.offset:
            raise _wrong_offset(upload)
        return upload

    async def take(self, parts: AsyncIterator[pb.PutBlobRequest]) -> Upload:
        """Store the data of the call and, once all are here, verify the digest.

        While one step is stored, the next one is read: no more than these is in memory.
        """
        come = self._at
        steps = Steps(self._store.step, most=self._header.size - come)
        try:
            async for part in parts:
                # Each look at the field is a copy.
                data = part.data
                if part.WhichOneof("part") != "data" or not data:
                    raise CallRefused(
                        Reason.BLOB_MALFORMED, "After the header every part has data."
                    )
                if len(data) > limits.MAX_BLOB_FRAME_BYTES:
                    raise CallRefused(Reason.BLOB_MALFORMED, "A part is too large.")
                self._peer = self._desk.gatekeeper.still_admitted(self._peer)
                come += len(data)
                if come > self._header.size:
                    raise CallRefused(Reason.BLOB_MALFORMED, "There are more data than announced.")
                for step in steps.fill(data):
                    await self._stored()
                    self._storing = asyncio.create_task(self._add(step))
        finally:
            # What was begun is brought to its end, also where the call ends badly.
            await self._stored()
        final = come == self._header.size
        if rest := steps.rest(final=final):
            await self._add(rest)
        return await self._finish() if final else self._upload

    def close(self) -> None:
        self._store.close()

    async def _stored(self) -> None:
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing

    async def _add(self, data: memoryview) -> None:
        """Store data and hash them, side by side; the step is over when it is committed."""
        hashing = asyncio.to_thread(self._digest.update, data) if self._digest else _nothing()
        self._upload, _ = await asyncio.gather(self._commit(data), hashing)
        self._at += len(data)
        metrics.blob_bytes.labels(self._peer.centre).inc(len(data))

    async def _commit(self, data: memoryview) -> Upload:
        now = clock.now()
        with database():
            async with self._desk.pool.connection() as connection, connection.transaction():
                upload = await self._locked(connection)
                if upload is None or upload.received != self._at:
                    raise _wrong_offset(upload)
                return (
                    upload
                    if upload.complete
                    else await self._store.add(connection, upload, data, now=now)
                )

    async def _locked(self, connection: Connection) -> Upload | None:
        return await sql.upload(connection, self._tenant_role, self._header.digest, lock=True)

    async def _finish(self) -> Upload:
        upload = self._upload
        with database():
            digest = self._digest or await self._read_again(upload)
            genuine = digest.digest() == self._header.digest
            async with self._desk.pool.connection() as connection, connection.transaction():
                if (stored := await self._locked(connection)) != upload:
                    raise _wrong_offset(stored)
                if genuine:
                    return await sql.complete_upload(connection, upload, now=clock.now())
                await self._store.empty(connection, upload, now=clock.now())
        raise CallRefused(
            Reason.BLOB_DIGEST_MISMATCH, "The document has another digest; send it anew."
        )

    async def _read_again(self, upload: Upload) -> "hashlib._Hash":
        """Hash a document that came in several calls."""
        digest = hashlib.sha256()
        async for piece in self._store.read(upload):
            await asyncio.to_thread(digest.update, piece)
        return digest


async def _as_it_is(desk: Desk, upload: Upload, digest: bytes) -> Upload:
    """Return an upload; it starts again if its bytes are gone, as after a restored back-up.

    A document that is complete stays so: its letter may have come, and a person must see to it.
    """
    store = desk.stores.of(upload)
    if upload.complete or await store.whole(upload):
        return upload
    log.error("bytes of an upload missing", tenant_role=upload.tenant_role, blob=str(upload.id))
    async with desk.pool.connection() as connection, connection.transaction():
        locked = await sql.upload(connection, upload.tenant_role, digest, lock=True)
        if locked != upload:
            raise _wrong_offset(locked)
        await store.empty(connection, upload, now=clock.now())
    return replace(upload, received=0, chunk_count=0)


async def _nothing() -> None:
    """Do in a coroutine's place what is not to be done."""


def _wrong_offset(upload: Upload | None) -> CallRefused:
    offset = 0 if upload is None else upload.received
    return CallRefused(
        Reason.BLOB_OFFSET_WRONG,
        f"The document goes on at byte {offset}.",
        metadata={"offset": str(offset)},
    )


async def _parts(context: Context) -> AsyncIterator[pb.PutBlobRequest]:
    """Yield the parts of an upload; raise `CallRefused` for garbage and for a peer that stalls."""
    while True:
        try:
            async with asyncio.timeout(_DATA_TIMEOUT_S):
                part = await context.read()
        except TimeoutError as error:
            raise CallRefused(Reason.DEADLINE_EXCEEDED, "No data came in time.") from error
        if part is grpc.aio.EOF:
            return
        yield expect(part, pb.PutBlobRequest)


async def _drain(context: Context) -> None:
    """Read and forget what a refused peer has under way, up to a limit.

    Most clients of gRPC, in the middle of a write, find the call over before they find out why.
    """
    left = _DRAIN_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while left > 0 and (part := await context.read()) is not grpc.aio.EOF:
                left -= part.ByteSize() if isinstance(part, pb.PutBlobRequest) else limits.MIB
