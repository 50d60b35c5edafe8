"""A receiving centre without a database. Keeps the protocol, or breaks it where a test asks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from centre.kernel import clock
from centre.keys.sign import SigningKey
from federation.protocol.errors import CallRefused
from federation.protocol.frames import Credit, Welcome
from federation.protocol.receipts import (
    ACCEPTED,
    DUPLICATE,
    GENESIS,
    VOID,
    Sent,
    SignedReceipt,
    compose,
)
from federation.wire.envelope import read_outer
from federation.wire.errors import to_abort
from federation.wire.frames import write_welcome
from federation.wire.receipt import sign_receipt, to_message
from tests.factories.certificates import Certificate, CertificateAuthority

_SERVICE = "amtsbruecke.exchange.v1beta1.LinkService"
_NOTHING = Sent(UUID(int=0), sha256(b"").digest())


@dataclass
class FakeReceiver:
    """Takes letters of the centre `origin` at the centre `name`."""

    name: str
    origin: str
    key: SigningKey
    credit: Credit = field(default_factory=Credit)
    #: Called with each batch before it is held; may raise what ends the call.
    before: Callable[[pb.Batch], None] = lambda _: None
    #: Called with each batch after it is held and before its receipt is sent.
    after: Callable[[pb.Batch], None] = lambda _: None
    #: Changes a receipt before it is sent.
    change: Callable[[SignedReceipt], SignedReceipt] = lambda receipt: receipt
    #: What time it is there.
    now: Callable[[], datetime] = clock.now
    #: Changes the welcome.
    welcome: Callable[[Welcome], Welcome] = lambda welcome: welcome

    #: Items in the order of their positions, from 1.
    items: list[bytes] = field(default_factory=list)
    receipts: list[tuple[int, SignedReceipt]] = field(default_factory=list)
    #: Sizes of the frames that came, and the hellos.
    frames: list[int] = field(default_factory=list)
    hellos: list[pb.Hello] = field(default_factory=list)

    @property
    def held(self) -> list[bytes]:
        """The letters, each once, in order."""
        return list(dict.fromkeys(item for item in self.items if item))

    async def Exchange(self, _requests: Any, context: Any) -> None:  # noqa: N802 -- gRPC's name
        try:
            await self._exchange(context)
        except CallRefused as error:
            abort = to_abort(error)
            await context.abort(abort.code, abort.details, abort.trailing_metadata)

    async def _exchange(self, context: Any) -> None:
        hello = (await context.read()).hello
        self.hellos.append(hello)
        last_hash = self.receipts[-1][1].hash if self.receipts else GENESIS
        welcome = Welcome(
            receiver=self.name, in_lseq=len(self.items), receipt_hash=last_hash, credit=self.credit
        )
        await context.write(pb.ExchangeResponse(welcome=write_welcome(self.welcome(welcome))))
        for last, receipt in self.receipts:
            if last > hello.acked_lseq:
                await self._send(context, receipt)
        while isinstance(request := await context.read(), pb.ExchangeRequest):
            batch = request.batch
            self.frames.append(len(batch.items))
            self.before(batch)
            receipt = self._hold(batch)
            self.after(batch)
            await self._send(context, receipt)
            size = sum(map(len, batch.items))
            grant = pb.Credit(messages=len(batch.items), bytes=size)
            await context.write(pb.ExchangeResponse(credit=grant))

    async def _send(self, context: Any, receipt: SignedReceipt) -> None:
        message = to_message(self.change(receipt), issuer=self.name)
        await context.write(pb.ExchangeResponse(receipt=message))

    def _hold(self, batch: pb.Batch) -> SignedReceipt:
        assert batch.first_lseq == len(self.items) + 1, "a gap or a rewind"
        judged = []
        for item in batch.items:
            if item:
                sent = Sent(read_outer(item).read().message_id, sha256(item).digest())
                judged.append((sent, DUPLICATE if item in self.items else ACCEPTED))
            else:
                judged.append((_NOTHING, VOID))
            self.items.append(item)
        body, _ = compose(
            issuer=self.name,
            origin=self.origin,
            first_lseq=batch.first_lseq,
            items=judged,
            prev_hash=self.receipts[-1][1].hash if self.receipts else GENESIS,
            issued_at=self.now(),
        )
        receipt = sign_receipt(body, by=self.key)
        self.receipts.append((body.last_lseq, receipt))
        return receipt

    def join(self, server: grpc.aio.Server) -> None:
        """Offer the service at a server."""
        exchange = grpc.stream_stream_rpc_method_handler(
            self.Exchange, pb.ExchangeRequest.FromString, _serialise
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"Exchange": exchange}),)
        )

    @asynccontextmanager
    async def serve(
        self, certificate: Certificate, authority: CertificateAuthority, *, port: int = 0
    ) -> AsyncIterator[str]:
        """Serve within the block; yields the address."""
        server = grpc.aio.server()
        self.join(server)
        credentials = grpc.ssl_server_credentials(
            [(certificate.key, certificate.pem)], authority.pem, require_client_auth=True
        )
        port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(grace=0.2)


def _serialise(response: pb.ExchangeResponse | bytes) -> bytes:
    """Let bytes pass that are no message."""
    return response if isinstance(response, bytes) else response.SerializeToString()
