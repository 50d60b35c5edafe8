"""Documents of a link: uploaded ahead of their letters, apart from them, in bounded memory.

A letter with documents is held until all of them are complete at the receiving centre. An upload
that breaks goes on where the receiver's last commit left it. Documents go one at a time, in turns
over the tenants: letters share the connection and shall not wait long behind them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc
import structlog
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import blob_service_pb2_grpc

from federation.blobs.errors import BlobError
from federation.dispatch import metrics, reading, sql
from federation.dispatch.errors import DispatchError, Unreachable
from federation.dispatch.faults import from_rpc
from federation.dispatch.sql import Document, Lease, Upload
from federation.dispatch.tools import DATABASE_TROUBLE, Tools
from federation.links.endings import answer
from federation.links.errors import LinkError
from federation.protocol import backoff
from federation.protocol.frames import BlobHeader
from federation.protocol.reasons import Reason
from federation.wire import blob_parts

_PUT_BLOB: Final = f"/{pb.DESCRIPTOR.services_by_name['BlobService'].full_name}/PutBlob"

log = structlog.get_logger(__name__)

_CALL_TIMEOUT_S: Final = 10.0
#: A whole upload at the slowest rate that is still worth it, one mebibyte in four seconds.
_UPLOAD_TIMEOUT_S: Final = 600.0
#: Nothing that waiting could mend: the letter dies.
_HOPELESS: Final = frozenset(
    {
        Reason.BLOB_TOO_LARGE,
        Reason.BLOB_MALFORMED,
        Reason.AUTHORITY_NOT_REPRESENTED,
        Reason.RECIPIENT_DELETED,
    }
)


class UploadWorker:
    """Uploads what the letters of one link need, until cancelled."""

    def __init__(
        self, lease: Lease, tools: Tools, *, wanted: asyncio.Event, wake: Callable[[], None]
    ) -> None:
        self._link = lease.link
        #: Set by pokes, and several times a second while documents wait (`Dispatch._radar`).
        self._wanted = wanted
        #: To be called when a letter may go.
        self._wake = wake
        self._tools = tools
        # Uploads that have failed: when to try again, and the ceiling of their back-off.
        self._waiting: dict[Upload, tuple[float, int]] = {}

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                found = await self._pending()
            except DATABASE_TROUBLE as error:
                log.warning("database away", link=self._link, error=error)
                found = []
            for upload in found:
                await self._attempt(upload)
            if found:
                self._wanted.set()

    async def _pending(self) -> list[Upload]:
        now = time.monotonic()
        asleep = {upload for upload, (until, _) in self._waiting.items() if until > now}
        async with self._tools.around.database.connection() as connection:
            row = await sql.link(connection, self._link)
            if not row.active or row.wait:
                return []
            return await sql.pending_uploads(
                connection, self._link, without=[each.message_id for each in asleep]
            )

    async def _attempt(self, upload: Upload) -> None:
        """Try an upload; whatever happens to it, the others go on and it is tried again."""
        try:
            await self._try(upload)
        except BlobError as error:
            log.warning("document unreadable", link=self._link, error=error.message)
            self._wait(upload, code=error.reason)
        except (DispatchError, LinkError, TimeoutError, *DATABASE_TROUBLE) as error:
            self._wait(upload, code=getattr(error, "reason", type(error).__name__))
        except Exception:
            log.exception("upload broke", link=self._link, message_id=str(upload.message_id))
            self._wait(upload, code="UPLOAD_BROKE")

    async def _try(self, upload: Upload) -> None:
        try:
            await self._upload(upload)
        except grpc.RpcError as error:
            fault = from_rpc(error)
            if fault.code not in Reason or Reason(fault.code) not in _HOPELESS:
                self._wait(upload, code=fault.code, told_ms=fault.told_ms)
                if fault.code in Reason:
                    async with self._tools.around.database.connection() as connection:
                        await sql.note_upload(connection, upload, reason=fault.code)
                return
            async with self._tools.around.database.connection() as connection:
                await sql.refuse_upload(connection, upload, reason=fault.code)
            metrics.failed(self._link, code=fault.code)
            log.warning("document refused", link=self._link, reason=fault.code)
        else:
            async with self._tools.around.database.connection() as connection:
                await sql.finish_upload(connection, upload)
            self._wake()
        self._waiting.pop(upload, None)

    def _wait(self, upload: Upload, *, code: str, told_ms: int = 0) -> None:
        _, ceiling = self._waiting.get(upload, (0.0, 0))
        ceiling = backoff.next_ceiling_ms(ceiling)
        seconds = max(backoff.delay(ceiling).total_seconds(), told_ms / 1000)
        self._waiting[upload] = (time.monotonic() + seconds, ceiling)
        metrics.failed(self._link, code=code)
        log.warning("upload broken", link=self._link, message_id=str(upload.message_id), code=code)

    async def _upload(self, upload: Upload) -> None:
        """Bring one document to the peer, from where it stands there."""
        centre = self._tools.directory().centre(self._link)
        if centre is None or centre.state != "active":
            raise Unreachable(f"The directory has no active centre {self._link!r}.")
        channel = await self._tools.channels.channel(self._link, centre.endpoint)
        stub = blob_service_pb2_grpc.BlobServiceStub(channel)
        question = pb.GetBlobOffsetRequest(
            sender=upload.sender.bytes, recipient=upload.recipient.bytes, digest=upload.digest
        )
        known: pb.GetBlobOffsetResponse = await answer(
            stub.GetBlobOffset(question, timeout=_CALL_TIMEOUT_S)
        )
        if known.complete:
            return
        async with self._tools.around.database.connection() as connection:
            document = await sql.document(connection, upload)
        if document is None:
            raise DispatchError("the document of a letter is not here")
        await reading.check(document, self._tools)
        # Parts are written already; the generated stub would copy each of them again.
        put: Any = channel.stream_unary(
            _PUT_BLOB,
            response_deserializer=pb.PutBlobResponse.FromString,
        )
        parts = self._parts(upload, document, known.offset)
        stored: pb.PutBlobResponse = await answer(put(parts, timeout=_UPLOAD_TIMEOUT_S))
        if not stored.complete:
            raise DispatchError("the peer took the document and does not call it complete")

    async def _parts(self, upload: Upload, document: Document, offset: int) -> AsyncIterator[bytes]:
        header = BlobHeader(
            sender=upload.sender,
            recipient=upload.recipient,
            digest=upload.digest,
            size=upload.size,
            offset=offset,
        )
        yield blob_parts.write_header(header)
        async with aclosing(reading.pieces(document, self._tools, offset=offset)) as pieces:
            async for piece in pieces:
                yield blob_parts.write_data(piece)
