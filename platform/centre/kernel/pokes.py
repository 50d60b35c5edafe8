"""Waking a worker from asyncio. Best effort: beat looks anyway, the database is the truth."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

#: A thread that talks to the broker would hold up the receipt that is under way just now.
_COLLECT_S: Final = 0.002


class Poke:
    """Calls `send` in a thread, soon after it was asked to, and at most once per `interval`.

    A thousand requests while one call is under way become one more call. A broker that is down
    costs a line in the log.
    """

    def __init__(self, send: Callable[[], object], *, interval: float) -> None:
        self._send = send
        self._interval = interval
        self._wanted = asyncio.Event()
        self._silenced = False

    def request(self) -> None:
        """Ask for a call; returns at once."""
        self._wanted.set()

    async def run(self) -> None:
        """Serve requests until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(_COLLECT_S)
            await asyncio.to_thread(self._call)
            await asyncio.sleep(self._interval)

    def _call(self) -> None:
        try:
            self._send()
        except Exception as error:  # noqa: BLE001 -- whatever a broker's client can raise
            if not self._silenced:
                log.warning("worker not woken", error=type(error).__name__)
            self._silenced = True
        else:
            self._silenced = False
