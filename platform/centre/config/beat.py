"""How only one beat of a centre acts, however many run."""

import contextlib
from typing import Any

import structlog
from celery.beat import Scheduler
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)

_LOCK = "SELECT pg_try_advisory_lock(hashtext('amtsbruecke beat'))"
_ALONE_CHECK_SECONDS = 5.0


class LonelyScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Acts only while it holds an advisory lock; a second beat waits for the first to die.

    The lock belongs to the database session, so a beat that is killed frees it at once.
    """

    _alone = False

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if not self._is_alone():
            return _ALONE_CHECK_SECONDS
        return float(super().tick(*args, **kwargs))

    def _is_alone(self) -> bool:
        """Tell whether this beat holds the lock; asked at each tick, as a session can be lost."""
        try:
            with connection.cursor() as cursor:
                if self._alone:
                    cursor.execute("SELECT 1")
                    return True
                cursor.execute(_LOCK)
                self._alone = cursor.fetchone() == (True,)
        except DatabaseError as error:
            log.warning("beat lost its database", error=type(error).__name__)
            self._alone = False
            with contextlib.suppress(DatabaseError):
                connection.close()
        return self._alone
