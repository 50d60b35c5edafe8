"""Telling tenants what became of their letters.

Receipts and deaths lie in public tables; the worker carries them into the tenants' schemas by
calling the handler that settings name, in the tenant's scope and one transaction per tenant and
batch. A position per link says how far the receipts have been told. A tenant whose handler fails
owes the batch as a debt of its own: nobody else waits for it.

News may be told twice (a worker died after the tenant's commit), never not at all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy.context import public_scope, tenant_scope
from federation.outbox.states import DeliveryState, Outcome

log = structlog.get_logger(__name__)

#: Letters told of in one go.
BATCH: Final = 1_000
#: Goes of one call, so that a task ends within a reasonable time.
_ROUNDS: Final = 50
_DEBT_FIRST: Final = timedelta(seconds=5)
_DEBT_LONGEST: Final = timedelta(hours=1)
_LOCK: Final = "amtsbruecke outcomes"
#: Who decides where the sender was deleted.
_NOBODY: Final = system("worker")

type Handler = Callable[..., Sequence[Entry]]


def deliver_due() -> int:
    """Tell tenants all news there is; return how many letters were told of.

    One worker does it at a time; another one returns at once.
    """
    with public_scope(), _alone() as alone:
        if not alone:
            return 0
        told = 0
        for _ in range(_ROUNDS):
            round_told = _tell_deaths() + _pay_debts()
            for link in _links_with_news():
                round_told += _tell_receipts(link)
            told += round_told
            if not round_told:
                break
        return told


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the lock of this work, if it is free. A session's lock: it outlives transactions.

    It saves double work and is no guarantee: a connection that has seen many schemas is replaced,
    and the lock goes with it. Then two workers may tell the same news, and neither sets it back.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [_LOCK])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_LOCK])


def _query(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


# -- receipts --------------------------------------------------------------------------------


def _links_with_news() -> list[str]:
    rows = _query(
        "SELECT link.name FROM outbox_link AS link LEFT JOIN outbox_outcomeposition AS told"
        "    ON told.link = link.name WHERE link.acked_lseq > coalesce(told.lseq, 0)",
        [],
    )
    return [name for (name,) in rows]


def _tell_receipts(link: str) -> int:
    """Tell of the next batch of receipted positions, then move the link's position."""
    ((first, last),) = _query(
        "SELECT coalesce(told.lseq, 0) + 1, least(link.acked_lseq, coalesce(told.lseq, 0) + %s)"
        "  FROM outbox_link AS link LEFT JOIN outbox_outcomeposition AS told"
        "    ON told.link = link.name WHERE link.name = %s",
        [BATCH, link],
    )
    if last < first:
        return 0
    by_tenant = _relayed(link, first, last)
    for role, outcomes in by_tenant.items():
        if error := _tell(role, outcomes):
            _owe(link, role, first, last, error)
    _query(
        "INSERT INTO outbox_outcomeposition (link, lseq) VALUES (%s, %s)"
        " ON CONFLICT (link) DO UPDATE"
        " SET lseq = greatest(outbox_outcomeposition.lseq, excluded.lseq)",
        [link, last],
    )
    return int(last - first + 1)


def _relayed(link: str, first: int, last: int, role: str | None = None) -> dict[str, list[Outcome]]:
    """Return the news of receipted letters by tenant. Refused ones are told of as dead letters."""
    rows = _query(
        "SELECT letter.tenant_role, letter.id, letter.case_id, letter.kind,"
        "       (SELECT received_at FROM outbox_receipt"
        "         WHERE link = letter.link AND last_lseq >= letter.lseq"
        "         ORDER BY last_lseq LIMIT 1)"
        "  FROM outbox_letter AS letter"
        " WHERE letter.link = %s AND letter.lseq BETWEEN %s AND %s"
        "   AND (%s::text IS NULL OR letter.tenant_role = %s)"
        "   AND NOT EXISTS (SELECT FROM outbox_deadletter AS dead"
        "        WHERE dead.message_id = letter.id AND dead.resolution IN ('', 'cancelled'))"
        " ORDER BY letter.lseq",
        [link, first, last, role, role],
    )
    by_tenant: dict[str, list[Outcome]] = defaultdict(list)
    for tenant_role, message_id, case_id, kind, at in rows:
        by_tenant[tenant_role].append(
            Outcome(
                message_id=message_id,
                case_id=case_id,
                kind=kind,
                state=DeliveryState.RELAYED,
                reason="",
                at=at or clock.now(),
            )
        )
    return by_tenant


# -- deaths ----------------------------------------------------------------------------------


def _tell_deaths() -> int:
    """Tell of letters that died, or were cancelled, since the last time."""
    rows = _query(
        "SELECT id, tenant_role, message_id, case_id, kind,"
        "       CASE resolution WHEN 'cancelled' THEN 'cancelled' ELSE state END, reason,"
        "       coalesce(resolved_at, died_at)"
        "  FROM outbox_deadletter WHERE NOT told"
        "   AND told_after NOT BETWEEN %s AND %s ORDER BY id LIMIT %s",
        # Further ahead than any wait is the time of a clock that was fast.
        [clock.now(), clock.now() + 2 * _DEBT_FIRST, BATCH],
    )
    by_tenant: dict[str, list[tuple[UUID, Outcome]]] = defaultdict(list)
    for dead_id, role, message_id, case_id, kind, state, reason, at in rows:
        outcome = Outcome(
            message_id=message_id,
            case_id=case_id,
            kind=kind,
            state=DeliveryState(state),
            reason=reason,
            at=at,
        )
        by_tenant[role].append((dead_id, outcome))
    gone = set(_gone(by_tenant))
    for role, deaths in by_tenant.items():
        if role in gone:
            _give_up([dead_id for dead_id, _ in deaths])
            continue
        error = _tell(role, [outcome for _, outcome in deaths])
        told = [(dead_id, outcome.state.value) for dead_id, outcome in deaths]
        if error:
            _query(
                "UPDATE outbox_deadletter SET told_after = %s WHERE id = ANY(%s)",
                [clock.now() + _DEBT_FIRST, [dead_id for dead_id, _ in told]],
            )
            continue
        # A letter that was cancelled while we told of its death is news again.
        _query(
            "UPDATE outbox_deadletter AS dead SET told = true"
            "  FROM unnest(%s::uuid[], %s::text[]) AS item (id, state)"
            " WHERE dead.id = item.id"
            "   AND (dead.resolution = 'cancelled') = (item.state = 'cancelled')",
            [[dead_id for dead_id, _ in told], [state for _, state in told]],
        )
    return len(rows)


def _gone(roles: Iterable[str]) -> Iterable[str]:
    """Return those roles whose municipality was deleted."""
    return Municipality.objects.filter(
        tenant_role__in=list(roles), state=MunicipalityState.DELETED
    ).values_list("tenant_role", flat=True)


@transaction.atomic
def _give_up(dead_ids: Sequence[UUID]) -> None:
    """Decide about letters whose municipality was deleted: nobody is there to do it or be told."""
    rows = _query(
        "UPDATE outbox_deadletter SET resolution = 'cancelled', resolved_at = %s,"
        " resolved_by = %s WHERE id = ANY(%s) AND resolution = '' RETURNING message_id",
        [clock.now(), _NOBODY.name, list(dead_ids)],
    )
    event = AuditEvent.OUTBOX_MESSAGE_CANCELLED
    entries = [
        Entry(event=event, by=_NOBODY, subject=str(message_id), detail={"reason": "SENDER_DELETED"})
        for (message_id,) in rows
    ]
    audit.record(events=entries)
    _query("UPDATE outbox_deadletter SET told = true WHERE id = ANY(%s)", [list(dead_ids)])


# -- debts -----------------------------------------------------------------------------------


def _owe(link: str, role: str, first: int, last: int, error: str) -> None:
    _query(
        "INSERT INTO outbox_outcomedebt (id, link, debtor, first_lseq, last_lseq, attempts,"
        " next_try_at, error) VALUES (%s, %s, %s, %s, %s, 1, %s, %s)",
        [new_id(), link, role, first, last, clock.now() + _DEBT_FIRST, error],
    )


def _pay_debts() -> int:
    """Try again what tenants could not be told of."""
    told = 0
    for debt_id, link, role, first, last, attempts in _query(
        "SELECT id, link, debtor, first_lseq, last_lseq, attempts FROM outbox_outcomedebt"
        " WHERE next_try_at NOT BETWEEN %s AND %s + %s * power(2, attempts)"
        " ORDER BY next_try_at LIMIT 20",
        [clock.now(), clock.now(), _DEBT_FIRST],
    ):
        outcomes = _relayed(link, first, last, role).get(role, [])
        if error := _tell(role, outcomes):
            wait = min(_DEBT_FIRST * 2**attempts, _DEBT_LONGEST)
            _query(
                "UPDATE outbox_outcomedebt SET attempts = attempts + 1, next_try_at = %s,"
                " error = %s WHERE id = %s",
                [clock.now() + wait, error, debt_id],
            )
        else:
            _query("DELETE FROM outbox_outcomedebt WHERE id = %s", [debt_id])
            told += len(outcomes)
    return told


# -- the tenant ------------------------------------------------------------------------------


def _tell(role: str, outcomes: Sequence[Outcome]) -> str:
    """Hand news to a tenant in one transaction; return what went wrong, or nothing."""
    if not outcomes:
        return ""
    municipality = Municipality.objects.filter(tenant_role=role).first()
    if municipality is None or municipality.state == "deleted":
        return ""  # the letters outlive their tenant, as evidence
    handler: Handler = import_string(settings.FEDERATION_OUTCOME_HANDLER)
    try:
        with tenant_scope(municipality), transaction.atomic():
            if entries := handler(outcomes=outcomes):
                audit.record(events=entries)
    except Exception as error:
        # Whatever it is: the tenants are independent of each other, and this one is tried again.
        log.exception("outcomes not told", tenant=municipality.slug, letters=len(outcomes))
        return type(error).__name__  # its words may quote a row of the tenant's
    return ""
