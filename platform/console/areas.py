"""Which addresses each municipality is competent for, from a file of the operator."""

import csv
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TextIO
from uuid import UUID

from centre.directory.records import Area, AuthorityRecord
from console.errors import ConsoleError

_COLUMNS = ("slug", "ars", "postcode", "place")


def read(path: Path, *, hosted: Collection[str]) -> dict[str, list[Area]]:
    """Read a CSV file (UTF-8; comma or semicolon) with the columns slug, ars, postcode, place.

    `hosted`: the slugs that there are.
    """
    if not path.is_file():  # a pipe cannot be read twice, and a device may never end
        raise ConsoleError(
            f"{path} is no regular file.", hint="Write the lines into a file, and name that."
        )
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
                    f"Line {rows.line_num} of {path}: no municipality {slug!r} is hosted here.",
                    hint="`amtsbruecke tenant list` must show it as active or suspended: create it"
                    " first, or take the line out.",
                )
            areas[slug].append(
                Area(
                    ars_prefix=row["ars"] or "",
                    postcode=row["postcode"] or "",
                    place=row["place"] or "",
                )
            )
    return areas


def write(
    file: TextIO, *, authorities: Iterable[AuthorityRecord], hosted: Mapping[UUID, str]
) -> None:
    """Write the areas of those authorities whose slugs `hosted` gives, as `read` takes them."""
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for each in authorities:
        if slug := hosted.get(each.id):
            rows.writerows(
                (slug, area.ars_prefix, area.postcode, area.place) for area in each.areas
            )
