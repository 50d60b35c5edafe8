"""Sending again what did not get there."""

from uuid import UUID

from django.db import transaction

from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from federation.outbox import services as outbox
from federation.outbox.errors import LetterExpired, NotDead
from tenants.cases import policies, story
from tenants.cases.errors import NotResendable
from tenants.cases.models import Case, CaseMessage, Direction, Outcome
from tenants.cases.selectors import deliveries
from tenants.cases.services.drafting import cancel_letter
from tenants.cases.services.reading import locked
from tenants.cases.services.work import Work


def resend_message(*, case_id: UUID, message_id: UUID, by: Actor) -> Case:
    """Send a message that did not get through again. Raises `NotResendable`.

    A letter that is still valid goes as it is. One whose time ran out before it was handed over is
    written anew, and with it whatever was sent after it and failed for the want of it.
    """
    policies.require_worker(by)
    with transaction.atomic():
        case, work = locked(case_id), Work(by=by)
        failed = CaseMessage.objects.filter(
            case=case, direction=Direction.OUT, outcome=Outcome.FAILED
        )
        message = failed.filter(id=message_id).first()
        if message is None:
            raise NotResendable
        again = deliveries.repeatable(case_id)
        if again and again[0].id == message_id:
            outbox.renew_voids(case_id=case_id, by=by)
            for each in again:
                cancel_letter(each, work)
            # An operator may have put one of them back into the queue just before.
            if deliveries.repeatable(case_id) != again:
                raise NotResendable
            for each in again:
                work.repeat(case, each)
        else:
            again = [message]
            try:
                outbox.resend(message_id=message_id, by=by)
            except (NotDead, LetterExpired) as error:
                raise NotResendable from error
            work.outcome(message, Outcome.WAITING)
        if not failed.exclude(id__in=[each.id for each in again]).exists():
            case.trouble = ""
        work.touch(case)
        work.tell(case, what="note", label=str(story.RESENT), message_id=message_id)
        work.audit(AuditEvent.CASE_DELIVERY_CHANGED, case, message=str(message_id), state="resent")
        work.finish()
    return case
