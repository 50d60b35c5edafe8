"""Reads of the inbox: what is due, what waits, what is parked.

Functions that say so look at all tenants and are for the worker's login role in public scope; all
others see the current tenant's rows only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from centre.kernel import clock
from centre.tenancy import binary
from centre.tenancy.context import require_tenant
from federation.inbox import claims
from federation.inbox.models import InboundMessage, InboundState, IssuedReceipt
from federation.inbox.ordering import Thread

# One index probe for each tenant that has something pending, however many rows it has.
_DUE_TENANTS = f"""
WITH RECURSIVE waiting AS (
    (SELECT tenant_role FROM inbox_inboundmessage
      WHERE state = 'pending' ORDER BY tenant_role LIMIT 1)
    UNION ALL
    SELECT following.tenant_role FROM waiting, LATERAL (
           SELECT tenant_role FROM inbox_inboundmessage
            WHERE state = 'pending' AND tenant_role > waiting.tenant_role
            ORDER BY tenant_role LIMIT 1) AS following
)
SELECT tenant_role FROM waiting WHERE EXISTS (
    SELECT FROM inbox_inboundmessage AS message
     WHERE message.tenant_role = waiting.tenant_role AND state = 'pending'
       AND {claims.is_due("%(now)s")})
"""  # noqa: S608 -- a condition of our own

PAGE_SIZE: Final = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was not applied yet, as an operator sees it. Never content."""

    origin: str
    message_id: UUID
    kind: str
    sender: UUID
    case_id: UUID
    case_sequence: int
    state: str
    reason: str
    detail: str
    attempts: int
    received_at: datetime
    due_at: datetime
    #: The number that its case and sender must reach first; None if it waits for nothing.
    waits_for: int | None


@dataclass(frozen=True, slots=True)
class IssuedProof:
    """The receipt that this centre gave for a letter, and the letter's place in it."""

    link: str
    lseq: int
    digest: bytes
    body: bytes
    signature: bytes
    kid: str
    #: Of all items of the receipt, 32 bytes each; the path of one follows from them.
    leaves: bytes
    received_at: datetime


def tenants_with_due_messages() -> list[str]:
    """Return the roles of tenants that have messages to apply now. All tenants."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_TENANTS, {"now": clock.now()})
        return [row[0] for row in cursor.fetchall()]


def tenants_with_waiting_messages(*, states: Collection[InboundState]) -> list[str]:
    """Return the roles of tenants that have messages in one of these states. All tenants."""
    found = InboundMessage.objects.filter(state__in=states)
    return list(found.values_list("tenant_role", flat=True).distinct().order_by("tenant_role"))


def positions(cases: Collection[UUID]) -> dict[Thread, int]:
    """Return the next number of each thread of these cases that has begun."""
    rows = binary.run(
        "SELECT case_id, sender, next_sequence FROM inbox_caseposition"
        " WHERE tenant_role = %(role)b AND case_id = ANY(%(cases)b)",
        {"role": require_tenant().role, "cases": list(cases)},
    )
    return {(case_id, sender): number for case_id, sender, number in rows}


def issued_receipt(message_id: UUID) -> IssuedProof | None:
    """Return the receipt for a message that the current tenant has received, or None."""
    row = _received(message_id).defer("envelope").first()
    if row is None or row.lseq is None:
        return None
    receipt = (
        IssuedReceipt.objects.filter(link=row.link, first_lseq__lte=row.lseq)
        .order_by("-first_lseq")
        .first()
    )
    if receipt is None or receipt.last_lseq < row.lseq:
        return None
    return IssuedProof(
        link=row.link,
        lseq=row.lseq,
        digest=bytes(row.digest),
        body=bytes(receipt.body),
        signature=bytes(receipt.signature),
        kid=receipt.kid,
        leaves=bytes(receipt.leaves),
        received_at=row.received_at,
    )


def envelope(message_id: UUID) -> bytes | None:
    """Return a letter that the current tenant has received, byte for byte, or None."""
    row = _received(message_id).first()
    return None if row is None else bytes(row.envelope)


def _received(message_id: UUID) -> QuerySet[InboundMessage]:
    return InboundMessage.objects.filter(tenant_role=require_tenant().role, id=message_id)


def message(*, message_id: UUID, origin: str) -> Waiting:
    """Return what is known of a message that the current tenant has received."""
    return _seen(_received(message_id).filter(origin=origin))[0]


def waiting(
    *,
    states: Sequence[InboundState] = (InboundState.PARKED, InboundState.HELD),
    after: Waiting | None = None,
    limit: int = PAGE_SIZE,
) -> list[Waiting]:
    """Return some of the current tenant's messages in these states, in the order of their ids.

    That is when their senders wrote them. `after` is the last one of those seen already.
    """
    found = InboundMessage.objects.filter(tenant_role=require_tenant().role, state__in=states)
    if after:
        found = found.filter(pk__gt=(after.message_id, after.origin))
    return _seen(found.order_by("pk")[:limit])


def _seen(found: QuerySet[InboundMessage]) -> list[Waiting]:
    rows = list(found.defer("envelope"))
    reached = positions({row.case_id for row in rows})
    return [
        Waiting(
            origin=row.origin,
            message_id=row.id,
            kind=row.kind,
            sender=row.sender,
            case_id=row.case_id,
            case_sequence=row.case_sequence,
            state=row.state,
            reason=row.reason,
            detail=row.detail,
            attempts=row.attempts,
            received_at=row.received_at,
            due_at=row.due_at,
            waits_for=reached.get((row.case_id, row.sender), 1)
            if row.state == InboundState.HELD
            else None,
        )
        for row in rows
    ]
