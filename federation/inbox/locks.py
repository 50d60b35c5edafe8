"""Who works on a tenant's inbox: one at a time, until the end of the transaction.

The lock comes first in every transaction that moves messages, before the rows of cases. So workers
never meet at a case, and an operator's decision never falls between a worker's look at the order
of a case and what it writes about it.
"""

from typing import Final

from django.db import connection

from centre.tenancy.context import require_tenant

_NAME: Final = "hashtextextended('inbox:' || %s, 0)"


def try_lock() -> bool:
    """Take the inbox of the current tenant; False if somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_xact_lock({_NAME})", [require_tenant().role])
        return bool(cursor.fetchone()[0])


def lock() -> None:
    """Take the inbox of the current tenant; wait for whoever has it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_NAME})", [require_tenant().role])
