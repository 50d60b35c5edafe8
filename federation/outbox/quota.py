"""How much a tenant may have waiting for one centre.

Counting a long backlog for each letter would make it longer. So a count buys an allowance, a
quarter of what is free, that is spent without counting; close to the quota the counts come often
enough, and an overrun is at most what the other processes have bought meanwhile.
"""

import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from centre.kernel.counting import counted
from centre.tenancy.context import require_tenant
from federation.outbox.errors import BacklogFull

_COUNT_AGAIN = 5.0
_SHARE = 4


# Two counts, because each has an index that holds unsettled letters only.
_WAITING = """
SELECT (SELECT count(*) FROM (SELECT FROM outbox_letter WHERE link = %(link)s
           AND tenant_role = current_user AND lseq IS NULL AND NOT held LIMIT %(most)s) AS free)
     + (SELECT count(*) FROM (SELECT FROM outbox_letter WHERE link = %(link)s
           AND tenant_role = current_user AND lseq IS NULL AND held LIMIT %(most)s) AS held)
"""


@dataclass(slots=True)
class _Allowance:
    letters: int
    until: float


_allowances: dict[tuple[str, str], _Allowance] = {}
_lock = threading.Lock()


def take(link: str, letters: int) -> None:
    """Count `letters` against the tenant's quota on a link; raise `BacklogFull` beyond it."""
    key = (require_tenant().role, link)
    moment = time.monotonic()
    with _lock:
        allowance = _allowances.get(key)
        if allowance and allowance.until > moment and allowance.letters >= letters:
            allowance.letters -= letters
            return
    waiting = _waiting(link)
    free = settings.FEDERATION_BACKLOG_QUOTA - waiting
    if letters > free:
        raise BacklogFull(
            f"{counted(waiting, 'letter already waits', 'letters already wait')} for {link}; "
            f"{letters} more would exceed the quota of {settings.FEDERATION_BACKLOG_QUOTA}."
        )
    with _lock:
        _allowances[key] = _Allowance(
            max((free - letters) // _SHARE - letters, 0), moment + _COUNT_AGAIN
        )


def _waiting(link: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"link": link, "most": settings.FEDERATION_BACKLOG_QUOTA})
        (count,) = cursor.fetchone()
    return int(count)
