"""From an envelope in the inbox to its effect in the tenant's case.

For each tenant a worker takes an advisory lock for one transaction, opens the seals of a batch,
calls the handlers and marks the rows, all in that transaction: an effect and its mark are never
apart. What costs a statement costs it once for a batch. If anything in it fails, the transaction is
rolled back and the same messages are tried in halves, and halves of these, each in a transaction of
its own, until what fails stands alone. So one bad message costs only itself:

- `MessageUnprocessable` (nothing will ever change about it): the row is parked, an alarm raised
  and the sender told by a `processing_failure`.
- any other error (a lock, a bug, a full disk): tried again with growing distance, and parked with
  an alarm, for an operator, when it has failed too often.

Two workers never apply one tenant's messages at the same time; each skips what the other holds.
Tenants take turns, a batch each, and a task goes on where the last one of its process has ended.
"""

import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

import structlog
from django.db import transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.kernel.errors import AmtsbrueckeError
from centre.registry import selectors as registry
from centre.tenancy.context import TenantIdentity, tenant_scope
from federation.inbox import claims, letters, locks, ordering, selectors, states
from federation.inbox.claims import Claimed, Key
from federation.inbox.handlers import Handler, handlers
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import InboundMessage

BATCH_SIZE = 128
#: After so many failures in a row a person has to look.
MAX_ATTEMPTS = 12
#: A turn ends then even if the search for bad messages has not.
_TURN_S: Final = 2.0

log = structlog.get_logger(__name__)


class _Turns:
    """Whose turn it is: tenants in the order of their names, round and round.

    A task seldom gets through all tenants of a large backlog. If each began at the same place, or
    at any, some tenant could wait much longer than a round.
    """

    def __init__(self) -> None:
        self._last = ""

    def order(self, tenants: Sequence[TenantIdentity]) -> list[TenantIdentity]:
        """Return the tenants, those after the last one that had its turn first."""
        return sorted(tenants, key=lambda tenant: (tenant.role <= self._last, tenant.role))

    def had(self, tenant: TenantIdentity) -> None:
        self._last = tenant.role


_turns = _Turns()


def apply_due_messages(*, budget: timedelta) -> bool:
    """Apply what is due at all tenants, taking turns; return whether something was left over.

    Stops when a whole round has found nothing to do (or others are doing it), or after `budget`.
    """
    deadline = time.monotonic() + budget.total_seconds()
    while tenants := _due_tenants():
        progress = 0
        for tenant in tenants:
            progress += apply_batch(tenant)
            _turns.had(tenant)
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
        except Exception as error:  # noqa: BLE001 -- whatever a handler raises is dealt with below
            log.warning("batch not applied", tenant=tenant.slug, error=type(error).__name__)
        return _apply_in_parts()


def _due_tenants() -> list[TenantIdentity]:
    roles = set(selectors.tenants_with_due_messages())
    return _turns.order([each.identity for each in registry.active().filter(tenant_role__in=roles)])


def _apply_together() -> int:
    with transaction.atomic():
        if not locks.try_lock():
            return 0
        rows = claims.due(limit=BATCH_SIZE)
        if rows:
            followers = claims.held({row.case_id for row in rows}, limit=BATCH_SIZE)
            _apply(rows, followers)
        return len(rows)


def _apply_in_parts() -> int:
    """Apply the same messages in ever smaller parts; return how many were decided.

    Nothing that waited for one of them is taken along: it becomes due by itself, and nobody else
    is blamed for it.
    """
    decided, until = 0, time.monotonic() + _TURN_S
    parts = deque(_halves(claims.due_keys(limit=BATCH_SIZE)))
    while parts and (not decided or time.monotonic() < until):
        part = parts.popleft()
        try:
            with transaction.atomic():
                if not locks.try_lock():
                    return decided
                _apply(claims.still_due(part))
        except Exception as error:
            if len(part) > 1:
                parts.extendleft(reversed(_halves(part)))
                continue
            if not isinstance(error, MessageUnprocessable):
                log.exception("message not applied", message_id=str(part[0][0]))
            _settle_failure(part[0], error)
        decided += len(part)
    return decided


def _halves(keys: Sequence[Key]) -> list[Sequence[Key]]:
    middle = (len(keys) + 1) // 2
    return [part for part in (keys[:middle], keys[middle:]) if part]


def _apply(rows: Sequence[Claimed], followers: Sequence[Claimed] = ()) -> None:
    """Give each of these that may go now its effect, and mark all. Raises what a handler raises."""
    positions = selectors.positions({row.case_id for row in rows})
    plan = ordering.plan([*rows, *followers], positions=positions)
    for row in plan.repeated:
        raise MessageUnprocessable(
            "CASE_SEQUENCE_REUSED", f"Another message already had number {row.case_sequence}."
        )
    entries: list[Entry] = []
    for handler, messages in _by_handler(plan.ready):
        entries += handler(messages=messages)
    states.mark_applied(plan.ready, positions=plan.positions)
    states.mark_held(plan.held)
    audit.record(events=entries)


def _by_handler(rows: Sequence[Claimed]) -> Iterator[tuple[Handler, list[InboundMessage]]]:
    """Open letters, and join those that follow each other to the same handler."""
    table = handlers()
    messages = (letters.open_letter(row) for row in rows)
    for handler, joined in groupby(messages, key=lambda message: table[message.kind]):
        yield handler, list(joined)


def _settle_failure(key: Key, error: Exception) -> None:
    """Park a message or set its next try, unless another worker has dealt with it by now."""
    with transaction.atomic():
        if not locks.try_lock():
            return
        for row in claims.still_due([key]):
            reason = error.reason if isinstance(error, AmtsbrueckeError) else type(error).__name__
            words = error.message if isinstance(error, AmtsbrueckeError) else "see the worker's log"
            if isinstance(error, MessageUnprocessable):
                states.park(row, reason=reason, detail=words)
                letters.answer_with_failure(row, reason=reason, text=words)
            elif row.attempts + 1 >= MAX_ATTEMPTS:
                states.park(row, reason=reason, detail=words)
            else:
                states.postpone(row, reason=reason, detail=words, delay=_delay(row.attempts))


def _delay(attempts: int) -> timedelta:
    longest: timedelta = min(claims.LONGEST_DELAY, claims.FIRST_DELAY * 2**attempts)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter
