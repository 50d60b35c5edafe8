"""The case page and the steps that lead on from it."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from tenants.cases import services
from tenants.cases.drafts import Danger
from tenants.cases.graph import State
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]
Version = Callable[[Town, UUID], int]
Suspend = Callable[[Town], None]


def make_reader(town: Town) -> None:
    with town.scope():
        Clerk.objects.filter(pk=town.by.id).update(role=Role.READER)


def test_case_page_shows_request_and_next_step(visit: Visit, b: Town, case_id: UUID) -> None:
    page = visit(b).get(f"/vorgang/{case_id}/").text
    for words in (
        "Uhlenbrock, Ingo",
        "Bitte entscheiden Sie über das Ersuchen",
        "Grundsteuer B, 2. Quartal 2026",
        "337,50",
        "DE02 1203 0000 0000 2020 51",
        "Säumniszuschlag",
        f"/vorgang/{case_id}/annehmen/",
        f"/vorgang/{case_id}/ablehnen/",
        f"/vorgang/{case_id}/rueckfragen/",
    ):
        assert words in page, words
    assert "zuruecknehmen" not in page


def test_reading_a_case_is_recorded_with_the_readers_name(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    visit(b).get(f"/vorgang/{case_id}/")
    with b.scope():
        events = [
            entry
            for entry in audit.trail(subject=b.case(case_id).reference)
            if entry.event == AuditEvent.CASE_REQUEST_READ
        ]
    assert len(events) == 1
    assert "Karla Kranich" in events[0].body


def test_case_of_others_does_not_exist(visit: Visit, c: Town, case_id: UUID) -> None:
    for path in (f"/vorgang/{case_id}/", f"/vorgang/{case_id}/annehmen/", f"/vorgang/{uuid4()}/"):
        answer = visit(c).get(path)
        assert answer.status_code == 404
        assert "Diese Seite gibt es hier nicht" in answer.text


def test_reader_sees_neither_steps_nor_danger(visit: Visit, a: Town, b: Town, post: Any) -> None:
    danger = Danger(known=True, text="Bissiger Hund im Hof")
    with a.scope():
        case = services.submit_request(draft=request(to=b.id, danger=danger), by=a.by)
    post.until_quiet()
    assert "Bissiger Hund" in visit(b).get(f"/vorgang/{case.id}/").text
    make_reader(b)
    client = visit(b)
    page = client.get(f"/vorgang/{case.id}/").text
    assert "Bissiger Hund" not in page
    assert "/annehmen/" not in page
    refused = client.get(f"/vorgang/{case.id}/annehmen/")
    assert refused.status_code == 403
    assert "nicht berechtigt" in refused.text
    assert "Nachweis herunterladen" not in page
    evidence = client.post(f"/vorgang/{case.id}/nachweis/")
    assert evidence.status_code == 403
    assert "application/zip" not in evidence["Content-Type"]


def test_caseworker_takes_the_evidence_and_that_is_recorded(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    client = visit(b)
    assert "Nachweis herunterladen" in client.get(f"/vorgang/{case_id}/").text
    answer = client.post(f"/vorgang/{case_id}/nachweis/")
    assert answer["Content-Type"] == "application/zip"
    with b.scope():
        trail = audit.trail(subject=b.case(case_id).reference)
        assert trail.last().event == AuditEvent.CASE_EVIDENCE_EXPORTED


def test_case_page_costs_the_same_however_long_the_story(
    visit: Visit, a: Town, b: Town, post: Any, case_id: UUID
) -> None:
    client = visit(b)
    with CaptureQueriesContext(connection) as short:
        client.get(f"/vorgang/{case_id}/")
    for number in range(4):
        with b.scope():
            services.ask(
                case_id=case_id,
                version=b.case(case_id).version,
                topic="address",
                text=f"Frage {number}?",
                by=b.by,
            )
        post.until_quiet()
        with a.scope():
            services.answer(
                case_id=case_id, version=a.case(case_id).version, text="So ist es.", by=a.by
            )
        post.until_quiet()
    with CaptureQueriesContext(connection) as long:
        client.get(f"/vorgang/{case_id}/")
    assert len(long) == len(short)
    assert len(short) <= 30


@pytest.mark.parametrize(
    ("slug", "fields", "state"),
    [
        ("annehmen", {"own_reference": "V-17/26", "note": "Danke"}, State.ACCEPTED),
        ("ablehnen", {"reason": "not_competent", "text": "Bezirk Nord"}, State.REFUSED),
        ("rueckfragen", {"topic": "address", "text": "Wo wohnt er jetzt?"}, State.QUERIED),
    ],
)
def test_step_changes_the_case_and_leads_back(
    visit: Visit,
    version: Version,
    b: Town,
    case_id: UUID,
    slug: str,
    fields: dict[str, str],
    state: State,
) -> None:
    client = visit(b)
    path = f"/vorgang/{case_id}/{slug}/"
    form = client.get(path)
    assert form.status_code == 200
    answer = client.post(
        path, {**fields, "version": version(b, case_id), "once": form.context["once"]}
    )
    assert answer["Location"] == f"/vorgang/{case_id}/"
    assert b.case(case_id).state == state


def test_whole_way_through_the_pages(
    visit: Visit, version: Version, a: Town, b: Town, post: Any, case_id: UUID
) -> None:
    def take(town: Town, slug: str, **fields: str) -> None:
        answer = visit(town).post(
            f"/vorgang/{case_id}/{slug}/", {**fields, "version": version(town, case_id)}
        )
        assert answer.status_code == 302, answer.text
        post.until_quiet()

    take(b, "rueckfragen", topic="title", text="Bitte den Bescheid.")
    assert "Bitte den Bescheid." in visit(a).get(f"/vorgang/{case_id}/antworten/").text
    take(a, "antworten", text="Liegt bei.")
    page = visit(b).get(f"/vorgang/{case_id}/").text
    assert "Die Antwort auf Ihre Rückfrage ist da:" in page.partition('id="verlauf"')[0]
    take(b, "annehmen", own_reference="V-1/26")
    take(b, "erledigen", result="partial", collected_cents="1.200,50", costs_cents="0", text="Rest")
    page = visit(a).get(f"/vorgang/{case_id}/").text
    assert "1.200,50" in page
    take(a, "abschliessen")
    assert a.case(case_id).state == b.case(case_id).state == State.CLOSED


def test_withdrawal_and_its_confirmation(
    visit: Visit, version: Version, a: Town, b: Town, post: Any, case_id: UUID
) -> None:
    take = visit(a).post(
        f"/vorgang/{case_id}/zuruecknehmen/",
        {"reason": "paid", "text": "Heute bezahlt", "version": version(a, case_id)},
    )
    assert take.status_code == 302
    post.until_quiet()
    page = visit(b).get(f"/vorgang/{case_id}/").text
    assert "Keine Maßnahme mehr" in page
    confirm = visit(b).post(
        f"/vorgang/{case_id}/ruecknahme-bestaetigen/",
        {"collected_cents": "0,00", "costs_cents": "0,00", "version": version(b, case_id)},
    )
    assert confirm.status_code == 302
    post.until_quiet()
    assert a.case(case_id).state == State.WITHDRAWN


def test_faults_stand_at_their_fields_and_nothing_happens(
    visit: Visit, version: Version, b: Town, case_id: UUID
) -> None:
    answer = visit(b).post(
        f"/vorgang/{case_id}/rueckfragen/",
        {"topic": "", "text": "", "version": version(b, case_id)},
    )
    assert answer.status_code == 400
    assert 'id="id_topic_error"' in answer.text
    assert 'aria-describedby="id_text_error"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert 'href="#id_topic"' in answer.text
    assert b.case(case_id).state == State.REGISTERED


def test_all_that_is_wrong_with_a_step_is_said_in_one_round(
    visit: Visit, version: Version, b: Town, case_id: UUID
) -> None:
    with b.scope():
        services.accept(case_id=case_id, version=version(b, case_id), own_reference="V-1", by=b.by)

    def wrong(**fields: str) -> dict[str, list[str]]:
        answer = visit(b).post(
            f"/vorgang/{case_id}/erledigen/",
            {"costs_cents": "0", "version": version(b, case_id)} | fields,
        )
        return {name: list(said) for name, said in answer.context["form"].errors.items()}

    found = wrong(result="paid_here", collected_cents="1,00", costs_cents="zwölf")
    assert {name: len(said) for name, said in found.items()} == {"costs_cents": 1, "text": 1}
    assert "nicht voll bezahlt" in found["text"][0]
    # What cannot be read is not also too little; what is missing is said once.
    assert set(wrong(result="paid_here", collected_cents="x")) == {"collected_cents"}
    found = wrong(result="", collected_cents="", text="漢")
    assert {name: len(said) for name, said in found.items()} == {
        "result": 1,
        "collected_cents": 1,
        "text": 1,
    }
    assert b.case(case_id).state == State.ACCEPTED


@pytest.mark.parametrize("amount", ["1.234", "zwölf", "-5", "1,234", "99999999999999"])
def test_amounts_that_are_none_are_said(
    visit: Visit, version: Version, b: Town, case_id: UUID, amount: str
) -> None:
    with b.scope():
        services.accept(case_id=case_id, version=version(b, case_id), own_reference="V-1", by=b.by)
    answer = visit(b).post(
        f"/vorgang/{case_id}/erledigen/",
        {
            "result": "partial",
            "collected_cents": amount,
            "costs_cents": "0",
            "version": version(b, case_id),
        },
    )
    assert answer.status_code == 400
    assert 'id="id_collected_cents_error"' in answer.text
    assert b.case(case_id).state == State.ACCEPTED


def test_stale_form_is_a_conflict_that_leads_back(
    visit: Visit, version: Version, b: Town, case_id: UUID
) -> None:
    answer = visit(b).post(
        f"/vorgang/{case_id}/annehmen/",
        {"own_reference": "V-1", "version": version(b, case_id) - 1},
    )
    assert answer.status_code == 409
    assert "inzwischen geändert" in answer.text
    assert f'href="/vorgang/{case_id}/"' in answer.text
    assert b.case(case_id).state == State.REGISTERED


def test_same_form_twice_acts_once_and_answers_alike(
    visit: Visit, version: Version, b: Town, case_id: UUID
) -> None:
    client = visit(b)
    path = f"/vorgang/{case_id}/rueckfragen/"
    fields = {
        "topic": "address",
        "text": "Wo?",
        "version": version(b, case_id),
        "once": client.get(path).context["once"],
    }
    first, second = client.post(path, fields), client.post(path, fields)
    assert first["Location"] == second["Location"] == f"/vorgang/{case_id}/"
    with b.scope():
        lines = [line.label for line in b.case(case_id).events.all()]
    assert lines.count("Rückfrage stellen") == 1


def test_step_that_the_state_forbids_is_a_conflict_in_words(
    visit: Visit, a: Town, case_id: UUID
) -> None:
    answer = visit(a).get(f"/vorgang/{case_id}/abschliessen/")
    assert answer.status_code == 409
    assert visit(a).get(f"/vorgang/{case_id}/tanzen/").status_code == 404


def test_undeliverable_request_is_corrected_and_sent_again(
    visit: Visit, version: Version, a: Town, b: Town, c: Town, post: Any
) -> None:
    from federation.outbox.states import DeliveryState

    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.tell(a, post.waiting(a), DeliveryState.EXPIRED, "EXPIRED")
    client = visit(a)
    page = client.get(f"/vorgang/{case.id}/").text
    assert "konnte nicht zugestellt werden" in page
    assert f"/ersuchen/{case.id}/berichtigen/" in page
    assert client.get(f"/ersuchen/{case.id}/berichtigen/").status_code == 200
    assert "Uhlenbrock" in client.get("/?stand=unzustellbar").text


def test_error_pages_have_status_and_way_out(visit: Visit, a: Town) -> None:
    client = visit(a)
    missing = client.get("/gibt/es/nicht/")
    assert missing.status_code == 404
    assert "Zur Arbeitsliste" in missing.text
    assert client.get("/hilfe/").status_code == 200
    assert client.delete("/hilfe/").status_code == 405


def test_what_can_do_nothing_is_not_offered(visit: Visit, a: Town, b: Town, case_id: UUID) -> None:
    """No upload to a case that is over here, no bulk acceptance where nothing can be accepted."""
    client = visit(b)
    assert "Ausgewählte annehmen" in client.get("/").text
    assert "Datei hinzufügen" in client.get(f"/vorgang/{case_id}/").text
    with b.scope():
        services.refuse(
            case_id=case_id, version=b.case(case_id).version, reason="not_competent", by=b.by
        )
    assert "Datei hinzufügen" not in client.get(f"/vorgang/{case_id}/").text
    assert "Ausgewählte annehmen" not in client.get("/?stand=eingang").text


def test_what_came_before_the_newest_has_a_page_of_its_own(
    visit: Visit, b: Town, case_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.cases.selectors.case.LISTED", 1)
    client = visit(b)
    page = client.get(f"/vorgang/{case_id}/").text
    (link,) = re.findall(r'href="(/vorgang/[^"]+/frueher/verlauf/\?vor=[^"]+)"', page)
    earlier = client.get(link).text
    assert "Früherer Verlauf" in earlier
    assert 'class="amt-timeline__' in earlier
    assert f'href="/vorgang/{case_id}/"' in earlier
    assert client.get(f"/vorgang/{case_id}/frueher/nichts/").status_code == 404
    assert client.get(f"/vorgang/{case_id}/frueher/verlauf/?vor=unsinn").status_code == 200
    for part in ("zustellung", "anlagen"):
        assert client.get(f"/vorgang/{case_id}/frueher/{part}/?vor={uuid4()}").status_code == 200
    with b.scope():
        trail = audit.trail(subject=b.case(case_id).reference)
        assert [entry.event for entry in trail].count(AuditEvent.CASE_REQUEST_READ) == 5
