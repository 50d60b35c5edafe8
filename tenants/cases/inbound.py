"""What messages of the other authority do to a case.

`on_messages` runs in the tenant's scope inside the inbox's transaction. It reads with a few
statements what a batch is about, works in memory, message after message, and writes everything at
the end; how messages are cut into batches makes no difference. It returns what belongs into the
trail, and the caller records it last. A message may come twice: the log knows what has had its
effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import system
from centre.tenancy import binary
from federation.protocol.errors import FederationError, MessageUnprocessable
from federation.protocol.messages import InboundMessage, MessageKind
from federation.protocol.notices import ProcessingFailureNotice
from federation.wire.notices import read_processing_failure
from tenants.cases import codes, deadlines, lifecycle, outcomes, payloads, references, story, wire
from tenants.cases.desk import Desk
from tenants.cases.graph import Kind, Side, State
from tenants.cases.models import Case
from tenants.cases.payloads import Payload
from tenants.cases.services.drafting import describe, refresh_search
from tenants.cases.services.steps import money_words
from tenants.cases.services.work import Work
from tenants.cases.wire import PayloadInvalid
from tenants.documents import services as documents

_KNOWN: Final = "SELECT id FROM cases_casemessage WHERE id = ANY(%b)"
#: Acts until the first message is taken up, and does nothing.
_SOMEBODY: Final = system("worker")

type Content = Payload | ProcessingFailureNotice | None


def on_messages(*, messages: Sequence[InboundMessage]) -> Sequence[Entry]:
    """Give messages of one tenant their effect, in this order, all or none."""
    read = [(message, _read(message)) for message in messages]
    desk = Desk.of(
        {message.case_id for message in messages},
        by=_SOMEBODY,
        ours=[each.message_id for _, each in read if isinstance(each, ProcessingFailureNotice)],
        requests_of={each.case_id for each in messages if each.kind == MessageKind.REGISTRATION},
    )
    seen = _seen(messages)
    for message, content in read:
        if message.message_id not in seen:
            seen.add(message.message_id)
            desk.turn_to(message)
            _take(desk, message, content)
    return desk.work.finish_without_trail()


def _take(desk: Desk, message: InboundMessage, content: Content) -> None:
    if content is None:
        return  # a void only fills a place in the order of the case
    if isinstance(content, ProcessingFailureNotice):
        outcomes.not_processed(desk, message, content)
    elif not isinstance(content, payloads.AssistanceRequest):
        _continued(desk, message, content)
    elif known := desk.cases.get(message.case_id):
        _corrected(desk, known, message, content)
    else:
        _requested(desk, message, content)


def _requested(desk: Desk, message: InboundMessage, payload: payloads.AssistanceRequest) -> None:
    """Enter a request, and confirm that it was entered."""
    work = desk.work
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
    work.create(case, wire.request_record(message.payload))
    desk.cases[case.id] = case
    work.log_received(case, message)
    _keep_documents(message, payload, work)
    _tell(case, message, work)
    work.audit(AuditEvent.CASE_REQUEST_RECEIVED, case, message=str(message.message_id))
    work.register(case, payloads.Registration(case_reference=case.reference))


def _corrected(
    desk: Desk, case: Case, message: InboundMessage, payload: payloads.AssistanceRequest
) -> None:
    """Take over a request that was sent again: its sender took the first for lost."""
    if case.side != Side.REQUESTED or case.other_authority != message.sender:
        raise MessageUnprocessable("CASE_EXISTS", "There is another case with this id.")
    work = desk.work
    _receive(case, message, payload, work)
    case.other_reference = payload.request.own_reference[:120]
    describe(case, payload.request)
    work.rewrite(case, wire.request_record(message.payload))
    _keep_documents(message, payload, work)
    _tell(case, message, work, text=str(story.CORRECTED))
    _note(case, message, work)


def _continued(desk: Desk, message: InboundMessage, payload: Payload) -> None:
    """Let a message take its effect on a case that is there."""
    case = desk.cases.get(message.case_id)
    if case is None:
        raise MessageUnprocessable("CASE_UNKNOWN", "There is no such case here.")
    if case.other_authority != message.sender:
        raise MessageUnprocessable("SENDER_NOT_PARTY", "The sender has no part in this case.")
    work = desk.work
    registered = isinstance(payload, payloads.Registration)
    if registered:
        outcomes.request_arrived(desk, case, message.sender)
    before = case.state
    _receive(case, message, payload, work)
    effect = _EFFECTS.get(type(payload))
    words = effect(case, payload) if effect else ""
    _keep_documents(message, payload, work)
    overtaken = case.state == before and not registered
    _tell(case, message, work, text=words, overtaken=overtaken)
    _note(case, message, work)


def _receive(case: Case, message: InboundMessage, payload: Payload, work: Work) -> None:
    try:
        work.receive(case, message, Kind(message.kind), payload)
    except lifecycle.MessageUnexpected as error:
        raise MessageUnprocessable(error.reason, error.message) from error


def _note(case: Case, message: InboundMessage, work: Work) -> None:
    message_id, kind = str(message.message_id), message.kind.value
    work.audit(AuditEvent.CASE_MESSAGE_RECEIVED, case, message=message_id, kind=kind)


# -- what each says -------------------------------------------------------------------------


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


_EFFECTS: Final[Mapping[type[Payload], Callable[[Case, Payload], str]]] = {
    payloads.Acceptance: _accepted,
    payloads.Refusal: _refused,
    payloads.Query: _asked,
    payloads.Answer: _answered,
    payloads.Completion: _completed,
    payloads.Withdrawal: _withdrawn,
    payloads.WithdrawalConfirmation: _withdrawal_confirmed,
    payloads.Closure: _closed,
}


def _words(known: Mapping[str, str], code: str, *more: str) -> str:
    # A code that is not known here is shown as it is: the other side may have a newer list.
    return "\n".join(part for part in (known.get(code, code), *more) if part)


# -- the parts ------------------------------------------------------------------------------


def _read(message: InboundMessage) -> Content:
    """Return what a message says; raise `MessageUnprocessable` where it does not say it rightly."""
    if message.kind == MessageKind.VOID:
        return None
    try:
        if message.kind == MessageKind.PROCESSING_FAILURE:
            return read_processing_failure(message.payload)
        payload = wire.read(Kind(message.kind), message.schema_version, message.payload)
    except FederationError as error:
        raise MessageUnprocessable("PAYLOAD_INVALID", error.message) from error
    except PayloadInvalid as error:
        raise MessageUnprocessable(error.reason, error.message) from error
    if isinstance(payload, payloads.AssistanceRequest) and not references.is_case_reference(
        payload.case_reference
    ):
        raise MessageUnprocessable("PAYLOAD_INVALID", "The case reference is not valid.")
    attachments = payloads.attachments(payload)
    announced = {(blob.digest, blob.size) for blob in message.blobs}
    if any((each.digest.hex(), each.sealed_size) not in announced for each in attachments):
        raise MessageUnprocessable("PAYLOAD_INVALID", "A document was not announced.")
    return payload


def _seen(messages: Sequence[InboundMessage]) -> set[UUID]:
    """Return which of the messages the log knows."""
    ids = [message.message_id for message in messages]
    return {key for (key,) in binary.run(_KNOWN, [ids])}


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
    case: Case, message: InboundMessage, work: Work, *, text: str = "", overtaken: bool = False
) -> None:
    kind = Kind(message.kind)
    label = lifecycle.reception(kind).label
    if overtaken:
        label = str(story.overtaken_label(label))
    work.tell(case, what=kind, label=label, text=text, message_id=message.message_id, theirs=True)
