"""What messages of the other authority, and news of our own, do to a case.

Handlers run in the tenant's scope inside the inbox's transaction, many in one. They return what
belongs into the trail, and the caller records it last. Each may run twice for one message: the log
knows what has had its effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor, ActorKind, system
from federation.outbox.states import DeliveryState
from federation.outbox.states import Outcome as News
from federation.protocol.errors import FederationError, MessageUnprocessable
from federation.protocol.messages import InboundMessage
from federation.wire.notices import read_processing_failure
from tenants.cases import codes, deadlines, lifecycle, payloads, references, wire
from tenants.cases.graph import Kind, Side, State, Verb
from tenants.cases.models import Case, CaseMessage, Direction, Outcome, RequestContent
from tenants.cases.payloads import Payload
from tenants.cases.services.drafting import authority_name, describe, refresh_search
from tenants.cases.services.steps import money_words
from tenants.cases.services.work import Work
from tenants.cases.wire import PayloadInvalid
from tenants.documents import services as documents

_WORKER = system("worker")
_KNOWN_FAILURES = frozenset({DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.PARKED})


def on_assistance_request(*, message: InboundMessage) -> Sequence[Entry]:
    """Enter a request, and confirm that it was entered."""
    payload = _read(message, Kind.ASSISTANCE_REQUEST)
    if not isinstance(payload, payloads.AssistanceRequest):
        raise MessageUnprocessable("PAYLOAD_INVALID", "This is no request.")
    if not references.is_case_reference(payload.case_reference):
        raise MessageUnprocessable("PAYLOAD_INVALID", "The case reference is not valid.")
    if _seen(message):
        return []
    if Case.objects.filter(id=message.case_id).exists():
        raise MessageUnprocessable("CASE_EXISTS", "There is a case with this id already.")
    work = Work(by=_peer(message))
    case = Case(
        id=message.case_id,
        reference=payload.case_reference,
        side=Side.REQUESTED,
        state=State.REGISTERED,
        state_since=work.now,
        due_at=deadlines.due_at(Side.REQUESTED, State.REGISTERED, since=work.now),
        other_authority=message.sender,
        other_name=work.by.name,
        other_reference=payload.request.own_reference[:120],
        created_by=work.by.name,
        created_at=work.now,
        opened_at=message.received_at,
        delivered_at=message.received_at,
    )
    describe(case, payload.request)
    record = wire.write_record(payload.request)
    work.create(case, RequestContent(case=case, record=record))
    work.log_received(case, message)
    _keep_documents(message, payload, work)
    _tell(case, message, Kind.ASSISTANCE_REQUEST, work)
    work.audit(AuditEvent.CASE_REQUEST_RECEIVED, case, message=str(message.message_id))
    work.register(case, payloads.Registration(case_reference=case.reference))
    work.audit(AuditEvent.CASE_REQUEST_REGISTERED, case)
    return work.finish_without_trail()


def on_registration(*, message: InboundMessage) -> Sequence[Entry]:
    """Note that the request is in the other authority's list."""
    return _on(message, Kind.REGISTRATION)


def on_acceptance(*, message: InboundMessage) -> Sequence[Entry]:
    """Note that the other authority assists, and under which reference."""
    return _on(message, Kind.ACCEPTANCE)


def on_refusal(*, message: InboundMessage) -> Sequence[Entry]:
    """Note that the other authority does not assist, and why."""
    return _on(message, Kind.REFUSAL)


def on_query(*, message: InboundMessage) -> Sequence[Entry]:
    """Let the case wait for our answer."""
    return _on(message, Kind.QUERY)


def on_answer(*, message: InboundMessage) -> Sequence[Entry]:
    """Go on with the case, if this answers the open query."""
    return _on(message, Kind.ANSWER)


def on_completion(*, message: InboundMessage) -> Sequence[Entry]:
    """Note the result and what was collected."""
    return _on(message, Kind.COMPLETION)


def on_closure(*, message: InboundMessage) -> Sequence[Entry]:
    """Close the case."""
    return _on(message, Kind.CLOSURE)


def on_withdrawal(*, message: InboundMessage) -> Sequence[Entry]:
    """Let nothing more be enforced until the withdrawal is confirmed."""
    return _on(message, Kind.WITHDRAWAL)


def on_withdrawal_confirmation(*, message: InboundMessage) -> Sequence[Entry]:
    """Note that nothing more is enforced."""
    return _on(message, Kind.WITHDRAWAL_CONFIRMATION)


def on_void(*, message: InboundMessage) -> Sequence[Entry]:
    """Do nothing: it only fills a place in the order of the case."""
    del message
    return []


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
    work = Work(by=_peer(message))
    case = _locked([ours.case_id])[ours.case_id]
    _failed(case, ours, notice.reason, work, text=notice.text)
    return work.finish_without_trail()


def on_outcomes(*, outcomes: Sequence[News]) -> Sequence[Entry]:
    """Take over what became of our messages. May be told twice, late, or after the opposite."""
    ours = _ours([news.message_id for news in outcomes])
    cases = _locked({message.case_id for message in ours.values()})
    work = Work(by=_WORKER)
    for news in outcomes:
        message = ours.get(news.message_id)
        if message is not None:
            _take_over(cases[message.case_id], message, news, work)
    return work.finish_without_trail()


# -- one message of the other side ----------------------------------------------------------


def _on(message: InboundMessage, kind: Kind) -> Sequence[Entry]:
    payload = _read(message, kind)
    case = _locked([message.case_id]).get(message.case_id)
    if case is None:
        raise MessageUnprocessable("CASE_UNKNOWN", "There is no such case here.")
    if case.other_authority != message.sender:
        raise MessageUnprocessable("SENDER_NOT_PARTY", "The sender has no part in this case.")
    if _seen(message):
        return []
    work = Work(by=_peer(message))
    if kind is Kind.REGISTRATION:
        _request_arrived(case, message.sender, work)
    before = case.state
    try:
        work.receive(case, message, kind, payload)
    except lifecycle.MessageUnexpected as error:
        raise MessageUnprocessable(error.reason, error.message) from error
    effect = _EFFECTS.get(kind)
    words = effect(case, payload) if effect else ""
    _keep_documents(message, payload, work)
    overtaken = case.state == before and kind is not Kind.REGISTRATION
    _tell(case, message, kind, work, text=words, overtaken=overtaken)
    work.audit(
        AuditEvent.CASE_MESSAGE_RECEIVED, case, message=str(message.message_id), kind=kind.value
    )
    return work.finish_without_trail()


def _accepted(case: Case, payload: Payload) -> str:
    if not isinstance(payload, payloads.Acceptance):
        return ""
    case.other_reference = payload.own_reference[:120]
    refresh_search(case)
    return "\n".join(part for part in (payload.own_reference, payload.note) if part)


def _refused(case: Case, payload: Payload) -> str:
    if not isinstance(payload, payloads.Refusal):
        return ""
    case.reason = payload.reason[:40]
    return _words(codes.REFUSAL_REASONS, payload.reason, payload.text)


def _asked(case: Case, payload: Payload) -> str:
    del case
    if not isinstance(payload, payloads.Query):
        return ""
    return _words(codes.QUERY_TOPICS, payload.topic, payload.text)


def _answered(case: Case, payload: Payload) -> str:
    del case
    return payload.text if isinstance(payload, payloads.Answer) else ""


def _completed(case: Case, payload: Payload) -> str:
    if not isinstance(payload, payloads.Completion):
        return ""
    case.result = payload.result[:40]
    case.collected_cents, case.costs_cents = payload.collected_cents, payload.costs_cents
    return _words(codes.COMPLETION_RESULTS, payload.result, money_words(payload), payload.text)


def _withdrawn(case: Case, payload: Payload) -> str:
    if not isinstance(payload, payloads.Withdrawal):
        return ""
    if case.state == State.WITHDRAWING:
        case.reason = payload.reason[:40]
    return _words(codes.WITHDRAWAL_REASONS, payload.reason, payload.text)


def _withdrawal_confirmed(case: Case, payload: Payload) -> str:
    if not isinstance(payload, payloads.WithdrawalConfirmation):
        return ""
    case.collected_cents, case.costs_cents = payload.collected_cents, payload.costs_cents
    return "\n".join(part for part in (money_words(payload), payload.text) if part)


def _closed(case: Case, payload: Payload) -> str:
    del case
    return payload.text if isinstance(payload, payloads.Closure) else ""


_EFFECTS: Final[Mapping[Kind, Callable[[Case, Payload], str]]] = {
    Kind.ACCEPTANCE: _accepted,
    Kind.REFUSAL: _refused,
    Kind.QUERY: _asked,
    Kind.ANSWER: _answered,
    Kind.COMPLETION: _completed,
    Kind.WITHDRAWAL: _withdrawn,
    Kind.WITHDRAWAL_CONFIRMATION: _withdrawal_confirmed,
    Kind.CLOSURE: _closed,
}


def _words(known: Mapping[str, str], code: str, *more: str) -> str:
    # A code that is not known here is shown as it is: the other side may have a newer list.
    return "\n".join(part for part in (known.get(code, code), *more) if part)


# -- news of our own messages ---------------------------------------------------------------


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


def _request_arrived(case: Case, sender: UUID, work: Work) -> None:
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


# -- the parts ------------------------------------------------------------------------------


def _read(message: InboundMessage, kind: Kind) -> Payload:
    try:
        payload = wire.read(kind, message.schema_version, message.payload)
    except PayloadInvalid as error:
        raise MessageUnprocessable(error.reason, error.message) from error
    announced = {(blob.digest, blob.size) for blob in message.blobs}
    for each in payloads.attachments(payload):
        if (each.digest.hex(), each.sealed_size) not in announced:
            raise MessageUnprocessable("PAYLOAD_INVALID", "A document was not announced.")
    return payload


def _seen(message: InboundMessage) -> bool:
    return CaseMessage.objects.filter(id=message.message_id).exists()


def _locked(case_ids: Sequence[UUID] | set[UUID]) -> dict[UUID, Case]:
    # Always in the same order, so that two transactions never wait for each other.
    rows = Case.objects.select_for_update().filter(id__in=case_ids).order_by("id")
    return {case.id: case for case in rows}


def _ours(message_ids: Sequence[UUID]) -> dict[UUID, CaseMessage]:
    rows = CaseMessage.objects.filter(id__in=message_ids, direction=Direction.OUT)
    return {message.id: message for message in rows}


def _peer(message: InboundMessage) -> Actor:
    name = authority_name(message.sender) or str(message.sender)
    return Actor(kind=ActorKind.PEER, id=str(message.sender), name=name)


def _keep_documents(message: InboundMessage, payload: Payload, work: Work) -> None:
    received = [
        documents.Received(
            name=each.name,
            media_type=each.media_type,
            size=each.size,
            digest=each.digest,
            sealed_size=each.sealed_size,
            key=each.key,
        )
        for each in payloads.attachments(payload)
    ]
    if received:
        documents.keep_received(
            case_id=message.case_id,
            message_id=message.message_id,
            documents=received,
            sender=work.by.name,
        )


def _tell(
    case: Case,
    message: InboundMessage,
    kind: Kind,
    work: Work,
    *,
    text: str = "",
    overtaken: bool = False,
) -> None:
    label = lifecycle.reception(kind).label
    if overtaken:
        label += " (überholt, ändert den Stand nicht)"
    work.tell(case, what=kind, label=label, text=text, message_id=message.message_id, theirs=True)
