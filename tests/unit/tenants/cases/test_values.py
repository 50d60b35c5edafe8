"""Single values: money, account numbers, references, characters, days."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.cases import checks, deadlines, references
from tenants.cases.graph import Side, State
from tenants.cases.money import NotMoney, cents, euros, format_euro, parse_euro


@given(st.integers(-(10**12), 10**12))
def test_money_that_is_written_can_be_read(amount: int) -> None:
    assert parse_euro(format_euro(amount)) == amount
    assert cents(euros(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1.234,56", 123_456), ("80 €", 8_000), ("0,5", 50), ("1234.5", 123_450), ("-3,00 EUR", -300)],
)
def test_money_as_files_write_it(text: str, amount: int) -> None:
    assert parse_euro(text) == amount


@pytest.mark.parametrize("text", ["", "1.234", "1,234.56", "1.23,4", "zwölf", "1,234", "NaN"])
def test_money_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(NotMoney):
        parse_euro(text)


@pytest.mark.parametrize("amount", [Decimal("0.001"), Decimal("NaN"), Decimal("Infinity")])
def test_fractions_of_a_cent_are_refused(amount: Decimal) -> None:
    with pytest.raises(NotMoney):
        cents(amount)


@given(st.integers(0, 9_999_999), st.integers(2020, 2100), st.integers(0, 14), st.integers(1, 9))
def test_a_wrong_digit_in_a_reference_is_found(
    number: int, year: int, place: int, more: int
) -> None:
    reference = references.case_reference(ags="05770032", year=year, number=number)
    assert references.is_case_reference(reference)
    positions = [index for index, sign in enumerate(reference) if sign.isdigit()]
    at = positions[place]
    wrong = str((int(reference[at]) + more) % 10)
    assert not references.is_case_reference(reference[:at] + wrong + reference[at + 1 :])


@pytest.mark.parametrize("text", ["", "05770032-2026-0000012", "x", "05770032-2026-0000012-٤"])
def test_what_is_no_reference(text: str) -> None:
    assert not references.is_case_reference(text)


@pytest.mark.parametrize("iban", ["DE02120300000000202051", "AT611904300234573201"])
def test_account_numbers(iban: str) -> None:
    assert checks.is_iban(iban)
    assert checks.is_iban(checks.normal_iban(" ".join(iban.lower())))
    swapped = iban[:-2] + iban[-1] + iban[-2]
    assert not checks.is_iban(swapped)
    assert not checks.is_iban(iban[:-1])
    assert not checks.is_iban("XX" + iban[2:])


def test_characters_of_names() -> None:
    assert checks.foreign_characters("Łukasz Đorđević-Şahin O'Neill ẞ Dvořák ạ́") == ""
    assert checks.foreign_characters("Ḑṇẘ A̋ C̨̆ K͟H L̥̄ Ṣ̄ – „so“ …") == "ẘ"
    assert checks.foreign_characters("Иван 漢\x00") == "Иван漢\x00"
    assert checks.foreign_characters("eins\nzwei") == "\n"
    assert checks.foreign_characters("eins\nzwei", lines=True) == ""


@pytest.mark.parametrize(
    ("text", "good"),
    [("01067", True), ("99998", True), ("00123", False), ("1067", False), ("٠١٠٦٧", False)],
)
def test_postcodes(text: str, good: bool) -> None:  # noqa: FBT001
    assert checks.is_postcode(text) is good


def test_deadlines_skip_weekends_and_holidays() -> None:
    # Ten working days from the Monday before Easter 2026: Good Friday and Easter Monday fall out.
    monday = datetime(2026, 3, 30, 9, tzinfo=UTC)
    due = deadlines.due_at(Side.REQUESTED, State.REGISTERED, since=monday)
    assert due is not None
    assert due.date() == date(2026, 4, 15)
    assert deadlines.due_at(Side.REQUESTED, State.CLOSED, since=monday) is None
    assert not deadlines.is_working_day(date(2026, 5, 14))  # Ascension Day
    assert not deadlines.is_working_day(date(2026, 5, 25))  # Whit Monday
    assert deadlines.is_working_day(date(2026, 5, 15))
