"""What a new request may begin with: what was said the last time."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.db import transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import Actor
from tenants.cases import policies, wire
from tenants.cases.drafts import RequestDraft, Title
from tenants.cases.graph import Side
from tenants.cases.models import Case

#: What was said longer ago may well have changed, and is dear to look for.
_LATELY: Final = timedelta(days=365)


def read_suggestions(*, by: Actor) -> RequestDraft:
    """Return a draft with nothing but what a clerk may begin with: all of it about the sender.

    The contact is that of the clerk's own last request; account and issuing authority are those of
    the municipality's. Only what was sent counts, since a draft may say anything. It comes out of
    whole requests: the trail is told which were read, and that the sender alone was shown. Cases
    know a clerk by name. Who may not write requests begins with nothing.
    """
    if not policies.may_work(by):
        return RequestDraft()
    sent = (
        Case.objects.filter(side=Side.REQUESTING, opened_at__gte=clock.now() - _LATELY)
        .select_related("content")
        .defer("search")
        .order_by("-opened_at", "-id")
    )
    with transaction.atomic():
        last = sent.first()
        own = sent.filter(created_by=by.name[:200]).first()
        read = {case.id: case for case in (last, own) if case}
        entries = [
            Entry(
                event=AuditEvent.CASE_REQUEST_READ,
                by=by,
                subject=case.reference,
                detail={"case": str(case.id), "shown": "sender"},
            )
            for case in read.values()
        ]
        audit.record(events=entries)
    said = _said(last)
    return RequestDraft(
        contact=_said(own).contact,
        titles=tuple(Title(issuer=title.issuer) for title in said.titles[:1]),
        remittance=replace(said.remittance, payment_reference=""),
    )


def _said(case: Case | None) -> RequestDraft:
    if case is None:
        return RequestDraft()
    return wire.read_record(RequestDraft, bytes(case.content.record))
