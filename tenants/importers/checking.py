"""Checks a file: every row with all its faults, the authority it goes to, and the totals."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo

from centre.directory.competence import Outcome, Resolution
from centre.directory.interface import Directory
from centre.kernel import clock
from tenants.cases import wire
from tenants.cases.money import format_euro
from tenants.importers.building import Built, RowFault, build
from tenants.importers.models import ImportRow, ImportRun, RowState
from tenants.importers.reading import Table, read

#: "Today" in a German office, not in UTC.
_ZONE: Final = ZoneInfo("Europe/Berlin")
_MAX_CANDIDATES: Final = 20


@dataclass(slots=True)
class Checked:
    """A file as it was read. `problem` is set where it cannot be imported as a whole."""

    table: Table
    rows: list[ImportRow] = field(default_factory=list)
    sum_cents: int = 0
    problem: str = ""


def check(
    run: ImportRun, *, directory: Directory, own_authority: object, known: set[str]
) -> Checked:
    """Return the rows of the run's file, not yet stored; raise `FileRefused`.

    `known` are the keys of rows that were imported before; grows by those of this file.
    """
    table = read(bytes(run.content))
    checked = Checked(table)
    first_line: dict[str, int] = {}
    for row in _rows(run, table, directory, own_authority):
        if row.state != RowState.FAULTY or row.faults:
            _mark_repetition(row, known, first_line)
        checked.rows.append(row)
        checked.sum_cents += row.total_cents
    checked.problem = _compare_totals(checked)
    return checked


def _rows(
    run: ImportRun, table: Table, directory: Directory, own_authority: object
) -> Iterator[ImportRow]:
    today = clock.now().astimezone(_ZONE).date()
    for raw in table.rows:
        built = build(raw, today=today)
        faults, draft = list(built.faults), built.draft
        resolution = _resolve(built, directory)
        if resolution.authority is not None and resolution.authority.id == own_authority:
            faults.append(_own_authority(built))
        elif resolution.authority is not None:
            draft = replace(draft, requested_authority=resolution.authority.id)
        else:
            faults.append(_undecided(built, resolution))
        wrong = built.errors or (resolution.authority and draft.requested_authority is None)
        state = RowState.FAULTY if wrong else RowState.GOOD
        if not wrong and resolution.authority is None:
            state = RowState.UNDECIDED if resolution.candidates else RowState.FAULTY
        yield ImportRow(
            run=run,
            line=built.line,
            key=built.key,
            state=state,
            reference=draft.own_reference[:200],
            total_cents=draft.total_cents,
            cells=dict(built.cells),
            draft=wire.write_record(draft) if state in {RowState.GOOD, RowState.UNDECIDED} else b"",
            faults=[_fault(each) for each in faults],
            candidates=_candidates(resolution) if state == RowState.UNDECIDED else [],
        )


def _resolve(built: Built, directory: Directory) -> Resolution:
    cells = built.cells
    return directory.resolve(
        postcode=cells.get("PLZ", ""),
        place=cells.get("Ort", ""),
        key=cells.get("Behoerdenschluessel", ""),
    )


def _own_authority(built: Built) -> RowFault:
    return RowFault(
        header="PLZ",
        text="Für diese Anschrift sind Sie selbst zuständig.",
        hint="Vollstrecken Sie selbst, oder prüfen Sie die Anschrift.",
        value=built.cells.get("PLZ", ""),
    )


def _undecided(built: Built, resolution: Resolution) -> RowFault:
    ambiguous = resolution.outcome is Outcome.AMBIGUOUS
    return RowFault(
        header="Behoerdenschluessel" if built.cells.get("Behoerdenschluessel") else "PLZ",
        text=resolution.reason,
        hint="Wählen Sie beim Import die Behörde aus oder tragen Sie ihren Schlüssel ein."
        if ambiguous
        else "Berichtigen Sie die Anschrift oder tragen Sie den Behördenschlüssel ein.",
        value=built.cells.get("PLZ", ""),
    )


def _mark_repetition(row: ImportRow, known: set[str], first_line: dict[str, int]) -> None:
    if row.key in first_line:
        row.state = RowState.FAULTY
        row.draft = b""
        row.faults = [
            *row.faults,
            _fault(
                RowFault(
                    header="Aktenzeichen",
                    text=f"Die Zeile {first_line[row.key]} hat dasselbe Aktenzeichen, "
                    "Kassenzeichen und Titelaktenzeichen.",
                    hint="Entfernen Sie eine der beiden Zeilen.",
                    value=row.reference,
                )
            ),
        ]
        return
    first_line[row.key] = row.line
    if row.key in known and row.state != RowState.FAULTY:
        row.state = RowState.REPEATED
        row.draft = b""
        row.cells = {}


def _compare_totals(checked: Checked) -> str:
    totals = checked.table.totals
    if totals is None:
        return ""
    if totals.count != len(checked.rows):
        return (
            f"Die Kontrollsumme nennt {totals.count} Zeilen, die Datei hat {len(checked.rows)}. "
            "Die Datei ist unvollständig oder verändert; erzeugen Sie sie neu."
        )
    if totals.cents != checked.sum_cents:
        return (
            f"Die Kontrollsumme nennt {format_euro(totals.cents)}, die Zeilen ergeben "
            f"{format_euro(checked.sum_cents)}. Prüfen Sie die Datei; es wurde nichts übernommen."
        )
    return ""


def _fault(fault: RowFault) -> dict[str, object]:
    return {
        "header": fault.header,
        "text": fault.text,
        "hint": fault.hint,
        "value": fault.value[:200],
        "warning": fault.warning,
    }


def _candidates(resolution: Resolution) -> list[dict[str, str]]:
    return [
        {"id": str(each.authority.id), "name": each.authority.name, "reason": each.reason}
        for each in resolution.candidates[:_MAX_CANDIDATES]
    ]
