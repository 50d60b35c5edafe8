"""Cells on their way through a spreadsheet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.importers.cells import guard, unguard


@given(st.text())
def test_guarded_cells_come_back_as_they_were(cell: str) -> None:
    assert unguard(guard(cell)) == cell


@given(st.sampled_from("=+-@\t\r"), st.text(), st.integers(0, 3))
def test_nothing_that_a_spreadsheet_calculates_goes_out(sign: str, text: str, guards: int) -> None:
    assert guard("'" * guards + sign + text).startswith("'")


@pytest.mark.parametrize("cell", ["", "'s-Hertogenbosch", "Lange Straße 7", "'", "0571 89-0"])
def test_ordinary_cells_stay_as_they_are(cell: str) -> None:
    assert guard(cell) == cell
    assert unguard(cell) == cell
