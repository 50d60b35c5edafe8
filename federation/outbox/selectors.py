"""Reading the outbox: a tenant's deliveries and proofs; an operator's links and dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from centre.kernel import clock
from centre.kernel.ids import id_time_ms
from centre.kernel.pages import Page
from federation.outbox.models import Alarm, DeadLetter
from federation.outbox.states import WITHDRAWN, Delivery, DeliveryState

_UNDER_WAY = frozenset({DeliveryState.WAITING, DeliveryState.IN_TRANSIT})

# -- of a tenant -----------------------------------------------------------------------------

_DELIVERIES = """
SELECT letter.id, letter.link, letter.lseq, letter.held, letter.not_before, letter.deferred_for,
       letter.accepted_at, link.acked_lseq, link.state, link.next_try_at, link.last_error,
       link.failing_since, dead.state, dead.resolution, dead.reason, receipt.received_at,
       attempts.count
  FROM outbox_letter AS letter
  LEFT JOIN outbox_link AS link ON link.name = letter.link
  LEFT JOIN LATERAL (
       SELECT state, resolution, reason FROM outbox_deadletter
        WHERE message_id = letter.id AND resolution NOT IN ('resent', 'relayed')
        ORDER BY died_at DESC LIMIT 1) AS dead ON true
  LEFT JOIN LATERAL (
       SELECT received_at FROM outbox_receipt
        WHERE link = letter.link AND last_lseq >= letter.lseq AND letter.lseq > 0
        ORDER BY last_lseq LIMIT 1) AS receipt ON true
  LEFT JOIN LATERAL (
       SELECT count(*) FROM outbox_attempt
        WHERE link = letter.link AND ended_at >= letter.accepted_at
          AND ended_at <= coalesce(receipt.received_at, 'infinity')) AS attempts ON true
 WHERE letter.id = ANY(%s)
"""


def deliveries(message_ids: Sequence[UUID]) -> dict[UUID, Delivery]:
    """Return how far these letters have come; ids that were never posted here are missing.

    One query, fit for a page of letters.
    """
    if not message_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES, [list(message_ids)])
        return {row[0]: _delivery(row) for row in cursor.fetchall()}


def _delivery(row: tuple[Any, ...]) -> Delivery:
    (message_id, link, lseq, held, not_before, deferred_for, accepted_at, acked, link_state,
     next_try_at, last_error, failing_since, dead_state, resolution, dead_reason, receipt_at,
     failures) = row  # fmt: skip
    reason = ""
    relayed_at = None
    next_try = None
    if dead_state:
        state = DeliveryState.CANCELLED if resolution == "cancelled" else DeliveryState(dead_state)
        reason = dead_reason
    elif lseq is None:
        state = DeliveryState.WAITING
        next_try = not_before or next_try_at
        if held:
            reason = deferred_for or ("DEFERRED" if not_before else "DOCUMENTS_UNDER_WAY")
        else:
            reason = "LINK_PAUSED" if link_state == "paused" else last_error or ""
    elif lseq == WITHDRAWN:
        state = DeliveryState.CANCELLED
    elif acked is not None and lseq <= acked:
        state, relayed_at = DeliveryState.RELAYED, receipt_at
    else:
        state, reason, next_try = DeliveryState.IN_TRANSIT, last_error or "", next_try_at
    return Delivery(
        message_id=message_id,
        link=link,
        state=state,
        reason=reason,
        accepted_at=accepted_at,
        relayed_at=relayed_at,
        attempts=failures + (1 if lseq else 0),
        next_try_at=next_try,
        failing_since=failing_since if state in _UNDER_WAY else None,
    )


def never_sent(message_ids: Sequence[UUID]) -> set[UUID]:
    """Return those letters that have ended, and that the peer has certainly never seen."""
    if not message_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter.id FROM outbox_letter AS letter"
            "  JOIN outbox_deadletter AS dead ON dead.message_id = letter.id"
            " WHERE letter.id = ANY(%s) AND letter.lseq = 0 AND dead.reason = 'NEVER_SENT'"
            "   AND dead.resolution IN ('', 'cancelled')",
            [list(message_ids)],
        )
        return {message_id for (message_id,) in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """The receipt that covers a letter and the letter's place in it: evidence for third parties."""

    link: str
    lseq: int
    digest: bytes
    body: bytes
    signature: bytes
    kid: str
    #: Of all items of the receipt, 32 bytes each; the path of one follows from them.
    leaves: bytes
    received_at: datetime


def receipt_proof(message_id: UUID) -> ReceiptProof | None:
    """Return the proof that a letter was delivered or refused, or None while there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter.link, letter.lseq, letter.digest, receipt.body, receipt.signature,"
            "       receipt.kid, receipt.leaves, receipt.received_at"
            "  FROM outbox_letter AS letter JOIN outbox_receipt AS receipt"
            "    ON receipt.link = letter.link AND receipt.last_lseq >= letter.lseq"
            "   AND receipt.first_lseq <= letter.lseq"
            " WHERE letter.id = %s AND letter.lseq > 0 ORDER BY receipt.last_lseq LIMIT 1",
            [message_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    link, lseq, digest, body, signature, kid, leaves, received_at = row
    return ReceiptProof(
        link, lseq, bytes(digest), bytes(body), bytes(signature), kid, bytes(leaves), received_at
    )


def envelope(message_id: UUID) -> bytes | None:
    """Return the bytes of a letter of the current tenant as they were, or will be, sent."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT envelope FROM outbox_letter WHERE id = %s", [message_id])
        row = cursor.fetchone()
    return None if row is None else bytes(row[0])


# -- of an operator --------------------------------------------------------------------------

#: A backlog is counted up to here; beyond it, "at least so many" is all an operator needs.
COUNTED = 100_000

_LINKS = """
SELECT peer.name, peer.state, peer.next_lseq - 1 - peer.acked_lseq, waiting.count, held.count,
       held.deferred, held.deferred_until, least(oldest.id, held.oldest), head.accepted_at,
       peer.failing_since, peer.next_try_at, peer.last_error, peer.last_error_detail,
       peer.last_contact_at, peer.lease_until > clock_timestamp(), peer.acked_lseq, dead.count
  FROM outbox_link AS peer
  CROSS JOIN LATERAL (
       SELECT count(*) FROM (SELECT FROM outbox_letter
        WHERE link = peer.name AND lseq IS NULL AND NOT held LIMIT %(counted)s) AS first) AS waiting
  CROSS JOIN LATERAL (
       SELECT count(*), min(id::text)::uuid AS oldest,
              count(*) FILTER (WHERE not_before > clock_timestamp()) AS deferred,
              max(not_before) FILTER (WHERE not_before > clock_timestamp()) AS deferred_until
         FROM (SELECT id, not_before FROM outbox_letter
        WHERE link = peer.name AND lseq IS NULL AND held LIMIT %(counted)s) AS first) AS held
  LEFT JOIN LATERAL (
       SELECT min(accepted_at) AS accepted_at FROM outbox_letter
        WHERE link = peer.name AND lseq > peer.acked_lseq AND lseq > 0) AS head ON true
  LEFT JOIN LATERAL (
       WITH RECURSIVE tenants AS (
         (SELECT tenant_role, id FROM outbox_letter
           WHERE link = peer.name AND lseq IS NULL AND NOT held ORDER BY tenant_role, id LIMIT 1)
         UNION ALL
         SELECT more.tenant_role, more.id FROM tenants, LATERAL (
           SELECT tenant_role, id FROM outbox_letter
            WHERE link = peer.name AND lseq IS NULL AND NOT held
              AND tenant_role > tenants.tenant_role ORDER BY tenant_role, id LIMIT 1) AS more)
       SELECT min(id::text)::uuid AS id FROM tenants) AS oldest ON true
  CROSS JOIN LATERAL (
       SELECT count(*) FROM outbox_deadletter
        WHERE link = peer.name AND resolution = '') AS dead
 ORDER BY peer.name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOverview:
    """A link as an operator sees it."""

    name: str
    state: str
    #: Numbered and not receipted.
    under_way: int
    #: Waiting to be numbered, and waiting for documents or a time; counted up to `COUNTED`.
    waiting: int
    held: int
    #: Of the held, how many the peer wants later, and when the last of them may go.
    deferred: int
    deferred_until: datetime | None
    oldest_age: timedelta | None
    failing_since: datetime | None
    next_try_at: datetime | None
    last_error: str
    last_error_detail: str
    last_contact_at: datetime | None
    #: A dispatch process works on it.
    owned: bool
    acked_lseq: int
    dead: int

    @property
    def backlog(self) -> int:
        return self.under_way + self.waiting + self.held


def links() -> list[LinkOverview]:
    """Return all links of the centre, by name."""
    with connection.cursor() as cursor:
        cursor.execute(_LINKS, {"counted": COUNTED})
        rows = cursor.fetchall()
    return [_overview(row) for row in rows]


def _overview(row: tuple[Any, ...]) -> LinkOverview:
    (name, state, under_way, waiting, held, deferred, deferred_until, oldest, head_at,
     failing_since, next_try_at, last_error, detail, last_contact_at, owned, acked,
     dead) = row  # fmt: skip
    ages = []
    if oldest is not None:
        ages.append(timedelta(seconds=clock.now().timestamp() - id_time_ms(oldest) / 1000))
    if head_at is not None:
        ages.append(clock.now() - head_at)
    return LinkOverview(
        name=name,
        state=state,
        under_way=under_way,
        waiting=waiting,
        held=held,
        deferred=deferred,
        deferred_until=deferred_until,
        oldest_age=max(ages, default=None),
        failing_since=failing_since,
        next_try_at=next_try_at,
        last_error=last_error,
        last_error_detail=detail,
        last_contact_at=last_contact_at,
        owned=bool(owned),
        acked_lseq=acked,
        dead=dead,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRow:
    """A dead letter without anything of its content."""

    id: UUID
    message_id: UUID
    tenant_role: str
    link: str
    case_id: UUID
    kind: str
    state: str
    reason: str
    detail: str
    died_at: datetime
    resolution: str
    resolved_at: datetime | None
    resolved_by: str


_PAGE_LIMIT = 200


def dead_letters(
    *, link: str = "", open_only: bool = True, limit: int = 50, after: UUID | None = None
) -> Page[DeadLetterRow]:
    """Return dead letters, newest first. In a tenant's scope, that tenant's."""
    limit = min(max(limit, 1), _PAGE_LIMIT)
    wanted = DeadLetter.objects.order_by("-id")
    if link:
        wanted = wanted.filter(link=link)
    if open_only:
        wanted = wanted.filter(resolution="")
    if after:
        wanted = wanted.filter(id__lt=after)
    fields = tuple(DeadLetterRow.__dataclass_fields__)
    found = [DeadLetterRow(**row) for row in wanted.values(*fields)[: limit + 1]]
    return Page.cut(found, limit, lambda letter: str(letter.id))


def alarms(
    *, open_only: bool = True, limit: int = _PAGE_LIMIT, after: UUID | None = None
) -> Page[Alarm]:
    """Return alarms, newest first; `open_only`: those that nobody has acknowledged."""
    wanted = Alarm.objects.order_by("-id")
    if open_only:
        wanted = wanted.filter(acknowledged_at=None)
    if after:
        wanted = wanted.filter(id__lt=after)
    return Page.cut(list(wanted[: limit + 1]), limit, lambda alarm: str(alarm.id))
