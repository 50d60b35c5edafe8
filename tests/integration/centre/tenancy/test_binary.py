"""Rows as arrays: what goes in comes out, in the tenant's place, or nothing at all."""

import enum
from dataclasses import dataclass

import pytest
from django.db import DataError, IntegrityError, transaction

from centre.registry.models import Municipality
from centre.tenancy import binary
from centre.tenancy.context import tenant_scope
from tenants.cases.models import CaseCounter, RequestContent
from tenants.clerks.models import Clerk

pytestmark = pytest.mark.usefixtures("db")


@dataclass
class Counted:
    year: int
    last: int


class Word(enum.StrEnum):
    ONE = "one"


def test_rows_come_back_as_they_were(alpha: Municipality) -> None:
    with tenant_scope(alpha):
        binary.insert(CaseCounter, [Counted(2026, 7), Counted(2027, 2**31 - 1)])
        binary.update(CaseCounter, [Counted(2026, 8), Counted(2099, 1)], ["last"])
        rows = binary.run('SELECT "year", "last" FROM cases_casecounter ORDER BY 1')
    assert rows == [(2026, 8), (2027, 2**31 - 1)]


def test_no_rows_are_no_statement(alpha: Municipality) -> None:
    with tenant_scope(alpha):
        binary.insert(CaseCounter, [])
        binary.update(CaseCounter, [], ["last"])


def test_enumerations_and_text_stand_in_one_column() -> None:
    assert binary._plain([Word.ONE, "two", None]) == ["one", "two", None]
    assert {type(value) for value in binary._plain([Word.ONE, "two"])} == {str}


def test_a_place_belongs_to_its_tenant(alpha: Municipality, beta: Municipality) -> None:
    with tenant_scope(alpha):
        binary.insert(CaseCounter, [Counted(2026, 1)])
    with tenant_scope(beta):
        assert binary.run("SELECT FROM cases_casecounter") == []


def test_errors_are_those_of_django(alpha: Municipality) -> None:
    with tenant_scope(alpha):
        with pytest.raises(IntegrityError), transaction.atomic():
            binary.insert(CaseCounter, [Counted(2026, 1), Counted(2026, 2)])
        with pytest.raises(DataError), transaction.atomic():
            binary.run("SELECT %b::uuid", ["none"])


def test_text_that_is_too_long_is_refused_not_cut() -> None:
    assert binary._type(Clerk._meta.get_field("login")) == "varchar"
    assert binary._type(RequestContent._meta.pk) == "uuid"
