"""From an envelope in the inbox to its effect in the tenant's case.

For each tenant a worker takes an advisory lock for one transaction, opens the seals of a batch,
calls the handlers and marks the rows, all in that transaction: an effect and its mark are never
apart. If anything in the batch fails, the transaction is rolled back and the same messages are
tried one by one, each in a transaction of its own, so that one bad message costs only itself:

- `MessageUnprocessable` (nothing will ever change about it): the row is parked, an alarm raised
  and the sender told by a `processing_failure`.
- any other error (a lock, a bug, a full disk): tried again with growing distance, and parked with
  an alarm, for an operator, when it has failed too often.

Two workers never apply one tenant's messages at the same time; each skips what the other holds.
"""

import random
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.db import connection, transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.kernel.errors import AmtsbrueckeError
from centre.registry import selectors as registry
from centre.tenancy.context import TenantIdentity, require_tenant, tenant_scope
from federation.inbox import letters, ordering, selectors, states
from federation.inbox.handlers import handlers
from federation.inbox.models import InboundMessage
from federation.protocol.errors import MessageUnprocessable

BATCH_SIZE = 64
#: After so many failures in a row a person has to look.
MAX_ATTEMPTS = 12
_FIRST_DELAY_S, _LONGEST_DELAY_S = 2, 3600

log = structlog.get_logger(__name__)


def apply_due_messages(*, budget: timedelta) -> bool:
    """Apply what is due at all tenants, taking turns; return whether something was left over.

    Stops when a whole round has found nothing to do (or others are doing it), or after `budget`.
    """
    deadline = time.monotonic() + budget.total_seconds()
    while tenants := _due_tenants():
        progress = 0
        for tenant in tenants:
            progress += apply_batch(tenant)
            if time.monotonic() > deadline:
                return True
        if not progress:
            return False
    return False


def apply_batch(tenant: TenantIdentity) -> int:
    """Apply up to `BATCH_SIZE` due messages of a tenant; return how many rows were decided."""
    with tenant_scope(tenant):
        try:
            return _apply_together()
        except Exception as error:  # noqa: BLE001 -- whatever a handler raises is dealt with singly
            log.warning("batch not applied", tenant=tenant.slug, error=type(error).__name__)
        return _apply_singly()


def _due_tenants() -> list[TenantIdentity]:
    roles = set(selectors.tenants_with_due_messages())
    tenants = [each.identity for each in registry.active().filter(tenant_role__in=roles)]
    # Several workers start at different places and so rarely meet.
    random.shuffle(tenants)
    return tenants


def _apply_together() -> int:
    with transaction.atomic():
        if not _lock_tenant():
            return 0
        rows = list(selectors.due(limit=BATCH_SIZE))
        if not rows:
            return 0
        return _apply(rows)


def _apply_singly() -> int:
    """Apply the same messages each by itself; return how many were decided."""
    decided = 0
    rows = list(selectors.due(limit=BATCH_SIZE).defer("envelope"))
    keys: list[states.Key] = [row.pk for row in _in_order(rows)]
    for key in keys:
        try:
            with transaction.atomic():
                if not _lock_tenant():
                    return decided
                row = states.pending(key)
                if row is not None:
                    _apply([row])
        except MessageUnprocessable as error:
            _settle_failure(key, error, final=True)
        except Exception as error:
            log.exception("message not applied", message_id=str(key[0]))
            _settle_failure(key, error, final=False)
        decided += 1
    return decided


def _in_order(rows: Sequence[InboundMessage]) -> list[InboundMessage]:
    return sorted(rows, key=lambda row: (row.due_at, row.case_id, row.case_sequence))


def _apply(rows: Sequence[InboundMessage]) -> int:
    """Give each of `rows` that may go now its effect, and mark all of them.

    Takes along messages that waited for one of these. Raises what a handler raises.
    """
    cases = {row.case_id for row in rows}
    followers = list(selectors.held(cases, limit=BATCH_SIZE))
    plan = ordering.plan([*rows, *followers], positions=selectors.positions(cases))
    for row in plan.repeated:
        raise_for_repeat(row)
    table = handlers()
    entries: list[Entry] = []
    for row in plan.ready:
        message = letters.open_letter(row)
        entries += table[message.kind](message=message)
    states.mark_applied(plan.ready, positions=plan.positions)
    states.mark_held(plan.held)
    audit.record(events=entries)
    return len(rows)


def raise_for_repeat(row: InboundMessage) -> None:
    """Raise `MessageUnprocessable` for a message whose number another one has had."""
    raise MessageUnprocessable(
        "CASE_SEQUENCE_REUSED", f"Another message already had number {row.case_sequence}."
    )


def _settle_failure(key: states.Key, error: Exception, *, final: bool) -> None:
    """Park a message or set its next try, unless another worker has dealt with it by now."""
    with transaction.atomic():
        if not _lock_tenant():
            return
        row = states.pending(key)
        if row is None:
            return
        reason = error.reason if isinstance(error, AmtsbrueckeError) else type(error).__name__
        words = error.message if isinstance(error, AmtsbrueckeError) else "see the worker's log"
        if final:
            states.park(row, reason=reason, detail=words)
            letters.answer_with_failure(row, reason=reason, text=words)
        elif row.attempts + 1 >= MAX_ATTEMPTS:
            states.park(row, reason=reason, detail=words)
        else:
            states.postpone(row, reason=reason, detail=words, delay=_delay(row.attempts))


def _delay(attempts: int) -> timedelta:
    longest = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2**attempts)
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 -- jitter


def _lock_tenant() -> bool:
    """Take the tenant's inbox for this transaction; False if another worker has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"inbox:{require_tenant().role}"],
        )
        return bool(cursor.fetchone()[0])
