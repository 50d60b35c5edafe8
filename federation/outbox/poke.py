"""Waking dispatch after a commit.

A notification in each committing transaction would cost three quarters of the commits: PostgreSQL
hands notifications out under one lock for the whole server. So a poke goes out after the commit, in
a statement of its own, and at most once per link and 20 ms from each process. Dispatch keeps
looking closely for longer than that after each poke, and looks without one four times a second: a
poke can be late, lost or suppressed without harm.
"""

import threading
import time
from collections.abc import Iterable

import structlog
from django.db import Error, connection

log = structlog.get_logger(__name__)

CHANNEL = "amtsbruecke_dispatch"
#: For whoever uploads documents, which go apart from letters.
DOCUMENTS = "amtsbruecke_documents"
INTERVAL = 0.020


class _Limiter:
    """Lets one poke per channel, link and interval pass."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._last: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def admit(self, links: Iterable[str], *, channel: str) -> list[str]:
        """Return those of `links` that may be poked now."""
        moment = time.monotonic()
        with self._lock:
            due = [
                link
                for link in links
                if moment - self._last.get((channel, link), -self._interval) >= self._interval
            ]
            self._last.update({(channel, link): moment for link in due})
        return due


_limiter = _Limiter(INTERVAL)


def poke(links: Iterable[str], *, channel: str = CHANNEL) -> None:
    """Wake whoever works on these links. Call it after the commit; it never raises."""
    due = _limiter.admit(links, channel=channel)
    if not due:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_notify(%s, name) FROM unnest(%s::text[]) AS name", [channel, due]
            )
    except Error as error:
        log.warning("poke failed", links=due, error=error)
