"""Which addresses each municipality is competent for, from a file of the operator."""

import csv
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from centre.directory.records import Area
from console.errors import ConsoleError

_COLUMNS = ("slug", "ars", "postcode", "place")


def read(path: Path, *, hosted: Collection[str]) -> dict[str, list[Area]]:
    """Read a CSV file (UTF-8; comma or semicolon) with the columns slug, ars, postcode, place.

    `hosted`: the slugs that there are.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        file.seek(0)
        rows = csv.DictReader(file, delimiter=";" if ";" in head else ",")
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ConsoleError(
                f"{path} lacks the column {missing[0]}.",
                hint=f"Its first line must be: {';'.join(_COLUMNS)}",
            )
        areas: dict[str, list[Area]] = defaultdict(list)
        for row in rows:
            if any(not (row[name] or "").isdigit() for name in ("ars", "postcode") if row[name]):
                raise ConsoleError(
                    f"Line {rows.line_num} of {path}: keys and postcodes are digits only.",
                    hint="Keep leading zeros; a spreadsheet likes to drop them.",
                )
            if (slug := row["slug"] or "") not in hosted:
                raise ConsoleError(
                    f"Line {rows.line_num} of {path}: no active municipality {slug!r} is hosted"
                    f" here.",
                    hint="See `amtsbruecke tenant list`; create it first, or take the line out.",
                )
            areas[slug].append(
                Area(
                    ars_prefix=row["ars"] or "",
                    postcode=row["postcode"] or "",
                    place=row["place"] or "",
                )
            )
    return areas
