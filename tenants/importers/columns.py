"""The columns of an import file: their headers, what they fill, and what people must know. Pure.

`docs/reference/import-csv.md` is generated from here (`python -m tenants.importers.columns`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenants.cases import codes
from tenants.cases.codes import Codes


class Form(StrEnum):
    """How a cell is written."""

    TEXT = "Text"
    DAY = "TT.MM.JJJJ"
    EURO = "Betrag, Dezimalkomma"
    YES_NO = "ja oder nein"
    NUMBER = "ganze Zahl"
    CODE = "Eintrag der Liste"
    CODES = "Einträge der Liste, getrennt durch |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. `path` is the field of `RequestDraft` that it fills, as faults name it."""

    header: str
    path: str
    form: Form = Form.TEXT
    needed: bool = False
    codes: Codes | None = None
    help: str = ""


def _column(header: str, path: str, form: Form = Form.TEXT, **more: object) -> Column:
    return Column(header=header, path=path, form=form, **more)  # type: ignore[arg-type]


COLUMNS: Final = (
    _column("Aktenzeichen", "own_reference", needed=True, help="Ihr Aktenzeichen des Vorgangs"),
    _column("Kassenzeichen", "remittance.payment_reference", needed=True),
    _column(
        "Rechtsverhaeltnis",
        "legal_relation",
        Form.CODE,
        codes=codes.LEGAL_RELATIONS,
        help="leer: assistance",
    ),
    _column("Rechtsgrundlage", "legal_basis"),
    _column("Angeordnet von", "ordered_by", needed=True, help="Leitung oder Beauftragte(r)"),
    _column("Glaeubiger", "creditor.name", help="nötig bei own_task: für wen vollstreckt wird"),
    _column(
        "Behoerdenschluessel",
        "requested_authority",
        help="AGS, ARS oder Kennung der ersuchten Behörde; leer: aus PLZ und Ort",
    ),
    _column("Nachname", "debtors[0].surname", help="bei natürlichen Personen nötig"),
    _column("Vornamen", "debtors[0].first_names", help="bei natürlichen Personen nötig"),
    _column("Geburtsdatum", "debtors[0].birth_on", Form.DAY),
    _column("Firma", "debtors[0].company_name", help="gefüllt: juristische Person"),
    _column("Rechtsform", "debtors[0].legal_form"),
    _column("Strasse", "debtors[0].address.street", needed=True),
    _column("Hausnummer", "debtors[0].address.house_number"),
    _column("PLZ", "debtors[0].address.postcode", needed=True, help="mit führender Null"),
    _column("Ort", "debtors[0].address.place", needed=True),
    _column("Titelart", "titles[0].kind", Form.CODE, codes=codes.TITLE_KINDS, needed=True),
    _column("Titel Behoerde", "titles[0].issuer", needed=True),
    _column("Titel Aktenzeichen", "titles[0].reference", needed=True),
    _column("Titel Datum", "titles[0].issued_on", Form.DAY, needed=True),
    _column("Titel zugestellt am", "titles[0].served_on", Form.DAY),
    _column("Titel rechtskraeftig am", "titles[0].final_on", Form.DAY, help="bei Bußgeldern nötig"),
    _column(
        "Einnahmeart", "claims[0].revenue_kind", Form.CODE, codes=codes.REVENUE_KINDS, needed=True
    ),
    _column("Forderungsgrund", "claims[0].reason", needed=True),
    _column("Faellig am", "claims[0].due_on", Form.DAY, needed=True),
    _column("Hauptforderung", "claims[0].original_cents", Form.EURO, needed=True),
    _column("Offen", "claims[0].open_cents", Form.EURO, help="leer: wie Hauptforderung"),
    _column("Verjaehrt am", "claims[0].limitation_end", Form.DAY),
    _column("Saeumniszuschlag", "late_payment_surcharge", Form.EURO),
    _column("Saeumnis bis", "computed_until", Form.DAY, help="mit Säumniszuschlag oder Zinsen"),
    _column("Zinsen", "interest", Form.EURO),
    _column("Mahngebuehr", "reminder_fee", Form.EURO),
    _column("Auslagen", "expenses", Form.EURO),
    _column("Mahnung am", "reminder.reminded_on", Form.DAY, help="oder der Grund daneben"),
    _column("Mahnung entfallen weil", "reminder.waived_reason"),
    _column("Vollstreckbar bestaetigt von", "enforceability.confirmed_by", needed=True),
    _column("Vollstreckbar bestaetigt am", "enforceability.confirmed_on", Form.DAY, needed=True),
    _column("Gefahr bekannt", "danger.known", Form.YES_NO, needed=True),
    _column("Gefahrenhinweis", "danger.text"),
    _column(
        "Massnahmen",
        "measures",
        Form.CODES,
        codes=codes.MEASURES,
        needed=True,
        help="in der gewünschten Reihenfolge",
    ),
    _column("Ratenzahlung", "instalments.permitted", Form.YES_NO, needed=True),
    _column("Mindestrate", "instalments.minimum_rate_cents", Form.EURO),
    _column("Raten hoechstens Monate", "instalments.maximum_months", Form.NUMBER),
    _column("Ansprechperson", "contact.name", needed=True),
    _column("Telefon", "contact.phone", needed=True),
    _column("E-Mail", "contact.email"),
    _column("Kontoinhaber", "remittance.account_holder", needed=True),
    _column("IBAN", "remittance.iban", needed=True),
    _column("BIC", "remittance.bic"),
    _column("Steuergeheimnis", "tax_secrecy", Form.YES_NO, help="leer: nein"),
    _column("Sozialdaten", "social_data", Form.YES_NO, help="leer: nein"),
    _column("Weiterleitung erlaubt", "forwarding_permitted", Form.YES_NO, help="leer: nein"),
    _column("Eilig weil", "urgency_reason", help="gefüllt: eilig"),
    _column("Bemerkung", "note"),
)
AUTHORITY: Final = "Behoerdenschluessel"
BY_HEADER: Final = {column.header: column for column in COLUMNS}
NEEDED: Final = tuple(column.header for column in COLUMNS if column.needed)
#: In the first column of the last row: the next two cells hold the number of rows and the sum.
TOTALS: Final = "#SUMME"
#: What the error file says about its rows; skipped when it is read again.
REMARK: Final = "Fehler"

#: Faults about a whole part of the draft, shown at the column where people mend them.
_PARTS: Final = {
    "reminder": "Mahnung am",
    "enforceability": "Vollstreckbar bestaetigt von",
    "claims": "Hauptforderung",
    "debtors[0].kind": "Nachname",
    "debtors[0].seat": "Ort",
    "debtors[0].address.country": "Ort",
    "urgency": "Eilig weil",
}
_BY_PATH: Final = {column.path: column.header for column in COLUMNS}


def header_of(path: str) -> str:
    """Return the column in which a fault of this field is mended; the first one if none is."""
    if path in _BY_PATH:
        return _BY_PATH[path]
    if path in _PARTS:
        return _PARTS[path]
    if path.startswith("claims[0].ancillary"):
        return "Saeumnis bis" if "computed_until" in path else "Saeumniszuschlag"
    known = [part for part in (*_BY_PATH, *_PARTS) if path.startswith(part)]
    return header_of(max(known, key=len)) if known else COLUMNS[0].header


_PAGE: Final = """# Importdatei für Ersuchen (CSV)

Eine Zeile je Ersuchen. Die erste Zeile nennt die Spalten, in beliebiger Reihenfolge; Spalten ohne
Pflicht dürfen fehlen. Groß- und Kleinschreibung sowie ä/ae spielen keine Rolle.

- Trennzeichen `;` oder `,`; Zeichensatz UTF-8 (mit oder ohne BOM) oder Windows-1252, einer in der
  ganzen Datei. Höchstens 50 MB und 50000 Zeilen, höchstens 8000 Zeichen je Feld.
- Beträge mit Dezimalkomma (`1.234,56` oder `1 234,56`), Tage als `TT.MM.JJJJ`. `1.200` ohne Cent
  wird nicht übernommen: Es kann tausendzweihundert oder eins zwanzig heißen.
- Listen nehmen den Schlüssel oder den deutschen Text.
- Wahlweise als letzte Zeile die Kontrollsummen: `#SUMME;Anzahl der Zeilen;Gesamtbetrag`, wobei der
  Gesamtbetrag die offenen Hauptforderungen mit allen Nebenforderungen umfasst. Stimmt eine der
  beiden Zahlen nicht, wird die Datei nicht übernommen. Ist in einer Zeile kein Betrag lesbar, so
  wird nur die Anzahl verglichen, und das Programm nennt die Zeilen, die in der Summe fehlen.
- Die ersuchte Behörde ergibt sich aus Postleitzahl und Ort. Ist sie nicht eindeutig, fragt das
  Programm; mit `Behoerdenschluessel` legen Sie sie fest.
- Eine Zeile mit Fehlern hält die anderen nicht auf. Die Fehlerdatei enthält nur die fehlerhaften
  Zeilen und lässt sich berichtigt wieder einlesen; ihre Spalte `Fehler` wird dabei übergangen.
- In der Fehlerdatei steht ein Hochkomma vor Texten, die eine Tabellenkalkulation sonst als Formel
  ausführte (`'+49 …`). Beim Einlesen entfällt es wieder.
- Dieselbe Datei oder Zeile (Aktenzeichen, Kassenzeichen, Titel Aktenzeichen) noch einmal
  einzulesen erzeugt kein zweites Ersuchen. Hat sich die Zeile geändert, so sagt es das Programm;
  das Ersuchen bleibt, wie es ist. Ist der Entwurf aus einer Zeile gelöscht, kann sie noch einmal
  eingelesen werden.

Diese Seite ist erzeugt: `python -m tenants.importers.columns > docs/reference/import-csv.md`.

| Spalte | Pflicht | Form | Hinweis |
|---|---|---|---|
{rows}

## Listen
{lists}"""


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def page() -> str:
    """Return the description of the file for people."""
    rows = "\n".join(
        f"| {column.header} | {'ja' if column.needed else ''} | {_cell(column.form)} "
        f"| {_cell(column.help)} |"
        for column in COLUMNS
    )
    lists = ""
    for column in COLUMNS:
        if column.codes:
            lists += f"\n### {column.header}\n\n| Schlüssel | Text |\n|---|---|\n"
            lists += "".join(f"| `{code}` | {words} |\n" for code, words in column.codes.items())
    return _PAGE.format(rows=rows, lists=lists)


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
