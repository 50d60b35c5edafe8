"""Where messages of a case are, in words for clerks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from federation.outbox import selectors as outbox
from federation.outbox.models import Letter
from federation.outbox.states import Delivery, DeliveryState
from tenants.cases.graph import Kind
from tenants.cases.models import CaseMessage, Direction, Outcome

TITLES: Final = {
    Kind.ASSISTANCE_REQUEST: "Ersuchen",
    Kind.REGISTRATION: "Eingangsbestätigung",
    Kind.ACCEPTANCE: "Annahme",
    Kind.REFUSAL: "Ablehnung",
    Kind.QUERY: "Rückfrage",
    Kind.ANSWER: "Antwort",
    Kind.COMPLETION: "Erledigung",
    Kind.CLOSURE: "Abschluss",
    Kind.WITHDRAWAL: "Rücknahme",
    Kind.WITHDRAWAL_CONFIRMATION: "Bestätigung der Rücknahme",
}

_BADGES: Final = {
    DeliveryState.WAITING: ("info", "wartet auf Versand"),
    DeliveryState.IN_TRANSIT: ("info", "unterwegs"),
    DeliveryState.RELAYED: ("success", "zugestellt"),
    DeliveryState.REFUSED: ("danger", "abgewiesen"),
    DeliveryState.EXPIRED: ("danger", "Zustellfrist abgelaufen"),
    DeliveryState.PARKED: ("danger", "angehalten"),
    DeliveryState.CANCELLED: ("warning", "zurückgezogen"),
}
_NOT_PROCESSED: Final = ("danger", "zugestellt, nicht verarbeitet")

#: What machines call it, and what people should know. Others are shown as the machine says.
_REASONS: Final = {
    "DOCUMENTS_UNDER_WAY": "Die Anlagen werden noch übertragen.",
    "DEFERRED": "Der Empfänger hat um einen späteren Versuch gebeten.",
    "LINK_PAUSED": "Die Verbindung zum Rechenzentrum des Empfängers ist angehalten.",
    "UNAVAILABLE": "Das Rechenzentrum des Empfängers ist zurzeit nicht erreichbar.",
    "DEADLINE_EXCEEDED": "Das Rechenzentrum des Empfängers antwortet zurzeit nicht.",
    "PAYLOAD_INVALID": "Der Inhalt konnte beim Empfänger nicht gelesen werden.",
    "CASE_UNKNOWN": "Der Empfänger kennt diesen Vorgang nicht.",
    "MESSAGE_UNEXPECTED": "Die Nachricht passte nicht zum Stand des Vorgangs beim Empfänger.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """The way of one of our messages."""

    message_id: UUID
    title: str
    #: The colour of the badge and its words.
    tone: str
    words: str
    #: What that means, as a sentence.
    sentence: str
    #: SHA-256 of the delivered letter in hexadecimal digits, once the receipt is here.
    digest: str
    can_resend: bool


def of_case(case_id: UUID) -> tuple[DeliveryView, ...]:
    """Return the ways of a case's messages, oldest first, with three queries."""
    rows = list(
        CaseMessage.objects.filter(case_id=case_id, direction=Direction.OUT)
        .only("id", "kind", "outcome", "reason", "outcome_at", "created_at")
        .order_by("number")
    )
    ids = [row.id for row in rows]
    ways = outbox.deliveries(ids) if ids else {}
    digests = dict(Letter.objects.filter(id__in=ids).values_list("id", "digest")) if ids else {}
    return tuple(_view(row, ways.get(row.id), bytes(digests.get(row.id, b""))) for row in rows)


def _view(row: CaseMessage, way: Delivery | None, digest: bytes) -> DeliveryView:
    state = way.state if way else DeliveryState.WAITING
    delivered = state == DeliveryState.RELAYED
    unprocessed = delivered and row.outcome == Outcome.FAILED
    tone, words = _NOT_PROCESSED if unprocessed else _BADGES[state]
    failed = row.outcome == Outcome.FAILED
    return DeliveryView(
        message_id=row.id,
        title=TITLES[Kind(row.kind)],
        tone=tone,
        words=words,
        sentence=_reason(row.reason) if unprocessed else _sentence(state, way),
        digest=digest.hex() if delivered else "",
        can_resend=failed and state in {DeliveryState.REFUSED, DeliveryState.PARKED},
    )


def _sentence(state: DeliveryState, way: Delivery | None) -> str:
    if way is None:
        return "Liegt im Postausgang."
    if state == DeliveryState.RELAYED:
        return f"Vom Rechenzentrum „{way.link}“ quittiert: {_moment(way.relayed_at)}."
    if state == DeliveryState.WAITING:
        again = f" Nächster Versuch: {_moment(way.next_try_at)}." if way.next_try_at else ""
        return (_reason(way.reason) or "Liegt im Postausgang und geht gleich hinaus.") + again
    if state == DeliveryState.IN_TRANSIT:
        return "Übergeben; die Quittung des Empfängers steht noch aus."
    if state == DeliveryState.CANCELLED:
        return "Wurde nicht zugestellt und wird nicht mehr gesendet."
    return _reason(way.reason) or "Der Grund ist nicht bekannt; fragen Sie Ihr Rechenzentrum."


def _reason(reason: str) -> str:
    if not reason:
        return ""
    return _REASONS.get(reason, f"Grund: {reason}.")


def _moment(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%d.%m.%Y, %H:%M:%S} Uhr" if at else "unbekannt"
