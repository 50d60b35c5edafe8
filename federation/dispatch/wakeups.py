"""Waking the worker after receipts. Best effort: the beat looks anyway."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_INTERVAL_S: Final = 0.2
#: A thread that talks to the broker would hold up what is under way just now.
_COLLECT_S: Final = 0.002


class TaskPoke:
    """Calls `send` in a thread soon after it was asked to, at most a few times a second."""

    def __init__(self, send: Callable[[], object]) -> None:
        self._send = send
        self._wanted = asyncio.Event()
        self._silent = False

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
            await asyncio.sleep(_INTERVAL_S)

    def _call(self) -> None:
        try:
            self._send()
        except Exception as error:  # noqa: BLE001 -- whatever a broker's client can raise
            if not self._silent:
                log.warning("worker not woken", error=type(error).__name__)
            self._silent = True
        else:
            self._silent = False
