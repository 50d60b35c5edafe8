"""Which faults of a peer a person must see, and not more often than he can read."""

import time
from collections import defaultdict
from typing import Final
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool

from federation.gateway.guards import Bucket
from federation.gateway.sql import Connection
from federation.outbox.alarms import raise_alarm
from federation.protocol.reasons import Reason

log = structlog.get_logger(__name__)

#: Signs of an attack, of a stolen key, or of a database that has gone back in time. All others
#: concern one letter, or mend themselves.
ALARMING: Final = frozenset(
    {
        Reason.CERTIFICATE_UNKNOWN,
        Reason.CENTRE_SUSPENDED,
        Reason.ORIGIN_MISMATCH,
        Reason.SIGNATURE_INVALID,
        Reason.AUTHORITY_NOT_REPRESENTED,
        Reason.MESSAGE_ID_REUSED,
        Reason.SEQUENCE_REWIND,
        Reason.CREDIT_EXCEEDED,
    }
)
_BURST, _PER_SECOND = 20, 1 / 30


class Alarms:
    """Writes alarms, at most a few of one kind for each link: a flood of them hides the rest."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._buckets: dict[tuple[str, Reason], Bucket] = defaultdict(
            lambda: Bucket(_PER_SECOND, _BURST)
        )

    async def ring(
        self, link: str, reason: Reason, detail: str, *, message_id: UUID | None = None
    ) -> None:
        """Raise an alarm if the reason deserves one. A database that is away must not matter."""
        if reason not in ALARMING:
            return
        if self._buckets[link, reason].wait(time.monotonic()):
            log.warning("alarm withheld", link=link, reason=reason)
            return
        log.error("alarm", link=link, reason=reason, message_id=str(message_id or ""))
        try:
            async with self._pool.connection() as connection:
                await raise_alarm(
                    connection,
                    code=reason,
                    link=link,
                    detail=detail,
                    message_id=message_id,
                )
        except psycopg.Error as error:
            log.warning("alarm not stored", link=link, reason=reason, error=type(error).__name__)
