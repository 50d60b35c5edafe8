"""Writes the sample file: 200 requests of Minden about invented people. Always the same.

python scripts/make_sample.py > tenants/importers/samples/ersuchen-minden.csv
"""

import csv
import math
import random
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tenants.importers.columns import COLUMNS, TOTALS

ROOT = Path(__file__).resolve().parents[1]
TOWNS = ROOT / "platform" / "console" / "demo" / "municipalities.csv"
ROWS = 200
TODAY = date(2026, 11, 16)

SURNAMES = [
    "Abendroth",
    "Achterberg",
    "Bächle",
    "Birkenfeld",
    "Brüggenkamp",
    "Czerwinski",
    "Dahlhoff",
    "Drögemeier",
    "Eickmann",
    "Fahrenholz",
    "Feldkötter",
    "Gansbühler",
    "Grönemann",
    "Haselhorst",
    "Hüffermann",
    "Ibrahimovic",
    "Jansing",
    "Kalthoff",
    "Karahan",
    "Klöpper",
    "Korte-Lühring",
    "Lachmund",
    "Lüttgering",
    "Mühlenbrock",
    "Nachtigäller",
    "Novotny",
    "Ostermeier",
    "Öztürk",
    "Papenfuß",
    "Quellmalz",
    "Rademacher",
    "Röwekamp",
    "Schäpermeier",
    "Schnatmann",
    "Sokolowska",
    "Strüwer",
    "Tegtbüring",
    "Töpperwien",
    "Uhlenbrock",
    "Vahrenkamp",
    "Vogelpohl",
    "Wehmeyer",
    "Wißbrock",
    "Xanthopoulos",
    "Yildirim",
    "Zumbrägel",
]
FIRST_NAMES = [
    "Aylin",
    "Bernd",
    "Carla",
    "Dorothée",
    "Emil",
    "Franziska",
    "Georg",
    "Hanne",
    "Igor",
    "Jörg",
    "Katarzyna",
    "Lina",
    "Mehmet",
    "Noémi",
    "Olaf",
    "Petra",
    "Quirin",
    "Rüdiger",
    "Sören",
    "Tuğba",
    "Ulrike",
    "Viktor",
    "Wiebke",
    "Xenia",
    "Yusuf",
    "Zoë",
]
STREETS = [
    "Ahornweg",
    "Am Mühlenbach",
    "Bahnhofstraße",
    "Birkenallee",
    "Deichstraße",
    "Eschenkamp",
    "Fliederbusch",
    "Gartenstraße",
    "Hinter der Kirche",
    "Industriestraße",
    "Jahnstraße",
    "Kiefernweg",
    "Lange Straße",
    "Marktplatz",
    "Nordring",
    "Obere Gasse",
    "Poststraße",
    "Querweg",
    "Rosenweg",
    "Schulstraße",
    "Talstraße",
    "Uferweg",
    "Viehtrift",
    "Weidendamm",
    "Zum Anger",
]
COMPANIES = (
    "Feinkost Drögemeier",
    "Bauelemente Wißbrock",
    "Taxi Lüttgering",
    "Nordlicht Reinigung",
)

#: Kind of revenue, share, reason, kind of title, years until it is barred.
REVENUES = (
    ("traffic_fine", 38, "Verwarnung, Überschreitung der Höchstgeschwindigkeit", "fine_notice", 3),
    ("fee", 14, "Benutzungsgebühr Stadtbücherei und Musikschule", "assessment", 5),
    ("property_tax", 12, "Grundsteuer B, 2. und 3. Quartal 2026", "assessment", 5),
    ("dog_tax", 8, "Hundesteuer 2026", "assessment", 5),
    ("childcare", 10, "Elternbeitrag Kindertagesstätte, März bis Mai 2026", "assessment", 5),
    ("trade_tax", 4, "Gewerbesteuer-Vorauszahlung 2026", "assessment", 5),
    ("rescue_service", 6, "Einsatz des Rettungsdienstes", "assessment", 5),
    ("maintenance_advance", 5, "Unterhaltsvorschuss, Rückgriff", "assessment", 5),
    ("cost_notice", 3, "Kosten der Abschleppmaßnahme", "cost_notice", 5),
)


def main() -> None:
    """Write the file to standard output."""
    chance = random.Random(20261116)  # noqa: S311 -- the same people each time
    towns = [row for row in _towns() if row["slug"] != "minden"]
    writer = csv.writer(sys.stdout, delimiter=";", lineterminator="\n")
    headers = [column.header for column in COLUMNS]
    writer.writerow(headers)
    total = 0
    for number in range(1, ROWS + 1):
        cells, cents = _row(number, chance, towns)
        total += cents
        writer.writerow([cells.get(header, "") for header in headers])
    writer.writerow([TOTALS, ROWS, _euro(total)])


def _towns() -> list[dict[str, str]]:
    with TOWNS.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _row(
    number: int, chance: random.Random, towns: list[dict[str, str]]
) -> tuple[dict[str, Any], int]:
    # Most debtors have moved to another Land; a few live next door.
    far = [town for town in towns if town["centre"] != "krz"]
    town = chance.choice(far) if chance.random() < 0.85 else chance.choice(towns)
    revenue = chance.choices(REVENUES, weights=[each[1] for each in REVENUES])[0]
    kind, _, reason, title, years = revenue
    principal = _principal(kind, chance)
    due = TODAY - timedelta(days=chance.randint(80, 300))
    issued = due - timedelta(days=chance.randint(20, 40))
    extras = _extras(kind, principal, chance)
    instalments = chance.random() < 0.8
    cells: dict[str, Any] = {
        "Aktenzeichen": f"20.3-{number:05d}/26",
        "Kassenzeichen": f"5770{260000 + number}",
        "Rechtsgrundlage": "§ 20 VwVG NRW" if kind != "traffic_fine" else "§ 90 OWiG",
        "Angeordnet von": "Stadt Minden, Der Bürgermeister, i. A. Stadtkasse",
        "Strasse": chance.choice(STREETS),
        "Hausnummer": str(chance.randint(1, 120)) + chance.choice(["", "", "", "a", "b"]),
        "PLZ": chance.choice(town["postcodes"].split()),
        "Ort": town["place"],
        "Titelart": title,
        "Titel Behoerde": "Stadt Minden",
        "Titel Aktenzeichen": f"{kind[:2].upper()}-{2026_00000 + number}",
        "Titel Datum": _day(issued),
        "Titel zugestellt am": _day(issued + timedelta(days=4)),
        "Titel rechtskraeftig am": _day(issued + timedelta(days=32)),
        "Einnahmeart": "substitute_performance" if kind == "cost_notice" else kind,
        "Forderungsgrund": reason,
        "Faellig am": _day(due),
        "Hauptforderung": _euro(principal),
        "Verjaehrt am": _day(date(due.year + years, 12, 31)),
        "Mahnung am": _day(due + timedelta(days=chance.randint(14, 40))),
        "Vollstreckbar bestaetigt von": chance.choice(["M. Kruse-Ellerbrok", "T. Obermöller"]),
        "Vollstreckbar bestaetigt am": _day(TODAY - timedelta(days=chance.randint(1, 10))),
        "Gefahr bekannt": "nein",
        "Massnahmen": chance.choice(
            ["payment_request|field_visit", "payment_request|account", "asset_statement"]
        ),
        "Ratenzahlung": "ja" if instalments else "nein",
        "Raten hoechstens Monate": "12" if instalments else "",
        "Ansprechperson": "Vollstreckungsstelle Minden",
        "Telefon": "0571 89-999",
        "E-Mail": "vollstreckung@minden.example",
        "Kontoinhaber": "Stadtkasse Minden",
        "IBAN": "DE02120300000000202051",
        "Steuergeheimnis": "ja" if kind.endswith("tax") else "nein",
        "Weiterleitung erlaubt": "ja",
        **{header: _euro(cents) for header, cents in extras.items()},
        **_debtor(kind, chance),
    }
    if "Saeumniszuschlag" in extras:
        cells["Saeumnis bis"] = _day(TODAY)
    if chance.random() < 0.03:
        cells["Gefahr bekannt"], cells["Gefahrenhinweis"] = "ja", "Bissiger Hund auf dem Hof"
    return cells, principal + sum(extras.values())


def _principal(kind: str, chance: random.Random) -> int:
    """Return cents: fines of 20 to 80 euros, others log-normal around 120."""
    if kind == "traffic_fine":
        return chance.choice([2000, 2500, 3000, 4000, 5000, 5500, 7000, 8000]) + 2850
    return max(2500, min(500_000, round(math.exp(chance.gauss(math.log(12_000), 0.9)))))


def _extras(kind: str, principal: int, chance: random.Random) -> dict[str, int]:
    extras = {"Mahngebuehr": 600 if principal < 50_000 else 1_200}
    if kind.endswith("tax"):
        # 1 % for each month begun, of the sum rounded down to 50 euros (§ 240 AO)
        surcharge = principal // 5_000 * 50 * chance.randint(2, 9)
        if surcharge:
            extras["Saeumniszuschlag"] = surcharge
    if chance.random() < 0.3:
        extras["Auslagen"] = 350
    return extras


def _debtor(kind: str, chance: random.Random) -> dict[str, str]:
    if kind == "trade_tax":
        return {"Firma": chance.choice(COMPANIES), "Rechtsform": chance.choice(["GmbH", "UG"])}
    born = date(1950, 1, 1) + timedelta(days=chance.randint(0, 20_000))
    found = {"Nachname": chance.choice(SURNAMES), "Vornamen": chance.choice(FIRST_NAMES)}
    return {**found, "Geburtsdatum": _day(born)} if chance.random() < 0.7 else found


def _day(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def _euro(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}"


if __name__ == "__main__":
    main()
