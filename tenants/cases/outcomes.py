"""What became of our own messages, and what that means for their cases.

As with `tenants.cases.inbound`, entries for the trail are returned; the caller records them last.
"""

from collections.abc import Sequence
from uuid import UUID

from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import system
from federation.outbox.states import DeliveryState
from federation.outbox.states import Outcome as News
from federation.protocol.errors import FederationError, MessageUnprocessable
from federation.protocol.messages import InboundMessage
from federation.wire.notices import read_processing_failure
from tenants.cases import lifecycle, payloads
from tenants.cases.graph import Kind, State, Verb
from tenants.cases.models import Case, CaseMessage, Direction, Outcome
from tenants.cases.services.reading import locked_many, peer
from tenants.cases.services.work import Work

_WORKER = system("worker")
_KNOWN_FAILURES = frozenset({DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.PARKED})


def on_outcomes(*, outcomes: Sequence[News]) -> Sequence[Entry]:
    """Take over what became of our messages. May be told twice, late, or after the opposite."""
    ours = _ours([news.message_id for news in outcomes])
    cases = locked_many({message.case_id for message in ours.values()})
    work = Work(by=_WORKER)
    for news in outcomes:
        message = ours.get(news.message_id)
        if message is not None:
            _take_over(cases[message.case_id], message, news, work)
    return work.finish_without_trail()


def on_processing_failure(*, message: InboundMessage) -> Sequence[Entry]:
    """Note that a message of ours arrived and could not take effect."""
    try:
        notice = read_processing_failure(message.payload)
    except FederationError as error:
        raise MessageUnprocessable("PAYLOAD_INVALID", error.message) from error
    ours = _ours([notice.message_id]).get(notice.message_id)
    if ours is None or ours.case_id != message.case_id or ours.other_authority != message.sender:
        return []
    if ours.outcome in {Outcome.FAILED, Outcome.CANCELLED}:
        return []
    work = Work(by=peer(message))
    case = locked_many([ours.case_id])[ours.case_id]
    _failed(case, ours, notice.reason, work, text=notice.text)
    return work.finish_without_trail()


def _take_over(case: Case, message: CaseMessage, news: News, work: Work) -> None:
    if news.state == DeliveryState.RELAYED:
        replaced = message.outcome == Outcome.CANCELLED and case.state != State.GIVEN_UP
        if message.outcome != Outcome.RELAYED and not replaced:
            _relayed(case, message, work)
    elif message.outcome != Outcome.WAITING:
        return
    elif news.state in _KNOWN_FAILURES:
        _failed(case, message, news.reason or news.state.upper(), work)
    elif news.state == DeliveryState.CANCELLED:
        _failed(case, message, "CANCELLED", work)


def _relayed(case: Case, message: CaseMessage, work: Work) -> None:
    work.outcome(message, Outcome.RELAYED)
    if message.kind == Kind.ASSISTANCE_REQUEST:
        _arrived(case, work)
    elif case.trouble and not _others_failed(message):
        case.trouble = ""
        work.touch(case, quietly=True)
    work.audit(AuditEvent.CASE_DELIVERY_CHANGED, case, message=str(message.id), state="relayed")


def _arrived(case: Case, work: Work) -> None:
    """Our request is at the other authority."""
    case.delivered_at = case.delivered_at or work.now
    case.trouble = ""
    if case.state in lifecycle.step(Verb.DELIVER).paths:
        work.step(case, Verb.DELIVER)
    elif case.state in lifecycle.step(Verb.RECALL).paths:
        recall = payloads.Withdrawal(reason="mistake", text="Das Ersuchen war aufgegeben.")
        work.step(case, Verb.RECALL, recall)
        case.closed_at = None
    work.touch(case, quietly=True)


def request_arrived(case: Case, sender: UUID, work: Work) -> None:
    """Conclude from a registration that the request arrived, receipt or not."""
    requests = CaseMessage.objects.filter(
        case=case,
        kind=Kind.ASSISTANCE_REQUEST,
        direction=Direction.OUT,
        other_authority=sender,
    )
    request = requests.order_by("-number").first()
    if request is not None and request.outcome != Outcome.RELAYED:
        work.outcome(request, Outcome.RELAYED)
        _arrived(case, work)


def _failed(case: Case, message: CaseMessage, reason: str, work: Work, *, text: str = "") -> None:
    work.outcome(message, Outcome.FAILED, reason=reason)
    case.trouble = reason[:63]
    request = message.kind == Kind.ASSISTANCE_REQUEST
    if request and case.state in lifecycle.step(Verb.FAIL).paths:
        work.step(case, Verb.FAIL, text=text)
    else:
        label = "Eine Nachricht konnte nicht zugestellt werden"
        work.tell(case, what="note", label=label, text=text, message_id=message.id)
        work.touch(case)
    work.audit(
        AuditEvent.CASE_DELIVERY_CHANGED, case, message=str(message.id), state="failed",
        reason=reason,
    )  # fmt: skip


def _others_failed(message: CaseMessage) -> bool:
    failed = CaseMessage.objects.filter(case_id=message.case_id, outcome=Outcome.FAILED)
    return failed.exclude(id=message.id).exists()


def _ours(message_ids: Sequence[UUID]) -> dict[UUID, CaseMessage]:
    rows = CaseMessage.objects.filter(id__in=message_ids, direction=Direction.OUT)
    return {message.id: message for message in rows.defer("payload")}
