"""What lies in the project for people is what the program says."""

import subprocess
import sys
from pathlib import Path

from tenants.importers import columns, reading
from tenants.importers.columns import BY_HEADER, COLUMNS
from tenants.importers.reading import read

ROOT = Path(__file__).resolve().parents[4]
SAMPLE = ROOT / "tenants" / "importers" / "samples" / "ersuchen-minden.csv"


def test_page_about_the_file_is_up_to_date() -> None:
    page = (ROOT / "docs" / "reference" / "import-csv.md").read_text()
    assert page == columns.page(), "python -m tenants.importers.columns > docs/reference/…"


def test_page_names_every_column_and_every_entry_of_its_list() -> None:
    page = columns.page()
    for column in COLUMNS:
        assert f"| {column.header} |" in page
        for code, words in (column.codes or {}).items():
            assert f"| `{code}` | {words} |" in page


def test_page_names_the_limits() -> None:
    page = columns.page()
    for words in (
        f"Höchstens {reading.MAX_BYTES // 1024 // 1024} MB",
        f"{reading.MAX_ROWS} Zeilen",
        f"{reading.MAX_CELL} Zeichen je Feld",
    ):
        assert words in page


def test_sample_is_what_its_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/make_sample.py"], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == SAMPLE.read_bytes(), f"python scripts/make_sample.py > {SAMPLE.name}"


def test_sample_is_200_readable_rows_with_totals() -> None:
    table = read(SAMPLE.read_bytes())
    rows = list(table.rows)
    assert len(rows) == 200
    assert not [each for each in rows if each.problem]
    assert table.totals is not None
    assert table.totals.count == 200
    assert set(table.headers) <= set(BY_HEADER)
