"""What the gateway keeps in memory: the directory, who is hosted here, and the key for receipts.

Refreshed in the background. A failed refresh leaves what is there: routing goes on with the last
verified directory, also when the database is away for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from centre.keys.sign import SigningKey
from federation.inbox.admission import Host
from federation.inbox.lookups import Lookups

log = structlog.get_logger(__name__)

type Load = Callable[["View | None"], Awaitable["View"]]


class _Nobody:
    """The directory of a centre that has not got one yet: it knows nobody."""

    version = 0

    def centre(self, _centre_id: str, /) -> None:
        return None

    def authority(self, _authority_id: UUID, /) -> None:
        return None

    def verify_key(self, _authority_id: UUID, _kid: str, /) -> None:
        return None


NOBODY: Final[Lookups] = _Nobody()


class View:
    """One consistent picture. Never changed, only replaced."""

    __slots__ = ("directory", "hosts", "key")

    def __init__(self, *, directory: Lookups, hosts: Mapping[UUID, Host], key: SigningKey) -> None:
        self.directory = directory
        self.hosts = hosts
        self.key = key


class Lookout:
    """Holds the newest view and keeps it so."""

    def __init__(self, load: Load, *, interval: float) -> None:
        self._load = load
        self._interval = interval
        self._view: View | None = None
        #: Why the last refresh failed: it is tried every second and told when it changes.
        self._trouble = ""

    @property
    def view(self) -> View:
        if self._view is None:
            raise LookupError("the lookout was not opened")
        return self._view

    def directory(self) -> Lookups:
        return self.view.directory

    async def refresh(self) -> None:
        """Load the newest view; raises what loading raises."""
        self._view = await self._load(self._view)

    async def wait(self, stop: asyncio.Event) -> bool:
        """Return once there is a first view; a database that starts later is waited for.

        False if `stop` came first.
        """
        while not stop.is_set():
            if await self._try():
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval)
        return False

    async def run(self) -> None:
        """Refresh at intervals until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self._try()

    async def _try(self) -> bool:
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001 -- the last view stays in use
            if (trouble := f"{type(error).__name__}: {error}") != self._trouble:
                log.warning("view not refreshed", error=error)
                self._trouble = trouble
            return False
        if self._trouble:
            log.info("view refreshed again")
            self._trouble = ""
        return True
