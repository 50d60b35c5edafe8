"""What messages of the other authority do to a case.

Handlers run in the tenant's scope inside the inbox's transaction, many in one. They return what
belongs into the trail, and the caller records it last. Each may run twice for one message: the log
knows what has had its effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import InboundMessage
from tenants.cases import codes, deadlines, lifecycle, outcomes, payloads, references, wire
from tenants.cases.graph import Kind, Side, State
from tenants.cases.models import Case, CaseMessage, RequestContent
from tenants.cases.payloads import Payload
from tenants.cases.services.drafting import describe, refresh_search
from tenants.cases.services.reading import locked_many, peer
from tenants.cases.services.steps import money_words
from tenants.cases.services.work import Work
from tenants.cases.wire import PayloadInvalid
from tenants.documents import services as documents


def on_assistance_request(*, message: InboundMessage) -> Sequence[Entry]:
    """Enter a request, and confirm that it was entered."""
    payload = _read(message, Kind.ASSISTANCE_REQUEST)
    if not isinstance(payload, payloads.AssistanceRequest):
        raise MessageUnprocessable("PAYLOAD_INVALID", "This is no request.")
    if not references.is_case_reference(payload.case_reference):
        raise MessageUnprocessable("PAYLOAD_INVALID", "The case reference is not valid.")
    if _seen(message):
        return []
    if known := locked_many([message.case_id]).get(message.case_id):
        return _corrected(known, message, payload)
    work = Work(by=peer(message))
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


def _corrected(
    case: Case, message: InboundMessage, payload: payloads.AssistanceRequest
) -> Sequence[Entry]:
    """Take over a request that was sent again: its sender took the first for lost."""
    if case.side != Side.REQUESTED or case.other_authority != message.sender:
        raise MessageUnprocessable("CASE_EXISTS", "There is another case with this id.")
    work = Work(by=peer(message))
    _receive(case, message, Kind.ASSISTANCE_REQUEST, payload, work)
    case.other_reference = payload.request.own_reference[:120]
    describe(case, payload.request)
    record = wire.write_record(payload.request)
    RequestContent.objects.filter(case=case).update(record=record)
    _keep_documents(message, payload, work)
    text = "Das Ersuchen wurde berichtigt und ersetzt das frühere. Prüfen Sie, was sich ändert."
    _tell(case, message, Kind.ASSISTANCE_REQUEST, work, text=text)
    work.audit(
        AuditEvent.CASE_MESSAGE_RECEIVED,
        case,
        message=str(message.message_id),
        kind=Kind.ASSISTANCE_REQUEST.value,
    )
    return work.finish_without_trail()


# -- one message of the other side ----------------------------------------------------------


def _on(message: InboundMessage, kind: Kind) -> Sequence[Entry]:
    payload = _read(message, kind)
    case = locked_many([message.case_id]).get(message.case_id)
    if case is None:
        raise MessageUnprocessable("CASE_UNKNOWN", "There is no such case here.")
    if case.other_authority != message.sender:
        raise MessageUnprocessable("SENDER_NOT_PARTY", "The sender has no part in this case.")
    if _seen(message):
        return []
    work = Work(by=peer(message))
    if kind is Kind.REGISTRATION:
        outcomes.request_arrived(case, message.sender, work)
    before = case.state
    _receive(case, message, kind, payload, work)
    effect = _EFFECTS.get(kind)
    words = effect(case, payload) if effect else ""
    _keep_documents(message, payload, work)
    overtaken = case.state == before and kind is not Kind.REGISTRATION
    _tell(case, message, kind, work, text=words, overtaken=overtaken)
    work.audit(
        AuditEvent.CASE_MESSAGE_RECEIVED, case, message=str(message.message_id), kind=kind.value
    )
    return work.finish_without_trail()


def _receive(case: Case, message: InboundMessage, kind: Kind, payload: Payload, work: Work) -> None:
    try:
        work.receive(case, message, kind, payload)
    except lifecycle.MessageUnexpected as error:
        raise MessageUnprocessable(error.reason, error.message) from error


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
