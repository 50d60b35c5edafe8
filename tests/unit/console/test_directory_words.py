"""What an operator reads of the directory."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from centre.directory.records import Area, AuthorityRecord, Snapshot
from console.commands.directory import _print

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def test_areas_stand_below_their_authority(capsys: pytest.CaptureFixture[str]) -> None:
    areas = (Area(ars_prefix="05770", postcode="32423", place="Minden"), Area(postcode="32425"))
    town = AuthorityRecord(id=UUID(int=1), name="Minden", home_centre="krz", areas=areas)
    _print(
        Snapshot(version=1, published_at=AT, expires_at=AT, authorities=(town,)), authorities=True
    )
    said = capsys.readouterr().out
    assert said.endswith(" Minden\n    area 05770 32423 Minden\n    area 32425\n")
