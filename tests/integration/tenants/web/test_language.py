"""Pages in English: also what other rooms say, and never what people have written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import translation

from centre.kernel import clock
from federation.outbox.states import Delivery, DeliveryState
from federation.protocol.reasons import Reason
from tenants.cases import services
from tenants.cases.selectors import deliveries
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]
ENGLISH = {"accept-language": "en"}
BERLIN = ZoneInfo("Europe/Berlin")


def test_faults_of_a_draft_are_told_in_english(visit: Visit, a: Town, b: Town) -> None:
    draft = request(to=None)
    draft = replace(draft, remittance=replace(draft.remittance, iban="DE99", payment_reference=""))
    with a.scope():
        case = services.create_draft(draft=draft, by=a.by)
    address = f"/ersuchen/{case.id}/pruefen/"
    page = visit(a).get(address, headers=ENGLISH).text
    for words in (
        "The requested authority is missing.",
        "“DE99” is no valid IBAN.",
        "Missing: the payment reference.",
    ):
        assert words in page, words
    german = visit(a).get(address).text
    assert "Es fehlt das Kassenzeichen." in german
    assert "„DE99“ ist keine gültige IBAN." in german


def test_a_refused_step_is_told_in_english(visit: Visit, a: Town, case_id: UUID) -> None:
    page = visit(a).get(f"/vorgang/{case_id}/abschliessen/", headers=ENGLISH)
    assert page.status_code == 409
    assert "is not possible: the case is at" in page.text


def test_the_timeline_tells_own_steps_in_the_past(
    visit: Visit, a: Town, b: Town, case_id: UUID
) -> None:
    sender, recipient = visit(a).get(f"/vorgang/{case_id}/"), visit(b).get(f"/vorgang/{case_id}/")
    assert "Ersuchen abgesandt" in sender.text
    assert "Ersuchen absenden" not in sender.text
    assert "Eingang bestätigt" in recipient.text
    assert "automatisch" in recipient.text
    assert "Request sent" in visit(a).get(f"/vorgang/{case_id}/", headers=ENGLISH).text


def way(**changed: Any) -> Delivery:
    complete: dict[str, Any] = {
        "message_id": uuid4(),
        "link": "sachsen",
        "state": DeliveryState.WAITING,
        "reason": "UNAVAILABLE",
        "accepted_at": clock.now(),
        "relayed_at": None,
        "attempts": 3,
        "next_try_at": None,
    }
    return Delivery(**(complete | changed))


@pytest.mark.parametrize("state", [DeliveryState.WAITING, DeliveryState.IN_TRANSIT])
def test_a_centre_out_of_reach_is_named_with_the_time(a: Town, state: DeliveryState) -> None:
    now = datetime(2026, 11, 23, 14, 10, tzinfo=BERLIN)
    since = now - timedelta(minutes=7)
    found = way(state=state, failing_since=since, next_try_at=now + timedelta(minutes=5))
    with clock.frozen(now), a.scope():
        german = deliveries._sentence(state, found)
        with translation.override("en"):
            english = deliveries._sentence(state, found)
    assert german == (
        "Rechenzentrum „sachsen“ ist seit 14:03 Uhr nicht erreichbar."
        " Es wird von selbst weiter versucht. Nächster Versuch: 14:15 Uhr."
    )
    assert english == (
        "Computing centre “sachsen” has been out of reach since 14:03."
        " It is tried again by itself. Next attempt: 14:15."
    )


def test_a_wait_of_ones_own_does_not_blame_the_other_centre(a: Town) -> None:
    found = way(reason="LINK_PAUSED", failing_since=clock.now())
    with a.scope():
        assert "angehalten" in deliveries._sentence(DeliveryState.WAITING, found)


def test_each_reason_of_the_protocol_has_words_for_clerks(a: Town) -> None:
    with a.scope():
        for reason in Reason:
            found = way(state=DeliveryState.REFUSED, reason=reason.value)
            german = deliveries._sentence(found.state, found)
            with translation.override("en"):
                english = deliveries._sentence(found.state, found)
            assert reason not in german + english
            assert german != english


def test_a_timeline_is_english_but_for_what_people_wrote(
    visit: Visit, a: Town, b: Town, post: Any, case_id: UUID
) -> None:
    with b.scope():
        version = b.case(case_id).version
        services.refuse(
            case_id=case_id, version=version, reason="small_claim", text="Kleinbetrag", by=b.by
        )
    post.until_quiet()
    for town in (a, b):
        page = visit(town).get(f"/vorgang/{case_id}/", headers=ENGLISH).text
        assert "Small claim\nKleinbetrag" in page


def test_days_are_asked_for_in_english(visit: Visit, a: Town) -> None:
    assert 'placeholder="DD.MM.YYYY"' in visit(a).get("/ersuchen/neu/", headers=ENGLISH).text
    assert 'placeholder="TT.MM.JJJJ"' in visit(a).get("/ersuchen/neu/").text
