"""What the outbox need not keep: notes about calls that failed long ago.

Letters, receipts and dead letters stay (docs/adr/0014): they are evidence.
"""

from datetime import timedelta
from typing import Final

from django.db import connection

from centre.kernel import clock

_BATCH: Final = 5_000
#: Batches of one call, so that a task ends within a reasonable time.
_ROUNDS: Final = 20

_DELETE = """
DELETE FROM outbox_attempt WHERE id = ANY(ARRAY(
    SELECT id FROM outbox_attempt WHERE link = %s AND ended_at < %s LIMIT %s))
"""


def delete_attempts(*, older_than: timedelta) -> int:
    """Delete notes about failed calls, a batch in each transaction; return how many."""
    before = clock.now() - older_than
    deleted = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM outbox_link")
        links = [name for (name,) in cursor.fetchall()]
        for link in links:
            for _ in range(_ROUNDS):
                cursor.execute(_DELETE, [link, before, _BATCH])
                deleted += cursor.rowcount
                if cursor.rowcount < _BATCH:
                    break
    return deleted
