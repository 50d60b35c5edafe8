"""From a draft to the sheet and back, without a database."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.cases.drafts import AncillaryClaim, Claim, Debtor, RequestDraft, Title
from tenants.cases.faults import Fault
from tenants.cases.validation import validate
from tenants.web.forms.sheet import MOST, Sheet
from tenants.web.layout import SECTIONS, Mistake, mistakes
from tests.factories.requests import TODAY, request


def round_trip(draft: RequestDraft) -> RequestDraft:
    bound = Sheet(draft, Sheet(draft).as_typed())
    assert bound.is_readable(), mistakes(bound)
    return bound.draft()


def test_sheet_gives_back_what_it_was_given() -> None:
    assert round_trip(request()) == request()


def test_empty_draft_becomes_one_of_each() -> None:
    result = round_trip(RequestDraft())
    assert (len(result.debtors), len(result.titles), len(result.claims)) == (1, 1, 1)


words = st.text(alphabet="abcäöüß €-", max_size=20).map(str.strip)
cents = st.none() | st.integers(0, 10**9)


@given(
    surnames=st.lists(words, min_size=1, max_size=4),
    claims=st.lists(st.tuples(words, cents, st.lists(cents, max_size=3)), min_size=1, max_size=4),
)
def test_any_number_of_parts_survives(
    surnames: list[str], claims: list[tuple[str, int | None, list[int | None]]]
) -> None:
    draft = RequestDraft(
        debtors=tuple(Debtor(surname=surname) for surname in surnames),
        titles=(Title(),),
        claims=tuple(
            Claim(
                reason=reason,
                open_cents=amount,
                ancillary=tuple(AncillaryClaim(amount_cents=extra) for extra in extras),
            )
            for reason, amount, extras in claims
        ),
    )
    assert round_trip(draft) == draft


def test_every_field_of_the_forms_has_a_place_on_the_sheet() -> None:
    sheet = Sheet(request())
    placed: set[str] = set()
    for section in (each.bound(sheet) for each in SECTIONS):
        placed |= {place.field.html_name for place in section.places()}
        groups = [section.group()]
        while groups:
            group = groups.pop()
            for part in group.parts() if group else ():
                placed |= {place.field.html_name for place in [*part.places(), *part.more()]}
                groups.append(part.extras())
    known = {part.form[name].html_name for part in sheet.parts() for name in part.form.fields}
    assert known == placed


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("own_reference", "id_general-own_reference"),
        ("debtors[0].address.postcode", "id_debtors-0-address__postcode"),
        ("claims[0].ancillary[1].amount_cents", "id_claims-0-ancillary-1-amount_cents"),
        ("enforceability", "id_general-enforceability__confirmed_by"),
        ("reminder", "id_general-reminder__reminded_on"),
        ("measures[2]", "id_general-measures"),
    ],
)
def test_fault_stands_at_its_field(path: str, field: str) -> None:
    sheet = Sheet(request(), Sheet(request()).as_typed())
    sheet.is_readable()
    sheet.mark([Fault(path=path, text="Falsch.", hint="Richtig machen.")])
    assert not sheet.homeless
    (found,) = mistakes(sheet)
    assert found.field is not None
    assert (found.field.auto_id, found.text) == (field, "Falsch. Richtig machen.")


def test_fault_about_no_field_is_told_above() -> None:
    sheet = Sheet(request(), Sheet(request()).as_typed())
    sheet.is_readable()
    faults = [
        Fault(path="requested_authority", text="Sie fehlt.", hint="Wählen."),
        Fault(path="debtors", text="Es fehlt.", hint=""),
    ]
    sheet.mark(faults)
    assert sheet.is_faulty
    assert mistakes(sheet) == [
        Mistake("Schuldner", "Es fehlt.", "schuldner"),
        Mistake("Ersuchte Behörde", "Sie fehlt. Wählen.", "behoerde"),
    ]


def test_mistakes_are_told_in_the_order_of_the_page() -> None:
    """And name the part where there are several: that is how somebody finds the field."""
    draft = request()
    draft = replace(draft, debtors=draft.debtors * 2)
    sheet = Sheet(draft, Sheet(draft).as_typed())
    sheet.is_readable()
    paths = (
        "own_reference", "remittance.iban", "measures", "enforceability", "titles[0].issuer",
        "claims[0].ancillary[0].amount_cents", "claims[0].open_cents", "debtors[1].surname",
        "debtors[0].address.place", "requested_authority",
    )  # fmt: skip
    sheet.mark([Fault(path=path, text="Falsch.", hint="") for path in paths])
    assert [each.label for each in mistakes(sheet)] == [
        "Schuldner 1, Ort",
        "Schuldner 2, Nachname",
        "Ersuchte Behörde",
        "Erlassende Behörde",
        "Offener Betrag (€)",
        "Nebenforderung 1, Betrag (€)",
        "Vollstreckbarkeit bestätigt durch",
        "Gewünschte Maßnahmen",
        "Unser Aktenzeichen",
        "IBAN",
    ]


@pytest.mark.parametrize("listed", ["", "x", "0,0", "-1", "9" * 30, ",,,", "²"])
def test_nonsense_in_the_list_of_parts_is_survived(listed: str) -> None:
    data: dict[str, Any] = {**Sheet(request()).as_typed(), "claims-list": listed}
    sheet = Sheet(request(), data)
    sheet.is_readable()
    assert 1 <= len(sheet.claims.parts) <= MOST["claims"]


def test_needed_fields_are_those_that_the_validation_asks_for() -> None:
    sheet = Sheet(RequestDraft())
    needed = {
        part.form[name].html_name
        for part in sheet.parts()
        for name, field in part.form.fields.items()
        if getattr(field, "is_needed", False)
    }
    assert "debtors-0-surname" in needed
    assert "general-enforceability__confirmed_on" in needed
    assert "debtors-0-phone" not in needed


def test_what_cannot_be_read_says_nothing_rather_than_what_was_stored() -> None:
    stored = request()
    typed = {**Sheet(stored).as_typed(), "claims-0-original_cents": "viel"}
    sheet = Sheet(stored, typed)
    assert not sheet.is_readable()
    assert stored.claims[0].original_cents is not None
    assert sheet.draft().claims[0].original_cents is None
    assert sheet.draft().claims[0].reason == stored.claims[0].reason


def test_claim_without_a_title_number_rests_on_the_first() -> None:
    sheet = Sheet(request(), {**Sheet(request()).as_typed(), "claims-0-title_number": ""})
    assert sheet.is_readable()
    assert sheet.draft() == request()


def test_unreadable_field_is_not_also_missing() -> None:
    typed = {
        **Sheet(request()).as_typed(),
        "general-enforceability__confirmed_on": "bald",
        "general-reminder__reminded_on": "31.02.2026",
        "general-contact__phone": "",
    }
    sheet = Sheet(request(), typed)
    assert not sheet.is_readable()
    sheet.mark(validate(sheet.draft(), today=TODAY))
    assert {each.label: each.text.partition(".")[0] for each in mistakes(sheet)} == {
        "Bestätigt am": "„bald“ ist kein Tag",
        "Gemahnt am": "Den Tag „31",
        "Telefon": "Es fehlt die Telefonnummer",
    }
