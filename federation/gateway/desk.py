"""What all streams and calls of the gateway share: letters are verified, committed, receipted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
import structlog
from amtsbruecke.exchange.v1beta1 import receipt_pb2
from psycopg_pool import AsyncConnectionPool

from centre.kernel import clock
from centre.kernel.pokes import Poke
from federation.blobs.errors import BlobError
from federation.blobs.files import Files
from federation.gateway import commits, frames, metrics, sql
from federation.gateway.alarms import Alarms
from federation.gateway.frames import Frame
from federation.gateway.peers import Gatekeeper, Peer
from federation.gateway.sql import Connection, StoredReceipt
from federation.gateway.stores import Stores
from federation.gateway.view import Lookout
from federation.inbox.admission import Admission
from federation.inbox.arrivals import Item
from federation.protocol import receipts
from federation.protocol.errors import CallRefused
from federation.protocol.frames import Hello, Welcome
from federation.protocol.reasons import Reason
from federation.protocol.receipts import Status
from federation.wire.receipt import to_message

log = structlog.get_logger(__name__)

#: Up to so many letters are verified where they are: a thread would cost a lone request more.
_INLINE_ITEMS = 2
_RECEIPTS_AT_ONCE = 64
#: How often traffic of a peer may reset our own back-off to it.
_CONTACT_INTERVAL_S = 2.0


class Ending(Protocol):
    """A stream that can be asked to finish."""

    def end(self, reason: CallRefused) -> None: ...


class Desk:
    """Serves the peers of one gateway process."""

    def __init__(
        self,
        *,
        centre: str,
        pool: AsyncConnectionPool[Connection],
        lookout: Lookout,
        threads: Executor,
        worker: Poke,
        documents: Files | None = None,
    ) -> None:
        self.centre = centre
        self.pool = pool
        self.stores = Stores(pool, documents)
        self.lookout = lookout
        self.gatekeeper = Gatekeeper(lookout.directory)
        self.alarms = Alarms(pool)
        self._threads = threads
        self.worker = worker
        self._streams: dict[str, Ending] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._contacts: dict[str, float] = {}
        self._positions: dict[str, sql.Position] = {}
        self._draining = False

    # -- streams -----------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise `CallRefused` once the gateway is to stop."""
        if self._draining:
            raise CallRefused(Reason.DRAINING, "This gateway is about to stop; come again.")

    @contextmanager
    def stream(self, peer: Peer, session: Ending) -> Iterator[None]:
        """Count a peer's stream while it is open. A peer has one: a newer ends the older.

        So a stream whose other end has silently gone cannot keep its successor out.
        """
        if older := self._streams.get(peer.centre):
            older.end(CallRefused(Reason.STREAM_SUPERSEDED, "A newer stream took over."))
        self._streams[peer.centre] = session
        metrics.streams.labels(peer.centre).inc()
        try:
            yield
        finally:
            metrics.streams.labels(peer.centre).dec()
            if self._streams.get(peer.centre) is session:
                del self._streams[peer.centre]

    @property
    def peers_with_streams(self) -> frozenset[str]:
        return frozenset(self._streams)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a task that may outlive its call; `drain` waits for it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Let no stream begin, let all finish what they have at hand, and wait for that."""
        self._draining = True
        for session in list(self._streams.values()):
            session.end(CallRefused(Reason.DRAINING, "This gateway is about to stop; come again."))
        if self._tasks:
            await asyncio.wait(self._tasks)

    # -- the work ----------------------------------------------------------------------------

    async def greet(self, peer: Peer, hello: Hello) -> Welcome:
        """Return where the link stands here, and note that the peer is alive."""
        with database():
            async with self.pool.connection() as connection:
                now = clock.now()
                position = await sql.open_link(connection, peer.centre, now=now)
                await sql.reset_back_off(connection, peer.centre, now=now)
        self._contacts[peer.centre] = asyncio.get_running_loop().time()
        self._positions[peer.centre] = position
        if hello.acked_lseq > position.in_lseq:
            await self.alarms.ring(
                peer.centre,
                Reason.SEQUENCE_REWIND,
                f"the peer has receipts up to {hello.acked_lseq}, this database knows "
                f"{position.in_lseq}: was it restored from a backup?",
            )
        return Welcome(
            receiver=self.centre,
            in_lseq=position.in_lseq,
            receipt_hash=position.receipt_hash or receipts.GENESIS,
            limits=frames.LIMITS,
            directory_version=self.lookout.directory().version,
        )

    def examine(self, peer: Peer, frame: Frame) -> asyncio.Future[list[Item]]:
        """Start the verification of a frame's letters against the directory as it is now."""
        view = self.lookout.view
        admission = Admission(
            origin=peer.centre,
            receiver=self.centre,
            directory=view.directory,
            hosts=view.hosts,
            now=clock.now(),
        )
        loop = asyncio.get_running_loop()
        if len(frame.items) > _INLINE_ITEMS:
            return loop.run_in_executor(
                self._threads, lambda: admission.examine(frame.items, first_lseq=frame.first_lseq)
            )
        done: asyncio.Future[list[Item]] = loop.create_future()
        done.set_result(admission.examine(frame.items, first_lseq=frame.first_lseq))
        return done

    async def commit(self, peer: Peer, batch: list[Frame]) -> receipt_pb2.Receipt:
        """Commit verified, consecutive frames and return the one receipt for all of them."""
        # Where this process has left the link. Another one may have gone on: the commit checks it.
        known = self._positions.pop(peer.centre, None)
        items = [item for frame in batch for item in frame.examined.result()]
        link = peer.centre
        with database(), metrics.commit_time.labels(link).time():
            committed = await commits.commit(
                self.pool,
                receiver=self.centre,
                origin=link,
                items=items,
                key=self.lookout.view.key,
                known=known,
            )
        self._positions[link] = committed.position
        self.worker.request()
        await self._count(link, committed)
        return self._message(committed.receipt)

    async def receipts(
        self, peer: Peer, *, after: int, up_to: int
    ) -> AsyncIterator[receipt_pb2.Receipt]:
        """Yield the stored receipts that cover the positions above `after`, up to `up_to`."""
        while after < up_to:
            stored = await self._stored(peer, after)
            for each in stored:
                if each.first_lseq > up_to:
                    return
                metrics.replayed.labels(peer.centre).inc()
                yield self._message(each)
                after = each.last_lseq
            if not stored:
                return

    async def answer_repeat(self, peer: Peer, frame: Frame) -> list[receipt_pb2.Receipt]:
        """Return the receipts that a batch got when it came first; raise if it was another one."""
        found: list[StoredReceipt] = []
        while not found or found[-1].last_lseq < frame.last_lseq:
            more = await self._stored(peer, found[-1].last_lseq if found else frame.first_lseq - 1)
            if not more:
                break
            found += [each for each in more if each.first_lseq <= frame.last_lseq]
        if not frames.is_repeated_by(frame, found):
            raise CallRefused(
                Reason.SEQUENCE_REWIND,
                f"Items {frame.first_lseq} to {frame.last_lseq} were other letters before.",
            )
        metrics.duplicates.labels(peer.centre).inc(len(frame.items))
        return [self._message(each) for each in found]

    async def note_contact(self, peer: Peer) -> None:
        """Reset our own back-off to a peer whose traffic shows that it is alive; now and then."""
        now = asyncio.get_running_loop().time()
        if now - self._contacts.get(peer.centre, 0.0) < _CONTACT_INTERVAL_S:
            return
        self._contacts[peer.centre] = now
        with database():
            async with self.pool.connection() as connection:
                await sql.reset_back_off(connection, peer.centre, now=clock.now())

    def _message(self, receipt: StoredReceipt) -> receipt_pb2.Receipt:
        return to_message(receipt.signed, issuer=self.centre)

    async def _stored(self, peer: Peer, after: int) -> list[StoredReceipt]:
        with database():
            async with self.pool.connection() as connection:
                return await sql.receipts(
                    connection, peer.centre, after=after, limit=_RECEIPTS_AT_ONCE
                )

    async def _count(self, link: str, committed: commits.Committed) -> None:
        metrics.commits.labels(link).inc()
        metrics.batch_size.labels(link).observe(len(committed.verdicts))
        stored = 0
        for sent, verdict in committed.verdicts:
            if verdict.status is Status.ACCEPTED:
                stored += 1
            elif verdict.status is Status.DUPLICATE:
                metrics.duplicates.labels(link).inc()
            elif isinstance(verdict.reason, Reason):
                metrics.refusals.labels(link, verdict.reason).inc()
                await self.alarms.ring(
                    link, verdict.reason, "a letter was refused", message_id=sent.message_id
                )
        metrics.messages.labels(link).inc(stored)


@contextmanager
def database() -> Iterator[None]:
    """Say to the peer that it shall come again when our database is away, full or in disorder.

    So are the files of documents, which belong to it.

    A table that is not as we expect it is our trouble: called `INTERNAL`, it would let the peer
    believe that its letters are poison. Only an error about the data itself passes as it is.
    """
    try:
        yield
    except psycopg.DataError:
        raise
    except BlobError as error:
        log.warning("documents cannot be stored", error=error.message)
        raise CallRefused(
            Reason.UNAVAILABLE, "Documents cannot be stored here now.", retry_delay=10.0
        ) from error
    except psycopg.Error as error:
        log.warning("database unavailable", error=type(error).__name__)
        raise CallRefused(
            Reason.UNAVAILABLE, "The database does not take letters now.", retry_delay=1.0
        ) from error
