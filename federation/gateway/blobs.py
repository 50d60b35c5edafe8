"""`BlobService`: sealed documents come in ahead of the letters that name them.

An upload holds a few steps of some chunks in memory and commits as it goes, so that a broken call
goes on where the last commit left it. Two uploads of one document do not mix (`stores`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import grpc
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.kernel import clock
from federation.blobs.buffers import Buffers
from federation.blobs.sizes import MAX_ANNOUNCED_BYTES
from federation.gateway import metrics, sql
from federation.gateway.calls import Context, Malformed, admitted, expect
from federation.gateway.desk import Desk, database
from federation.gateway.guards import Guard
from federation.gateway.peers import Peer
from federation.gateway.sql import Upload
from federation.gateway.stores import Store, wrong_offset
from federation.inbox.admission import host_of
from federation.protocol import limits
from federation.protocol.errors import CallRefused, ItemRefused
from federation.protocol.frames import BlobHeader
from federation.protocol.reasons import Reason
from federation.wire.frames import read_blob_header, read_blob_question

type Part = pb.BlobHeader | memoryview

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
                    upload = await self._desk.stores.of(upload, digest).as_it_is()
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
        if not isinstance(first, pb.BlobHeader):
            raise CallRefused(Reason.BLOB_MALFORMED, "The first part must be a header.")
        header = read_blob_header(first)
        tenant_role = self._address(peer, header.sender, header.recipient)
        receiving = Receiving(self._desk, peer, header, tenant_role)
        store = await receiving.begin()
        if store.upload.complete:
            return store.upload
        try:
            return await receiving.take(store, parts)
        finally:
            store.close()

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
        try:
            host = host_of(
                recipient,
                receiver=self._desk.centre,
                directory=view.directory,
                hosts=view.hosts,
            )
        except ItemRefused as error:
            # When to come again, the sender knows: an upload has a back-off of its own.
            raise CallRefused(error.why, error.message) from error
        return host.tenant_role


class Receiving:
    """One upload on its way into its store."""

    def __init__(self, desk: Desk, peer: Peer, header: BlobHeader, tenant_role: str) -> None:
        self._desk = desk
        self._peer = peer
        self._header = header
        self._tenant_role = tenant_role

    async def begin(self) -> Store:
        """Return where the document goes; raise unless this call goes on exactly there."""
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
            store = self._desk.stores.of(upload, header.digest)
            upload = await store.as_it_is()
        if upload.size != header.size:
            raise CallRefused(Reason.BLOB_MALFORMED, "The document was announced in another size.")
        if not upload.complete and upload.received != header.offset:
            raise wrong_offset(upload)
        return store

    async def take(self, store: Store, parts: AsyncIterator[Part]) -> Upload:
        """Store the data of the call and, once all are here, verify the digest.

        While some steps are stored, the next one is read: no more than these is in memory.
        """
        size, come = self._header.size, self._header.offset
        buffers = Buffers(store.step, count=store.buffers)
        with database():
            await store.open()
            try:
                async for part in parts:
                    data = self._admit(part, left=size - come)
                    come += len(data)
                    store.hash(data)
                    while data:
                        place = buffers.place(len(data))
                        place[:], data = data[: len(place)], data[len(place) :]
                        if not buffers.left:
                            await self._put(store, buffers.turn())
                if rest := buffers.turn(cut=1 if come == size else store.cut):
                    await self._put(store, rest)
            finally:
                # What was begun is brought to its end, also where the call ends badly.
                await store.settle()
            return await store.finish() if come == size else store.upload

    def _admit(self, part: Part, *, left: int) -> memoryview:
        """Return the data of a part; raise `CallRefused` unless it may come now."""
        if not isinstance(part, memoryview) or not part:
            raise CallRefused(Reason.BLOB_MALFORMED, "After the header every part has data.")
        if len(part) > limits.MAX_BLOB_FRAME_BYTES:
            raise CallRefused(Reason.BLOB_MALFORMED, "A part is too large.")
        self._peer = self._desk.gatekeeper.still_admitted(self._peer)
        if len(part) > left:
            raise CallRefused(Reason.BLOB_MALFORMED, "There are more data than announced.")
        return part

    async def _put(self, store: Store, data: memoryview) -> None:
        await store.put(data)
        metrics.blob_bytes.labels(self._peer.centre).inc(len(data))


async def _parts(context: Context) -> AsyncIterator[Part]:
    """Yield the parts of an upload; raise `CallRefused` for garbage and for a peer that stalls."""
    while True:
        try:
            async with asyncio.timeout(_DATA_TIMEOUT_S):
                part = await context.read()
        except TimeoutError as error:
            raise CallRefused(Reason.DEADLINE_EXCEEDED, "No data came in time.") from error
        if part is grpc.aio.EOF:
            return
        if isinstance(part, Malformed):
            raise CallRefused(Reason.FRAME_MALFORMED, "This is no PutBlobRequest.")
        yield part


async def _drain(context: Context) -> None:
    """Read and forget what a refused peer has under way, up to a limit.

    Most clients of gRPC, in the middle of a write, find the call over before they find out why.
    """
    left = _DRAIN_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while left > 0 and (part := await context.read()) is not grpc.aio.EOF:
                left -= len(part) if isinstance(part, memoryview) else limits.MIB
