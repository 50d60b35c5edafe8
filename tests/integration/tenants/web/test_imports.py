"""From a file to requests, through the pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from tenants.cases.models import Case
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tenants.importers import services
from tenants.importers.models import ImportRun
from tests.factories.import_files import file, row

Town = Any
Visit = Callable[..., Client]


def upload(client: Client, content: bytes, name: str = "ersuchen.csv") -> Any:
    return client.post("/import/", {"file": SimpleUploadedFile(name, content)})


def checked(client: Client, town: Town, content: bytes) -> str:
    """Bring a file in and let the worker check it; return its address."""
    path: str = upload(client, content)["Location"]
    with town.scope():
        services.check_run(UUID(path.split("/")[2]))
    return path


def work_off(town: Town) -> None:
    with town.scope():
        services.work_off()


def test_file_is_checked_before_anything_happens(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    key = b.municipality.ags
    content = file(
        row(1, Behoerdenschluessel=key),
        row(2, Behoerdenschluessel=key, Hauptforderung="zwölf", Geburtsdatum="31.2.1980"),
    )
    path = checked(client, a, content)
    page = client.get(path)
    assert "1 Ersuchen ist bereit" in page.text
    assert "Hauptforderung" in page.text
    assert "zwölf" in page.text
    assert "Geburtsdatum" in page.text
    with a.scope():
        assert not Case.objects.exists()


def test_reading_rows_and_taking_the_faults_are_recorded(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    content = file(row(1), row(2, Behoerdenschluessel=b.municipality.ags))
    path = upload(client, content)["Location"]
    run_id = path.split("/")[2]
    client.get(path)  # shows no row yet
    with a.scope():
        services.check_run(UUID(run_id))
    client.get(f"{path}?zeilen=gut")
    assert client.get(f"{path}fehler.csv").getvalue()
    with a.scope():
        trail = list(audit.trail(subject=run_id))
    assert [entry.event for entry in trail] == [
        AuditEvent.IMPORT_FILE_CHECKED,
        AuditEvent.IMPORT_FILE_READ,
        AuditEvent.IMPORT_FAULTS_EXPORTED,
    ]
    assert trail[1].content["detail"] == {"rows": "good", "lines": "3-3"}
    assert {entry.content["actor"]["id"] for entry in trail[1:]} == {a.by.id}


def test_good_rows_become_requests_and_the_others_a_file(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    key = b.municipality.ags
    rows = [row(number, Behoerdenschluessel=key) for number in range(1, 4)]
    path = checked(client, a, file(*rows, row(9, Behoerdenschluessel=key, IBAN="DE00")))
    answer = client.post(f"{path}entscheiden/", {"action": "submit"})
    assert answer["Location"] == path
    assert "Die Ersuchen werden übernommen" in client.get(path).text
    work_off(a)
    page = client.get(path).text
    assert "3 Ersuchen sind übermittelt." in page
    with a.scope():
        assert Case.objects.count() == 3
    wrong = client.get(f"{path}fehler.csv")
    text = b"".join(wrong.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert "20.3-0009/26" in text
    assert "20.3-0001/26" not in text
    assert wrong["Content-Disposition"].startswith("attachment")


def test_file_may_become_drafts_instead(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    path = checked(client, a, file(row(1, Behoerdenschluessel=b.municipality.ags)))
    client.post(f"{path}entscheiden/", {"action": "drafts"})
    work_off(a)
    with a.scope():
        assert Case.objects.get().state == "draft"
    page = client.get(path).text
    assert "1 Ersuchen ist ein Entwurf und nicht übermittelt" in page
    assert "übermittelt." not in page


def test_row_without_authority_is_shown_as_open(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    path = checked(client, a, file(row(1, PLZ="32423", Ort="Betadorf")))
    page = client.get(path).text
    assert "Zuständigkeit offen" in page
    answer = client.post(f"{path}zustaendigkeit/", {"line": "2", "authority": str(b.id)})
    assert answer.status_code == 302
    assert "1 Ersuchen ist bereit" in client.get(path).text


def test_choosing_nothing_is_said(visit: Visit, a: Town) -> None:
    client = visit(a)
    path = checked(client, a, file(row(1, PLZ="32423", Ort="Betadorf")))
    answer = client.post(f"{path}zustaendigkeit/", {"line": "2"}, follow=True)
    assert "Wählen Sie eine Behörde aus." in answer.text


def test_same_file_again_leads_to_the_same_import(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    content = file(row(1, Behoerdenschluessel=b.municipality.ags))
    path = checked(client, a, content)
    assert "schon eingelesen" not in client.get(path).text
    again = upload(client, content)
    assert again["Location"] == path
    assert "Diese Datei ist schon eingelesen. Hier geht es mit ihr weiter." in client.get(path).text
    client.post(f"{path}entscheiden/", {"action": "submit"})
    work_off(a)
    upload(client, content)
    assert "1 Ersuchen ist schon früher übernommen" in client.get(path).text
    with a.scope():
        assert ImportRun.objects.count() == 1


def test_file_that_is_none_is_said(visit: Visit, a: Town) -> None:
    client = visit(a)
    empty = upload(client, b" ")
    assert empty.status_code == 400
    assert 'id="datei-fehler"' in empty.text
    assert "Wählen Sie zuerst eine Datei aus." in client.post("/import/").text
    path = checked(client, a, b"\x00\x01\x02 no table")
    assert "kann so nicht übernommen werden" in client.get(path).text


def test_file_can_be_thrown_away(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    path = checked(client, a, file(row(1, Behoerdenschluessel=b.municipality.ags)))
    answer = client.post(f"{path}entscheiden/", {"action": "discard"}, follow=True)
    assert "Nichts wurde übernommen." in answer.text
    assert "Die Datei ist verworfen. Nichts wurde übernommen." in client.get(path).text
    twice = client.post(f"{path}entscheiden/", {"action": "discard"}, follow=True)
    assert "kann nicht verworfen werden" not in twice.text
    late = client.post(f"{path}entscheiden/", {"action": "submit"}, follow=True)
    assert "Die Datei ist verworfen. Lesen Sie sie noch einmal ein." in late.text


def test_file_that_is_being_checked_waits_for_its_decision(visit: Visit, a: Town) -> None:
    client = visit(a)
    path = upload(client, file(row(1)))["Location"]
    early = client.post(f"{path}entscheiden/", {"action": "submit"}, follow=True)
    assert "Die Datei wird noch geprüft." in early.text


def test_template_names_all_columns(visit: Visit, a: Town) -> None:
    answer = visit(a).get("/import/vorlage.csv")
    assert answer.content.startswith(b"\xef\xbb\xbfAktenzeichen;Kassenzeichen;")


def test_imports_are_for_caseworkers_and_of_one_town(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    path = checked(client, a, file(row(1, Behoerdenschluessel=b.municipality.ags)))
    assert visit(b).get(path).status_code == 404
    assert visit(b).get(f"{path}fehler.csv").status_code == 404
    assert visit(b).post(f"{path}entscheiden/", {"action": "submit"}).status_code == 404
    assert visit(a).get(f"/import/{uuid4()}/").status_code == 404
    with a.scope():
        Clerk.objects.update(role=Role.READER)
    assert client.get("/import/").status_code == 403
    assert client.get(path).status_code == 403


def test_fault_text_cannot_break_out_of_the_page(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    evil = "<script>alert(1)</script>"
    content = file(row(1, Behoerdenschluessel=b.municipality.ags, Hauptforderung=evil))
    assert evil not in client.get(checked(client, a, content)).text
