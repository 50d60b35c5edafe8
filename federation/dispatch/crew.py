"""The links of this process: leases taken, renewed, shared with other processes, and worked on.

A lease lasts a few seconds by the database's clock and is renewed in time. A process that dies, or
loses the database, stops renewing; another one takes the link with a higher fence, and whatever the
old owner still wants to write is not written.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from federation.dispatch import sql
from federation.dispatch.link import LinkWorker
from federation.dispatch.shares import fair_share, surplus
from federation.dispatch.sql import Lease
from federation.dispatch.tools import DATABASE_TROUBLE, Tools
from federation.dispatch.uploads import UploadWorker

log = structlog.get_logger(__name__)

LEASE_TTL_S: Final = 5.0
RENEW_S: Final = 1.5
#: So long a link may take to get the receipts for what it has sent when it is to stop.
DRAIN_S: Final = 8.0
#: Pause before a broken uploader is followed by another one.
_UPLOAD_AGAIN_S: Final = 1.0


class Crew:
    """Workers for the links that this process holds."""

    def __init__(self, owner: str, tools: Tools, links: Callable[[], Sequence[str]]) -> None:
        self._owner = owner
        self._tools = tools
        self._links = links
        self._workers: dict[str, LinkWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    @property
    def held(self) -> list[str]:
        return list(self._workers)

    def poke(self, link: str) -> None:
        """Wake the worker of a link, if it is ours."""
        if worker := self._workers.get(link):
            worker.poke()

    def upload(self, link: str) -> None:
        """Wake whoever uploads the documents of a link, if it is ours."""
        if worker := self._workers.get(link):
            worker.documents.set()

    async def tend(self) -> None:
        """Renew leases, take free links up to a fair share, give up what is beyond it."""
        listed = self._links()
        async with self._tools.around.database.connection() as connection:
            processes = await sql.show_life(connection, self._owner, ttl=LEASE_TTL_S)
            await sql.ensure_links(connection, listed)
            # A centre may leave the directory before its letters have come to an end.
            names = sorted({*listed, *await sql.links_unsettled(connection)})
            held = [worker.lease for worker in self._workers.values()]
            ours = await sql.renew_leases(connection, held, ttl=LEASE_TTL_S)
            share = fair_share(len(names), processes)
            free = share - len(ours.intersection(names))
            taken: list[Lease] = []
            if free > 0 and not self._closing:
                others = [name for name in names if name not in self._workers]
                taken = await sql.take_leases(
                    connection, self._owner, names=others, most=free, ttl=LEASE_TTL_S
                )
        for lost in set(self._workers) - ours:
            self._abandon(lost)
        for lease in taken:
            self._begin(lease)
        self._give_up(names, share=share)

    def _give_up(self, names: Sequence[str], *, share: int) -> None:
        """Stop working on links that are nobody's any more, or that others shall have."""
        staying = {link: each for link, each in self._workers.items() if not each.stopping}
        for link in staying.keys() - set(names):
            staying.pop(link).stop()
        busy = [link for link, worker in staying.items() if worker.busy]
        for link in surplus(list(staying), share=share, busy=busy):
            staying[link].stop()

    async def check(self) -> None:
        """Let workers notice pauses and changes of the way to their peers; note who is there."""
        connected = [each.lease for each in self._workers.values() if each.connected]
        async with self._tools.around.database.connection() as connection:
            if connected:
                await sql.renew_contacts(connection, connected)
            rows = await sql.links(connection, self.held)
        for link, row in rows.items():
            if worker := self._workers.get(link):
                worker.check(row)

    def _begin(self, lease: Lease) -> None:
        log.info("link taken", link=lease.link, fence=lease.fence)
        worker = LinkWorker(lease, self._tools)
        self._workers[lease.link] = worker
        task = asyncio.create_task(self._work(worker), name=f"link {lease.link}")
        self._tasks[lease.link] = task

    async def _work(self, worker: LinkWorker) -> None:
        lease = worker.lease
        uploading = asyncio.create_task(self._upload(worker), name=f"uploads {lease.link}")
        try:
            await worker.run()
        except Exception:
            # A fault of ours in one link must not end the others; the lease is taken again.
            log.exception("link worker broke", link=lease.link)
        finally:
            uploading.cancel()
            await asyncio.gather(uploading, return_exceptions=True)
            await self._tools.channels.drop(lease.link)
            if self._workers.get(lease.link) is worker:
                del self._workers[lease.link], self._tasks[lease.link]
        with suppress(*DATABASE_TROUBLE):
            async with self._tools.around.database.connection() as connection:
                await sql.release_leases(connection, [lease])
            log.info("link released", link=lease.link, fence=lease.fence)

    async def _upload(self, worker: LinkWorker) -> None:
        """Upload documents until cancelled: whatever ends one uploader, another one goes on."""
        lease = worker.lease
        while True:
            try:
                await UploadWorker(
                    lease, self._tools, wanted=worker.documents, wake=worker.poke
                ).run()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.exception("uploader was cancelled by nobody", link=lease.link)
            except Exception:
                log.exception("uploader broke", link=lease.link)
            await asyncio.sleep(_UPLOAD_AGAIN_S)

    def _abandon(self, link: str) -> None:
        """Stop at once: somebody else owns the link."""
        log.warning("lease lost", link=link)
        self._tasks[link].cancel()

    async def close(self) -> None:
        """Stop all workers in an orderly way, those that take too long at once."""
        self._closing = True
        for worker in list(self._workers.values()):
            worker.stop()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(*DATABASE_TROUBLE):
            async with self._tools.around.database.connection() as connection:
                await sql.show_end(connection, self._owner)
