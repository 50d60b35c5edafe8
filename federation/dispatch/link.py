"""The work on one link, for as long as this process holds its lease.

Sessions follow each other. Between them lies the link's back-off, kept in the database, so that a
new owner continues it and anybody may end it: the peer by contacting us, an operator, a change in
the directory. Each link has a task of its own: a dead or slow peer keeps nobody waiting but itself.
"""

import asyncio
import random
from contextlib import suppress
from datetime import datetime
from typing import Final

import grpc
import structlog
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from centre.kernel import clock
from federation.dispatch import isolation, metrics, sql
from federation.dispatch.errors import DispatchError, FenceLost, PeerFault, Unreachable
from federation.dispatch.faults import Fault, from_refusal, from_rpc
from federation.dispatch.isolation import Ending, Suspicion
from federation.dispatch.session import Session
from federation.dispatch.sql import Lease, LinkRow
from federation.dispatch.tools import DATABASE_TROUBLE, Tools
from federation.links.endings import Truthful, answer
from federation.links.errors import LinkError, ServerUnknown
from federation.protocol import backoff
from federation.protocol.errors import CallRefused
from federation.protocol.frames import Hello
from federation.protocol.reasons import Reason
from federation.wire.frames import write_hello

log = structlog.get_logger(__name__)

#: How long an owner relies on what it read of its link before it reads again.
_REREAD_S: Final = 5.0
#: So long a peer may take to answer our greeting.
_GREETING_S: Final = 5.0
#: Pause after trouble with our own database.
_DATABASE_PAUSE_S: Final = 1.0
#: The search for a letter that kills calls is quick: the peer is there, and others wait behind it.
_SEARCH_MS: Final = 50
#: A search that takes longer than this many calls has found a faulty peer instead.
_SEARCH_CALLS: Final = 12
_SEARCH_DOUBLINGS: Final = 11


class LinkWorker:
    """Carries the letters of one link until `stop`, or until another process owns the link."""

    def __init__(self, lease: Lease, tools: Tools) -> None:
        self.lease = lease
        self._tools = tools
        self._session: Session | None = None
        self._woken = asyncio.Event()
        #: Documents wait to be uploaded.
        self.documents = asyncio.Event()
        #: Nothing new is begun.
        self.stopping = False
        self._parked_last: int | None = None

    @property
    def busy(self) -> bool:
        """Whether letters are under way."""
        return self._session is not None and self._session.under_way is not None

    @property
    def connected(self) -> bool:
        """Whether the peer is there: without a sign of life its stream ends within ten seconds."""
        return self._session is not None and self._session.welcomed

    def poke(self) -> None:
        """Look for letters, or at the link's row, now."""
        self._woken.set()
        if self._session is not None:
            self._session.poke()

    def stop(self) -> None:
        """Finish what is under way, then return from `run`."""
        self.stopping = True
        self._woken.set()
        if self._session is not None:
            self._session.end()

    def check(self, row: LinkRow) -> None:
        """End the session if the link was paused, or its way or certificate has changed."""
        centre = self._tools.directory().centre(self.lease.link)
        if self._session is not None and (
            not row.active
            or centre is None
            or centre.state != "active"
            or self._tools.channels.outdated(self.lease.link, centre.endpoint)
        ):
            self._session.end()

    async def run(self) -> None:
        """Work until stopped. Returns early if the lease is lost."""
        metrics.owned.labels(self.lease.link).set(1)
        greeting = asyncio.create_task(self._greet())
        try:
            while not self.stopping:
                try:
                    await self._step()
                except DATABASE_TROUBLE as error:
                    log.warning("database away", link=self.lease.link, error=error)
                    await self._sleep(_DATABASE_PAUSE_S)
        except FenceLost:
            log.info("link taken over", link=self.lease.link, fence=self.lease.fence)
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)
            metrics.released(self.lease.link)
            await self._tools.channels.drop(self.lease.link)

    async def _greet(self) -> None:
        """Tell the peer once that we are here: what it holds back for us then comes at once.

        A peer that does not answer is told by nobody: it will greet us when it is back.
        """
        link, around = self.lease.link, self._tools.around
        centre = self._tools.directory().centre(link)
        if centre is None or centre.state != "active":
            return
        try:
            async with asyncio.timeout(_GREETING_S):
                async with around.database.connection() as connection:
                    row = await sql.link(connection, link)
                if not row.active:
                    return
                channel = await self._tools.channels.channel(link, centre.endpoint)
                hello = Hello(
                    origin=around.origin,
                    acked_lseq=row.acked_lseq,
                    next_lseq=row.next_lseq,
                    directory_version=around.directory_version(),
                )
                request = pb.GetPositionRequest(hello=write_hello(hello))
                stub = link_service_pb2_grpc.LinkServiceStub(channel)
                await answer(stub.GetPosition(request, timeout=_GREETING_S))
        except (grpc.RpcError, DispatchError, LinkError, TimeoutError, *DATABASE_TROUBLE) as error:
            log.info("peer not greeted", link=link, error=type(error).__name__)
        except Exception:
            log.exception("greeting broke", link=link)

    async def _step(self) -> None:
        self._woken.clear()
        async with self._tools.around.database.connection() as connection:
            row = await sql.link(connection, self.lease.link)
            working = await sql.links_with_work(connection, [self.lease.link])
        if row.fence != self.lease.fence:
            raise FenceLost(self.lease.link)
        metrics.backoff_seconds.labels(self.lease.link).set(row.wait)
        if not row.active or not working:
            await self._sleep(_REREAD_S)
        elif row.wait:
            await self._sleep(min(row.wait, _REREAD_S))
        else:
            await self._try(row)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    async def _try(self, row: LinkRow) -> None:
        started_at = clock.now()
        self._session = None
        try:
            await self._hold_session(row)
        except FenceLost:
            raise
        except (grpc.RpcError, DispatchError, LinkError, CallRefused, TimeoutError) as error:
            await self._note(_fault(error), row, started_at)
        finally:
            self._session = None

    async def _hold_session(self, row: LinkRow) -> None:
        link = self.lease.link
        centre = self._tools.directory().centre(link)
        if centre is None or centre.state != "active":
            raise Unreachable(
                f"The directory has no active centre {link!r}.", reason="CENTRE_NOT_ACTIVE"
            )
        channel = await self._tools.channels.channel(link, centre.endpoint)
        call = Truthful(link_service_pb2_grpc.LinkServiceStub(channel).Exchange())
        self._session = Session(self.lease, row, call, self._tools.around)
        if self.stopping:
            self._session.end()
        metrics.connected.labels(link).set(1)
        try:
            await self._session.run()
        finally:
            metrics.connected.labels(link).set(0)
            call.cancel()

    # -- trouble -----------------------------------------------------------------------------

    async def _note(self, fault: Fault, row: LinkRow, started_at: datetime) -> None:
        link, session = self.lease.link, self._session
        metrics.failed(link, code=fault.code)
        if fault.code == "RECEIPT_INVALID":
            metrics.receipt_invalid(link)
        log.warning("call ended", link=link, code=fault.code, detail=fault.detail)
        await self._tools.channels.drop(link)
        if fault.refresh:
            self._tools.refresh_directory()
        if fault.code == Reason.DRAINING and session is not None and session.welcomed:
            await self._sleep(random.uniform(0.05, 0.3))  # noqa: S311 -- spreads reconnects
            return
        verdict = self._judge(fault, row)
        async with self._tools.around.database.connection() as connection:
            if verdict.park is not None:
                await self._park(connection, verdict)
            wait_ms, ceiling_ms = self._back_off(fault, row, verdict)
            await sql.note_failure(
                connection,
                self.lease,
                code=fault.code,
                detail=fault.detail,
                started_at=started_at,
                ended_at=clock.now(),
                under_way=session.under_way if session else None,
                wait_ms=wait_ms,
                backoff_ms=ceiling_ms,
                suspicion=verdict.suspicion,
            )
            if fault.alarm:
                await sql.raise_alarm(connection, code=fault.code, link=link, detail=fault.detail)

    def _judge(self, fault: Fault, row: LinkRow) -> isolation.Verdict:
        session = self._session
        suspicion = session.suspicion if session else row.suspicion
        if session is None or session.head is None or fault.ending is None:
            return isolation.Verdict(suspicion)
        first, last = session.head
        verdict = isolation.ended(suspicion, first=first, last=last, ending=fault.ending)
        if verdict.park is not None and self._parked_last == verdict.park - 1:
            # Two neighbours in a row, and not one receipt between: it is the peer, not the letters.
            return isolation.Verdict(isolation.Suspicion(first, suspicion.kills + 1, 1))
        return verdict

    async def _park(self, connection: sql.Connection, verdict: isolation.Verdict) -> None:
        assert verdict.park is not None
        self._parked_last = verdict.park
        found = await sql.positions(connection, self.lease.link, after=verdict.park - 1)
        item = found.get(verdict.park)
        if item is None:
            return
        await sql.park(
            connection,
            self.lease,
            sql.Refused(item.sent.message_id, "KILLS_CALLS"),
            suspicion=verdict.suspicion,
        )
        await sql.raise_alarm(
            connection,
            code="LETTER_PARKED",
            link=self.lease.link,
            message_id=item.sent.message_id,
            detail="A letter ended several calls and was set aside; the others move on.",
        )
        log.error("letter parked", link=self.lease.link, message_id=str(item.sent.message_id))

    def _back_off(self, fault: Fault, row: LinkRow, verdict: isolation.Verdict) -> tuple[int, int]:
        """Return how long to wait now, and the ceiling to remember."""
        progressed = self._session is not None and self._session.progressed
        before = 0 if progressed else row.backoff_ms
        if verdict.park is not None:
            return 0, 0
        if self._searching(fault, verdict):
            beyond = min(max(verdict.suspicion.kills - _SEARCH_CALLS, 0), _SEARCH_DOUBLINGS)
            drawn = int(random.uniform(0, _SEARCH_MS << beyond))  # noqa: S311 -- spreads calls
            return max(drawn, fault.told_ms), before
        ceiling = backoff.next_ceiling_ms(before)
        drawn = int(backoff.delay(ceiling).total_seconds() * 1000)
        return max(drawn, min(fault.told_ms, backoff.LONGEST_MS)), ceiling

    def _searching(self, fault: Fault, verdict: isolation.Verdict) -> bool:
        """Return whether the call was one of a search, with a peer that is there.

        A cut connection is, too, as long as frames are halved, for the letter may have ended the
        peer's process and that is back already. A lone letter is parked after many cuts: those must
        not follow each other quickly, or a bad hour of the network would park it.
        """
        if verdict.suspicion == Suspicion():
            return False
        if fault.ending is Ending.KILLED:
            return True
        welcomed = self._session is not None and self._session.welcomed
        return fault.ending is Ending.CUT and welcomed and verdict.suspicion.frame_limit > 1


def _fault(error: Exception) -> Fault:
    match error:
        case grpc.RpcError():
            return from_rpc(error)
        case CallRefused():
            return from_refusal(error)
        case PeerFault(reason="RECEIPT_MISSING" | "STREAM_ENDED"):
            return Fault(error.reason, error.message, ending=Ending.CUT)
        case PeerFault():
            return Fault(error.reason, error.message[:500], alarm=True)
        case TimeoutError():
            return Fault("WELCOME_MISSING", "no welcome came in time")
        case DispatchError() | LinkError():
            return Fault(
                error.reason,
                error.message[:500],
                alarm=isinstance(error, ServerUnknown),
                refresh=isinstance(error, Unreachable | ServerUnknown),
            )
        case _:
            raise error
