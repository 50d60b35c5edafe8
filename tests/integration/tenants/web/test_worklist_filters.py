"""What narrows the list: alone, together, while paging, and what is told when nothing is left."""

from collections.abc import Callable
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from centre.kernel import clock
from tenants.cases import services
from tenants.cases.graph import State
from tenants.cases.models import Case
from tenants.web.forms.filters import STATES
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]
FIRST = datetime(2026, 3, 1, 23, 30, tzinfo=clock.BERLIN)
SECOND = datetime(2026, 3, 2, 0, 30, tzinfo=clock.BERLIN)


@pytest.fixture
def busy(a: Town, b: Town, c: Town, post: Any) -> None:
    """Alpha asked beta on two days and gamma on the second; beta asks alpha, who accepts."""
    with b.scope():
        theirs = services.submit_request(draft=request(to=a.id, own_reference="fremde"), by=b.by)
    with a.scope():
        sent = [
            (at, services.submit_request(draft=request(to=to.id, own_reference=name), by=a.by))
            for at, to, name in ((FIRST, b, "erste"), (SECOND, b, "zweite"), (SECOND, c, "dritte"))
        ]
        services.create_draft(draft=request(to=None, own_reference="entwurf"), by=a.by)
    post.until_quiet()
    with a.scope():
        services.accept(case_id=theirs.id, version=1, own_reference="V-1", by=a.by)
        for at, case in sent:
            Case.objects.filter(id=case.id).update(opened_at=at)
        Case.objects.filter(own_reference="dritte").update(due_at=SECOND)


def shown(client: Client, query: str) -> set[str]:
    return {row.own_reference for row in client.get(f"/?{query}").context["page"].rows}


OURS = {"erste", "zweite", "dritte", "entwurf"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {*OURS, "V-1"}),
        ("seite=requesting", OURS),
        ("seite=requested", {"V-1"}),
        ("zustand=draft", {"entwurf"}),
        ("zustand=accepted", {"V-1"}),
        ("von=1.3.2026&bis=01.03.2026", {"erste"}),
        ("von=2.3.2026&bis=2026-03-02", {"zweite", "dritte"}),
        ("bis=2.3.2026&suche=zweite", {"zweite"}),
        ("ueberfaellig=ja", {"dritte"}),
        ("ueberfaellig=ja&seite=requested", set()),
        ("zustand=closed", set()),
    ],
)
def test_each_filter_shows_what_it_says(
    visit: Visit, a: Town, busy: None, query: str, found: set[str]
) -> None:
    page = visit(a).get(f"/?stand=alle&{query}")
    assert {row.own_reference for row in page.context["page"].rows} == found
    assert page.context["found"] == len(found)


def test_authorities_of_the_cases_are_offered_and_chosen_from(
    visit: Visit, a: Town, b: Town, c: Town, busy: None
) -> None:
    client = visit(a)
    offered = client.get("/?stand=alle").context["form"].fields["authority"].choices
    assert [key for key, _name in offered] == ["", b.id, c.id]
    assert shown(client, f"stand=alle&behoerde={b.id}") == {"erste", "zweite", "V-1"}
    assert shown(client, f"stand=alle&behoerde={c.id}&von=2.3.2026") == {"dritte"}


def test_every_number_is_what_its_link_shows(visit: Visit, a: Town, b: Town, busy: None) -> None:
    client = visit(a)
    for query in ("", f"behoerde={b.id}", "seite=requesting", "zustand=accepted", "von=2.3.2026"):
        for tab in client.get(f"/?stand=ausgang&{query}").context["tabs"]:
            rows = client.get(tab["url"]).context["page"].rows
            assert tab["count"] in {None, len(rows)}, (query, tab["title"])
            assert (tab["count"] is None) == (
                not query and tab["url"].endswith("stand=alle&folge=urgency")
            )


def test_filters_are_kept_while_paging_and_sorting(visit: Visit, a: Town, b: Town) -> None:
    with a.scope():
        drafts = [request(to=b.id, own_reference=f"{number:03}") for number in range(60)]
        services.submit_requests(drafts=drafts, by=a.by)
    client = visit(a)
    query = f"stand=ausgang&seite=requesting&behoerde={b.id}&von=01.01.2020&suche=uhlen&folge=age"
    first = client.get(f"/?{query}")
    following = first.context["next_url"]
    asked = {key: values[0] for key, values in parse_qs(urlsplit(following).query).items()}
    assert asked.pop("nach")
    assert asked == {key: values[0] for key, values in parse_qs(query).items()}
    second = client.get(following)
    assert len(second.context["page"].rows) == 10
    assert second.context["found"] == 60
    assert "nach" not in parse_qs(urlsplit(second.context["first_url"]).query)


def test_each_filter_is_named_and_removed_by_itself(
    visit: Visit, a: Town, b: Town, busy: None
) -> None:
    client = visit(a)
    page = client.get(f"/?stand=alle&seite=requesting&behoerde={b.id}&bis=1.3.26&ueberfaellig=on")
    chips = page.context["chips"]
    assert [f"{chip['label']}: {chip['words']}" for chip in chips] == [
        "Richtung: Wir ersuchen",
        "Andere Behörde: Betadorf",
        "Eingang oder Versand bis: 01.03.2026",
        "nur überfällige: ",
    ]
    for chip in chips:
        left = client.get(chip["url"]).context["chips"]
        assert [each["label"] for each in left] == [
            each["label"] for each in chips if each["label"] != chip["label"]
        ]
    assert client.get(page.context["bare"]).context["chips"] == []
    for chip in chips:
        assert chip["url"] in unescape(page.text)


def test_nothing_left_names_the_next_step(visit: Visit, a: Town, busy: None) -> None:
    client = visit(a)
    page = client.get("/?stand=eingang&zustand=closed&seite=requested")
    assert "Nichts gefunden" in page.text
    assert "Suche und Filter aufheben" in page.text
    everywhere = parse_qs(urlsplit(page.context["everywhere"]).query)
    assert everywhere["zustand"] == ["closed"]
    assert everywhere["stand"] == ["alle"]
    assert "In allen Vorgängen suchen" not in client.get("/?stand=alle&zustand=closed").text


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("von=gestern", "Schreiben Sie den Tag als TT.MM.JJJJ"),
        ("von=2.3.2026&bis=1.3.2026", "Dieser Tag liegt vor dem ersten."),
        ("seite=links", "links"),
        ("zustand=schwebend", "schwebend"),
        ("behoerde=1234", "1234"),
    ],
)
def test_faulty_filter_narrows_nothing_and_is_named(
    visit: Visit, a: Town, busy: None, query: str, fault: str
) -> None:
    page = visit(a).get(f"/?stand=entwuerfe&{query}")
    assert page.status_code == 200
    assert fault in page.text
    assert '<details class="amt-filters" open>' in page.text


def test_nonsense_in_a_filter_shows_the_list(visit: Visit, a: Town, busy: None) -> None:
    client = visit(a)
    for query in (
        "von=01.01.0001",
        "bis=31.12.9999",
        "von=%00",
        "behoerde=%00",
        "behoerde=00000000-0000-0000-0000-000000000000",
        "zustand=draft&zustand=%ff",
        "ueberfaellig=%00",
    ):
        assert client.get(f"/?{query}").status_code == 200, query


def test_filtered_list_costs_the_same_for_one_and_for_fifty(
    visit: Visit, a: Town, b: Town, busy: None
) -> None:
    client = visit(a)
    address = f"/?stand=ausgang&behoerde={b.id}&von=1.3.2026&seite=requesting"
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    with a.scope():
        drafts = [request(to=b.id, own_reference=f"{number:03}") for number in range(50)]
        services.submit_requests(drafts=drafts, by=a.by)
    with CaptureQueriesContext(connection) as fifty:
        page = client.get(address)
    assert len(page.context["page"].rows) == 50
    assert len(fifty) == len(few) <= 20


def test_every_state_has_words_for_the_filter() -> None:
    assert set(STATES) == set(State)


def test_filters_speak_english(visit: Visit, a: Town, busy: None) -> None:
    page = visit(a).get("/?stand=alle&seite=requested", headers={"accept-language": "en"}).text
    assert "Direction: <strong>We are asked</strong>" in page
    assert "1 case" in page
