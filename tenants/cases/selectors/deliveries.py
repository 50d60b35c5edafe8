"""Where messages of a case are, in words for clerks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from centre.directory import selectors as directory
from centre.directory.errors import DirectoryMissing
from centre.kernel import clock
from centre.kernel.pages import Page
from federation.outbox import selectors as outbox
from federation.outbox.models import Letter
from federation.outbox.states import Delivery, DeliveryState
from federation.protocol.reasons import Reason
from tenants.cases.graph import Kind
from tenants.cases.models import CaseMessage, Direction, Outcome

#: So many lines of a case's lists stand on its page.
LISTED: Final = 50
TITLES: Final = {
    Kind.ASSISTANCE_REQUEST: gettext_noop("Ersuchen"),
    Kind.REGISTRATION: gettext_noop("Eingangsbestätigung"),
    Kind.ACCEPTANCE: gettext_noop("Annahme"),
    Kind.REFUSAL: gettext_noop("Ablehnung"),
    Kind.QUERY: gettext_noop("Rückfrage"),
    Kind.ANSWER: gettext_noop("Antwort"),
    Kind.COMPLETION: gettext_noop("Erledigung"),
    Kind.CLOSURE: gettext_noop("Abschluss"),
    Kind.WITHDRAWAL: gettext_noop("Rücknahme"),
    Kind.WITHDRAWAL_CONFIRMATION: gettext_noop("Bestätigung der Rücknahme"),
}

_BADGES: Final = {
    DeliveryState.WAITING: ("info", gettext_noop("wartet auf Versand")),
    DeliveryState.IN_TRANSIT: ("info", gettext_noop("unterwegs")),
    DeliveryState.RELAYED: ("success", gettext_noop("zugestellt")),
    DeliveryState.REFUSED: ("danger", gettext_noop("abgewiesen")),
    DeliveryState.EXPIRED: ("danger", gettext_noop("Zustellfrist abgelaufen")),
    DeliveryState.PARKED: ("danger", gettext_noop("angehalten")),
    DeliveryState.CANCELLED: ("warning", gettext_noop("zurückgezogen")),
}
_SENTENCES: Final = {
    DeliveryState.IN_TRANSIT: gettext_noop(
        "Übergeben; die Quittung des Empfängers steht noch aus."
    ),
    DeliveryState.CANCELLED: gettext_noop("Wurde nicht zugestellt und wird nicht mehr gesendet."),
}
#: Reasons of a wait that are not the other centre's.
_OURS: Final = frozenset({"DOCUMENTS_UNDER_WAY", "DEFERRED", "LINK_PAUSED"})
_REPEATED: Final = ("warning", gettext_noop("neu geschrieben"))
#: Reasons of messages that did nothing at the other side: their words may be sent anew.
_WITHOUT_EFFECT: Final = frozenset({"NEVER_SENT", "MESSAGE_UNEXPECTED"})
_NOT_PROCESSED: Final = ("danger", gettext_noop("zugestellt, nicht verarbeitet"))

#: What machines call it, and what people should know, where the protocol's words do not do.
_REASONS: Final = {
    "DOCUMENTS_UNDER_WAY": gettext_noop("Die Anlagen werden noch übertragen."),
    "DEFERRED": gettext_noop("Der Empfänger hat um einen späteren Versuch gebeten."),
    "LINK_PAUSED": gettext_noop("Die Verbindung zum Rechenzentrum des Empfängers ist angehalten."),
    "UNAVAILABLE": gettext_noop("Das Rechenzentrum des Empfängers ist zurzeit nicht erreichbar."),
    "DEADLINE_EXCEEDED": gettext_noop("Das Rechenzentrum des Empfängers antwortet zurzeit nicht."),
    "NEVER_SENT": gettext_noop("Sie konnte bis zum Ende der Frist nicht übergeben werden."),
    "NO_RECEIPT": gettext_noop(
        "Sie wurde übergeben, aber bis zum Ende der Frist nicht quittiert. Fragen Sie beim"
        " Empfänger nach, ob sie angekommen ist."
    ),
    "KILLS_CALLS": gettext_noop(
        "Ihre Übertragung ist mehrmals abgebrochen. Ihr Rechenzentrum weiß davon."
    ),
    "PAYLOAD_INVALID": gettext_noop("Der Inhalt konnte beim Empfänger nicht gelesen werden."),
    "CASE_SEQUENCE_REUSED": gettext_noop(
        "Beim Empfänger hat in diesem Vorgang schon eine andere Nachricht diese Nummer."
    ),
    "CASE_EXISTS": gettext_noop("Beim Empfänger gibt es schon einen Vorgang mit dieser Kennung."),
    "SENDER_NOT_PARTY": gettext_noop(
        "Für den Empfänger ist Ihre Behörde an diesem Vorgang nicht beteiligt."
    ),
    "CASE_UNKNOWN": gettext_noop("Der Empfänger kennt diesen Vorgang nicht."),
    "RECIPIENT_DELETED": gettext_noop(
        "Die Behörde wird bei ihrem Rechenzentrum nicht mehr geführt. Fragen Sie dort, wer an ihre"
        " Stelle getreten ist."
    ),
    "DISCARDED": gettext_noop("Das Rechenzentrum des Empfängers hat die Nachricht verworfen."),
    "MESSAGE_UNEXPECTED": gettext_noop(
        "Die Nachricht passte nicht zum Stand des Vorgangs beim Empfänger."
    ),
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


def of_case(
    case_id: UUID, *, before: UUID | None = None, absent: bool = False
) -> Page[DeliveryView]:
    """Return the ways of a case's newest messages, oldest first, with four queries.

    `before` is a message: then of those before it, with one query more. Nothing can be sent again
    to an authority that is `absent`.
    """
    found = CaseMessage.objects.filter(case_id=case_id, direction=Direction.OUT)
    found = found.only("id", "number", "kind", "outcome", "reason", "outcome_at", "created_at")
    if before and (mark := found.filter(id=before).first()):
        found = found.filter(number__lt=mark.number)
    newest = list(found.order_by("-number")[: LISTED + 1])
    page = Page.cut(newest, LISTED, lambda row: str(row.id)).turned()
    ids = [row.id for row in page.rows]
    ways = outbox.deliveries(ids) if ids else {}
    digests = dict(Letter.objects.filter(id__in=ids).values_list("id", "digest")) if ids else {}
    again = repeatable(case_id)[:1] if any(row.outcome == Outcome.FAILED for row in newest) else ()
    state = _State(
        absent=absent,
        repeatable=frozenset(row.id for row in again),
        # The new message may stand on a later page than the one that it says again.
        repeated=frozenset(
            CaseMessage.objects.filter(repeats__in=ids).values_list("repeats", flat=True)
        ),
    )
    views = (
        _view(row, ways.get(row.id), bytes(digests.get(row.id, b"")), state) for row in page.rows
    )
    return Page(tuple(views), page.next)


def repeatable(case_id: UUID) -> list[CaseMessage]:
    """Return our last messages in a case, oldest first, that can only be written anew.

    The time of the first one ran out before it could be handed over, and none after it has done
    anything. For the other side, to get them in their order now is to get them late. A request is
    not among them: it is corrected and sent, as a step of its own. Nor is what followed one that
    did not get there: nobody could do anything with it.
    """
    rows = CaseMessage.objects.filter(case_id=case_id, direction=Direction.OUT)
    last: list[CaseMessage] = []
    for row in rows.order_by("-number").iterator():
        failed = row.outcome == Outcome.FAILED
        if failed and row.kind == Kind.ASSISTANCE_REQUEST:
            return []
        if not failed or row.reason not in _WITHOUT_EFFECT:
            break
        last.append(row)
    # What was told once may not hold any more: an operator, too, can send a letter again.
    never = outbox.never_sent([row.id for row in last if row.reason == "NEVER_SENT"])
    while last and last[-1].id not in never:
        last.pop()
    if any(row.reason == "NEVER_SENT" and row.id not in never for row in last):
        return []
    return last[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What holds for all messages of a case."""

    absent: bool
    repeatable: frozenset[UUID]
    repeated: frozenset[UUID | None]


def _view(row: CaseMessage, way: Delivery | None, digest: bytes, case: _State) -> DeliveryView:
    state = way.state if way else DeliveryState.WAITING
    delivered = state == DeliveryState.RELAYED
    unprocessed = delivered and row.outcome == Outcome.FAILED
    tone, words = _NOT_PROCESSED if unprocessed else _BADGES[state]
    sentence = _reason(row.reason) if unprocessed else _sentence(state, way)
    if row.id in case.repeated:
        (tone, words), sentence = _REPEATED, _("Der Inhalt ging in einer neuen Nachricht hinaus.")
    failed = row.outcome == Outcome.FAILED
    as_it_is = state in {DeliveryState.REFUSED, DeliveryState.PARKED}
    gone = case.absent or row.reason == Reason.RECIPIENT_DELETED
    return DeliveryView(
        message_id=row.id,
        title=TITLES[Kind(row.kind)],
        tone=tone,
        words=words,
        sentence=sentence,
        digest=digest.hex() if delivered else "",
        can_resend=failed and not gone and (as_it_is or row.id in case.repeatable),
    )


def _sentence(state: DeliveryState, way: Delivery | None) -> str:
    if way is None:
        return _("Liegt im Postausgang.")
    if state == DeliveryState.RELAYED:
        said = {"centre": _name(way.link), "moment": _moment(way.relayed_at)}
        return _("%(centre)s hat den Empfang quittiert: %(moment)s.") % said
    if way.failing_since and way.reason not in _OURS:
        return _out_of_reach(way)
    if state == DeliveryState.WAITING:
        return " ".join(
            filter(None, (_reason(way.reason) or _("Geht gleich hinaus."), _again(way)))
        )
    if fixed := _SENTENCES.get(state):
        return _(fixed)
    return _reason(way.reason) or _("Der Grund ist nicht bekannt; fragen Sie Ihr Rechenzentrum.")


def _out_of_reach(way: Delivery) -> str:
    """Name the centre, since when, and that nobody has to do anything."""
    said = {"centre": _name(way.link), "moment": _clock(way.failing_since)}
    words = _("%(centre)s ist seit %(moment)s nicht erreichbar.") % said
    return " ".join(filter(None, (words, _("Es wird von selbst weiter versucht."), _again(way))))


def _again(way: Delivery) -> str:
    if way.next_try_at is None:
        return ""
    return _("Nächster Versuch: %(moment)s.") % {"moment": _clock(way.next_try_at)}


def _name(centre: str) -> str:
    """Return what people call a centre, as the directory has it."""
    try:
        known = directory.current().centre(centre)
    except DirectoryMissing:
        known = None
    return known.name if known else _("Rechenzentrum „%(name)s“") % {"name": centre}


def _reason(reason: str) -> str:
    if not reason:
        return ""
    known = _REASONS.get(reason) or (Reason(reason).german if reason in Reason else "")
    return _(known) if known else _("Grund: %(reason)s.") % {"reason": reason}


def _moment(at: datetime | None) -> str:
    if at is None:
        return _("unbekannt")
    return _("%(day)s, %(time)s Uhr") % {
        "day": f"{timezone.localtime(at):%d.%m.%Y}",
        "time": f"{timezone.localtime(at):%H:%M:%S}",
    }


def _clock(at: datetime | None) -> str:
    """Return a moment as people say it: today, the time alone."""
    if at is None:
        return _("unbekannt")
    here = timezone.localtime(at)
    if here.date() == clock.today():
        return _("%(time)s Uhr") % {"time": f"{here:%H:%M}"}
    return _("%(day)s, %(time)s Uhr") % {"day": f"{here:%d.%m.}", "time": f"{here:%H:%M}"}
