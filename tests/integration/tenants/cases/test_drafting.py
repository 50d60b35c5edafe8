"""Drafts, sending one and many, and what happens when nobody can be reached."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from centre.audit import selectors as audit
from centre.kernel.actors import system
from federation.outbox.models import Letter
from tenants.cases import selectors, services
from tenants.cases.drafts import RequestDraft
from tenants.cases.errors import (
    CaseChanged,
    CaseNotFound,
    DraftInvalid,
    DraftsInvalid,
    NotAllowed,
    StepNotPossible,
)
from tenants.cases.graph import State
from tenants.cases.models import Case
from tenants.cases.references import is_case_reference
from tenants.clerks.roles import Role
from tests.factories.clerks import clerk
from tests.factories.requests import request

Town = Any
EMPTY = RequestDraft()


def test_a_draft_may_be_incomplete_and_is_checked_when_sent(a: Town, b: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=EMPTY, by=a.by)
        assert is_case_reference(case.reference)
        assert case.reference.startswith(a.municipality.ags)
        with pytest.raises(DraftInvalid) as refused:
            services.submit_draft(case_id=case.id, version=1, by=a.by)
        assert len(refused.value.faults) > 10
        case = services.update_draft(case_id=case.id, version=1, draft=request(to=b.id), by=a.by)
        assert (case.version, case.other_name) == (2, "Betadorf")
        case = services.submit_draft(case_id=case.id, version=2, by=a.by)
        assert case.state == State.SUBMITTED
        letter = Letter.objects.get(case_id=case.id)
        assert (letter.recipient, letter.kind) == (b.id, "assistance_request")
        events = [entry.content["event"] for entry in audit.trail(subject=case.reference)]
        assert sorted(events) == [
            "case:request:changed",
            "case:request:drafted",
            "case:request:submitted",
        ]


def test_who_saw_an_old_version_writes_nothing(a: Town, b: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=EMPTY, by=a.by)
        services.update_draft(case_id=case.id, version=1, draft=request(to=b.id), by=a.by)
        with pytest.raises(CaseChanged, match="inzwischen geändert"):
            services.update_draft(case_id=case.id, version=1, draft=EMPTY, by=a.by)
        assert selectors.case_view(case_id=case.id, by=a.by).request == request(to=b.id)


def test_a_draft_can_be_thrown_away_but_a_sent_request_cannot(a: Town, b: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=EMPTY, by=a.by)
        services.delete_draft(case_id=case.id, by=a.by)
        with pytest.raises(CaseNotFound):
            services.delete_draft(case_id=case.id, by=a.by)
        sent = services.submit_request(draft=request(to=b.id), by=a.by)
        with pytest.raises(StepNotPossible, match="schon abgesandt"):
            services.delete_draft(case_id=sent.id, by=a.by)


@pytest.mark.parametrize("who", ["own", "nobody"])
def test_the_addressee_must_be_another_authority_of_the_directory(a: Town, who: str) -> None:
    to = a.id if who == "own" else uuid4()
    with a.scope(), pytest.raises(DraftInvalid) as refused:
        services.submit_request(draft=request(to=to), by=a.by)
    assert [fault.path for fault in refused.value.faults] == ["requested_authority"]


def test_readers_write_nothing(a: Town, b: Town) -> None:
    with a.scope():
        reader = clerk("leser", role=Role.READER).actor
        with pytest.raises(NotAllowed):
            services.submit_request(draft=request(to=b.id), by=reader)
        assert services.submit_request(draft=request(to=b.id), by=system("import"))
        assert Case.objects.count() == 1


def test_many_are_sent_with_few_statements_or_none_at_all(a: Town, b: Town) -> None:
    drafts = [request(to=b.id, own_reference=f"A-{number}") for number in range(60)]
    with a.scope():
        with pytest.raises(DraftsInvalid) as refused:
            services.submit_requests(drafts=[*drafts, EMPTY], by=a.by)
        assert set(refused.value.faults) == {60}
        assert Case.objects.count() == 0
        with CaptureQueriesContext(connection) as few:
            services.submit_requests(drafts=drafts[:2], by=a.by)
        with CaptureQueriesContext(connection) as many:
            cases = services.submit_requests(drafts=drafts[2:], by=a.by)
        assert len(many) <= len(few)
        assert [case.own_reference for case in cases] == [f"A-{n}" for n in range(2, 60)]
        assert len({case.reference for case in Case.objects.all()}) == 60
        assert Letter.objects.count() == 60
        assert audit.verify(a.municipality.tenant_role).intact
