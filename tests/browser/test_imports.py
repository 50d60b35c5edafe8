"""A file of requests in the browser: dry run, decision, progress, result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tenants.importers import services
from tests.factories.import_files import file, row

Window = Callable[..., Any]
Towns = tuple[Any, Any]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_file_is_checked_decided_and_imported(
    dressed: Towns, window: Window, tmp_path: Path, *, javascript: bool
) -> None:
    a, b = dressed
    key = b.municipality.ags
    path = tmp_path / "ersuchen.csv"
    path.write_bytes(
        file(
            *(row(number, Behoerdenschluessel=key) for number in range(1, 6)),
            row(7, Behoerdenschluessel=key, Hauptforderung="zwölf", IBAN="DE00"),
            row(8, PLZ="32423", Ort="Betadorf"),
            row(9, Behoerdenschluessel=key, Aktenzeichen="W" * 200),
        )
    )
    desk = window("alpha", javascript=javascript)
    desk.sign_in()
    page = desk.go("/import/")
    page.get_by_label("CSV-Datei").set_input_files(path)
    page.get_by_role("button", name="Hochladen und prüfen").click()
    expect(page.get_by_role("heading", name="Die Datei wird geprüft")).to_be_visible()
    with a.scope():
        services.work_off()
    if not javascript:
        page.reload()
    expect(page.get_by_role("heading", name="5 Ersuchen sind bereit")).to_be_visible()
    if javascript:
        desk.look("import-checked")
    page.get_by_role("link", name="Zuständigkeit offen").click()
    page.get_by_role("radio", name="Betadorf").check()
    decide = page.get_by_role("button", name="Entscheiden für Zeile 8")
    assert decide.evaluate("button => button.scrollWidth <= button.clientWidth")
    if javascript:
        desk.look("import-open")
    decide.click()
    page.get_by_role("button", name="6 Ersuchen übermitteln").click()
    expect(page.get_by_role("heading", name="Die Ersuchen werden übernommen")).to_be_visible()
    if javascript:
        desk.look("import-running")
    with a.scope():
        services.work_off()
    if not javascript:
        page.reload()
    expect(page.get_by_text("6 Ersuchen sind übermittelt.")).to_be_visible()
    if javascript:
        desk.look("import-finished")
        desk.go("/import/")
        desk.look("imports")
