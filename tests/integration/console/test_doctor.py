"""What the doctor says of the keys that the database holds."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from centre.config.environment import Process
from centre.keys import keystore
from centre.keys.models import AuthorityKey, CentreKey
from centre.keys.wrapping import MasterKey
from console import doctor
from console.doctor import Finding, Grade, _stored_keys

pytestmark = pytest.mark.process("owner")


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    keystore.forget()
    yield
    keystore.forget()


def test_the_doctor_tries_the_master_key(db: None, tmp_path: Path, settings: Any) -> None:
    environment = replace(settings.AMTSBRUECKE, process=Process.OWNER)
    (key,) = keystore.create_centre_keys()
    assert [*_stored_keys(environment)] == [Finding(Grade.GOOD, f"master key opens {key.kid}")]
    other = tmp_path / "master.key"
    MasterKey.create_file(other)
    settings.AMTSBRUECKE = environment = replace(environment, master_key_file=other)
    (finding,) = _stored_keys(environment)
    assert finding.grade is Grade.BAD
    assert f"{other} is not the one of this centre" in finding.text
    for kind in (AuthorityKey, CentreKey):
        kind.objects.all().delete()
    (finding,) = _stored_keys(environment)
    assert finding.grade is Grade.GOOD
    assert "no key yet" in finding.text


def test_a_table_that_is_not_there_yet_is_a_finding(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_: object) -> Iterator[Finding]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM not_migrated_yet")
        yield Finding(Grade.GOOD, "there")

    monkeypatch.setattr(doctor, "_CHECKS", (ask,))
    (finding,) = doctor.examine(settings.AMTSBRUECKE)
    assert finding.grade is Grade.BAD
    assert "not_migrated_yet" in finding.text
