"""The list: what stands in it, in which order, and at which price."""

import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from centre.tenancy import binary
from tenants.cases import services
from tenants.cases.selectors import absence
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]


def submit(town: Town, to: Town, count: int) -> None:
    with town.scope():
        drafts = [request(to=to.id, own_reference=f"Reihe-{number:03}") for number in range(count)]
        services.submit_requests(drafts=drafts, by=town.by)


def test_empty_list_names_the_next_step(visit: Visit, a: Town) -> None:
    page = visit(a).get("/").text
    assert "Alles erledigt" in page
    drafts = visit(a).get("/?stand=entwuerfe").text
    assert 'href="/ersuchen/neu/"' in drafts


def test_request_waits_for_decision_at_the_requested_town(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    page = visit(b).get("/").text
    assert "Uhlenbrock, Ingo" in page
    assert "337,50" in page
    assert "Neu, zu prüfen" in page
    assert f'value="{case_id}"' in page


def test_sender_has_nothing_to_do_and_sees_it_under_sent(
    visit: Visit, a: Town, case_id: UUID
) -> None:
    client = visit(a)
    assert "Uhlenbrock" not in client.get("/").text
    assert "Uhlenbrock" in client.get("/?stand=ausgang").text


def test_search_finds_by_name_and_reference_and_says_when_nothing(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    client = visit(b)
    assert "Uhlenbrock" in client.get("/?stand=alle&suche=uhlen").text
    nothing = client.get("/?stand=eingang&suche=Nixda")
    assert "Nichts gefunden" in nothing.text
    assert nothing.status_code == 200


def test_own_reference_stands_beside_the_number_and_finds_the_case(
    visit: Visit, a: Town, b: Town, case_id: UUID
) -> None:
    """Each town's own: the sender's from the beginning, the other's from its acceptance on."""
    sent = visit(a).get("/?stand=ausgang&suche=20.3-4711/26").text
    assert "20.3-4711/26</span>" in sent
    assert "20.3-4711/26</span>" not in visit(b).get("/?stand=eingang").text
    with b.scope():
        services.accept(
            case_id=case_id, version=b.case(case_id).version, own_reference="V-17/26", by=b.by
        )
    assert "V-17/26</span>" in visit(b).get("/?stand=eingang&suche=v-17").text


def test_where_nothing_is_to_be_done_the_list_says_so_aloud(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    dash = '<span aria-hidden="true">–</span><span class="kern-sr-only">nichts zu tun</span>'
    assert dash not in visit(b).get("/?stand=eingang").text
    with b.scope():
        services.refuse(
            case_id=case_id, version=b.case(case_id).version, reason="not_competent", by=b.by
        )
    assert dash in visit(b).get("/?stand=eingang").text


def test_own_reference_that_is_the_number_is_shown_once(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    case = b.case(case_id)
    with b.scope():
        services.accept(
            case_id=case_id, version=case.version, own_reference=case.reference, by=b.by
        )
    assert visit(b).get("/?stand=eingang").text.count(case.reference) == 1


def test_pages_show_each_case_once(visit: Visit, a: Town, b: Town) -> None:
    submit(a, b, 120)
    client = visit(a)
    seen: list[str] = []
    url: str | None = "/?stand=ausgang&folge=age"
    while url:
        page = client.get(url).context
        seen += [row.own_reference for row in page["page"].rows]
        url = page["next_url"]
    assert len(seen) == len(set(seen)) == 120


def test_list_costs_the_same_for_one_and_for_fifty(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    submit(a, b, 1)
    with CaptureQueriesContext(connection) as one:
        client.get("/?stand=ausgang")
    submit(a, b, 49)
    with CaptureQueriesContext(connection) as fifty:
        client.get("/?stand=ausgang")
    assert len(fifty) == len(one)
    assert len(one) <= 20


def test_nonsense_in_the_address_shows_the_list(visit: Visit, a: Town) -> None:
    client = visit(a)
    for query in ("stand=x", "folge=x", "nach=%00%ff", "suche=%00", "nach=e30"):
        assert client.get(f"/?{query}").status_code == 200, query


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T00:00:00+20:00",
        "2026-01-01T00:00:00+15:59:59.999999",
        "2026-01-01T00:00:00",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_mark_of_no_place_in_time_shows_the_list(visit: Visit, a: Town, moment: str) -> None:
    mark = json.dumps(["urgency", False, moment, str(UUID(int=0))])
    after = base64.urlsafe_b64encode(mark.encode()).decode()
    assert visit(a).get("/", {"nach": after}).status_code == 200


def test_chosen_cases_are_accepted_together_and_reported(
    visit: Visit, a: Town, b: Town, post: Any
) -> None:
    submit(a, b, 3)
    post.until_quiet()
    client = visit(b)
    rows = client.get("/").context["page"].rows
    ids = [str(row.case_id) for row in rows]
    confirm = client.get("/annehmen/", {"case": ids})
    assert "3 Ersuchen annehmen" in confirm.text
    fields: dict[str, Any] = {"case": ids, "once": confirm.context["once"]}
    for row in rows:
        fields[f"version-{row.case_id}"] = row.version
        fields[f"reference-{row.case_id}"] = f"V-{row.reference}"
    fields[f"version-{ids[0]}"] = 99
    report = client.post("/annehmen/", fields)
    assert "2 Ersuchen sind angenommen." in report.text
    assert "1 blieb unverändert." in report.text
    assert client.post("/annehmen/", fields).status_code == 302


def test_accepting_nothing_says_how_to_choose(visit: Visit, b: Town) -> None:
    answer = visit(b).get("/annehmen/", follow=True)
    assert "Wählen Sie zuerst in der Liste aus" in answer.text
    assert visit(b).get("/annehmen/?case=unsinn").status_code == 302


def test_who_has_left_the_directory_is_found_once_for_a_page(
    visit: Visit, a: Town, case_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(statement: str, values: Any) -> Any:
        asked.append(statement)
        return binary.run(statement, values)

    monkeypatch.setattr(absence, "binary", SimpleNamespace(run=run))
    client = visit(a)
    for address in ("/", "/?stand=alle"):
        asked.clear()
        client.get(address)
        assert len(asked) == 1, address
