"""What a clerk reads of a run that is not quite as it should be."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client

from tenants.importers.models import ImportRow, ImportRun
from tests.factories.import_files import file, row
from tests.integration.tenants.cases.conftest import Town
from tests.integration.tenants.importers.conftest import Desk, Row
from tests.integration.tenants.web.conftest import visit

__all__ = ["visit"]

type ToB = Callable[..., Row]


@pytest.fixture
def page(visit: Callable[[Town], Client], a: Town) -> Callable[[UUID], str]:
    return lambda run_id: visit(a).get(f"/import/{run_id}/").content.decode()


def test_totals_that_could_not_be_compared(
    desk: Desk, to_b: ToB, page: Callable[[UUID], str]
) -> None:
    content = file(to_b(1), to_b(2, Hauptforderung="x")) + b"#SUMME;2;400,00\n"
    text = page(desk.check(content).id)
    assert "Ohne lesbaren Betrag ist Zeile 3." in text
    assert "1 Ersuchen ist bereit" in text


def test_file_without_a_good_row_says_what_to_do(
    desk: Desk, to_b: ToB, page: Callable[[UUID], str]
) -> None:
    desk.take(to_b(1))
    text = page(desk.check(to_b(1), to_b(2, IBAN=""), row(3, PLZ="32423", Ort="Betadorf")).id)
    assert "Keine Zeile ist bereit" in text
    assert "Laden Sie die Fehlerdatei herunter, berichtigen Sie die Zeilen" in text
    assert "Wählen Sie bei den Zeilen ohne klare Zuständigkeit die Behörde aus." in text
    assert "1 Zeile ist schon früher übernommen." in text


def test_run_that_waits(desk: Desk, to_b: ToB, page: Callable[[UUID], str]) -> None:
    view = desk.check(to_b(1))
    with desk.town.scope():
        ImportRun.objects.update(state="running", waiting="Der Versand wartet.")
    assert "Der Versand wartet." in page(view.id)


def test_run_that_broke_off(desk: Desk, to_b: ToB, page: Callable[[UUID], str]) -> None:
    view = desk.check(to_b(1))
    with desk.town.scope():
        ImportRun.objects.update(state="failed", problem="Abgebrochen.")
        assert "Nichts wurde übernommen." in page(view.id)
        ImportRow.objects.update(state="imported")
    text = page(view.id)
    assert "Der Import ist abgebrochen" in text
    assert "Nichts wurde übernommen." not in text


def test_faults_are_told_in_the_language_of_the_page(
    desk: Desk, a: Town, to_b: ToB, visit: Callable[[Town], Client]
) -> None:
    content = file(to_b(1, Hauptforderung="x", IBAN="", Raten_hoechstens_Monate="1½", Telefon=""))
    view = desk.check(content + b"A 1;K 1\n")
    client = visit(a)
    client.cookies["django_language"] = "en"
    text = client.get(f"/import/{view.id}/").text
    assert "“x” is not an amount." in text
    assert "“1½” is not a whole number." in text
    assert "The row has 2 fields, the header 54." in text
    assert "Correct the row." in text
    assert "„" not in text
    with desk.town.scope():  # as rows of earlier releases are
        for row in ImportRow.objects.filter(run_id=view.id):
            row.faults = [{**fault, "words": {}} for fault in row.faults]
            row.save()
    assert "„x“ ist kein Betrag." in client.get(f"/import/{view.id}/").text


def test_repeated_row_leads_to_its_case(desk: Desk, to_b: ToB, page: Callable[[UUID], str]) -> None:
    (former,) = desk.rows(desk.take(to_b(1)))
    text = page(desk.check(to_b(1, Hauptforderung="400")).id)
    assert str(former.case_id) in text
    assert "schon übernommen, aber mit anderem Inhalt" in text


def test_changed_row_is_told_of_whichever_rows_are_shown(
    desk: Desk, to_b: ToB, page: Callable[[UUID], str]
) -> None:
    desk.take(to_b(1))
    same = page(desk.check(to_b(1), to_b(2)).id)
    assert "einen anderen Inhalt" not in same
    text = page(desk.check(to_b(1, Hauptforderung="400"), to_b(2, IBAN="")).id)
    assert "1 Zeile, die schon übernommen ist, hat jetzt einen anderen Inhalt." in text
    assert "?zeilen=bekannt#zeilen" in text
