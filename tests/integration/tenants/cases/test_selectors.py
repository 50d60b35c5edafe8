"""The worklist and the view of a case, and that every reading leaves a trace."""

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.ids import new_id
from tenants.cases import selectors, services
from tenants.cases.drafts import Address, Danger
from tenants.cases.errors import CaseNotFound, NotAllowed
from tenants.cases.graph import Side, State, Verb
from tenants.cases.models import CaseEvent, CaseMessage
from tenants.cases.selectors import Filters
from tenants.clerks.roles import Role
from tenants.documents import services as documents
from tests.factories.clerks import clerk
from tests.factories.requests import request

Town = Any
Postman = Any


def named(surname: str, to: UUID, **changed: Any) -> Any:
    debtor = replace(request().debtors[0], surname=surname)
    return request(to=to, debtors=(debtor,), **changed)


@pytest.fixture
def thirty(a: Town, b: Town) -> list[UUID]:
    """Thirty drafts at A, every fifth urgent."""
    made = []
    start = clock.now() - timedelta(days=40)
    for number in range(30):
        urgent = {"urgency": "urgent", "urgency_reason": "Frist"} if number % 5 == 0 else {}
        with clock.frozen(start + timedelta(days=number)), a.scope():
            draft = named(f"Person{number:02}", b.id, **urgent)
            made.append(services.create_draft(draft=draft, by=a.by).id)
    return made


@pytest.mark.parametrize("sort", ["urgency", "age", "newest", "due", "nonsense"])
def test_pages_show_every_case_once_in_order(a: Town, thirty: list[UUID], sort: str) -> None:
    seen: list[Any] = []
    after = None
    with a.scope():
        for _ in range(10):
            page = selectors.worklist(
                filters=Filters(tab="drafts"), sort=sort, after=after, limit=7
            )
            seen += page.rows
            if (after := page.next) is None:
                break
    assert {row.case_id for row in seen} == set(thirty)
    assert len(seen) == 30
    names = [row.debtor_name for row in seen]
    if sort == "newest":
        assert names == sorted(names, reverse=True)
    elif sort in {"urgency", "nonsense"}:
        assert [row.urgent for row in seen] == [True] * 6 + [False] * 24
        assert names[:6] == sorted(names[:6])
        assert names[6:] == sorted(names[6:])
    else:
        assert names == sorted(names)


@pytest.mark.parametrize("mark", ["", "x", "bnVsbA", "W10", "WyJhZ2UiLCB0cnVlLCBudWxsLCAiIl0"])
def test_a_mark_that_is_none_begins_at_the_beginning(
    a: Town, thirty: list[UUID], mark: str
) -> None:
    with a.scope():
        page = selectors.worklist(filters=Filters(tab="drafts"), sort="age", after=mark)
    assert len(page.rows) == 30


@pytest.mark.parametrize(
    ("search", "found"),
    [("person07", 1), ("INGO", 30), ("betadorf 20.3-4711", 30), ("nirgends", 0), ("%", 0)],
)
def test_search_finds_names_references_and_authorities(
    a: Town, thirty: list[UUID], search: str, found: int
) -> None:
    with a.scope():
        page = selectors.worklist(filters=Filters(tab="all", search=search))
    assert len(page.rows) == found


def test_filters(a: Town, b: Town, thirty: list[UUID]) -> None:
    with a.scope():
        assert selectors.worklist(filters=Filters(tab="inbox")).rows == ()
        assert len(selectors.worklist(filters=Filters(tab="all", authority=b.id)).rows) == 30
        assert selectors.worklist(filters=Filters(tab="all", authority=uuid4())).rows == ()
        assert selectors.worklist(filters=Filters(tab="all", states=(State.CLOSED,))).rows == ()
        assert selectors.worklist(filters=Filters(tab="all", overdue=True)).rows == ()


def test_counts_agree_with_the_pages(a: Town, b: Town, post: Postman, thirty: list[UUID]) -> None:
    with a.scope():
        sent = [services.submit_request(draft=request(to=b.id), by=a.by) for _ in range(4)]
    post.until_quiet()
    with b.scope():
        services.refuse(case_id=sent[0].id, version=1, reason="duplicate", by=b.by)
        services.accept(case_id=sent[1].id, version=1, own_reference="V-1", by=b.by)
        services.ask(case_id=sent[2].id, version=1, topic="title", text="Wo?", by=b.by)
    post.until_quiet()
    for town in (a, b):
        for days in (0, 20, 200):
            with clock.frozen(clock.now() + timedelta(days=days)), town.scope():
                counted = selectors.counts()
                for tab, number in counted.by_tab.items():
                    page = selectors.worklist(filters=Filters(tab=tab), limit=200)
                    assert len(page.rows) == number, (tab, days)
                late = selectors.worklist(filters=Filters(tab="all", overdue=True), limit=200)
                assert len(late.rows) == counted.overdue
                assert all(row.is_overdue for row in late.rows)


def test_a_page_costs_the_same_number_of_queries_whatever_its_length(
    a: Town, thirty: list[UUID]
) -> None:
    with a.scope():
        costs = []
        for limit in (1, 30):
            with CaptureQueriesContext(connection) as queries:
                selectors.worklist(filters=Filters(tab="all"), limit=limit)
            costs.append(len(queries))
        assert costs == [1, 1]
        with CaptureQueriesContext(connection) as queries:
            selectors.counts()
        assert len(queries) == 1


def test_every_reading_is_in_the_trail(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    with b.scope():
        view = selectors.read_case(case_id=case.id, by=b.by)
        page = selectors.read_worklist(filters=Filters(tab="inbox", search="uhlenbrock"), by=b.by)
        assert selectors.rows(case_ids=[case.id, uuid4()], by=b.by) == page.rows
        assert [row.can_accept for row in page.rows] == [True]
        read = [
            entry.content
            for entry in audit.trail(subject=case.reference)
            if entry.content["event"] == "case:request:read"
        ]
        assert [each["actor"]["name"] for each in read] == [b.by.name]
        [listed] = audit.trail(subject="inbox")
        assert listed.content["event"] == AuditEvent.CASE_WORKLIST_READ
        detail = {"cases": case.reference, "searched": "yes", "narrowed": "yes"}
        assert listed.content["detail"] == detail
        [chosen] = audit.trail(subject="chosen")
        assert chosen.content["event"] == AuditEvent.CASE_WORKLIST_READ
        assert chosen.content["detail"] == {"cases": case.reference}
        assert chosen.content["actor"]["name"] == b.by.name
    assert view.side is Side.REQUESTED
    assert {step.verb for step in view.steps} == {Verb.ACCEPT, Verb.REFUSE, Verb.ASK}
    assert view.state_label == "Neu, zu prüfen"
    assert [entry.is_ours for entry in view.timeline.rows] == [False, True]
    assert view.due_label == "Annahme oder Rückfrage"
    assert not view.is_overdue


def test_what_only_caseworkers_see(a: Town, b: Town) -> None:
    debtor = replace(request().debtors[0], disclosure_blocked=True)
    danger = Danger(known=True, text="Bissiger Hund")
    with a.scope():
        draft = request(to=b.id, debtors=(debtor,), danger=danger)
        case = services.create_draft(draft=draft, by=a.by)
        reader = clerk("leser", role=Role.READER).actor
        seen = selectors.read_case(case_id=case.id, by=reader)
        assert seen.request.danger == Danger(known=True)
        assert seen.request.debtors[0].address == Address()
        assert seen.steps == ()
        assert selectors.read_case(case_id=case.id, by=a.by).request == draft


def test_strangers_and_other_towns_see_nothing(a: Town, b: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=request(to=b.id), by=a.by)
        with pytest.raises(NotAllowed):
            selectors.read_case(case_id=case.id, by=b.by)
        with pytest.raises(CaseNotFound):
            selectors.payload_of(uuid4())
    with b.scope():
        with pytest.raises(CaseNotFound):
            selectors.read_case(case_id=case.id, by=b.by)
        assert selectors.rows(case_ids=[case.id], by=b.by) == ()


def test_the_way_of_each_message_in_words(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
        [way] = selectors.case_view(case_id=case.id, by=a.by).deliveries.rows
        assert (way.title, way.words, way.can_resend) == ("Ersuchen", "wartet auf Versand", False)
        assert way.sentence
        [(message_id, ours)] = selectors.message_ids(case.id)
        assert ours
        assert selectors.payload_of(message_id)


def test_operator_is_told_what_a_deletion_cuts_off(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        services.create_draft(draft=request(to=b.id), by=a.by)
        assert selectors.what_deletion_cuts_off() == ""
        sent = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    with a.scope():
        assert selectors.what_deletion_cuts_off().startswith("1 of its cases is not closed, 0 of")
    with b.scope():
        cut_off = selectors.what_deletion_cuts_off()
        assert cut_off.startswith("1 of its cases is not closed, 1 of")
        assert "the other side is not told that these end, only who has sent a message that" in (
            cut_off
        )
        services.refuse(
            case_id=sent.id, version=b.case(sent.id).version, reason="not_competent", by=b.by
        )
    post.until_quiet()
    with a.scope():
        services.close(case_id=sent.id, version=a.case(sent.id).version, by=a.by)
    post.until_quiet()
    with b.scope():
        assert selectors.what_deletion_cuts_off() == ""


def test_long_lists_of_a_case_come_in_parts(
    a: Town, b: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest first, each part in the order of time, all of them once."""
    monkeypatch.setattr("tenants.cases.selectors.case.LISTED", 3)
    monkeypatch.setattr("tenants.cases.selectors.deliveries.LISTED", 3)
    monkeypatch.setattr("tenants.documents.selectors.LISTED", 3)
    start = clock.now()
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
        for number in range(7):
            at = start + timedelta(minutes=number // 2)  # some at the same time
            CaseEvent.objects.create(
                case_id=case.id,
                at=at,
                side="requesting",
                by="Karla",
                what="note",
                label=f"{number}",
            )
            with clock.frozen(at):
                documents.attach(
                    case_id=case.id,
                    reference=case.reference,
                    name=f"{number}.txt",
                    chunks=[b"text"],
                    by=a.by,
                )
        original = CaseMessage.objects.get(case_id=case.id)
        for number in range(2, 9):
            original.pk, original.number, original.sequence = new_id(), number, number
            original._state.adding = True
            original.save()

        def walked(name: str) -> list[list[Any]]:
            parts, before = [], {}
            for _ in range(5):
                view = selectors.read_case(case_id=case.id, by=a.by, before=before)
                page = getattr(view, name)
                parts.append(list(page.rows))
                if page.next is None:
                    break
                before = {name: UUID(page.next)}
            return parts[::-1]

        whole = CaseEvent.objects.filter(case_id=case.id).order_by("at", "id")
        parts = walked("timeline")
        assert [len(part) for part in parts[1:]] == [3] * (len(parts) - 1)
        assert [each.at for part in parts for each in part] == [each.at for each in whole]
        names = [each.name for part in walked("documents") for each in part]
        assert sorted(names) == [f"{number}.txt" for number in range(7)]
        assert names[0] in {"0.txt", "1.txt"}
        sent = CaseMessage.objects.filter(case_id=case.id).order_by("number")
        ways = [each.message_id for part in walked("deliveries") for each in part]
        assert ways == [each.id for each in sent]
        view = selectors.read_case(case_id=case.id, by=a.by)
        assert len(view.unsent) == 7  # what may go along is never a part
        elsewhere = selectors.read_case(case_id=case.id, by=a.by, before={"timeline": uuid4()})
        assert elsewhere.timeline == view.timeline


def test_the_choice_of_authorities_is_bounded_and_has_the_chosen_one(
    a: Town, b: Town, c: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("tenants.cases.selectors.worklist")  # its name is a function's, too
    monkeypatch.setattr(module, "MAX_AUTHORITIES", 1)
    with a.scope():
        drafts = [request(to=b.id), request(to=b.id), request(to=c.id)]
        services.submit_requests(drafts=drafts, by=a.by)
        assert [each for each, _ in selectors.authorities()] == [b.id]
        assert [each for each, _ in selectors.authorities(chosen=c.id)] == [c.id]
