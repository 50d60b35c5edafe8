"""Speaks the protocol with nothing but the proto files: their generated code, gRPC, cryptography.

No line of the product is imported (a test sees to that): what the comments in the proto files do
not say, a stranger could not know either, and we would not see that a check exists only in our own
sender. Content is noise instead of sealed: a gateway cannot look inside.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from typing import Any, Final

import grpc
import grpc.aio
from amtsbruecke.directory.v1beta1 import directory_service_pb2 as directory
from amtsbruecke.exchange.v1beta1 import envelope_pb2, receipt_pb2
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

type Step = Callable[[], None]

SERVICE: Final = "/amtsbruecke.exchange.v1beta1.LinkService/"


def key_id(key: Ed25519PrivateKey) -> str:
    return sha256(key.public_key().public_bytes_raw()).digest()[:8].hex()


def signed(context: bytes, message: bytes, key: Ed25519PrivateKey) -> bytes:
    return key.sign(context + b"\0" + message)


def uuid7() -> bytes:
    """Return an id as RFC 9562 has it: milliseconds, version, chance, variant, chance."""
    noise = bytearray(os.urandom(10))
    noise[0] = 0x70 | noise[0] & 0x0F
    noise[2] = 0x80 | noise[2] & 0x3F
    return (time.time_ns() // 1_000_000).to_bytes(6, "big") + bytes(noise)


@dataclass(frozen=True)
class Authority:
    """Somebody who signs letters."""

    id: bytes = field(default_factory=uuid7)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def entry(self, home_centre: str) -> directory.Authority:
        """Return what the directory says."""
        entry = directory.Authority(
            id=self.id,
            name=f"Amt in {home_centre}",
            kind="municipality",
            home_centre=home_centre,
            state=directory.STATE_ACTIVE,
        )
        key = entry.keys.add(
            key_id=key_id(self.key),
            purpose=directory.KEY_PURPOSE_SIGN,
            suite="Ed25519",
            raw=self.key.public_key().public_bytes_raw(),
        )
        key.start_time.FromSeconds(int(time.time()) - 86_400)
        return entry


def envelope(
    origin: str, sender: Authority, recipient: bytes, **changes: Any
) -> envelope_pb2.Envelope:
    """Return an envelope in which nothing is wrong but what was asked for."""
    found = envelope_pb2.Envelope(
        format=1,
        message_id=uuid7(),
        origin_centre=origin,
        sender=sender.id,
        recipient=recipient,
        case_id=uuid7(),
        case_sequence=1,
        kind=envelope_pb2.MESSAGE_KIND_ASSISTANCE_REQUEST,
        schema_version=1,
        payload=envelope_pb2.SealedPayload(
            suite="HPKE-MLKEM768X25519-SHAKE256-AES256GCM",
            key_id="0" * 16,
            sealed=os.urandom(500),
            commitment=os.urandom(32),
        ),
    )
    found.create_time.FromSeconds(int(time.time()) - 1)
    found.expire_time.FromSeconds(int(time.time()) + 86_400)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def letter(content: envelope_pb2.Envelope | bytes, by: Authority) -> bytes:
    """Return the item of a batch: an envelope and the signature over its bytes."""
    raw = content if isinstance(content, bytes) else content.SerializeToString()
    return envelope_pb2.SignedEnvelope(
        envelope=raw,
        signature=envelope_pb2.Signature(
            signer=by.id,
            key_id=key_id(by.key),
            value=signed(b"amtsbruecke envelope v1", raw, by.key),
        ),
    ).SerializeToString()


def hello(origin: str, *, acked_lseq: int = 0, next_lseq: int = 1) -> pb.Hello:
    return pb.Hello(origin=origin, versions=[1], acked_lseq=acked_lseq, next_lseq=next_lseq)


def batch(first_lseq: int, *items: bytes) -> pb.ExchangeRequest:
    return pb.ExchangeRequest(batch=pb.Batch(first_lseq=first_lseq, items=items))


def _body(receipt: receipt_pb2.Receipt) -> receipt_pb2.ReceiptBody:
    return receipt_pb2.ReceiptBody.FromString(receipt.body)


def outcome(receipt: receipt_pb2.Receipt, lseq: int) -> str:
    """Return what a receipt says of an item: the reason of a refusal, or the name of its status."""
    body = _body(receipt)
    if not body.first_lseq <= lseq <= body.last_lseq:
        raise LookupError(lseq)
    for each in body.exceptions:
        if each.lseq == lseq:
            return each.reason or receipt_pb2.OutcomeStatus.Name(each.status)
    return "OUTCOME_STATUS_ACCEPTED"


def _reason(code: grpc.StatusCode, trailers: Any) -> str:
    for key, value in trailers or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return str(code.name)


async def reason(call: Any) -> str:
    """Wait for the end of a call of `grpc.aio` to which nothing is written; return why it ended."""
    return _reason(await call.code(), await call.trailing_metadata())


@dataclass(frozen=True)
class Caller:
    """A centre with a certificate, at the door of another one."""

    name: str
    address: str
    #: The centre that is called.
    receiver: str
    certificate: bytes
    key: bytes
    trusts: bytes

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        """Open a connection of its own."""
        async with grpc.aio.secure_channel(
            self.address, self._credentials, options=self._options
        ) as channel:
            yield channel

    @property
    def _credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.trusts, self.key, self.certificate)

    @property
    def _options(self) -> tuple[tuple[str, str | int], ...]:
        return (
            ("grpc.ssl_target_name_override", f"{self.receiver}.centre.amtsbruecke.internal"),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", -1),
        )

    @asynccontextmanager
    async def stream(self, **numbers: int) -> AsyncIterator["Stream"]:
        """Open a stream and say hello."""
        async with self.channel() as channel:
            stream = Stream(channel)
            await stream.send(pb.ExchangeRequest(hello=hello(self.name, **numbers)))
            yield stream
            stream.call.cancel()

    async def tell(
        self, *frames: Message | bytes, more: Iterable[Message] = (), before: Step = lambda: None
    ) -> str:
        """Open a stream, send frames as they are, and return why the stream ended.

        Reads nothing until `before` has returned. In a thread, by gRPC's blocking interface: that
        of `asyncio` forgets why a call has ended when a write fails at the same moment.
        """
        return await asyncio.to_thread(self._tell, chain(frames, more), before)

    def _tell(self, frames: Iterable[Message | bytes], before: Step) -> str:
        raw = (each if isinstance(each, bytes) else each.SerializeToString() for each in frames)
        with grpc.secure_channel(self.address, self._credentials, options=self._options) as channel:
            call: Any = channel.stream_stream(SERVICE + "Exchange")(raw, timeout=50)
            before()
            with suppress(grpc.RpcError):
                for _ in call:
                    pass
            return _reason(call.code(), call.trailing_metadata())

    async def offer(self, *items: bytes) -> str:
        """Send items in one honest batch; return what became of the last."""
        async with self.stream() as stream:
            first = (await stream.welcome()).in_lseq + 1
            await stream.send(batch(first, *items))
            last = first + len(items) - 1
            return outcome(await stream.receipt(last), last)


class Stream:
    """The sender's end of `Exchange`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call: Any = channel.stream_stream(
            SERVICE + "Exchange", response_deserializer=pb.ExchangeResponse.FromString
        )()

    async def send(self, *frames: Message) -> None:
        """Send frames as long as the call lasts."""
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            for frame in frames:
                await self.call.write(frame.SerializeToString())

    async def welcome(self) -> pb.Welcome:
        response: pb.ExchangeResponse = await self.call.read()
        return response.welcome

    async def receipt(self, lseq: int = 1) -> receipt_pb2.Receipt:
        """Return the next receipt, from the one over this item on; credit is taken as it comes."""
        while True:
            response: pb.ExchangeResponse = await self.call.read()
            if response.HasField("receipt") and _body(response.receipt).last_lseq >= lseq:
                return response.receipt

    async def outcomes(self, first_lseq: int, count: int) -> Counter[str]:
        """Read receipts for so many items; return what became of them."""
        found: Counter[str] = Counter()
        while found.total() < count:
            receipt = await self.receipt(first_lseq)
            body = _body(receipt)
            numbers = range(body.first_lseq, body.last_lseq + 1)
            found.update(outcome(receipt, lseq) for lseq in numbers)
        return found

    async def end(self) -> str:
        """Read to the end; return its reason."""
        with suppress(grpc.aio.AioRpcError):
            while await self.call.read() is not grpc.aio.EOF:
                pass
        return await reason(self.call)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree in the shape of RFC 6962, over leaves that are hashes already."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:left]) + root(leaves[left:])).digest()


def leaf(item: bytes, lseq: int) -> bytes:
    """Return the leaf of an item that is accepted."""
    outer = envelope_pb2.SignedEnvelope.FromString(item)
    name = envelope_pb2.Envelope.FromString(outer.envelope).message_id
    status = bytes((receipt_pb2.OUTCOME_STATUS_ACCEPTED,))
    number = lseq.to_bytes(8, "big")
    return sha256(b"\0" + name + number + sha256(item).digest() + status).digest()


@dataclass
class Receiver:
    """A centre that takes the letters of another one; it keeps the protocol, unless it is told to
    lie, which changes what it signs, or to forge, which changes what it has signed."""

    name: str
    origin: str
    key: Ed25519PrivateKey
    lie: Callable[[receipt_pb2.ReceiptBody], None] = lambda _: None
    forge: Callable[[receipt_pb2.Receipt], None] = lambda _: None
    #: Items in the order of their numbers, from 1; and the receipts for them.
    items: list[bytes] = field(default_factory=list)
    receipts: list[receipt_pb2.Receipt] = field(default_factory=list)
    hellos: list[pb.Hello] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self, certificate: bytes, key: bytes, trusts: bytes) -> AsyncIterator[str]:
        """Take letters within the block; yields the address."""
        server = grpc.aio.server()
        exchange = grpc.stream_stream_rpc_method_handler(
            self._exchange, pb.ExchangeRequest.FromString, pb.ExchangeResponse.SerializeToString
        )
        service = grpc.method_handlers_generic_handler(SERVICE.strip("/"), {"Exchange": exchange})
        server.add_generic_rpc_handlers((service,))
        credentials = grpc.ssl_server_credentials(
            [(key, certificate)], trusts, require_client_auth=True
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(grace=0.2)

    async def _exchange(self, _: Any, context: Any) -> None:
        hello = (await context.read()).hello
        self.hellos.append(hello)
        await context.write(pb.ExchangeResponse(welcome=self._welcome()))
        for receipt in self.receipts:
            if _body(receipt).last_lseq > hello.acked_lseq:
                await context.write(pb.ExchangeResponse(receipt=receipt))
        while isinstance(request := await context.read(), pb.ExchangeRequest):
            receipt = self._sign(request.batch)
            await context.write(pb.ExchangeResponse(receipt=receipt))

    def _welcome(self) -> pb.Welcome:
        return pb.Welcome(
            receiver=self.name,
            version=1,
            in_lseq=len(self.items),
            receipt_hash=self._last_hash(),
            credit=pb.Credit(messages=1000, bytes=2**24),
            limits=pb.BatchLimits(max_items=100, max_bytes=2**22, max_item_bytes=2**20),
        )

    def _last_hash(self) -> bytes:
        return sha256(self.receipts[-1].body).digest() if self.receipts else bytes(32)

    def _sign(self, batch: pb.Batch) -> receipt_pb2.Receipt:
        self.items += batch.items
        leaves = [leaf(item, lseq) for lseq, item in enumerate(batch.items, batch.first_lseq)]
        body = receipt_pb2.ReceiptBody(
            format=1,
            issuer=self.name,
            origin=self.origin,
            first_lseq=batch.first_lseq,
            last_lseq=batch.first_lseq + len(batch.items) - 1,
            merkle_root=root(leaves),
            prev_hash=self._last_hash(),
        )
        body.issue_time.FromSeconds(int(time.time()))
        self.lie(body)
        raw = body.SerializeToString()
        receipt = receipt_pb2.Receipt(
            body=raw,
            signature=envelope_pb2.Signature(
                signer=self.name.encode(),
                key_id=key_id(self.key),
                value=signed(b"amtsbruecke receipt v1", raw, self.key),
            ),
        )
        self.forge(receipt)
        self.receipts.append(receipt)
        return receipt
