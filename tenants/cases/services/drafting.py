"""Writing requests and sending them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import batched
from uuid import UUID

from django.db import transaction

from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.kernel.ids import new_id
from centre.tenancy import binary
from centre.tenancy.context import require_tenant
from federation.outbox import services as outbox
from federation.outbox.errors import NotDead
from tenants.cases import checks, policies, references, wire
from tenants.cases.drafts import RequestDraft
from tenants.cases.errors import DraftInvalid, DraftsInvalid, StepNotPossible
from tenants.cases.graph import Kind, Side, State, Verb
from tenants.cases.models import Case, CaseMessage, Direction, Outcome, RequestContent
from tenants.cases.payloads import AssistanceRequest, Attachment
from tenants.cases.readiness import what_is_missing
from tenants.cases.services.reading import attached, authority_name, locked
from tenants.cases.services.work import Work
from tenants.documents import selectors as documents
from tenants.documents import services as document_services

#: So many requests share a transaction: enough to be fast, few enough to hold locks shortly.
BATCH = 256


def create_draft(*, draft: RequestDraft, by: Actor) -> Case:
    """Keep a request that may still be incomplete."""
    [case] = create_drafts(drafts=[draft], by=by)
    return case


def create_drafts(*, drafts: Sequence[RequestDraft], by: Actor) -> list[Case]:
    """Keep many requests in one transaction; return the cases in the same order."""
    policies.require_worker(by)
    with transaction.atomic():
        work = Work(by=by)
        cases = _create(drafts, work)
        for case in cases:
            work.audit(AuditEvent.CASE_REQUEST_DRAFTED, case)
        work.finish()
    return cases


def update_draft(*, case_id: UUID, version: int, draft: RequestDraft, by: Actor) -> Case:
    """Replace what a draft says. Raises `CaseChanged`."""
    policies.require_worker(by)
    with transaction.atomic():
        case = _draft(case_id, version)
        work = Work(by=by)
        _describe(case, draft)
        RequestContent.objects.filter(case=case).update(record=wire.write_record(_normal(draft)))
        work.touch(case)
        work.audit(AuditEvent.CASE_REQUEST_CHANGED, case)
        work.finish()
    return case


def delete_draft(*, case_id: UUID, version: int | None = None, by: Actor) -> None:
    """Throw a draft away, with its documents."""
    policies.require_worker(by)
    with transaction.atomic():
        case = _draft(case_id, version)
        work = Work(by=by)
        work.audit(AuditEvent.CASE_REQUEST_DISCARDED, case)
        document_services.discard(case_id=case.id)
        case.delete()
        work.finish()


def submit_draft(*, case_id: UUID, version: int, by: Actor) -> Case:
    """Send a draft with all its documents. Raises `DraftInvalid` with everything that is wrong."""
    policies.require_worker(by)
    with transaction.atomic():
        case = _draft(case_id, version)
        draft = wire.read_record(RequestDraft, bytes(case.content.record))
        _require_valid(draft)
        work = Work(by=by)
        unsent = [each.id for each in documents.unsent_of_case(case.id)]
        _send(case, draft, work, Verb.SUBMIT, document_ids=unsent)
        work.finish()
    return case


def submit_request(*, draft: RequestDraft, by: Actor) -> Case:
    """Write and send a request in one go."""
    try:
        [case] = submit_requests(drafts=[draft], by=by)
    except DraftsInvalid as error:
        raise DraftInvalid(error.faults[0]) from error
    return case


def submit_requests(*, drafts: Sequence[RequestDraft], by: Actor) -> list[Case]:
    """Write and send many requests; return the cases in the same order.

    All are checked before the first is sent: raises `DraftsInvalid` and has then sent none. They
    are written in transactions of `BATCH`; each costs one call of the outbox and of the trail.
    """
    policies.require_worker(by)
    checked = {number: what_is_missing(draft) for number, draft in enumerate(drafts)}
    if wrong := {number: faults for number, faults in checked.items() if faults}:
        raise DraftsInvalid(wrong)
    cases: list[Case] = []
    for batch in batched(drafts, BATCH):
        with transaction.atomic():
            work = Work(by=by)
            created = _create(batch, work)
            for case, draft in zip(created, batch, strict=True):
                _send(case, _normal(draft), work, Verb.SUBMIT)
            work.finish()
        cases += created
    return cases


def resubmit(*, case_id: UUID, version: int, draft: RequestDraft | None = None, by: Actor) -> Case:
    """Send an undeliverable request again, corrected if `draft` is given.

    The letter that could not be delivered is cancelled, so that it does not arrive late as well.
    """
    policies.require_worker(by)
    with transaction.atomic():
        case = locked(case_id, version)
        draft = draft or wire.read_record(RequestDraft, bytes(case.content.record))
        _require_valid(draft)
        work = Work(by=by)
        request = last_request(case)
        cancel_letter(request, work)
        former = case.other_authority
        _describe(case, draft)
        if case.other_authority != former:
            case.out_sequence = 0
        RequestContent.objects.filter(case=case).update(record=wire.write_record(_normal(draft)))
        case.trouble = ""
        again = _attached_before(request)
        _send(case, _normal(draft), work, Verb.RESUBMIT, sent_before=again)
        work.finish()
    return case


def give_up(*, case_id: UUID, version: int, by: Actor) -> Case:
    """Close an undeliverable request without having reached anybody."""
    policies.require_worker(by)
    with transaction.atomic():
        case = locked(case_id, version)
        work = Work(by=by)
        work.step(case, Verb.GIVE_UP)
        cancel_letter(last_request(case), work)
        work.audit(AuditEvent.CASE_REQUEST_CLOSED, case)
        work.finish()
    return case


def last_request(case: Case) -> CaseMessage:
    """Return the newest request that was sent for a case."""
    return CaseMessage.objects.filter(
        case=case, kind=Kind.ASSISTANCE_REQUEST, direction=Direction.OUT
    ).latest("number")


def cancel_letter(message: CaseMessage, work: Work) -> None:
    """Give a dead letter up; one that was delivered but not processed is no dead letter."""
    try:
        outbox.cancel(message_id=message.id, by=work.by)
    except NotDead:
        pass
    else:
        work.outcome(message, Outcome.CANCELLED, reason=message.reason)


# -- the parts ------------------------------------------------------------------------------


def _draft(case_id: UUID, version: int | None) -> Case:
    case = locked(case_id, version)
    if case.state != State.DRAFT:
        raise StepNotPossible("Das Ersuchen ist schon abgesandt; der Entwurf ist nicht mehr da.")
    return case


def _create(drafts: Sequence[RequestDraft], work: Work) -> list[Case]:
    numbers = _references(len(drafts))
    cases = []
    for draft, reference in zip(drafts, numbers, strict=True):
        case = Case(
            id=new_id(),
            reference=reference,
            side=Side.REQUESTING,
            state=State.DRAFT,
            state_since=work.now,
            created_by=work.by.name[:200],
            created_at=work.now,
        )
        _describe(case, draft)
        work.create(case, wire.write_record(_normal(draft)))
        cases.append(case)
    return cases


def _send(
    case: Case,
    draft: RequestDraft,
    work: Work,
    verb: Verb,
    *,
    document_ids: Sequence[UUID] = (),
    sent_before: tuple[Attachment, ...] = (),
) -> None:
    message_id = new_id()
    payload = AssistanceRequest(
        case_reference=case.reference,
        request=draft,
        documents=sent_before + attached(case, document_ids, message_id=message_id),
    )
    case.opened_at = case.opened_at or work.now
    work.step(case, verb, payload, message_id=message_id)
    work.audit(AuditEvent.CASE_REQUEST_SUBMITTED, case, to=str(case.other_authority))


def _attached_before(request: CaseMessage) -> tuple[Attachment, ...]:
    """Return the documents of a request that did not arrive; they go with the next one."""
    payload = wire.read(Kind.ASSISTANCE_REQUEST, request.schema_version, bytes(request.payload))
    return payload.documents if isinstance(payload, AssistanceRequest) else ()


def describe(case: Case, draft: RequestDraft) -> None:
    """Copy into the case what lists and searches need."""
    case.kind = draft.kind
    case.debtor = draft.debtor_name[:300]
    case.total_cents = draft.total_cents
    case.urgent = draft.urgency == "urgent"
    case.danger = bool(draft.danger.known)
    case.limitation_end = draft.limitation_end
    refresh_search(case, draft.remittance.payment_reference)


def refresh_search(case: Case, *more: str) -> None:
    """Renew what the search looks through; `more` is added to what the case itself says."""
    kept = case.search.split("\n")[-1:] if not more else [" ".join(more).casefold()]
    words = (case.reference, case.debtor, case.own_reference, case.other_reference, case.other_name)
    case.search = "\n".join([" ".join(words).casefold(), *kept])


def _describe(case: Case, draft: RequestDraft) -> None:
    case.own_reference = draft.own_reference[:120]
    case.other_authority = draft.requested_authority
    case.other_name = authority_name(draft.requested_authority)
    describe(case, draft)


def _normal(draft: RequestDraft) -> RequestDraft:
    iban = checks.normal_iban(draft.remittance.iban)
    if iban == draft.remittance.iban:
        return draft
    return replace(draft, remittance=replace(draft.remittance, iban=iban))


def _require_valid(draft: RequestDraft) -> None:
    if faults := what_is_missing(draft):
        raise DraftInvalid(faults)


# Waits for others that take numbers of the same year, until their transaction ends.
_TAKE = """
INSERT INTO cases_casecounter AS counter (year, last) VALUES (%b, %b)
    ON CONFLICT (year) DO UPDATE SET last = counter.last + excluded.last
RETURNING last, (SELECT ags FROM public.registry_municipality WHERE schema_name = %b)
"""


def _references(count: int) -> list[str]:
    """Take the next running numbers of the year; others wait until the transaction ends."""
    year = clock.now().year
    [(last, ags)] = binary.run(_TAKE, [year, count, require_tenant().schema_name])
    return [
        references.case_reference(ags=ags, year=year, number=number)
        for number in range(last - count + 1, last + 1)
    ]
