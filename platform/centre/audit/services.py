"""Writes of the trail: append, and nothing else."""

from collections.abc import Sequence

from django.db import connection

from centre.audit import chain
from centre.audit.chain import Entry
from centre.kernel import clock
from centre.kernel.errors import AmtsbrueckeError
from centre.tenancy import binary
from centre.tenancy.context import current_tenant

# The trigger takes the lock of the chain and numbers the rows in the order in which they come.
_APPEND = """
    INSERT INTO audit_auditevent (tenant_role, body)
    SELECT %b, body FROM unnest(%b::text[]) WITH ORDINALITY AS given(body, position)
    ORDER BY position
"""


class AuditError(AmtsbrueckeError):
    """The trail refuses this."""

    reason = "AUDIT"


class AuditOutsideTransaction(AuditError):
    """An entry belongs into the transaction of what it tells about."""

    reason = "AUDIT_OUTSIDE_TRANSACTION"


def record(*, events: Sequence[Entry]) -> None:
    """Append to the chain of the current tenant, or outside any tenant to the centre's chain.

    Must be the last thing before the commit: until then nobody else can append to the same chain.
    Many entries cost one statement.
    """
    if not connection.in_atomic_block:
        raise AuditOutsideTransaction
    if not events:
        return
    tenant = current_tenant()
    at = clock.now()
    bodies = chain.bodies(events, at)
    binary.run(_APPEND, [tenant.role if tenant else chain.CENTRE, bodies])
