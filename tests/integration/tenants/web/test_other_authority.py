"""What pages say and offer where the other authority is suspended or gone."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.test import Client
from django.utils import timezone

from tenants.cases import services
from tenants.cases.graph import State
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]
Version = Callable[[Town, UUID], int]
Suspend = Callable[[Town], None]

_ABSENT = "Betadorf steht nicht mehr im Behördenverzeichnis"

_NOTHING_CAN_BE_SENT = "An die andere Behörde kann zurzeit nichts gesandt werden"


def test_authority_that_left_the_directory_is_named_and_sent_nothing(
    visit: Visit, a: Town, b: Town, post: Any, gone: Suspend
) -> None:
    from federation.outbox.states import DeliveryState

    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.tell(a, post.waiting(a), DeliveryState.REFUSED, "RECIPIENT_UNKNOWN")
    client, path = visit(a), f"/vorgang/{case.id}/"
    before = client.get(path).text
    assert _ABSENT not in before
    assert f"{path}erneut-senden/" in before
    gone(b)
    page = client.get(path).text
    assert _ABSENT in page
    sent = f"{timezone.localtime(case.opened_at):%d.%m.%Y}"
    assert f"Die erste Nachricht, die nicht ankam: Ersuchen vom {sent}." in page
    assert f"{path}erneut-senden/" not in page
    assert f"/ersuchen/{case.id}/berichtigen/" in page
    assert f"{path}aufgeben/" in page
    client.post(f"{path}aufgeben/", {"version": a.case(case.id).version})
    assert _ABSENT not in client.get(path).text


def test_case_is_ended_without_an_authority_that_is_gone_and_with_one_that_is_there(
    visit: Visit, version: Version, a: Town, b: Town, case_id: UUID, gone: Suspend
) -> None:
    path = f"/vorgang/{case_id}/"
    end, client = f"{path}ersuchen-beenden/", visit(a)
    typed = {"version": version(a, case_id), "text": "Mit Gammastadt besprochen."}
    assert end not in client.get(path).text
    refused = client.post(end, typed)
    assert refused.status_code == 409
    assert "Die andere Behörde steht im Verzeichnis" in refused.text
    assert client.get(end).status_code == 409
    gone(b)
    assert end in client.get(path).text
    listed = client.get("/").text
    assert path in listed
    assert "abschließen" in listed
    assert client.post(end, typed | {"text": ""}).status_code == 400
    page = client.post(end, typed, follow=True).text
    assert "Der Vorgang ist abgeschlossen." in page
    assert "Mit Gammastadt besprochen." in page
    assert a.case(case_id).state == State.CLOSED


def test_step_that_would_write_to_an_absent_authority_is_not_offered(
    visit: Visit, a: Town, b: Town, case_id: UUID, gone: Suspend
) -> None:
    path = f"/vorgang/{case_id}/"
    before = visit(a).get(path).text
    assert f"{path}zuruecknehmen/" in before
    assert 'id="schritt"' in before
    gone(b)
    page = visit(a).get(path).text
    assert _ABSENT in page
    assert "Die erste Nachricht" not in page
    assert f"{path}zuruecknehmen/" not in page
    assert "Warten hilft hier nicht mehr" in page  # nobody is waited for


def test_step_towards_a_suspended_authority_is_refused_in_words(
    visit: Visit, b: Town, case_id: UUID, version: Version, a: Town, suspended: Suspend
) -> None:
    """And what was typed stays on the page."""
    suspended(a)
    typed = {"version": version(b, case_id), "topic": "address", "text": "Welche Hausnummer?"}
    answer = visit(b).post(f"/vorgang/{case_id}/rueckfragen/", typed)
    assert answer.status_code == 400
    assert _NOTHING_CAN_BE_SENT in answer.text
    assert "Welche Hausnummer?" in answer.text
    assert b.case(case_id).state == State.REGISTERED


def test_many_are_accepted_in_words_where_the_authority_is_suspended(
    visit: Visit, b: Town, case_id: UUID, version: Version, a: Town, suspended: Suspend
) -> None:
    client = visit(b)
    page = client.get(f"/annehmen/?case={case_id}")
    suspended(a)
    form = {
        "case": str(case_id),
        f"version-{case_id}": version(b, case_id),
        f"reference-{case_id}": "V-1",
        "once": page.context["once"],
    }
    answer = client.post("/annehmen/", form)
    assert _NOTHING_CAN_BE_SENT in answer.text
    assert b.case(case_id).state == State.REGISTERED
