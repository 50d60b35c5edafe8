"""A clerk's day in a browser: every page accessible and fitting, every path walkable."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import scenes

Window = Callable[..., Any]
Towns = tuple[Any, Any]


def test_requested_town_works_through_its_list(dressed: Towns, window: Window) -> None:
    desk = window("beta")
    desk.go("/")
    desk.look("sign-in")
    desk.sign_in(password="falsch")
    desk.look("sign-in-refused")
    desk.sign_in()
    expect(desk.page.get_by_role("heading", name="Arbeitsliste")).to_be_visible()
    desk.look("worklist")
    desk.page.get_by_role("link", name=re.compile("^AS-|^AL-|20")).first.click()
    expect(desk.page.get_by_text("Bitte entscheiden Sie über das Ersuchen")).to_be_visible()
    desk.look("case-to-decide")
    desk.page.get_by_role("link", name="Ablehnen").click()
    desk.page.get_by_role("button", name="Ersuchen ablehnen").click()
    expect(desk.page.get_by_role("alert")).to_be_focused()
    desk.look("refuse-with-faults")
    desk.page.get_by_label("Grund der Ablehnung").select_option("Nicht zuständig")
    desk.page.get_by_role("button", name="Ersuchen ablehnen").click()
    expect(desk.page.get_by_text("Das Ersuchen ist abgelehnt.")).to_be_visible()
    desk.look("case-refused")


def test_pages_of_the_requested_town_are_accessible(dressed: Towns, window: Window) -> None:
    desk = window("beta")
    desk.sign_in()
    for name, path in (
        ("worklist-all", "/?stand=alle"),
        ("worklist-empty", "/?stand=unzustellbar"),
        ("worklist-nothing-found", "/?stand=alle&suche=Niemand"),
        ("help", "/hilfe/"),
        ("account", "/konto/"),
        ("import", "/import/"),
        ("not-found", "/gibt-es-nicht/"),
    ):
        desk.go(path)
        desk.look(name)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_list_is_filtered_by_keyboard(dressed: Towns, window: Window, *, javascript: bool) -> None:
    desk = window("beta", javascript=javascript)
    desk.sign_in()
    page = desk.go("/?stand=eingang")
    page.get_by_text("Liste filtern").press("Enter")
    page.get_by_label("Andere Behörde").focus()
    page.keyboard.type("Alpha")
    expect(page.get_by_label("Andere Behörde").locator("option:checked")).to_have_text("Alphastadt")
    page.get_by_label("Stand").select_option("In Prüfung, Rückfrage offen")
    page.get_by_label("Eingang oder Versand von").fill("1.1.2026")
    if javascript:
        desk.look("worklist-filters-open")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 Vorgang", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Kowalski"))).to_be_visible()
    if javascript:
        desk.look("worklist-filtered")
    page.get_by_role("link", name=re.compile("Stand: In Prüfung")).press("Enter")
    expect(page.get_by_text("6 Vorgänge", exact=True)).to_be_visible()
    page.get_by_text("Liste filtern").press("Enter")
    page.get_by_label("Eingang oder Versand bis").fill("1.1.2020")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Dieser Tag liegt vor dem ersten.")).to_be_visible()
    if javascript:
        desk.look("worklist-filters-faulty")
    page.get_by_role("link", name="Alle Filter aufheben").press("Enter")
    expect(page.get_by_role("list", name="Gesetzte Filter")).to_have_count(0)


def test_many_are_accepted_by_keyboard(dressed: Towns, window: Window) -> None:
    desk = window("beta")
    desk.sign_in()
    boxes = desk.page.locator("input[name=case]")
    boxes.first.focus()
    for _each in range(boxes.count()):
        desk.page.keyboard.press("Space")
        desk.page.keyboard.press("ArrowDown")
    expect(desk.page.locator("[data-pick-count]")).to_have_text(str(boxes.count()))
    desk.page.get_by_role("button", name="Ausgewählte annehmen").press("Enter")
    desk.look("accept-many")
    desk.page.get_by_role("button", name=re.compile("Ersuchen annehmen")).press("Enter")
    expect(desk.page.get_by_role("heading", name="Ergebnis der Annahme")).to_be_visible()
    desk.look("accepted-many")


def test_range_is_chosen_with_shift(dressed: Towns, window: Window) -> None:
    desk = window("beta")
    desk.sign_in()
    boxes = desk.page.locator("input[name=case]")
    boxes.first.click()
    boxes.last.click(modifiers=["Shift"])
    expect(desk.page.locator("input[name=case]:checked")).to_have_count(boxes.count())
    desk.page.get_by_label("Alle auf dieser Seite auswählen").click()
    expect(desk.page.locator("input[name=case]:checked")).to_have_count(0)


def test_requesting_town_writes_a_request(dressed: Towns, window: Window) -> None:
    desk = window("alpha")
    desk.sign_in()
    desk.page.get_by_role("navigation").get_by_role("link", name="Neues Ersuchen").click()
    desk.look("sheet-empty")
    page = desk.page
    page.get_by_label("Nachname").fill("Wessel")
    page.get_by_label("Vornamen").fill("Anke")
    page.get_by_label("Behörde nach Namen suchen").fill("Betadorf")
    page.get_by_role("button", name="Zuständigkeit ermitteln").click()
    page.get_by_role("radio", name=re.compile("Betadorf")).check()
    page.get_by_role("button", name="Weitere Forderung").click()
    expect(page.get_by_role("group", name="Forderung 2")).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("Betadorf"))).to_be_checked()
    page.get_by_role("button", name="Forderung 2 entfernen").click()
    page.get_by_role("button", name="Speichern und prüfen").click()
    expect(page.get_by_role("heading", name="Prüfen und übermitteln")).to_be_visible()
    desk.look("check-incomplete")
    page.get_by_role("link", name="Angaben ergänzen").click()
    desk.look("sheet-with-faults")


def test_complete_draft_is_submitted_and_withdrawn(dressed: Towns, window: Window) -> None:
    from tenants.cases import services
    from tests.factories.requests import request

    a, b = dressed
    with a.scope():
        case = services.create_draft(draft=request(to=b.id), by=a.by)
    desk = window("alpha")
    desk.sign_in()
    desk.go(f"/ersuchen/{case.id}/pruefen/")
    desk.look("check-complete")
    desk.page.get_by_role("button", name="Ersuchen übermitteln").click()
    expect(desk.page.get_by_text("Nichts zu tun: Die Zustellung läuft")).to_be_visible()
    desk.look("case-under-way")
    desk.page.get_by_role("link", name="Zurücknehmen").click()
    desk.look("withdraw")


def test_query_is_answered_with_a_document(dressed: Towns, window: Window, tmp_path: Path) -> None:
    file = tmp_path / "Bescheid.pdf"
    file.write_bytes(scenes.PDF)
    desk = window("alpha")
    desk.sign_in()
    desk.look("worklist-of-the-sender")
    desk.page.get_by_role("row", name=re.compile("Kowalski")).get_by_role("link").click()
    desk.page.get_by_role("link", name="Rückfrage beantworten").click()
    desk.page.get_by_label("Ihre Antwort").fill("Anbei der Bescheid.")
    desk.page.get_by_label("Dateien mitschicken").set_input_files(file)
    desk.look("answer")
    desk.page.get_by_role("button", name="Rückfrage beantworten").click()
    expect(desk.page.get_by_text("Ihre Antwort ist unterwegs.")).to_be_visible()
    expect(desk.page.get_by_role("link", name="Bescheid.pdf", exact=True)).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_form_sent_twice_acts_once(dressed: Towns, window: Window, *, javascript: bool) -> None:
    desk = window("beta", javascript=javascript)
    desk.sign_in()
    desk.page.get_by_role("row", name=re.compile("Yildiz")).get_by_role("link").click()
    desk.page.get_by_role("link", name="Rückfrage stellen").click()
    desk.page.get_by_label("Worum geht es?").select_option("Anschrift")
    desk.page.get_by_label("Ihre Frage").fill("Wo wohnt er?")
    desk.page.get_by_role("button", name="Rückfrage stellen").dblclick()
    expect(desk.page.get_by_role("heading", name="Yildiz, Emre")).to_be_visible()
    expect(desk.page.get_by_text("Wo wohnt er?").first).to_be_visible()


def test_everything_works_without_script(dressed: Towns, window: Window) -> None:
    desk = window("beta", javascript=False)
    desk.sign_in()
    for box in desk.page.locator("input[name=case]").all():
        box.check()
    desk.page.get_by_role("button", name="Ausgewählte annehmen").click()
    desk.page.get_by_role("button", name=re.compile("Ersuchen annehmen")).click()
    expect(desk.page.get_by_role("heading", name="Ergebnis der Annahme")).to_be_visible()
    desk.go("/ersuchen/neu/")
    desk.page.get_by_label("Behörde nach Namen suchen").fill("Alphastadt")
    desk.page.get_by_role("button", name="Zuständigkeit ermitteln").click()
    expect(desk.page.get_by_role("radio", name=re.compile("Alphastadt"))).to_be_visible()
    desk.page.get_by_role("button", name="Nebenforderung hinzufügen").click()
    expect(desk.page.get_by_role("group", name="Nebenforderung 1")).to_be_visible()


def test_first_tab_skips_to_the_content(dressed: Towns, window: Window) -> None:
    desk = window("beta")
    desk.sign_in()
    desk.go("/hilfe/")
    desk.page.keyboard.press("Tab")
    expect(desk.page.get_by_role("link", name="Zum Inhalt springen")).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator("main")).to_be_focused()


def test_page_fits_at_four_times_the_size(dressed: Towns, window: Window) -> None:
    """1280 pixels at 400 % are 320 (WCAG 1.4.10)."""
    desk = window("beta")
    desk.sign_in()
    desk.page.set_viewport_size({"width": 320, "height": 256})
    for path in ("/", "/hilfe/", "/ersuchen/neu/", "/import/"):
        desk.go(path)
        desk._fits(f"{path} at 320")


#: How far the focused field lies under the bar at the bottom, or above the page.
_COVERED = """() => {
    const bar = document.querySelector(".amt-bulk--page").getBoundingClientRect();
    const field = document.activeElement.getBoundingClientRect();
    return Math.max(field.bottom - bar.top, -field.top);
}"""


@pytest.mark.parametrize("width", [1280, 360])
def test_focused_field_is_never_under_the_bar(dressed: Towns, window: Window, width: int) -> None:
    """WCAG 2.4.11, from the first field to the bar and back."""
    desk = window("alpha")
    desk.sign_in()
    desk.page.set_viewport_size({"width": width, "height": 780})
    page = desk.go("/ersuchen/neu/")
    page.locator("[name=debtors-0-kind]").focus()
    first, last = "debtors-0-kind", "general-remittance__bic"
    for key, goal in (("Tab", last), ("Shift+Tab", first)):
        seen = []
        while goal not in seen and len(seen) < 200:
            page.keyboard.press(key)
            seen.append(page.evaluate("document.activeElement.name"))
            assert page.evaluate(_COVERED) <= 0, f"{key} to {seen[-1]} at {width}"
        assert goal in seen


def test_pages_jump_rather_than_glide(dressed: Towns, window: Window) -> None:
    desk = window("alpha")
    page = desk.go("/anmelden/")
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(behaviour) == "auto"


def test_pages_speak_english_on_demand(dressed: Towns, window: Window) -> None:
    desk = window("beta")
    desk.go("/anmelden/")
    desk.page.get_by_role("button", name="English").click()
    expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert desk.page.locator("html").get_attribute("lang") == "en"


def test_accounts_are_kept(dressed: Towns, window: Window) -> None:
    from tenants.clerks.models import Clerk
    from tenants.clerks.roles import Role

    _a, b = dressed
    with b.scope():
        Clerk.objects.update(role=Role.ADMINISTRATOR)
    desk = window("beta")
    desk.sign_in()
    desk.page.get_by_role("link", name="Zugänge").click()
    desk.look("accounts")
    desk.page.get_by_role("link", name="Zugang anlegen").click()
    desk.look("account-new")
    desk.page.get_by_label("Benutzername").fill("neu.er")
    desk.page.get_by_label("Name", exact=True).fill("Nele Neuer")
    desk.page.get_by_label("Sachbearbeitung").check()
    desk.page.get_by_role("button", name="Speichern").click()
    expect(desk.page.get_by_role("heading", name=re.compile("Kennwort für"))).to_be_visible()
    desk.look("account-password")
