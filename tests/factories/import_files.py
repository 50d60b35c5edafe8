"""Import files with rows that are right unless a test says otherwise."""

import csv
import io

from tenants.importers.columns import COLUMNS

RIGHT = {
    "Aktenzeichen": "20.3-4711/26",
    "Kassenzeichen": "5.0815.000123.4",
    "Angeordnet von": "L. Leitung",
    "Nachname": "Uhlenbrock",
    "Vornamen": "Ingo",
    "Strasse": "Lange Straße",
    "Hausnummer": "7",
    "PLZ": "32423",
    "Ort": "Minden",
    "Titelart": "Bescheid",
    "Titel Behoerde": "Stadt Alphastadt",
    "Titel Aktenzeichen": "G-2026-0815",
    "Titel Datum": "02.03.2026",
    "Einnahmeart": "Grundsteuer",
    "Forderungsgrund": "Grundsteuer B 2026",
    "Faellig am": "15.05.2026",
    "Hauptforderung": "312,50",
    "Mahnung am": "01.07.2026",
    "Vollstreckbar bestaetigt von": "K. Kranich",
    "Vollstreckbar bestaetigt am": "20.11.2026",
    "Gefahr bekannt": "nein",
    "Massnahmen": "account|field_visit",
    "Ratenzahlung": "ja",
    "Ansprechperson": "Karla Kranich",
    "Telefon": "0571 89-0",
    "Kontoinhaber": "Stadt Alphastadt",
    "IBAN": "DE02120300000000202051",
}


def row(number: int = 1, **changed: str) -> dict[str, str]:
    """A row of its own; headers with blanks are given with underscores."""
    own = {"Aktenzeichen": f"20.3-{number:04}/26", "Kassenzeichen": f"5.{number:06}"}
    return RIGHT | own | {header.replace("_", " "): cell for header, cell in changed.items()}


def file(*rows: dict[str, str]) -> bytes:
    """Return the bytes of a file with these rows."""
    target = io.StringIO()
    writer = csv.DictWriter(target, [column.header for column in COLUMNS], delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()
