"""Single values: money, account numbers, references, characters, days."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.cases import checks, deadlines, references
from tenants.cases.days import TYPED, NotDay, parse_day
from tenants.cases.graph import Side, State
from tenants.cases.money import NotMoney, cents, euros, format_euro, parse_euro


@given(st.integers(-(10**12), 10**12))
def test_money_that_is_written_can_be_read(amount: int) -> None:
    assert parse_euro(format_euro(amount)) == amount
    assert cents(euros(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.234,56", 123_456),
        ("80 €", 8_000),
        ("0,5", 50),
        ("1234.5", 123_450),
        ("-3,00 EUR", -300),
        ("1 200,00", 120_000),
        ("1\u00a0200,00\u00a0€", 120_000),
        ("1\u2009234\u2009567,8", 123_456_780),
        ("1\u202f200", 120_000),
        ("1 200.50", 120_050),
        ("1.234.567", 123_456_700),
    ],
)
def test_money_as_files_write_it(text: str, amount: int) -> None:
    assert parse_euro(text) == amount


@pytest.mark.parametrize(
    "text", ["", "1,234.56", "1.23,4", "zwölf", "NaN", "0.200", "12 34", "1 2000", "1.234 567"]
)
def test_what_is_no_money_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(NotMoney) as refused:
        parse_euro(text)
    assert refused.value.text == f"„{text}“ ist kein Betrag."
    assert "1.234,56" in refused.value.hint


@pytest.mark.parametrize("text", ["9" * 31, "9" * 10**6, "-" + "9" * 30, "x" * 41])
def test_what_is_too_long_for_money_is_refused_and_quoted_in_part(text: str) -> None:
    with pytest.raises(NotMoney) as refused:
        parse_euro(text)
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    assert refused.value.text == f"„{shown}“ ist kein Betrag."


def test_longest_sum_is_neither_rounded_nor_called_too_long_for_its_blanks() -> None:
    text = f"  {'9' * 27},99 €  "
    assert parse_euro(text) == 10**29 - 1
    assert parse_euro("9" * 30) == (10**30 - 1) * 100
    assert format_euro(10**32 - 1) == f"{'999.' * 9}999,99 €"


@pytest.mark.parametrize(
    ("text", "many", "few"),
    [("1.200", "1.200,00 €", "1,20 €"), ("-1,234", "-1.234,00 €", "-1,234 €")],
)
def test_money_that_could_mean_two_things_is_refused_with_both(
    text: str, many: str, few: str
) -> None:
    with pytest.raises(NotMoney) as refused:
        parse_euro(text)
    assert refused.value.text == f"„{text}“ kann {many} oder {few} heißen."
    with pytest.raises(NotMoney) as refused:
        parse_euro(text.ljust(100))
    assert refused.value.text == f"„{text.ljust(40)}…“ kann {many} oder {few} heißen."


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1.3.2026", date(2026, 3, 1)),
        ("01032026", date(2026, 3, 1)),
        ("2026-03-01", date(2026, 3, 1)),
        ("1.3.26", date(2026, 3, 1)),
        ("1.3.68", date(2068, 3, 1)),
        ("1.3.69", date(1969, 3, 1)),
    ],
)
def test_days_as_people_type_them(text: str, day: date) -> None:
    assert parse_day(text, TYPED) == day


@pytest.mark.parametrize("text", ["31.02.2026", "29.2.2025", "32.1.2026", "00.00.0000", "31022026"])
def test_day_that_no_calendar_has_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotDay) as refused:
        parse_day(text, TYPED)
    assert refused.value.text == f"Den Tag „{text}“ gibt es nicht."
    assert "TT.MM.JJJJ" not in refused.value.hint


@pytest.mark.parametrize("text", ["gestern", "1.3.", "1/3/2026", "01.03.202", "٠1.03.2026"])
def test_what_is_no_day_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(NotDay) as refused:
        parse_day(text, TYPED)
    assert refused.value.text == f"„{text}“ ist kein Tag."
    assert "TT.MM.JJJJ" in refused.value.hint


def test_long_text_that_is_no_day_is_quoted_in_part() -> None:
    with pytest.raises(NotDay) as refused:
        parse_day("9" * 10**6)
    assert refused.value.text == f"„{'9' * 40}…“ ist kein Tag."


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


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0571 89-0", True),
        ("+49 (0) 571/89 123", True),
        ("(0571) 89123", True),
        ("0571 89-0, 0170 1234567", True),
        ("115", True),
        ("abc", False),
        ("0571 89-0, App. 12 (Frau Kranich)", True),
        ("Zentrale", False),
        ("12", False),
        ("k.kranich@minden.example", False),
        ("-", False),
    ],
)
def test_telephone_numbers(text: str, good: bool) -> None:  # noqa: FBT001
    assert checks.is_phone(text) is good


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
