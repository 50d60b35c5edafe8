"""From a row to a request, with every fault at its column."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.cases import validation
from tenants.cases.drafts import Creditor
from tenants.importers.building import Built, build, describe, row_key
from tenants.importers.columns import BY_HEADER, COLUMNS, Form, header_of
from tenants.importers.reading import Row
from tests.factories.import_files import row
from tests.factories.requests import request

TODAY = date(2026, 11, 23)


def built(**changed: str) -> Built:
    return build(Row(2, row(1, **changed)), today=TODAY)


def faults(**changed: str) -> dict[str, str]:
    return {fault.header: fault.text for fault in built(**changed).faults}


def test_right_row_is_a_request_without_faults() -> None:
    found = built(
        Geburtsdatum="29.2.1980",
        Saeumniszuschlag="18",
        Saeumnis_bis="15.11.2026",
        Mahngebuehr="7,00 €",
        Offen="300,00",
        Verjaehrt_am="31.12.2031",
        Mindestrate="25",
        Raten_hoechstens_Monate="12",
        Eilig_weil="Verjährung droht",
    )
    assert found.faults == ()
    draft = found.draft
    assert draft.requested_authority is None
    assert draft.automated
    assert draft.debtor_name == "Uhlenbrock, Ingo"
    assert draft.debtors[0].birth_on == date(1980, 2, 29)
    assert draft.claims[0].original_cents == 31_250
    assert draft.total_cents == found.cents == 30_000 + 1_800 + 700
    assert [extra.kind for extra in draft.claims[0].ancillary] == [
        "late_payment_surcharge",
        "reminder_fee",
    ]
    assert draft.measures == ("account", "field_visit")
    assert draft.limitation_end == date(2031, 12, 31)
    assert (draft.urgency, draft.urgency_reason) == ("urgent", "Verjährung droht")


def test_company_is_a_legal_person_with_its_seat() -> None:
    debtor = built(Firma="Taxi Lüttgering", Rechtsform="GmbH", Nachname="", Vornamen="").draft
    assert debtor.debtor_name == "Taxi Lüttgering GmbH"
    assert debtor.debtors[0].seat == "Minden"


def test_own_task_names_its_creditor() -> None:
    assert faults(Rechtsverhaeltnis="own_task") == {"Glaeubiger": "Der Gläubiger fehlt."}
    found = built(Rechtsverhaeltnis="own_task", Glaeubiger="Zweckverband Nord")
    assert found.faults == ()
    assert found.draft.creditor == Creditor(name="Zweckverband Nord")


@pytest.mark.parametrize(
    ("header", "cell", "words"),
    [
        ("Hauptforderung", "zwölf", "„zwölf“ ist kein Betrag."),
        ("Hauptforderung", "1.200", "„1.200“ kann 1.200,00 € oder 1,20 € heißen."),
        ("Hauptforderung", "-5,00", "-5,00 € ist hier kein möglicher Betrag."),
        ("Geburtsdatum", "31.02.1980", "Den Tag „31.02.1980“ gibt es nicht."),
        ("Geburtsdatum", "1980-02-28", "„1980-02-28“ ist kein Tag."),
        ("Titel Datum", "02.03.26", "„02.03.26“ ist kein Tag."),
        ("Titel Datum", "02.03.0026", "Das Datum des Titels (02.03.0026) liegt in der Zukunft"),
        ("Gefahr bekannt", "vielleicht", "„vielleicht“ ist weder ja noch nein."),
        ("Raten hoechstens Monate", "1½", "„1½“ ist keine ganze Zahl."),
        ("PLZ", "4109", "4109"),
        ("IBAN", "DE00", "„DE00“ ist keine gültige IBAN."),
        ("Nachname", "Uhl\u0416nbrock", "Unzulässige Zeichen: \u0416"),
        ("Titelart", "Brief", "„Brief“ steht nicht in der Liste: assessment"),
        ("Massnahmen", "account|Bitten", "„Bitten“ steht nicht in der Liste"),
        ("Massnahmen", " | ", "Es ist keine Maßnahme gewünscht."),
        ("Mahnung am", "", "Es fehlt, wann gemahnt wurde."),
        ("Vollstreckbar bestaetigt am", "01.01.2050", "liegt in der Zukunft"),
        (
            "Vollstreckbar bestaetigt am",
            "01.03.2026",
            "wurde am 01.03.2026 bestätigt, der Bescheid ist vom 02.03.2026",
        ),
        ("Mahnung am", "01.03.2026", "(01.03.2026) liegt vor dem Bescheid (02.03.2026)"),
        ("Mahnung am", "14.05.2026", "(14.05.2026) liegt vor der Fälligkeit (15.05.2026)"),
        ("Titel rechtskraeftig am", "01.03.2026", "unanfechtbar, bevor er erlassen"),
        ("Verjaehrt am", "31.12.2206", "liegt mehr als 30 Jahre voraus"),
        ("Telefon", "abc", "In „abc“ steht keine Telefonnummer."),
        ("Gefahrenhinweis", "Hund im Hof", "keine Gefahr bekannt und zugleich eine beschrieben"),
    ],
)
def test_fault_stands_at_its_column_once(header: str, cell: str, words: str) -> None:
    found = [fault for fault in built(**{header: cell}).faults if not fault.warning]
    assert [fault.header for fault in found[:1]] == [header]
    assert words in found[0].text
    assert found[0].hint
    assert found[0].value == cell
    assert len(found) == 1


@pytest.mark.parametrize("filler", ["x", "9", "-", "".join(map(chr, range(0x400, 0x7D0)))])
def test_long_cells_are_repeated_in_part(filler: str) -> None:
    cell = (filler * 8_000)[:8_000]
    found = build(Row(2, dict.fromkeys(BY_HEADER, cell)), today=TODAY)
    assert found.errors
    for fault in found.faults:
        assert len(fault.text) < 400, fault.header
        assert len(str(describe(fault)["value"])) <= len("„…“") + 40
    assert faults(Titelart=cell)["Titelart"].startswith(f"„{cell[:40]}…“ steht nicht")


def test_value_is_told_once() -> None:
    wrong, foreign = built(IBAN="DE00").faults[0], built(Nachname="\u0416").faults[0]
    assert (describe(wrong)["value"], describe(foreign)["value"]) == ("", "\u0416")


def test_what_cannot_be_read_says_how_to_write_it() -> None:
    found = built(Hauptforderung="1.200", Geburtsdatum="31.02.1980")
    hints = {fault.header: fault.hint for fault in found.faults}
    assert hints["Hauptforderung"] == "Schreiben Sie die Cent dazu, mit Komma: etwa 1.234,00."
    assert hints["Geburtsdatum"] == "Prüfen Sie Tag, Monat und Jahr im Kalender."
    assert built(Hauptforderung="1\u202f200,00").draft.claims[0].original_cents == 120_000


def test_lists_take_keys_and_german_words_in_any_case() -> None:
    for words in ("fine_notice", "FINE_NOTICE", "Bußgeldbescheid", "BUSSGELDBESCHEID"):
        assert built(Titelart=words).draft.titles[0].kind == "fine_notice"


def test_measure_named_twice_is_one() -> None:
    found = built(Massnahmen="account|field_visit|Kontopfändung")
    assert found.draft.measures == ("account", "field_visit")


def test_all_faults_are_told_at_once() -> None:
    found = faults(Hauptforderung="x", IBAN="", Telefon="", Geburtsdatum="gestern")
    assert set(found) == {"Hauptforderung", "IBAN", "Telefon", "Geburtsdatum"}


def test_row_that_does_not_fit_has_that_fault_alone() -> None:
    found = build(Row(9, {"Aktenzeichen": "A 1"}, "Zu kurz.", "Mehr."), today=TODAY)
    assert [(fault.text, fault.hint) for fault in found.faults] == [("Zu kurz.", "Mehr.")]
    assert found.draft.own_reference == "A 1"
    assert found.cents is None


@pytest.mark.parametrize("cell", ["zwölf", "9" * 30, "99999999999999,99", "-" + "9" * 20])
def test_absurd_amounts_do_not_count(cell: str) -> None:
    found = built(Hauptforderung=cell)
    assert found.errors
    assert found.cents is None


def test_same_references_are_the_same_row_whatever_else_changed() -> None:
    first, same, other = row(1), row(1, Hauptforderung="1,00"), row(1, Titel_Aktenzeichen="G-2")
    assert row_key(first) == row_key(same)
    assert row_key(first) == row_key({**first, "Aktenzeichen": first["Aktenzeichen"].upper()})
    assert row_key(first) != row_key(other)
    assert row_key({"Nachname": "Uhlenbrock"}) == ""


def test_parts_of_a_key_cannot_be_shifted() -> None:
    one = {"Aktenzeichen": "1", "Kassenzeichen": "23", "Titel Aktenzeichen": "4"}
    assert row_key(one) != row_key({**one, "Aktenzeichen": "12", "Kassenzeichen": "3"})


@given(st.sampled_from([column for column in COLUMNS if column.needed]))
def test_what_is_needed_is_missed_at_its_column(column: object) -> None:
    header = column.header  # type: ignore[attr-defined]
    assert header in faults(**{header: ""})


@given(
    st.dictionaries(
        st.sampled_from([column.header for column in COLUMNS]), st.text(max_size=40), max_size=8
    )
)
def test_no_cells_break_the_builder(cells: dict[str, str]) -> None:
    found = build(Row(2, {**row(1), **cells}), today=TODAY)
    assert all(fault.header in BY_HEADER for fault in found.faults)
    assert found.cents is None or abs(found.cents) <= 10**10


def test_columns_fill_every_field_they_name() -> None:
    """What stands in a cell arrives in the draft: changing one cell changes the draft."""
    samples = {
        Form.DAY: "1.2.2026",
        Form.EURO: "12,34",
        Form.YES_NO: "ja",
        Form.NUMBER: "7",
        Form.TEXT: "Anders",
    }
    base = row(1, Ratenzahlung="nein", Saeumniszuschlag="5", Saeumnis_bis="1.11.2026")
    for column in COLUMNS:
        if column.header in {"Behoerdenschluessel", "Rechtsform"}:
            continue  # of the directory, and of companies only
        cell = samples.get(column.form) or next(
            code for code in reversed(list(column.codes or {})) if code
        )
        changed = build(Row(2, {**base, column.header: cell}), today=TODAY).draft
        assert changed != build(Row(2, base), today=TODAY).draft, column.header


def test_faults_of_any_draft_have_a_column() -> None:
    empty = request(
        to=None, debtors=(), titles=(), claims=(), measures=("x",), excluded_measures=("x",)
    )
    for draft in (empty, request(kind="?", contact=type(empty.contact)())):
        for fault in validation.validate(draft, today=TODAY):
            assert header_of(fault.path) in BY_HEADER
