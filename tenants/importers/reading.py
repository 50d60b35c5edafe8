"""From the bytes of a file to rows of cells, with limits. Pure."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from centre.kernel.quoting import quoted
from tenants.cases.money import NotMoney, parse_euro
from tenants.cases.words import Words
from tenants.importers.cells import unguard
from tenants.importers.columns import BY_HEADER, NEEDED, REMARK, TOTALS
from tenants.importers.errors import FileRefused

MAX_BYTES: Final = 50 * 1024 * 1024
MAX_ROWS: Final = 50_000
MAX_CELL: Final = 8_000
#: Characters of a row, over all its lines.
MAX_ROW: Final = 500_000
_MAX_COLUMNS: Final = 200
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
# What the commonest signs of UTF-8 look like to Windows-1252 (Ã¤, Â§, â€ž): nobody writes that.
_UTF8: Final = re.compile(rb"\xc3[\x80-\xbf]|\xc2[\xa0-\xbf]|\xe2\x80[\x80-\xbf]|\xe2\x82\xac")
_EMPTY: Final = "Die Datei ist leer. Wählen Sie eine Datei mit Kopfzeile und Zeilen."


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands in the file: its first line there, and its cells by header."""

    line: int
    cells: Mapping[str, str]
    #: Set where the row does not fit the header: in German, what is wrong and what to do.
    problem: str = ""
    hint: str = Words("Berichtigen Sie die Zeile.")


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
    codec, encoding = _encoding(content)
    head = next((line for line in _Lines(content, codec) if line.strip(' \t\r\n;,"')), "")
    delimiter = ";" if head.count(";") >= head.count(",") else ","
    if "\t" in head and delimiter not in head:
        raise FileRefused(
            "Die Spalten sind durch Tabulatoren getrennt. Speichern Sie die Datei mit Semikolon "
            "als Trennzeichen."
        )
    lines = _Lines(content, codec)
    # Strict: a quotation mark that is never closed must not swallow the rest of the file.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        names = next((cells for cells in reader if any(cell.strip() for cell in cells)), None)
    except csv.Error as error:
        raise FileRefused(f"Die Kopfzeile ist nicht lesbar: {_words(error)}.") from error
    if names is None:
        raise FileRefused(_EMPTY)
    table = Table(_headers(names), encoding, delimiter)
    table.rows = _rows(reader, lines, table)
    return table


class _Lines:
    """The lines of a file. A row that does not end within its limit is refused before it is held.

    A quoted cell goes over several lines: only who reads the rows knows where one begins.
    """

    def __init__(self, content: bytes, codec: str) -> None:
        self._text = io.TextIOWrapper(io.BytesIO(content), codec, newline="")
        self._spent = 0
        #: Of the line that was read last, counted from 1.
        self.number = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._spent += len(line)
        if self._spent > MAX_ROW:
            raise FileRefused(
                f"Die Zeile {self.number} gehört zu einem Eintrag mit mehr als {MAX_ROW} Zeichen. "
                "Prüfen Sie Trennzeichen und Anführungszeichen davor."
            )
        return line

    def begin_row(self) -> None:
        self._spent = 0


def _encoding(content: bytes) -> tuple[str, str]:
    """Return in which way all bytes make sense, for Python and for people."""
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
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        foreign = error.start
    else:
        return "utf-8-sig", "UTF-8"
    if (other := _UTF8.search(content)) is not None:
        raise FileRefused(
            f"Die Datei mischt zwei Zeichensätze: Zeile {_line_at(content, other.start())} ist in "
            f"UTF-8 geschrieben, Zeile {_line_at(content, foreign)} nicht. "
            "Speichern Sie die Datei neu als „CSV UTF-8“ und prüfen Sie die Umlaute."
        )
    try:
        content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise FileRefused(
            f"In Zeile {_line_at(content, error.start)} steht ein Zeichen, das weder UTF-8 noch "
            "Windows-1252 ist. Speichern Sie die Datei neu als „CSV UTF-8“."
        ) from error
    return "cp1252", "Windows-1252"


def _line_at(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _words(error: csv.Error) -> Words:
    """Say in German what the reader of the standard library says in English."""
    if "end of data" in str(error):
        return Words("ein Anführungszeichen wird nicht geschlossen")
    if "field larger" in str(error):
        return Words("ein Feld hat mehr als %(limit)s Zeichen", limit=csv.field_size_limit())
    return Words("ein Anführungszeichen steht an falscher Stelle")


def _headers(names: list[str]) -> tuple[str, ...]:
    known = {_plain(header): header for header in (*BY_HEADER, REMARK)}
    headers: list[str] = []
    unknown = []
    for name in names[:_MAX_COLUMNS]:
        header = known.get(_plain(name), "")
        if not header and name.strip():
            unknown.append(quoted(name.strip()))
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


def _rows(reader: Iterator[list[str]], lines: _Lines, table: Table) -> Iterator[Row]:
    count = 0
    while True:
        begin = lines.number + 1
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Where the quoting is broken, nobody knows where the next row begins.
            yield Row(
                begin,
                {},
                Words("Ab hier ist die Datei nicht lesbar: %(why)s.", why=_words(error)),
                Words(
                    "Berichtigen Sie die ganze Datei und lesen Sie sie noch einmal ein; was schon "
                    "übernommen ist, wird erkannt."
                ),
            )
            return
        if _is_blank(cells, table.headers):
            continue
        if table.totals is not None:
            raise FileRefused(
                f"Zeile {begin}: Nach der Zeile {TOTALS} darf keine weitere stehen. "
                "Stellen Sie die Kontrollsummen an das Ende der Datei."
            )
        if cells[0].strip().upper() == TOTALS:
            table.totals = _totals(begin, cells)
            continue
        count += 1
        if count > MAX_ROWS:
            raise FileRefused(f"Die Datei hat mehr als {MAX_ROWS} Zeilen. Teilen Sie sie auf.")
        yield _row(begin, cells, table.headers)


def _is_blank(cells: list[str], headers: tuple[str, ...]) -> bool:
    """Return whether a row says nothing, but for what an error file said about it."""
    return not any(
        cell.strip()
        for index, cell in enumerate(cells)
        if index >= len(headers) or headers[index] != REMARK
    )


def _row(line: int, cells: list[str], headers: tuple[str, ...]) -> Row:
    problem: str = ""
    while len(cells) > len(headers) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) == 1 < len(headers):
        problem = Words(
            "Die Zeile hat nur ein Feld, die Kopfzeile %(there)s. "
            "Prüfen Sie das Trennzeichen dieser Zeile.",
            there=len(headers),
        )
    elif len(cells) != len(headers):
        over = quoted(" | ".join(cells[len(headers) :]))
        problem = Words(
            "Die Zeile hat %(here)s Felder, die Kopfzeile %(there)s%(over)s. "
            "Texte mit Trennzeichen müssen in Anführungszeichen stehen.",
            here=len(cells),
            there=len(headers),
            over=Words("; überzählig: %(cells)s", cells=over) if over else "",
        )
    elif stray := "".join(
        cell for cell, header in zip(cells, headers, strict=True) if not header
    ).strip():
        problem = Words("„%(value)s“ steht in einer Spalte ohne Überschrift.", value=quoted(stray))
    found = {
        header: unguard(cell.strip())
        for header, cell in zip(headers, cells, strict=False)
        if header in BY_HEADER
    }
    if max(map(len, found.values()), default=0) > MAX_CELL:
        long = max(found, key=lambda header: len(found[header]))
        problem = Words(
            "Das Feld „%(header)s“ hat mehr als %(limit)s Zeichen.", header=long, limit=MAX_CELL
        )
        found = {header: cell[:MAX_CELL] for header, cell in found.items()}
    return Row(line, found, problem)


def _totals(line: int, cells: list[str]) -> Totals:
    try:
        return Totals(line, int(cells[1].strip()), parse_euro(cells[2]))
    except NotMoney as error:
        raise FileRefused(f"Zeile {line}, Gesamtbetrag: {error} {error.hint}") from error
    except (IndexError, ValueError) as error:
        raise FileRefused(
            f"Zeile {line}: Die Kontrollsummen sind nicht lesbar. "
            f"Erwartet wird {TOTALS};Anzahl;Gesamtbetrag."
        ) from error
