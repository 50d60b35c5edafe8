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
from federation.protocol.messages import InboundMessage
from federation.protocol.notices import ProcessingFailureNotice
from tenants.cases import lifecycle, payloads, story
from tenants.cases.desk import Desk
from tenants.cases.graph import Kind, State, Verb
from tenants.cases.models import Case, CaseMessage, Outcome
from tenants.cases.selectors import absence
from tenants.cases.services.work import AUTOMATIC, Work

_WORKER = system("worker")
_KNOWN_FAILURES = frozenset({DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.PARKED})


def on_outcomes(*, outcomes: Sequence[News]) -> Sequence[Entry]:
    """Take over what became of our messages. May be told twice, late, or after the opposite."""
    desk = Desk.of(
        {news.case_id for news in outcomes},
        by=_WORKER,
        ours=[news.message_id for news in outcomes],
        failures_of={news.case_id for news in outcomes if news.state != DeliveryState.RELAYED},
    )
    for news in outcomes:
        message = desk.ours.get(news.message_id)
        if message is not None:
            desk.work.begin(by=_WORKER)
            _take_over(desk, message, news)
    return desk.work.finish_without_trail()


def _take_over(desk: Desk, message: CaseMessage, news: News) -> None:
    case = desk.cases[message.case_id]
    if news.state == DeliveryState.RELAYED:
        replaced = message.outcome == Outcome.CANCELLED and case.state != State.GIVEN_UP
        if message.outcome != Outcome.RELAYED and not replaced:
            _relayed(desk, case, message)
    elif message.outcome != Outcome.WAITING:
        return
    elif news.state in _KNOWN_FAILURES:
        _failed(desk, case, message, news.reason or news.state.upper())
    elif news.state == DeliveryState.CANCELLED:
        _failed(desk, case, message, "CANCELLED")


def not_processed(desk: Desk, message: InboundMessage, notice: ProcessingFailureNotice) -> None:
    """Note that a message of ours arrived and could not take effect."""
    ours = desk.ours.get(notice.message_id)
    if ours is None or ours.case_id != message.case_id or ours.other_authority != message.sender:
        return
    if ours.outcome in {Outcome.FAILED, Outcome.CANCELLED}:
        return
    _failed(desk, desk.cases[ours.case_id], ours, notice.reason, text=notice.text)


def request_arrived(desk: Desk, case: Case, sender: UUID) -> None:
    """Conclude from a registration that the request arrived, receipt or not."""
    request = desk.requests.get((case.id, sender))
    if request is not None and request.outcome != Outcome.RELAYED:
        desk.outcome(request, Outcome.RELAYED)
        _arrived(case, desk.work)


def _relayed(desk: Desk, case: Case, message: CaseMessage) -> None:
    desk.outcome(message, Outcome.RELAYED)
    if message.kind == Kind.ASSISTANCE_REQUEST:
        _arrived(case, desk.work)
    elif case.trouble and not desk.failed[case.id]:
        case.trouble = ""
        desk.work.touch(case, quietly=True)
    _note(desk, case, message, state="relayed")


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


def _failed(desk: Desk, case: Case, message: CaseMessage, reason: str, *, text: str = "") -> None:
    work = desk.work
    desk.outcome(message, Outcome.FAILED, reason=reason)
    # Nobody could do anything about it where the case was ended because the other side is gone.
    case.trouble = "" if absence.ended_alone(case) else reason[:63]
    request = message.kind == Kind.ASSISTANCE_REQUEST
    if request and case.state in lifecycle.step(Verb.FAIL).paths:
        work.step(case, Verb.FAIL, text=text)
    else:
        label = str(story.LOST)
        work.tell(case, what="note", label=label, text=text, message_id=message.id, by=AUTOMATIC)
        work.touch(case)
    _note(desk, case, message, state="failed", reason=reason)


def _note(desk: Desk, case: Case, message: CaseMessage, *, state: str, reason: str = "") -> None:
    desk.work.audit(
        AuditEvent.CASE_DELIVERY_CHANGED, case, message=str(message.id), state=state, reason=reason
    )
