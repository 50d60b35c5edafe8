"""One `Exchange` stream to one peer, from hello to end.

Three tasks share it. The writer looks for letters, numbers them and sends frames, as far as the
peer's credit goes. The reader takes receipts and credit and verifies. The keeper stores verified
receipts, as many as are at hand in one transaction: a receipt counts once it is stored.

No transaction is open while anybody waits for the peer, and no more is in memory than the credit
allows, however long the backlog is.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import Any, Final

import grpc
import psycopg
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from centre.directory.interface import ListedKey
from centre.kernel import clock
from federation.dispatch import metrics, sql
from federation.dispatch.errors import FenceLost, PeerFault, ReceiptInvalid
from federation.dispatch.frames import Credit, Item, Limits, cut, void, without_gaps
from federation.dispatch.isolation import Suspicion, acknowledged
from federation.dispatch.ledger import Ledger, Verified
from federation.dispatch.pace import Pace
from federation.dispatch.queue import Queue
from federation.dispatch.sql import Lease, Letter, LinkRow
from federation.dispatch.surroundings import Around, Call
from federation.protocol import limits
from federation.protocol.frames import Hello, Welcome
from federation.protocol.receipts import ReceiptBody
from federation.wire import receipt as wire_receipt
from federation.wire.frames import read_credit, read_welcome, write_hello

HELLO_TIMEOUT_S: Final = 10.0
#: So long the oldest frame may wait for its receipt before the call is given up.
RECEIPT_TIMEOUT_S: Final = 30.0
#: So long the keeper may take to store its last receipts once the stream is over.
STORE_TIMEOUT_S: Final = 10.0
#: A stream without letters is closed after this; the next letter opens another.
REST_S: Final = 300.0
_LOOK_FOR_OVERDUE_S: Final = 5.0
_MILLISECOND: Final = timedelta(milliseconds=1)
#: Letters numbered in one statement; a few frames' worth.
NUMBER_MOST: Final = 4 * limits.BATCH_ITEMS
NUMBER_BYTES: Final = 2 * limits.BATCH_BYTES


class Session:
    """A stream that is open, or about to be."""

    def __init__(self, lease: Lease, row: LinkRow, call: Call, around: Around) -> None:
        self._lease = lease
        self._call = call
        self._around = around
        self._ledger = Ledger(
            peer=lease.link,
            origin=around.origin,
            acked=row.acked_lseq,
            receipt_hash=row.receipt_hash,
        )
        self._stored = row.acked_lseq
        self._next = row.next_lseq
        self.suspicion: Suspicion = row.suspicion
        self._queue = Queue(lease)
        self._credit = Credit(self._ledger.flight)
        self._limits = Limits()
        self._unsent: deque[Letter | Item] = deque()
        self._verified: deque[Verified] = deque()
        self._pace = Pace()
        self._poked = asyncio.Event()
        self._to_store = asyncio.Event()
        self._ending = False
        self._closing = False
        #: The peer has answered the hello.
        self.welcomed = False
        #: Receipts were stored in this session.
        self.progressed = False
        self._sent_at: deque[tuple[int, float]] = deque()

    # -- asked from outside ------------------------------------------------------------------

    def poke(self) -> None:
        """Look for letters now."""
        self._pace.poked()
        self._poked.set()

    def end(self) -> None:
        """Number nothing more, wait for the receipts under way, close the stream."""
        self._ending = True
        self._poked.set()

    @property
    def head(self) -> tuple[int, int] | None:
        """The oldest frame that was sent and has no receipt."""
        return self._ledger.flight.head

    @property
    def under_way(self) -> tuple[int, int] | None:
        return self._ledger.flight.span

    # -- the stream --------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `end`, a rest, or an error. Raises what ended the call."""
        await self._open()
        reader = asyncio.create_task(self._read())
        keeper = asyncio.create_task(self._keep())
        writer = asyncio.create_task(self._write())
        tasks = (reader, keeper, writer)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if isinstance(_error_of(writer), asyncio.InvalidStateError):
                # The call is over; why, the reader is about to learn.
                await asyncio.wait((reader,), timeout=1)
            for task in tasks:
                if task.done():
                    task.result()
            if not writer.done():
                raise PeerFault("the peer ended the stream", reason="STREAM_ENDED")
        finally:
            reader.cancel()
            writer.cancel()
            # The keeper is told, not interrupted: it may be in the transaction that moves the link.
            self._closing = True
            self._to_store.set()
            await asyncio.wait((keeper,), timeout=STORE_TIMEOUT_S)
            keeper.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # Verified receipts are worth a last try; what is not stored, the peer gives again.
            with suppress(psycopg.Error, FenceLost):
                await self._store_what_is_verified()

    async def _open(self) -> None:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            hello = Hello(
                origin=self._around.origin,
                acked_lseq=self._stored,
                next_lseq=self._next,
                directory_version=self._around.directory_version(),
            )
            await self._call.write(pb.ExchangeRequest(hello=write_hello(hello)))
            response = await self._call.read()
        if not isinstance(response, pb.ExchangeResponse) or not response.HasField("welcome"):
            raise PeerFault("no welcome came", reason="WELCOME_MISSING")
        welcome = read_welcome(response.welcome)
        self._check(welcome)
        self.welcomed = True
        self._credit.add(welcome.credit.messages, welcome.credit.bytes)
        self._limits = self._limits.narrowed(
            items=welcome.limits.max_items, bytes_=welcome.limits.max_bytes
        )
        await self._resume(welcome)

    def _check(self, welcome: Welcome) -> None:
        if welcome.receiver != self._lease.link:
            raise PeerFault(
                f"{welcome.receiver!r} answered instead of {self._lease.link!r}",
                reason="WRONG_PEER",
            )
        if not self._stored <= welcome.in_lseq < self._next:
            raise PeerFault(
                f"the peer stands at {welcome.in_lseq}; it signed up to {self._stored} and "
                f"{self._next - 1} numbers were given",
                reason="POSITION_IMPOSSIBLE",
            )

    async def _resume(self, welcome: Welcome) -> None:
        """Go on after the peer's durable position; receipts for what lies before it will come."""
        async with self._around.database.connection() as connection:
            await sql.note_welcome(
                connection, self._lease, max_signed_together=welcome.max_signed_together
            )
            if self._next == self._stored + 1:
                return
            known = await sql.positions(connection, self._lease.link, after=self._stored)
        items = without_gaps(known, first=self._stored + 1, last=self._next - 1)
        durable = welcome.in_lseq - self._stored
        if durable:
            self._ledger.flight.add(items[:durable])
            self._sent_at.append((welcome.in_lseq, time.monotonic()))
        self._unsent.extend(items[durable:])

    # -- the writer --------------------------------------------------------------------------

    async def _write(self) -> None:
        active_at = time.monotonic()
        while True:
            self._poked.clear()
            full = False
            if self._may_number:
                found = await self._number()
                full = found >= self._limits.items
                self._pace.looked(found=found)
            await self._send_frames()
            if self._ending and self._settled:
                break
            now = time.monotonic()
            if self._ledger.flight or self._unsent:
                active_at = now
            elif now - active_at > REST_S:
                break
            await self._wait(full=full)
        with suppress(asyncio.InvalidStateError, grpc.RpcError):
            await self._call.done_writing()

    @property
    def _may_number(self) -> bool:
        return not self._ending and not self._unsent and self._credit.usable

    @property
    def _settled(self) -> bool:
        """Whether all that was sent has a stored receipt. Other numbers wait for a next session."""
        return not self._ledger.flight and self._stored == self._ledger.acked

    async def _wait(self, *, full: bool) -> None:
        """Wait for the time of the next look, or for a poke, credit or a receipt."""
        wait: float | None = None
        if self._may_number:
            wait = self._pace.wait(under_way=bool(self._ledger.flight), full=full)
        if wait is not None and self._pace.lingers:
            await self._linger(wait)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._poked.wait(), REST_S if wait is None else wait)

    async def _linger(self, seconds: float) -> None:
        if not self._pace.until_receipt:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._ledger.flight and not self._ending:
                    self._poked.clear()
                    await self._poked.wait()

    async def _number(self) -> int:
        async with self._around.database.connection() as connection:
            numbered = await self._queue.number(
                connection,
                most=min(NUMBER_MOST, self._credit.messages),
                bytes_=min(NUMBER_BYTES, self._credit.bytes),
            )
        if numbered.next_lseq is None:
            return 0
        found = {letter.item.lseq: letter for letter in numbered.letters}
        numbers = range(self._next, numbered.next_lseq)
        self._unsent += [found.get(lseq) or _void(lseq) for lseq in numbers]
        self._next = numbered.next_lseq
        return len(numbered.letters)

    async def _send_frames(self) -> None:
        flight = self._ledger.flight
        while self._unsent and not self._ending:
            first = _item(self._unsent[0]).lseq
            if self.suspicion.covers(first) and flight:
                return
            count = cut(
                [_item(each) for each in islice(self._unsent, self._limits.items)],
                credit=self._credit,
                limits=self._limits,
                at_most=self.suspicion.limit(first),
            )
            if not count:
                return
            letters = await self._letters(list(islice(self._unsent, count)))
            for _ in range(count):
                self._unsent.popleft()
            items = [letter.item for letter in letters]
            size = sum(item.size for item in items)
            self._credit.spend(count, size)
            flight.add(items)
            self._sent_at.append((items[-1].lseq, time.monotonic()))
            batch = pb.Batch(first_lseq=first, items=[letter.envelope for letter in letters])
            await self._call.write(pb.ExchangeRequest(batch=batch))
            metrics.sent(self._lease.link, letters=count, size=size)

    async def _letters(self, wanted: list[Letter | Item]) -> list[Letter]:
        """Return the bytes of letters that were numbered in an earlier session, too."""
        missing = [each for each in wanted if isinstance(each, Item)]
        if not missing:
            return [each for each in wanted if isinstance(each, Letter)]
        async with self._around.database.connection() as connection:
            found = await sql.envelopes(
                connection, self._lease.link, first=missing[0].lseq, last=missing[-1].lseq
            )
        return [
            each if isinstance(each, Letter) else found.get(each.lseq) or _void(each.lseq)
            for each in wanted
        ]

    # -- the reader --------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            response = await self._call.read()
            if response is grpc.aio.EOF:
                return
            # What gRPC could not parse is no frame at all.
            parsed = isinstance(response, pb.ExchangeResponse)
            match response.WhichOneof("frame") if parsed else None:
                case "receipt":
                    await self._take(response.receipt)
                case "credit":
                    credit = read_credit(response.credit)
                    self._credit.add(credit.messages, credit.bytes)
                    self._poked.set()
                case _:
                    raise PeerFault("a frame came that is no answer", reason="FRAME_UNKNOWN")

    async def _take(self, message: Any) -> None:
        receipt = wire_receipt.from_message(message)
        key = self._around.key_of(self._lease.link, receipt.kid)
        body = self._ledger.read(receipt, key=key)
        if key is not None and not key.valid_at(clock.now(), skew=limits.CLOCK_SKEW):
            await self._check_posted(body, key)
        try:
            verified = self._ledger.land(receipt, body, instead={})
        except ReceiptInvalid:
            async with self._around.database.connection() as connection:
                instead = await sql.dead_positions(
                    connection, self._lease.link, first=body.first_lseq, last=body.last_lseq
                )
            if not instead:
                raise
            verified = self._ledger.land(receipt, body, instead=instead)
        while self._sent_at and self._sent_at[0][0] <= body.last_lseq:
            _, sent_at = self._sent_at.popleft()
            metrics.receipted(self._lease.link, seconds=time.monotonic() - sent_at)
        self._verified.append(verified)
        self._to_store.set()

    async def _check_posted(self, body: ReceiptBody, key: ListedKey) -> None:
        """Believe the time of a receipt only as far as it is none before its letters were posted.

        Asked of a key that is not valid now, which is rare: while it is, nobody has a reason to
        name another time.
        """
        async with self._around.database.connection() as connection:
            posted_at = await sql.newest_posted(
                connection, self._lease.link, first=body.first_lseq, last=body.last_lseq
            )
        self._ledger.check_time(body, key=key, posted_at=posted_at)

    # -- the keeper --------------------------------------------------------------------------

    async def _keep(self) -> None:
        while not self._closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._to_store.wait(), _LOOK_FOR_OVERDUE_S)
            self._to_store.clear()
            if self._sent_at and self._sent_at[0][1] + RECEIPT_TIMEOUT_S < time.monotonic():
                raise PeerFault("no receipt came in time", reason="RECEIPT_MISSING")
            await self._store_what_is_verified()
            self._poked.set()

    async def _store_what_is_verified(self) -> None:
        """Store receipts that hold. What is not stored, the peer gives again.

        They leave the queue only then: the next ones must never be stored without them.
        """
        if not self._verified:
            return
        batch = list(self._verified)
        suspicion = acknowledged(self.suspicion, batch[-1].body.last_lseq)
        async with self._around.database.connection() as connection:
            await sql.acknowledge(
                connection,
                self._lease,
                [_to_store(each) for each in batch],
                before=self._stored,
                refused=[
                    sql.Refused(
                        refusal.item.sent.message_id,
                        refusal.reason,
                        None if refusal.retry is None else refusal.retry // _MILLISECOND,
                        expired=refusal.expired,
                    )
                    for each in batch
                    for refusal in each.refusals
                ],
                arrived=[item.sent.message_id for each in batch for item in each.arrived],
                suspicion=suspicion,
            )
            for each in batch:
                for refusal in each.refusals:
                    if refusal.alarm:
                        await sql.raise_alarm(
                            connection,
                            code=refusal.reason,
                            link=self._lease.link,
                            message_id=refusal.item.sent.message_id,
                            detail="The peer refused a letter for a reason that needs a person.",
                        )
        for _ in batch:
            self._verified.popleft()
        self.suspicion = suspicion
        self._stored = batch[-1].body.last_lseq
        self.progressed = True
        for each in batch:
            metrics.stored(
                self._lease.link,
                letters=each.body.count,
                duplicates=each.duplicates,
                refusals=[(refusal.reason, refusal.retry is None) for refusal in each.refusals],
            )
        self._around.on_receipts()


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _void(lseq: int) -> Letter:
    return Letter(void(lseq), b"")


def _item(each: Letter | Item) -> Item:
    return each.item if isinstance(each, Letter) else each


def _to_store(verified: Verified) -> sql.ReceivedReceipt:
    return sql.ReceivedReceipt(
        first_lseq=verified.body.first_lseq,
        last_lseq=verified.body.last_lseq,
        body=verified.receipt.body,
        body_hash=verified.receipt.hash,
        signature=verified.receipt.signature,
        kid=verified.receipt.kid,
        leaves=verified.leaves,
        issued_at=verified.body.issued_at,
    )
