"""Checks a file: every row with all its faults, the authority it goes to, and the totals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from centre.directory.competence import Outcome, Resolution
from centre.directory.interface import Directory
from centre.kernel import clock
from centre.kernel.counting import counted
from tenants.cases import wire
from tenants.cases.money import format_euro
from tenants.cases.readiness import unreachable
from tenants.cases.words import Words
from tenants.importers.building import Built, RowFault, build, describe
from tenants.importers.columns import AUTHORITY
from tenants.importers.models import ImportRow, RowState
from tenants.importers.reading import Table, read

#: "Today" in a German office, not in UTC.
_MAX_CANDIDATES: Final = 20
_LINES_SHOWN: Final = 10


class Check:
    """One pass over a file: iterate `rows()`, then ask what they come to.

    Holds no row: a file may have as many as it likes. Raises `FileRefused`, at the beginning or
    on the way.
    """

    def __init__(
        self, content: bytes, *, directory: Directory, own_authority: UUID, run_id: UUID
    ) -> None:
        self.table: Table = read(content)
        self.count = 0
        self.sum_cents = 0
        self._directory = directory
        self._own_authority = own_authority
        self._run_id = run_id
        #: Lines of rows without a readable amount: the sum says nothing about them.
        self._unreadable: list[int] = []

    def rows(self) -> Iterator[ImportRow]:
        """Yield the rows as they are to be stored."""
        today = clock.today()
        first_line: dict[str, int] = {}
        for raw in self.table.rows:
            built = build(raw, today=today)
            row = self._row(built)
            if row.key and (first := first_line.setdefault(row.key, row.line)) != row.line:
                _mark_double(row, first)
            self.count += 1
            self.sum_cents += row.total_cents
            if built.cents is None:
                self._unreadable.append(row.line)
            yield row

    def _row(self, built: Built) -> ImportRow:
        faults, draft, state = list(built.faults), built.draft, RowState.FAULTY
        resolution = self._resolve(built)
        authority = resolution.authority
        if not built.fingerprint:
            pass  # its cells may have slipped: nothing is said about the authority either
        elif authority is None:
            faults.append(_undecided(built, resolution))
            if resolution.candidates and not built.errors:
                state = RowState.UNDECIDED
        elif authority.id == self._own_authority:
            faults.append(_own_authority(built))
        elif words := unreachable(self._directory, authority.id):
            faults.append(_not_reached(built, words))
        elif not built.errors:
            draft, state = replace(draft, requested_authority=authority.id), RowState.GOOD
        return ImportRow(
            run_id=self._run_id,
            line=built.line,
            key=built.key,
            fingerprint=built.fingerprint,
            state=state,
            reference=draft.own_reference[:200],
            total_cents=built.cents or 0,
            cells=dict(built.cells),
            draft=b"" if state == RowState.FAULTY else wire.write_record(draft),
            faults=[describe(each) for each in faults],
            candidates=_candidates(resolution) if state == RowState.UNDECIDED else [],
        )

    def _resolve(self, built: Built) -> Resolution:
        cells = built.cells
        return self._directory.resolve(
            postcode=cells.get("PLZ", ""),
            place=cells.get("Ort", ""),
            key=cells.get(AUTHORITY, ""),
        )

    @property
    def problem(self) -> str:
        """Why the file cannot be imported as a whole; empty if it can."""
        totals = self.table.totals
        if totals is None:
            return ""
        if totals.count != self.count:
            told = counted(totals.count, "Zeile", "Zeilen")
            return (
                f"Die Kontrollsumme nennt {told}, die Datei hat {self.count}. "
                "Die Datei ist unvollständig oder verändert; erzeugen Sie sie neu."
            )
        if totals.cents != self.sum_cents and not self._unreadable:
            return (
                f"Die Kontrollsumme nennt {format_euro(totals.cents)}, die Zeilen ergeben "
                f"{format_euro(self.sum_cents)}. Prüfen Sie die Datei."
            )
        return ""

    @property
    def remark(self) -> str:
        """What people must know of a file that can be imported all the same."""
        totals, missing = self.table.totals, self._unreadable
        if totals is None or not missing:
            return ""
        shown = ", ".join(str(line) for line in missing[:_LINES_SHOWN])
        more = len(missing) - _LINES_SHOWN
        return (
            f"Die Kontrollsumme von {format_euro(totals.cents)} ist nicht geprüft: Ohne lesbaren "
            f"Betrag {'ist Zeile' if len(missing) == 1 else 'sind die Zeilen'} {shown}"
            f"{f' und {more} weitere' if more > 0 else ''}. "
            f"Die übrigen ergeben {format_euro(self.sum_cents)}."
        )


def mark_repeated(rows: Sequence[ImportRow], imported: Mapping[str, ImportRow]) -> None:
    """Mark rows that were imported before; say so where they said something else then."""
    for row in rows:
        former = imported.get(row.key)
        if former is None or row.state == RowState.FAULTY:
            continue
        changed = former.fingerprint and former.fingerprint != row.fingerprint
        row.state, row.case_id = RowState.REPEATED, former.case_id
        row.cells, row.draft, row.candidates = {}, b"", []
        row.faults = [describe(_changed(former, row))] if changed else []


def _changed(former: ImportRow, row: ImportRow) -> RowFault:
    text = Words("Die Zeile ist schon übernommen, aber mit anderem Inhalt.")
    if former.total_cents != row.total_cents:
        text = Words(
            "Die Zeile ist schon übernommen, aber mit anderem Inhalt (%(former)s, jetzt %(now)s).",
            former=format_euro(former.total_cents),
            now=format_euro(row.total_cents),
        )
    return RowFault(
        header="Aktenzeichen",
        text=text,
        hint=(
            "Das Ersuchen bleibt, wie es ist. Ist es noch ein Entwurf, so ändern Sie ihn; sonst "
            "teilen Sie die Änderung im Vorgang mit."
        ),
        warning=True,
    )


def _mark_double(row: ImportRow, first: int) -> None:
    row.state, row.draft, row.candidates = RowState.FAULTY, b"", []
    fault = RowFault(
        header="Aktenzeichen",
        text=Words(
            "Die Zeile %(first)s hat dasselbe Aktenzeichen, Kassenzeichen und Titelaktenzeichen.",
            first=first,
        ),
        hint="Entfernen Sie eine der beiden Zeilen.",
        value=row.reference,
    )
    row.faults = [*row.faults, describe(fault)]


def _own_authority(built: Built) -> RowFault:
    return _at_address(
        built,
        text="Für diese Anschrift sind Sie selbst zuständig.",
        hint="Vollstrecken Sie selbst, oder prüfen Sie die Anschrift.",
    )


def _not_reached(built: Built, words: str) -> RowFault:
    return _at_address(
        built,
        text=words,
        hint="Fragen Sie dort nach, oder lesen Sie die Zeile später noch einmal ein.",
    )


def _undecided(built: Built, resolution: Resolution) -> RowFault:
    ambiguous = resolution.outcome is Outcome.AMBIGUOUS
    return _at_address(
        built,
        text=resolution.reason,
        hint="Wählen Sie beim Import die Behörde aus oder tragen Sie ihren Schlüssel ein."
        if ambiguous
        else "Berichtigen Sie die Anschrift oder tragen Sie den Behördenschlüssel ein.",
    )


def _at_address(built: Built, *, text: str, hint: str) -> RowFault:
    header = AUTHORITY if built.cells.get(AUTHORITY) else "PLZ"
    return RowFault(header=header, text=text, hint=hint, value=built.cells.get(header, ""))


def _candidates(resolution: Resolution) -> list[dict[str, str]]:
    return [
        {"id": str(each.authority.id), "name": each.authority.name, "reason": each.reason}
        for each in resolution.candidates[:_MAX_CANDIDATES]
    ]
