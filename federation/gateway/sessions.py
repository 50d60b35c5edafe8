"""One `Exchange` stream: frames come in, are verified, committed together and receipted.

Two tasks share the work. The reader takes frames from the peer, checks who it is, its credit and
the numbers, and starts the verification of the letters in threads. The committer takes verified
frames in their order, as many as are at hand, commits them at once and then sends one receipt.
While it waits for the database, the reader and the threads go on.

Memory is bounded by the credit: the peer may have so many letters and bytes under way and no more;
the credit comes back with the receipt. A peer that does not read its receipts gets no credit, and
is cut off when a write has waited too long.

What was committed is never lost: on its next stream the peer learns the durable position and gets
the receipts that it lacks. So every error here may simply end the stream.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import receipt_pb2

from federation.gateway import frames
from federation.gateway.desk import Desk
from federation.gateway.frames import Frame
from federation.gateway.peers import Peer
from federation.protocol import limits
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.wire.frames import write_welcome

log = structlog.get_logger(__name__)

#: A commit takes the frames at hand up to so many letters, waiting for their verification so long.
COMMIT_MESSAGES = 256
COMMIT_LINGER_S = 0.005
HELLO_TIMEOUT_S = 10.0
#: So long a receipt may wait for a peer that does not read.
WRITE_TIMEOUT_S = 30.0


class Channel(Protocol):
    """The stream as gRPC gives it: a `grpc.aio.ServicerContext`."""

    async def read(self) -> Any: ...
    async def write(self, message: pb.ExchangeResponse) -> None: ...


@dataclass(slots=True)
class Credit:
    """What the peer may still send, and what it gets back."""

    messages: int = limits.CREDIT_MESSAGES
    size: int = limits.CREDIT_BYTES
    _owed_messages: int = 0
    _owed_size: int = 0

    def take(self, frame: Frame) -> None:
        """Let a frame in; raise `CallRefused` if there was no credit for it."""
        self.messages -= len(frame.items)
        self.size -= frame.size
        if self.messages < 0 or self.size < 0:
            raise CallRefused(Reason.CREDIT_EXCEEDED, "More was sent than there was credit for.")

    def settle(self, batch: list[Frame]) -> pb.Credit | None:
        """Note what has been dealt with; return a grant once it is worth a frame of its own."""
        self._owed_messages += sum(len(frame.items) for frame in batch)
        self._owed_size += sum(frame.size for frame in batch)
        if (
            self._owed_messages < limits.CREDIT_MESSAGES // 4
            and self._owed_size < limits.CREDIT_BYTES // 4
        ):
            return None
        grant = pb.Credit(messages=self._owed_messages, bytes=self._owed_size)
        self.messages += self._owed_messages
        self.size += self._owed_size
        self._owed_messages = self._owed_size = 0
        return grant


class Session:
    """A stream of one peer, from its hello to its end."""

    def __init__(self, desk: Desk, peer: Peer, channel: Channel) -> None:
        self._desk = desk
        self._peer = peer
        self._channel = channel
        self._credit = Credit()
        self._expected = 1
        self._queue: deque[Frame] = deque()
        self._changed = asyncio.Event()
        self._reading: asyncio.Future[Any] | None = None
        self._closing = False
        # Set by whoever ends the stream: the reader, the committer, or the desk.
        self._reason: CallRefused | None = None

    def end(self, reason: CallRefused) -> None:
        """Take no more frames, finish and receipt those at hand, then end with this reason."""
        self._reason = self._reason or reason
        if self._reading is not None:
            self._reading.cancel()

    async def run(self) -> None:
        """Serve the stream; raise `CallRefused` where the peer must be told why it ended."""
        await self._welcome()
        committer = asyncio.create_task(self._commit_frames())
        self._desk.keep(committer)
        try:
            await self._read_frames()
        except CallRefused as error:
            self.end(error)
        finally:
            # Also if the peer is gone and this task was cancelled: the committer ends by itself.
            self._closing = True
            self._changed.set()
        await asyncio.shield(committer)
        if self._reason is not None:
            raise self._reason

    def _ended(self) -> bool:
        return self._reason is not None

    # -- the reader --------------------------------------------------------------------------

    async def _welcome(self) -> None:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                request = await self._channel.read()
        except TimeoutError as error:
            raise CallRefused(Reason.HELLO_MISSING, "No hello came in time.") from error
        hello = frames.read_hello(request, self._peer)
        welcome = await self._desk.greet(self._peer, hello)
        self._expected = welcome.in_lseq + 1
        await self._write(pb.ExchangeResponse(welcome=write_welcome(welcome)))
        async for receipt in self._desk.receipts(
            self._peer, after=hello.acked_lseq, up_to=welcome.in_lseq
        ):
            await self._write(pb.ExchangeResponse(receipt=receipt))

    async def _read_frames(self) -> None:
        while not self._ended():
            self._reading = asyncio.ensure_future(self._channel.read())
            try:
                request = await self._reading
            except asyncio.CancelledError:
                if self._ended():
                    return
                raise
            if (batch := frames.read_batch(request)) is None:
                return
            self._peer = self._desk.gatekeeper.still_admitted(self._peer)
            frame = frames.place(batch, expected=self._expected)
            self._credit.take(frame)
            if not frame.repeats:
                self._expected = frame.last_lseq + 1
                frame.examined = self._desk.examine(self._peer, frame)
            self._queue.append(frame)
            self._changed.set()
            await self._desk.note_contact(self._peer)

    # -- the committer -----------------------------------------------------------------------

    async def _commit_frames(self) -> None:
        try:
            while batch := await self._next_batch():
                if batch[0].repeats:
                    receipts = await self._desk.answer_repeat(self._peer, batch[0])
                else:
                    receipts = [await self._desk.commit(self._peer, batch)]
                await self._acknowledge(batch, receipts)
        except CallRefused as error:
            self.end(error)
        except PeerGone:
            self.end(CallRefused(Reason.UNAVAILABLE, "The stream was closed."))
        except Exception:
            log.exception("stream broken", link=self._peer.centre)
            self.end(CallRefused(Reason.INTERNAL, "Something went wrong here; try again."))

    async def _next_batch(self) -> list[Frame]:
        """Return the frames to commit together; none once the stream is at its end."""
        while not self._queue:
            if self._closing:
                return []
            self._changed.clear()
            await self._changed.wait()
        first = self._queue.popleft()
        if first.repeats:
            return [first]
        await first.verified()
        batch, count = [first], len(first.items)
        until = time.monotonic() + COMMIT_LINGER_S
        while self._queue and not self._queue[0].repeats:
            following = self._queue[0]
            count += len(following.items)
            if count > COMMIT_MESSAGES or not await following.verified(until=until):
                break
            batch.append(self._queue.popleft())
        return batch

    async def _acknowledge(self, batch: list[Frame], receipts: list[receipt_pb2.Receipt]) -> None:
        for receipt in receipts:
            await self._write(pb.ExchangeResponse(receipt=receipt))
        if grant := self._credit.settle(batch):
            await self._write(pb.ExchangeResponse(credit=grant))

    async def _write(self, response: pb.ExchangeResponse) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._channel.write(response)
        except TimeoutError as error:
            raise CallRefused(Reason.SLOW_READER, "Receipts were not read in time.") from error
        except Exception as error:  # gRPC's own, private kinds
            raise PeerGone from error


class PeerGone(Exception):
    """The peer has closed the stream; what was committed it learns from the next one."""
