"""The process `dispatch`: `main()` runs until it is told to stop.

Besides the workers of the links it runs a few small loops: one renews leases, one listens for
pokes, one looks four times a second whether a resting link has letters after all, or documents,
one keeps the directory new, one ends what has expired. Each survives trouble with the database and
tries again.
"""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool

from centre.config.databases import streaming
from centre.config.environment import Environment
from centre.directory.interface import Directory, ListedKey
from centre.kernel.pokes import Poke
from federation.blobs.files import Files
from federation.dispatch import metrics, sql
from federation.dispatch.crew import RENEW_S, Crew
from federation.dispatch.surroundings import Around
from federation.dispatch.tools import DATABASE_TROUBLE, Tools
from federation.links.channels import Channels
from federation.protocol.limits import CLOCK_SKEW

log = structlog.get_logger(__name__)

#: How often a resting link is looked at although nobody poked.
RADAR_S: Final = 0.250
_DIRECTORY_S: Final = 2.0
#: How often a process that has no directory yet looks for one.
_FIRST_DIRECTORY_S: Final = 0.2
_KEEP_S: Final = 1.0
_LISTEN_AGAIN_S: Final = 1.0
_FIGURES_S: Final = 10.0
_COUNTED: Final = 50_000
_EXPIRE_AT_ONCE: Final = 500
#: How often the worker is woken at most, and how long a poke is worth something.
_POKE_INTERVAL_S: Final = 0.2
_POKE_LIFETIME_S: Final = 30

type LoadDirectory = Callable[[sql.Connection, Directory | None], Awaitable[Directory | None]]


class Dispatch:
    """All of the process, with its time to live in `run`."""

    def __init__(
        self,
        *,
        environment: Environment,
        load_directory: LoadDirectory,
        wake_worker: Callable[[], object],
    ) -> None:
        assert environment.tls_dir is not None
        self._database_url = environment.database_url
        self._load = load_directory
        self._directory: Directory | None = None
        self._stop = asyncio.Event()
        self._directory_wanted = asyncio.Event()
        self._new_links = asyncio.Event()
        self.pool = AsyncConnectionPool(
            self._database_url,
            min_size=2,
            max_size=10,
            timeout=10,
            max_lifetime=600,
            kwargs=streaming("amtsbruecke-dispatch"),
            open=False,
        )
        self._poke = Poke(wake_worker, interval=_POKE_INTERVAL_S)
        self._channels = Channels(environment.tls_dir, listed=self._fingerprints)
        tools = Tools(
            around=Around(
                origin=environment.centre,
                database=self.pool,
                directory_version=lambda: self.directory.version,
                key_of=self._receipt_key,
                on_receipts=self._poke.request,
            ),
            directory=lambda: self.directory,
            channels=self._channels,
            documents=Files(environment.documents) if environment.documents else None,
            refresh_directory=self._directory_wanted.set,
        )
        # A name that no process had before: an old lease never looks like ours.
        name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.crew = Crew(name, tools, self._links)

    @property
    def directory(self) -> Directory:
        if self._directory is None:
            raise LookupError("the directory was not loaded")
        return self._directory

    def _receipt_key(self, centre: str, kid: str) -> ListedKey | None:
        return self.directory.receipt_key(centre, kid)

    def _fingerprints(self, link: str) -> Collection[str]:
        centre = self.directory.centre(link)
        return () if centre is None else centre.fingerprints

    def _links(self) -> list[str]:
        return sorted(self.directory.centres)

    def stop(self) -> None:
        """Let `run` finish what is under way and return."""
        self._stop.set()

    async def run(self) -> None:
        """Carry letters until `stop`."""
        await self.pool.open()
        try:
            await self._until_directory()
            if self._directory is None:
                return
            loops = [
                asyncio.create_task(work, name=name)
                for name, work in (
                    ("leases", self._every(RENEW_S, self.crew.tend, sooner=self._new_links)),
                    ("radar", self._every(RADAR_S, self._radar)),
                    ("pokes", self._every(_LISTEN_AGAIN_S, self._listen)),
                    ("directory", self._follow_directory()),
                    ("keeping", self._every(_KEEP_S, self._keep)),
                    ("figures", self._every(_FIGURES_S, self._figures)),
                    ("worker", self._poke.run()),
                )
            ]
            log.info("dispatch started", links=self._links())
            await self._stop.wait()
            log.info("dispatch drains")
            for loop in loops[1:]:
                loop.cancel()
            # Leases are renewed until the last receipt is in.
            await self.crew.close()
            loops[0].cancel()
            await asyncio.gather(*loops, return_exceptions=True)
        finally:
            await self._channels.close()
            await self.pool.close()
            log.info("dispatch stopped")

    async def _every(
        self,
        seconds: float,
        work: Callable[[], Awaitable[None]],
        *,
        sooner: asyncio.Event | None = None,
    ) -> None:
        wanted = sooner or asyncio.Event()
        while True:
            wanted.clear()
            await self._attempt(work)
            with suppress(TimeoutError):
                await asyncio.wait_for(wanted.wait(), seconds)

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something that will be done again soon: no error of one time may end it for good."""
        try:
            await work()
        except DATABASE_TROUBLE as error:
            log.warning("database away", error=error)
        except Exception:
            log.exception("loop broke", work=getattr(work, "__qualname__", str(work)))

    # -- the directory -----------------------------------------------------------------------

    async def _until_directory(self) -> None:
        """Wait for the first directory: without one there is nobody to send to."""
        told = False
        while not self._stop.is_set():
            await self._attempt(self._load_directory)
            if self._directory is not None:
                return
            if not told:
                log.warning("no directory yet")
                told = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _FIRST_DIRECTORY_S)

    async def _follow_directory(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._directory_wanted.wait(), _DIRECTORY_S)
            self._directory_wanted.clear()
            await self._attempt(self._load_directory)

    async def _load_directory(self) -> None:
        before = self._directory
        async with self.pool.connection() as connection:
            self._directory = await self._load(connection, before) or before
            after = self._directory
            if before is None or after is None or after is before:
                return
            news = [
                centre.id for centre in after.centres.values() if before.centre(centre.id) != centre
            ]
            log.info("directory changed", version=after.version, centres=news)
            await sql.retry_now(connection, news)
        if set(after.centres) != set(before.centres):
            self._new_links.set()
        for link in news:
            self.crew.poke(link)

    # -- the small loops ---------------------------------------------------------------------

    async def _radar(self) -> None:
        if not self.crew.held:
            return
        async with self.pool.connection() as connection:
            found = await sql.links_waiting(connection, self.crew.held)
        for link, letters, documents in found:
            if letters:
                self.crew.poke(link)
            if documents:
                self.crew.upload(link)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._database_url, **streaming("amtsbruecke-dispatch-pokes")
        ) as connection:
            await connection.execute(f"LISTEN {sql.CHANNEL}; LISTEN {sql.DOCUMENTS}")
            async for notification in connection.notifies():
                if notification.channel == sql.DOCUMENTS:
                    self.crew.upload(notification.payload)
                else:
                    self.crew.poke(notification.payload)

    async def _keep(self) -> None:
        links = self.crew.held
        if not links:
            return
        async with self.pool.connection() as connection:
            await sql.release_deferred(connection, links)
            expired = await sql.expire(
                connection,
                links,
                grace=CLOCK_SKEW.total_seconds(),
                most=_EXPIRE_AT_ONCE,
            )
        if expired:
            log.warning("letters expired", count=expired)
            self._poke.request()
        await self.crew.check()

    async def _figures(self) -> None:
        async with self.pool.connection() as connection:
            found = await sql.figures(connection, self.crew.held, most=_COUNTED)
        held = self.crew.held
        for each in (figure for figure in found if figure.link in held):
            metrics.backlog.labels(each.link).set(each.backlog)
            metrics.oldest_seconds.labels(each.link).set(each.oldest_seconds)
            metrics.dead_letters.labels(each.link).set(each.dead)


def main() -> None:
    """Run the process until SIGTERM or SIGINT; letters under way get their receipts first."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centre.config.settings")
    django.setup()
    from centre.directory import store
    from federation.outbox.tasks import deliver_outcomes

    environment = Environment.from_mapping(os.environ)
    environment.require("tls_dir")

    async def run() -> None:
        dispatch = Dispatch(
            environment=environment,
            load_directory=lambda connection, known: store.load(connection, known=known),
            # A worker that is down must not find an hour of pokes when it comes back.
            wake_worker=partial(
                deliver_outcomes.apply_async, retry=False, expires=_POKE_LIFETIME_S
            ),
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, dispatch.stop)
        await dispatch.run()

    asyncio.run(run())
