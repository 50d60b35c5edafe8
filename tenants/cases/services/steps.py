"""The steps that clerks take with a case. Each is one transaction.

`version` is the one that the clerk saw; if somebody else has written since, the service raises
`CaseChanged` and writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from centre.kernel.errors import AmtsbrueckeError
from centre.kernel.ids import new_id
from tenants.cases import codes, inputs, policies, story
from tenants.cases.errors import InputInvalid, StepNotPossible
from tenants.cases.faults import Fault
from tenants.cases.graph import Verb
from tenants.cases.models import Case
from tenants.cases.money import format_euro
from tenants.cases.payloads import (
    Acceptance,
    Answer,
    Closure,
    Completion,
    Query,
    Refusal,
    Withdrawal,
    WithdrawalConfirmation,
)
from tenants.cases.services.drafting import refresh_search
from tenants.cases.services.reading import attached, locked
from tenants.cases.services.work import Work


def accept(*, case_id: UUID, version: int, own_reference: str, note: str = "", by: Actor) -> Case:
    """Take a case on under our own file reference."""
    _require_good(inputs.acceptance(own_reference=own_reference, note=note))
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        case.own_reference = own_reference.strip()
        refresh_search(case)
        payload = Acceptance(own_reference=case.own_reference, note=note)
        work.step(case, Verb.ACCEPT, payload, text=_lines(case.own_reference, note))
        work.audit(AuditEvent.CASE_REQUEST_ACCEPTED, case)
        work.finish()
    return case


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one of many."""

    case_id: UUID
    error: AmtsbrueckeError | None = None


def accept_many(*, choices: Sequence[tuple[UUID, int, str]], by: Actor) -> list[Result]:
    """Accept cases, each given as id, seen version and own reference; tell of each what came of it.

    One that cannot be accepted does not keep back the others.
    """
    policies.require_worker(by)
    results = []
    for case_id, version, own_reference in choices:
        error: AmtsbrueckeError | None = None
        try:
            accept(case_id=case_id, version=version, own_reference=own_reference, by=by)
        except AmtsbrueckeError as refused:
            error = refused
        results.append(Result(case_id=case_id, error=error))
    return results


def refuse(*, case_id: UUID, version: int, reason: str, text: str = "", by: Actor) -> Case:
    """Decline to assist, with a reason from the list."""
    _require_good(inputs.refusal(reason=reason, text=text))
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        case.reason = reason
        words = _lines(codes.REFUSAL_REASONS[reason], text)
        work.step(case, Verb.REFUSE, Refusal(reason=reason, text=text), text=words)
        work.audit(AuditEvent.CASE_REQUEST_REFUSED, case, reason=reason)
        work.finish()
    return case


def ask(
    *,
    case_id: UUID,
    version: int,
    topic: str,
    text: str,
    document_ids: Sequence[UUID] = (),
    by: Actor,
) -> Case:
    """Ask the requesting authority something; the case waits for the answer."""
    _require_good(inputs.query(topic=topic, text=text))
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        message_id = new_id()
        sent = attached(case, document_ids, message_id=message_id)
        payload = Query(topic=topic, text=text, documents=sent)
        words = _lines(codes.QUERY_TOPICS[topic], text)
        work.step(case, Verb.ASK, payload, text=words, message_id=message_id)
        work.audit(AuditEvent.CASE_QUERY_ASKED, case)
        work.finish()
    return case


def answer(
    *, case_id: UUID, version: int, text: str, document_ids: Sequence[UUID] = (), by: Actor
) -> Case:
    """Answer the open query."""
    _require_good(inputs.answer(text=text))
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        if case.query_id is None:
            raise StepNotPossible("Es ist keine Rückfrage offen.")
        message_id = new_id()
        sent = attached(case, document_ids, message_id=message_id)
        payload = Answer(query_id=case.query_id, text=text, documents=sent)
        work.step(case, Verb.ANSWER, payload, text=text, message_id=message_id)
        work.audit(AuditEvent.CASE_QUERY_ANSWERED, case)
        work.finish()
    return case


def complete(
    *,
    case_id: UUID,
    version: int,
    result: str,
    collected_cents: int = 0,
    costs_cents: int = 0,
    text: str = "",
    document_ids: Sequence[UUID] = (),
    by: Actor,
) -> Case:
    """Report the result and what was collected."""
    _require_good(
        inputs.completion(
            result=result, collected_cents=collected_cents, costs_cents=costs_cents, text=text
        )
    )
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        message_id = new_id()
        sent = attached(case, document_ids, message_id=message_id)
        payload = Completion(
            result=result,
            collected_cents=collected_cents,
            costs_cents=costs_cents,
            text=text,
            documents=sent,
        )
        case.result = result
        case.collected_cents, case.costs_cents = collected_cents, costs_cents
        words = _lines(codes.COMPLETION_RESULTS[result], money_words(payload), text)
        work.step(case, Verb.COMPLETE, payload, text=words, message_id=message_id)
        _require_good(
            inputs.completion_doubts(
                result=result,
                collected_cents=collected_cents,
                costs_cents=costs_cents,
                text=text,
                demanded_cents=case.total_cents,
            )
        )
        work.audit(AuditEvent.CASE_REQUEST_COMPLETED, case, result=result)
        work.finish()
    return case


def close(*, case_id: UUID, version: int, text: str = "", by: Actor) -> Case:
    """Close a case that is refused, completed or withdrawn; the other side is told."""
    _require_good(inputs.closure(text=text))
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        work.step(case, Verb.CLOSE, Closure(text=text), text=text)
        work.audit(AuditEvent.CASE_REQUEST_CLOSED, case)
        work.finish()
    return case


def withdraw(*, case_id: UUID, version: int, reason: str, text: str = "", by: Actor) -> Case:
    """Take a request back; the other side lifts its measures and confirms."""
    _require_good(inputs.withdrawal(reason=reason, text=text))
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        case.reason = reason
        words = _lines(codes.WITHDRAWAL_REASONS[reason], text)
        work.step(case, Verb.WITHDRAW, Withdrawal(reason=reason, text=text), text=words)
        work.audit(AuditEvent.CASE_REQUEST_WITHDRAWN, case, reason=reason)
        work.finish()
    return case


def confirm_withdrawal(
    *,
    case_id: UUID,
    version: int,
    collected_cents: int = 0,
    costs_cents: int = 0,
    text: str = "",
    by: Actor,
) -> Case:
    """Confirm that measures are lifted, with what had been collected and spent by then."""
    _require_good(
        inputs.withdrawal_confirmation(
            collected_cents=collected_cents, costs_cents=costs_cents, text=text
        )
    )
    with transaction.atomic():
        case, work = _begin(case_id, version, by)
        payload = WithdrawalConfirmation(
            collected_cents=collected_cents, costs_cents=costs_cents, text=text
        )
        case.collected_cents, case.costs_cents = collected_cents, costs_cents
        words = _lines(money_words(payload), text)
        work.step(case, Verb.CONFIRM_WITHDRAWAL, payload, text=words)
        _require_good(
            inputs.withdrawal_doubts(
                collected_cents=collected_cents,
                costs_cents=costs_cents,
                text=text,
                demanded_cents=case.total_cents,
            )
        )
        work.audit(AuditEvent.CASE_REQUEST_WITHDRAWN, case, confirmed="yes")
        work.finish()
    return case


def money_words(payload: Completion | WithdrawalConfirmation) -> str:
    """Return the sums of a report as a line for the timeline."""
    if not (payload.collected_cents or payload.costs_cents):
        return ""
    collected, costs = format_euro(payload.collected_cents), format_euro(payload.costs_cents)
    return str(story.sums(collected, costs))


# -- the parts ------------------------------------------------------------------------------


def _begin(case_id: UUID, version: int | None, by: Actor) -> tuple[Case, Work]:
    policies.require_worker(by)
    return locked(case_id, version), Work(by=by)


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _require_good(checked: Iterable[Fault]) -> None:
    if found := tuple(checked):
        raise InputInvalid(found)
