"""The operator's file of areas: written as it is read."""

from pathlib import Path
from uuid import UUID

from centre.directory.records import Area, AuthorityRecord
from console import areas


def test_what_is_published_is_written_as_it_is_read(tmp_path: Path) -> None:
    minden = (Area(ars_prefix="057700024024", postcode="32423", place="Minden"), Area(place="Ö;,"))
    authorities = [
        AuthorityRecord(id=UUID(int=1), name="Minden", home_centre="krz", areas=minden),
        AuthorityRecord(id=UUID(int=2), name="Leipzig", home_centre="sachsen", areas=minden),
        AuthorityRecord(id=UUID(int=3), name="Lemgo", home_centre="krz", areas=()),
    ]
    hosted = {UUID(int=1): "minden", UUID(int=3): "lemgo"}
    path = tmp_path / "areas.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        areas.write(file, authorities=authorities, hosted=hosted)
    assert areas.read(path, hosted=hosted.values()) == {"minden": list(minden)}
