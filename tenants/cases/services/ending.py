"""The end of a case whose other authority has left the directory: nobody there can take part."""

from uuid import UUID

from django.db import transaction

from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from tenants.cases import inputs, lifecycle, policies
from tenants.cases.errors import InputInvalid, OtherAuthorityPresent
from tenants.cases.graph import Side
from tenants.cases.models import Case, CaseMessage, Direction, Outcome
from tenants.cases.selectors import absence
from tenants.cases.services.drafting import cancel_letter
from tenants.cases.services.reading import locked
from tenants.cases.services.work import Work


def end_alone(*, case_id: UUID, version: int, text: str, by: Actor) -> Case:
    """Close a case without the other authority, which has left the directory.

    `text` says what was settled, and where. Nothing is sent; letters that did not get there are
    given up. Raises `OtherAuthorityPresent` where the other side can still take part.
    """
    policies.require_worker(by)
    if wrong := tuple(inputs.end_alone(text=text)):
        raise InputInvalid(wrong)
    with transaction.atomic():
        case = locked(case_id, version)
        work = Work(by=by)
        work.step(case, lifecycle.end_alone(Side(case.side)), text=text)
        if not absence.is_absent(case):
            raise OtherAuthorityPresent
        lost = CaseMessage.objects.filter(
            case=case, direction=Direction.OUT, outcome=Outcome.FAILED
        )
        for message in lost.order_by("number"):
            cancel_letter(message, work)
        case.trouble = ""
        work.audit(AuditEvent.CASE_REQUEST_CLOSED, case, alone="yes")
        work.finish()
    return case
