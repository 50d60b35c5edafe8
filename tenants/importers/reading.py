"""From the bytes of a file to rows of cells, with limits. Pure."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tenants.cases.money import NotMoney, parse_euro
from tenants.importers.columns import BY_HEADER, NEEDED, TOTALS
from tenants.importers.errors import FileRefused

MAX_BYTES: Final = 50 * 1024 * 1024
MAX_ROWS: Final = 50_000
MAX_CELL: Final = 8_000
_MAX_COLUMNS: Final = 200
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands in the file: its first line there, and its cells by header."""

    line: int
    cells: Mapping[str, str]
    #: Set where the row does not fit the header: in German, what is wrong.
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the file says of itself in its last row."""

    line: int
    count: int
    cents: int


@dataclass(slots=True)
class Table:
    """The rows of a file. `totals` is known after the last row has been read."""

    headers: tuple[str, ...]
    encoding: str
    delimiter: str
    rows: Iterator[Row] = field(default=iter(()))
    totals: Totals | None = None


def read(content: bytes) -> Table:
    """Return the table of a file; raise `FileRefused` where it cannot be one."""
    text, encoding = _decode(content)
    head = next((line for line in io.StringIO(text) if line.strip()), "")
    if not head:
        raise FileRefused("Die Datei ist leer. Wählen Sie eine Datei mit Kopfzeile und Zeilen.")
    delimiter = ";" if head.count(";") >= head.count(",") else ","
    # Strict: a quotation mark that is never closed must not swallow the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = next(cells for cells in reader if any(cell.strip() for cell in cells))
    except csv.Error as error:
        raise FileRefused(f"Die Kopfzeile ist nicht lesbar ({error}).") from error
    table = Table(_headers(names), encoding, delimiter)
    table.rows = _rows(reader, table)
    return table


def _decode(content: bytes) -> tuple[str, str]:
    if len(content) > MAX_BYTES:
        raise FileRefused(
            f"Die Datei ist größer als {MAX_BYTES // 1024 // 1024} MB. Teilen Sie sie auf."
        )
    if b"\0" in content:
        raise FileRefused(
            "Die Datei enthält Nullbytes und ist keine CSV-Datei in UTF-8 oder Windows-1252. "
            "Speichern Sie sie neu als „CSV UTF-8“."
        )
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(
            f"In Zeile {line} steht ein Zeichen, das weder UTF-8 noch Windows-1252 ist. "
            "Speichern Sie die Datei neu als „CSV UTF-8“."
        ) from error


def _headers(names: list[str]) -> tuple[str, ...]:
    known = {_plain(header): header for header in BY_HEADER}
    headers: list[str] = []
    unknown = []
    for name in names[:_MAX_COLUMNS]:
        header = known.get(_plain(name), "")
        if not header and name.strip():
            unknown.append(name.strip()[:40])
        headers.append(header)
    doubled = {header for header in headers if header and headers.count(header) > 1}
    if doubled:
        raise FileRefused(
            f"Die Spalte „{min(doubled)}“ steht zweimal in der Kopfzeile. Entfernen Sie eine davon."
        )
    missing = [header for header in NEEDED if header not in headers]
    if missing:
        hint = f" Unbekannte Spalten: {', '.join(unknown[:5])}." if unknown else ""
        raise FileRefused(
            f"In der Kopfzeile fehlen Spalten: {', '.join(missing[:8])}"
            f"{' …' if len(missing) > 8 else ''}.{hint} "  # noqa: PLR2004 -- as many as are read
            "Die Beschreibung der Importdatei nennt alle."
        )
    if unknown:
        raise FileRefused(
            f"Die Kopfzeile nennt unbekannte Spalten: {', '.join(unknown[:8])}. "
            "Berichtigen oder entfernen Sie sie, damit keine Angabe verloren geht."
        )
    return tuple(headers)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold().translate(_UMLAUTS))


def _rows(reader: Iterator[list[str]], table: Table) -> Iterator[Row]:
    count, line = 0, _line(reader) + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Where the quoting is broken, nobody knows where the next row begins.
            yield Row(line, {}, f"Ab hier ist die Datei nicht lesbar ({error}).")
            return
        begin, line = line, _line(reader) + 1
        if not any(cell.strip() for cell in cells):
            continue
        if table.totals is not None:
            yield Row(begin, {}, f"Nach der Zeile {TOTALS} darf keine weitere stehen.")
            return
        if cells[0].strip().upper() == TOTALS:
            table.totals = _totals(begin, cells)
            continue
        count += 1
        if count > MAX_ROWS:
            raise FileRefused(f"Die Datei hat mehr als {MAX_ROWS} Zeilen. Teilen Sie sie auf.")
        yield _row(begin, cells, table.headers)


def _line(reader: object) -> int:
    return int(getattr(reader, "line_num", 0))


def _row(line: int, cells: list[str], headers: tuple[str, ...]) -> Row:
    problem = ""
    while len(cells) > len(headers) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(headers):
        problem = (
            f"Die Zeile hat {len(cells)} Felder, die Kopfzeile {len(headers)}. "
            "Texte mit Trennzeichen müssen in Anführungszeichen stehen."
        )
    found = {header: cell.strip() for header, cell in zip(headers, cells, strict=False) if header}
    if long := [header for header, cell in found.items() if len(cell) > MAX_CELL]:
        problem = f"Das Feld „{long[0]}“ hat mehr als {MAX_CELL} Zeichen."
        found = {header: cell[:MAX_CELL] for header, cell in found.items()}
    return Row(line, found, problem)


def _totals(line: int, cells: list[str]) -> Totals:
    try:
        return Totals(line, int(cells[1].strip()), parse_euro(cells[2]))
    except (IndexError, ValueError, NotMoney) as error:
        raise FileRefused(
            f"Zeile {line}: Die Kontrollsummen sind nicht lesbar. "
            f"Erwartet wird {TOTALS};Anzahl;Gesamtbetrag."
        ) from error
