"""From bytes to rows: what people's programs write, and what nobody should be able to do."""

import time
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenants.importers import reading
from tenants.importers.building import build
from tenants.importers.columns import BY_HEADER, NEEDED, REMARK
from tenants.importers.errors import FileRefused
from tenants.importers.reading import Row, read
from tests.factories.import_files import file, row

TODAY = date(2026, 11, 23)
HEAD, RIGHT = file(row(1)).decode().splitlines()


def rows(content: bytes | str) -> list[Row]:
    return list(read(content.encode() if isinstance(content, str) else content).rows)


def refused(content: bytes | str) -> str:
    with pytest.raises(FileRefused) as error:
        rows(content)
    return error.value.message


def lines(*more: str) -> str:
    return "\r\n".join((HEAD, *more)) + "\r\n"


# -- what people's programs write -----------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")],
)
@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_files_of_all_programs_say_the_same(
    encoding: str, named: str, delimiter: str, newline: str
) -> None:
    cells = row(1, Nachname="Müßig–Öztürk", Hauptforderung="312", Bemerkung="")
    text = delimiter.join(cells) + newline + delimiter.join(cells.values()) + newline
    table = read(text.encode(encoding))
    assert (table.encoding, table.delimiter) == (named, delimiter)
    (only,) = table.rows
    assert (only.line, only.problem) == (2, "")
    assert only.cells == cells


def test_headers_may_be_written_in_other_ways() -> None:
    spelt = HEAD.replace("Rechtsverhaeltnis", "RECHTSVERHÄLTNIS").replace(
        "Titel Aktenzeichen", " Titel-Aktenzeichen "
    )
    assert "Rechtsverhaeltnis" in read(spelt.encode()).headers
    assert "Titel Aktenzeichen" in read(spelt.encode()).headers


def test_only_needed_columns_must_be_there_in_any_order() -> None:
    content = ";".join(reversed(NEEDED))
    assert read(content.encode()).headers == tuple(reversed(NEEDED))


def test_lines_are_counted_as_the_editor_counts_them() -> None:
    quoted = '"a\r\nb";'
    at = [each.line for each in rows(lines("", RIGHT, quoted, "", RIGHT))]
    assert at == [3, 4, 7]


def test_cells_may_hold_delimiters_quotes_and_lines() -> None:
    note = 'Wohnt "hinten"; klingeln,\nzweimal'
    assert rows(file(row(1, Bemerkung=note)))[0].cells["Bemerkung"] == note


def test_totals_are_read_from_the_last_row() -> None:
    table = read(lines(RIGHT, "#summe;1;1.312,50 €").encode())
    assert len(list(table.rows)) == 1
    assert table.totals is not None
    assert (table.totals.line, table.totals.count, table.totals.cents) == (3, 1, 131_250)


def test_error_file_is_read_as_what_it_was() -> None:
    given = row(1, Telefon="+49 571 890", Bemerkung="=1+1")
    (first,) = rows(file(given))
    guarded = file({**given, "Telefon": "'+49 571 890", "Bemerkung": "'=1+1"}).decode()
    head, cells = guarded.splitlines()
    again = rows(f"{head};{REMARK}\n{cells};Zeile 2: falsch\n{';' * head.count(';')};ab hier\n")
    assert [each.cells for each in again] == [first.cells]


# -- what is refused, with the words --------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xef\xbb\xbf", b";;;\n", b'"";""\n', b'""\n""']
)
def test_empty_files_are_called_empty(content: bytes) -> None:
    assert "Die Datei ist leer" in refused(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04\0\0 xlsx", "Nullbytes"),
        (HEAD.encode("utf-16"), "Nullbytes"),
        (HEAD.encode() + b"\n\x81", "In Zeile 2 steht ein Zeichen"),
        (f"{HEAD};Nachname", "„Nachname“ steht zweimal"),
        (f"{HEAD};nach name", "„Nachname“ steht zweimal"),
        (f"{HEAD};Lieblingsfarbe", "unbekannte Spalten: Lieblingsfarbe"),
        (HEAD.replace("IBAN", "Konto"), "fehlen Spalten: IBAN. Unbekannte Spalten: Konto."),
        ("Name,Betrag\nUhlenbrock,3", "fehlen Spalten"),
        (HEAD.replace(";", "\t"), "durch Tabulatoren getrennt"),
        ('"Akten', "Die Kopfzeile ist nicht lesbar: ein Anführungszeichen wird nicht"),
        (lines(RIGHT, "#SUMME;eins;2"), "Zeile 3: Die Kontrollsummen sind nicht lesbar"),
        (lines(RIGHT, "#SUMME;1"), "Zeile 3: Die Kontrollsummen sind nicht lesbar"),
        (lines(RIGHT, "#SUMME;1;1.200"), "Zeile 3, Gesamtbetrag: „1.200“ kann 1.200,00 € oder"),
        (lines(RIGHT, "#SUMME;1;312,50", RIGHT), "Zeile 4: Nach der Zeile #SUMME darf keine"),
    ],
)
def test_files_that_are_no_table_are_refused(content: bytes | str, words: str) -> None:
    assert words in refused(content)


def test_two_encodings_in_one_file_are_refused_not_garbled() -> None:
    first = file(row(1, Vornamen="Jörg"))
    second = file(row(2, Vornamen="Jörg")).decode().splitlines()[1].encode("cp1252")
    assert "Zeile 2 ist in UTF-8 geschrieben, Zeile 3 nicht" in refused(first + second)


def test_typographic_signs_of_windows_are_no_second_encoding() -> None:
    text = "„STRAUß“ – BÜRGERBÜRO “GRÜ” … Ä’"
    (only,) = rows(file(row(1, Bemerkung=text)).decode().encode("cp1252"))
    assert only.cells["Bemerkung"] == text


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ('"offen;und so weiter', "ein Anführungszeichen wird nicht geschlossen"),
        ('"zu"spät;', "ein Anführungszeichen steht an falscher Stelle"),
        ("x" * 131_073, "ein Feld hat mehr als 131072 Zeichen"),
    ],
)
def test_rows_before_a_broken_place_are_still_good(broken: str, words: str) -> None:
    good, bad = rows(lines(RIGHT, broken, RIGHT))
    assert (good.line, good.problem) == (2, "")
    assert bad.line == 3
    assert words in bad.problem
    assert "Berichtigen Sie die ganze Datei" in bad.hint


def test_rows_of_another_width_are_faulty_alone() -> None:
    narrow, right, wide = rows(lines("a;b", RIGHT, RIGHT + ";mehr"))
    assert narrow.problem.startswith("Die Zeile hat 2 Felder")
    assert not right.problem
    assert wide.problem.startswith(f"Die Zeile hat {len(BY_HEADER) + 1} Felder")
    assert "überzählig: mehr." in wide.problem


def test_a_row_of_one_field_may_have_another_delimiter() -> None:
    lone, right = rows(lines(RIGHT.replace(";", ","), RIGHT))
    assert lone.problem == (
        f"Die Zeile hat nur ein Feld, die Kopfzeile {len(BY_HEADER)}. "
        "Prüfen Sie das Trennzeichen dieser Zeile."
    )
    assert not right.problem


def test_empty_fields_behind_the_last_column_are_nothing() -> None:
    assert not rows(lines(RIGHT + ";;;"))[0].problem


def test_what_stands_under_no_header_is_not_lost() -> None:
    head, *more = lines(RIGHT + ";", RIGHT + ";800 EUR").splitlines()
    right, wrong = rows("\r\n".join((head + ";", *more)))
    assert not right.problem
    assert wrong.problem == "„800 EUR“ steht in einer Spalte ohne Überschrift."


def test_long_cells_are_faulty_and_cut() -> None:
    (only,) = rows(file(row(1, Bemerkung="x" * 8_001)))
    assert only.problem == "Das Feld „Bemerkung“ hat mehr als 8000 Zeichen."
    assert len(only.cells["Bemerkung"]) == 8_000


# -- what nobody should be able to do -------------------------------------------------------


@pytest.mark.parametrize("endless", ["a;" * 300_000, '"\n";' * 200_000, '""' * 300_000])
def test_endless_rows_are_refused_before_they_fill_the_memory(endless: str) -> None:
    assert "mehr als 500000 Zeichen" in refused(lines(endless))


def test_many_rows_are_not_one_long_row() -> None:
    note = "x" * 7_000
    assert len(rows(file(*(row(number, Bemerkung=note) for number in range(100))))) == 100


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 2)
    assert "mehr als 2 Zeilen" in refused(lines(RIGHT, RIGHT, RIGHT))


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    assert "größer als" in refused(lines(RIGHT))


def _everything(content: bytes) -> None:
    """Read a file to its end and build every row; nothing may come of it but a refusal."""
    try:
        table = read(content)
        for each in table.rows:
            for fault in build(each, today=TODAY).faults:
                assert fault.header in BY_HEADER
                assert fault.text
                assert fault.hint
    except FileRefused:
        pass


@given(st.binary(max_size=400))
@example(b'"')
@example(b"\r")
@example(b"\x1a")
def test_no_bytes_break_the_reader(content: bytes) -> None:
    _everything(content)


@given(st.lists(st.tuples(st.integers(0, len(lines(RIGHT))), st.binary(max_size=6)), max_size=4))
def test_no_change_of_a_good_file_breaks_the_reader(changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(lines(RIGHT, RIGHT).encode())
    for place, piece in changes:
        content[place : place + len(piece)] = piece
    _everything(bytes(content))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)))
def test_what_a_row_holds_is_what_was_written(texts: list[str]) -> None:
    headers = ("Bemerkung", "Forderungsgrund", "Nachname", "Ort")
    given = row(1, **dict(zip(headers, texts, strict=False)))
    (only,) = rows(file(given))
    assert all(only.cells[header] == cell.strip() for header, cell in given.items())


def test_reads_20000_rows_quickly() -> None:
    content = file(*(row(number) for number in range(20_000)))
    begin = time.process_time()
    assert len(rows(content)) == 20_000
    assert time.process_time() - begin < 5
