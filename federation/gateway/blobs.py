"""`BlobService`: sealed documents come in ahead of the letters that name them.

An upload holds a few chunks in memory and commits as it goes, so that a broken call goes on where
the last commit left it. Two uploads of one document do not mix: each commit locks the document's
row and finds it where this call has left it, or the call ends.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import grpc
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.kernel import clock
from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.sizes import MAX_ANNOUNCED_BYTES
from federation.gateway import metrics, sql
from federation.gateway.calls import Context, Malformed, admitted, expect
from federation.gateway.desk import Desk, database
from federation.gateway.guards import Guard
from federation.gateway.peers import Peer
from federation.gateway.sql import Upload
from federation.protocol import limits
from federation.protocol.errors import CallRefused
from federation.protocol.frames import BlobHeader
from federation.protocol.reasons import Reason
from federation.wire.frames import read_blob_header, read_blob_question

#: Chunks that one commit stores: 2 MiB.
_CHUNKS_AT_ONCE = 8
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
        return upload if upload.complete else await receiving.take(parts)

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


class Receiving:
    """One upload on its way into the database."""

    def __init__(self, desk: Desk, peer: Peer, header: BlobHeader, tenant_role: str) -> None:
        self._desk = desk
        self._peer = peer
        self._header = header
        self._tenant_role = tenant_role
        #: Up to where the document is stored, and what goes there next.
        self._at = header.offset
        self._buffer = bytearray()
        self._storing: asyncio.Task[Upload] | None = None
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
                        now=clock.now(),
                    )
                    upload = await sql.upload(connection, self._tenant_role, header.digest)
        if upload is None:
            raise LookupError("an upload that was just begun is gone")
        if upload.size != header.size:
            raise CallRefused(Reason.BLOB_MALFORMED, "The document was announced in another size.")
        if not upload.complete and upload.received != header.offset:
            raise _wrong_offset(upload)
        return upload

    async def take(self, parts: AsyncIterator[pb.PutBlobRequest]) -> Upload:
        """Store the data of the call and, once all are here, verify the digest.

        While the database writes one part, the next one is read: no more than that is in memory.
        """
        come = self._at
        try:
            async for part in parts:
                if part.WhichOneof("part") != "data" or not part.data:
                    raise CallRefused(
                        Reason.BLOB_MALFORMED, "After the header every part has data."
                    )
                if len(part.data) > limits.MAX_BLOB_FRAME_BYTES:
                    raise CallRefused(Reason.BLOB_MALFORMED, "A part is too large.")
                self._peer = self._desk.gatekeeper.still_admitted(self._peer)
                self._buffer += part.data
                come += len(part.data)
                if come > self._header.size:
                    raise CallRefused(Reason.BLOB_MALFORMED, "There are more data than announced.")
                if len(self._buffer) >= _CHUNKS_AT_ONCE * SEALED_CHUNK_SIZE:
                    await self._stored()
                    self._storing = asyncio.create_task(self._store(self._cut(final=False)))
        finally:
            # What was begun is brought to its end, also where the call ends badly.
            await self._stored()
        final = come == self._header.size
        upload = await self._store(self._cut(final=final))
        return await self._finish(upload) if final else upload

    async def _stored(self) -> None:
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing

    def _cut(self, *, final: bool) -> list[bytes]:
        """Take the whole chunks out of the buffer, and the rest if it is the end."""
        whole = len(self._buffer) if final else len(self._buffer) // SEALED_CHUNK_SIZE
        if not final:
            whole *= SEALED_CHUNK_SIZE
        with memoryview(self._buffer) as view:
            chunks = [
                bytes(view[start : min(start + SEALED_CHUNK_SIZE, whole)])
                for start in range(0, whole, SEALED_CHUNK_SIZE)
            ]
        del self._buffer[:whole]
        return chunks

    async def _store(self, chunks: list[bytes]) -> Upload:
        """Commit chunks."""
        with database():
            async with self._desk.pool.connection() as connection, connection.transaction():
                upload = await sql.upload(
                    connection, self._tenant_role, self._header.digest, lock=True
                )
                if upload is None or upload.received != self._at:
                    raise _wrong_offset(upload)
                if chunks and not upload.complete:
                    upload = await sql.add_chunks(
                        connection, upload, self._tenant_role, chunks, now=clock.now()
                    )
        size = sum(map(len, chunks))
        self._at += size
        if self._digest is not None:
            for chunk in chunks:
                self._digest.update(chunk)
        metrics.blob_bytes.labels(self._peer.centre).inc(size)
        return upload

    async def _finish(self, upload: Upload) -> Upload:
        digest = self._digest or await self._read_again(upload)
        with database():
            genuine = digest.digest() == self._header.digest
            async with self._desk.pool.connection() as connection, connection.transaction():
                now_stored = await sql.upload(
                    connection, self._tenant_role, self._header.digest, lock=True
                )
                if now_stored != upload:
                    raise _wrong_offset(now_stored)
                if genuine:
                    return await sql.complete_upload(connection, upload, now=clock.now())
                await sql.empty_upload(connection, upload, now=clock.now())
        raise CallRefused(
            Reason.BLOB_DIGEST_MISMATCH, "The document has another digest; send it anew."
        )

    async def _read_again(self, upload: Upload) -> "hashlib._Hash":
        """Hash a document that came in several calls."""
        digest = hashlib.sha256()
        with database():
            for number in range(0, upload.chunk_count, _CHUNKS_AT_ONCE):
                async with self._desk.pool.connection() as connection:
                    stored = await sql.chunks(
                        connection, upload, first_number=number, limit=_CHUNKS_AT_ONCE
                    )
                for chunk in stored:
                    digest.update(chunk)
        return digest


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
