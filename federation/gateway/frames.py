"""What a peer sends on its stream: parsed, measured and put into the order of its numbers."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.gateway.peers import Peer
from federation.gateway.sql import StoredReceipt
from federation.inbox.arrivals import NO_ID, Item
from federation.protocol.errors import CallRefused, ItemRefused
from federation.protocol.frames import BatchLimits, Hello
from federation.protocol.reasons import Reason
from federation.protocol.receipts import Sent, leaf
from federation.wire import frames as wire
from federation.wire.envelope import read_outer
from federation.wire.receipt import decode_body

LIMITS: Final = BatchLimits()
_MAX_LSEQ: Final = 2**63 - 1
_LEAF_SIZE: Final = 32


@dataclass(slots=True)
class Frame:
    """A batch on its way through the gateway."""

    first_lseq: int
    items: Sequence[bytes]
    size: int
    #: It lies wholly below what has come already.
    repeats: bool
    examined: asyncio.Future[list[Item]] = field(init=False)

    @property
    def last_lseq(self) -> int:
        return self.first_lseq + len(self.items) - 1

    async def verified(self, *, until: float | None = None) -> bool:
        """Wait until all letters are verified, or until that time; return whether they are."""
        if not self.examined.done():
            timeout = None if until is None else max(0.0, until - time.monotonic())
            await asyncio.wait((self.examined,), timeout=timeout)
        return self.examined.done()


def read_hello(request: Any, peer: Peer) -> Hello:
    """Return the hello that opens a stream; raise `CallRefused` for anything else."""
    if not isinstance(request, pb.ExchangeRequest) or request.WhichOneof("frame") != "hello":
        raise CallRefused(Reason.HELLO_MISSING, "The first frame must be a hello.")
    return check_hello(request.hello, peer)


def check_hello(request: pb.Hello, peer: Peer) -> Hello:
    """Return the hello if it fits the certificate; else raise `CallRefused`."""
    hello = wire.read_hello(request)
    if hello.origin != peer.centre:
        raise CallRefused(
            Reason.ORIGIN_MISMATCH, "The hello names another centre than the certificate."
        )
    return hello


def read_batch(request: Any) -> pb.Batch | None:
    """Return the batch of a frame, None at the end of the stream; raise for anything else."""
    if request is grpc.aio.EOF:
        return None
    if not isinstance(request, pb.ExchangeRequest) or request.WhichOneof("frame") != "batch":
        raise CallRefused(Reason.FRAME_MALFORMED, "After the hello every frame must be a batch.")
    return request.batch


def place(batch: pb.Batch, *, expected: int) -> Frame:
    """Measure a batch and find its place: the next one, or wholly a repeat; else raise."""
    size = wire.check_batch(batch, within=LIMITS)
    first, last = batch.first_lseq, batch.first_lseq + len(batch.items) - 1
    if last > _MAX_LSEQ:
        raise CallRefused(Reason.FRAME_MALFORMED, "The numbers are too large.")
    if first > expected:
        raise CallRefused(
            Reason.SEQUENCE_GAP, f"Item {expected} comes next, the batch begins at {first}."
        )
    if first < expected <= last:
        raise CallRefused(
            Reason.SEQUENCE_REWIND, f"Item {expected} comes next, the batch begins at {first}."
        )
    return Frame(first, batch.items, size, repeats=first < expected)


def is_repeated_by(frame: Frame, receipts: Sequence[StoredReceipt]) -> bool:
    """Return whether a batch is, byte for byte, what these receipts acknowledged."""
    leaves: dict[int, tuple[bytes, Any]] = {}
    for receipt in receipts:
        verdicts = decode_body(receipt.signed.body).verdicts()
        for index, verdict in enumerate(verdicts):
            kept = receipt.leaves[index * _LEAF_SIZE : (index + 1) * _LEAF_SIZE]
            leaves[receipt.first_lseq + index] = (kept, verdict)
    for lseq, item in enumerate(frame.items, start=frame.first_lseq):
        if lseq not in leaves:
            return False
        kept, verdict = leaves[lseq]
        if leaf(_sent(item), lseq=lseq, verdict=verdict) != kept:
            return False
    return True


def _sent(item: bytes) -> Sent:
    try:
        return Sent(read_outer(item).read().message_id, sha256(item).digest())
    except ItemRefused:
        return Sent(NO_ID, sha256(item).digest())
