"""Rows that became drafts: what people do with these afterwards, and the file given again."""

from collections.abc import Callable

import pytest
from django.test import Client

from centre.audit import selectors as audit
from tenants.cases import services as cases
from tenants.cases.models import Case
from tenants.importers import services
from tenants.importers.errors import RunNotReady
from tenants.importers.models import ImportRow
from tenants.importers.selectors import RunView
from tests.integration.tenants.cases.conftest import Town
from tests.integration.tenants.importers.conftest import Desk, Row
from tests.integration.tenants.web.conftest import visit

__all__ = ["visit"]

type ToB = Callable[..., Row]


def delete(desk: Desk, view: RunView, *lines: int) -> None:
    """Delete the drafts that came of these lines."""
    for row in desk.rows(view):
        if row.line in lines:
            assert row.case_id
            with desk.town.scope():
                cases.delete_draft(case_id=row.case_id, by=desk.town.by)


def count(desk: Desk) -> int:
    with desk.town.scope():
        return Case.objects.count()


def test_same_file_brings_deleted_drafts_again(desk: Desk, to_b: ToB) -> None:
    rows = [to_b(number) for number in range(1, 5)]
    first = desk.take(*rows, submit=False)
    kept = {row.line: row.case_id for row in desk.rows(first) if row.line in {2, 4}}
    delete(desk, first, 3, 5)
    again = desk.check(*rows)
    assert (again.id, again.state) == (first.id, "checked")
    assert (again.rows_total, again.imported, again.good) == (4, 2, 2)
    done = desk.take(*rows, submit=False)
    assert (done.state, done.imported) == ("finished", 4)
    assert count(desk) == 4
    assert kept.items() <= {row.line: row.case_id for row in desk.rows(done)}.items()


def test_other_file_brings_them_too_and_nothing_twice(desk: Desk, to_b: ToB) -> None:
    first = desk.take(to_b(1), to_b(2), submit=False)
    delete(desk, first, 2)
    other = desk.take(to_b(1), to_b(2), to_b(3), submit=False)
    assert (other.imported, other.repeated) == (2, 1)
    former = desk.run(first.id)
    assert (former.imported, former.repeated) == (1, 1)
    again = desk.check(to_b(1), to_b(2))
    assert (again.id, again.state) == (first.id, "finished")
    assert (again.imported, again.repeated) == (1, 1)
    assert count(desk) == 3
    with desk.town.scope():
        named = set(ImportRow.objects.values_list("case_id", flat=True))
        assert named == set(Case.objects.values_list("id", flat=True))


def test_run_with_requests_is_not_thrown_away_when_checked_anew(desk: Desk, to_b: ToB) -> None:
    first = desk.take(to_b(1), to_b(2), submit=False)
    delete(desk, first, 2)
    again = desk.check(to_b(1), to_b(2))
    with desk.town.scope(), pytest.raises(RunNotReady):
        services.discard(run_id=again.id, by=desk.town.by)


def test_page_calls_deleted_drafts_deleted(
    desk: Desk, to_b: ToB, visit: Callable[[Town], Client]
) -> None:
    first = desk.take(to_b(1), to_b(2), submit=False)
    gone, there = (str(row.case_id) for row in desk.rows(first))
    delete(desk, first, 2)
    address = f"/import/{first.id}/"
    page = visit(desk.town).get(address).content.decode()
    assert page.count("gelöschter Entwurf") == 1
    assert there in page
    assert gone not in page
    desk.check(to_b(1), to_b(2))
    page = visit(desk.town).get(address).content.decode()
    assert "1 Ersuchen ist bereit" in page
    assert "Datei verwerfen" not in page


def test_page_tells_what_is_sent_and_what_is_a_draft(
    desk: Desk, b: Town, to_b: ToB, visit: Callable[[Town], Client]
) -> None:
    rows = [to_b(number) for number in range(1, 4)]
    first = desk.take(*rows, submit=False)
    address = f"/import/{first.id}/"
    page = visit(desk.town).get(address).text
    assert "3 Ersuchen sind Entwürfe und nicht übermittelt" in page
    assert "übermittelt." not in page
    delete(desk, first, 4)
    desk.take(*rows)  # sends the one row that has no draft
    page = visit(desk.town).get(address).text
    assert "1 Ersuchen ist übermittelt." in page
    assert "2 Ersuchen sind Entwürfe und nicht übermittelt" in page
    assert 'class="amt-muted amt-small">Entwurf<' in page
    for row in desk.rows(first)[:2]:
        assert f'<li>Zeile {row.line}: <a class="amt-break" href="/vorgang/{row.case_id}/">' in page
    other = desk.take(to_b(1), to_b(2), to_b(9, IBAN=""))
    page = visit(desk.town).get(f"/import/{other.id}/?zeilen=bekannt").text
    assert "Dieser Import hat kein Ersuchen übermittelt." not in page
    assert "2 Ersuchen sind Entwürfe und nicht übermittelt" in page
    delete(desk, first, 2, 3)
    page = visit(desk.town).get(f"/import/{other.id}/").text
    assert "Dieser Import hat kein Ersuchen übermittelt." in page
    assert "Entwürfe und nicht" not in page


def test_page_names_ten_drafts_and_counts_the_others(
    desk: Desk, to_b: ToB, visit: Callable[[Town], Client]
) -> None:
    view = desk.take(*(to_b(number) for number in range(12)), submit=False)
    page = visit(desk.town).get(f"/import/{view.id}/").text
    assert page.count("<li>Zeile ") == 10
    assert "?stand=entwuerfe" in page
    assert "und 2 weitere Entwürfe" in page
    with desk.town.scope():
        told = [entry.content["detail"] for entry in audit.trail(subject=str(view.id))]
    assert {"rows": "draft", "lines": "2-11"} in told
