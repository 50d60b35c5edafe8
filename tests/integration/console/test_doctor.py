"""What the doctor says of the keys that the database holds."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from centre.config.environment import CentreRole, Process
from centre.kernel import clock
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.keys.models import AuthorityKey, CentreKey
from centre.keys.wrapping import MasterKey
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from console import doctor
from console.doctor import Finding, Grade, identity, storage, surroundings
from federation.blobs import services
from federation.blobs.files import Files
from federation.blobs.models import Blob
from federation.outbox import services as outbox

pytestmark = pytest.mark.process("owner")


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    keystore.forget()
    yield
    keystore.forget()


def test_the_doctor_tries_the_master_key(db: None, tmp_path: Path, settings: Any) -> None:
    environment = replace(settings.AMTSBRUECKE, process=Process.OWNER)
    (key,) = keystore.create_centre_keys()
    assert [*identity.stored_keys(environment)] == [
        Finding(Grade.GOOD, f"master key opens {key.kid}")
    ]
    other = tmp_path / "master.key"
    MasterKey.create_file(other)
    settings.AMTSBRUECKE = environment = replace(environment, master_key_file=other)
    (finding,) = identity.stored_keys(environment)
    assert finding.grade is Grade.BAD
    assert f"{other} is not the one of this centre" in finding.text
    for kind in (AuthorityKey, CentreKey):
        kind.objects.all().delete()
    (finding,) = identity.stored_keys(environment)
    assert finding.grade is Grade.GOOD
    assert "no key yet" in finding.text


@pytest.mark.parametrize(("used", "warned"), [(899, False), (900, True), (1200, True)])
def test_the_doctor_warns_before_documents_are_refused(
    alpha: Municipality, beta: Municipality, settings: Any, used: int, *, warned: bool
) -> None:
    settings.BLOB_QUOTA_BYTES = 1000 * 10**9
    for town, size in ((alpha, used * 10**9 // 2), (alpha, used * 10**9 // 2), (beta, 5)):
        with tenant_scope(town):
            Blob.objects.create(
                digest=new_id().bytes * 2,
                size=size,
                received=size,
                chunk_count=1,
                complete=True,
                touched_at=clock.now(),
            )
    found = [*storage.quota(replace(settings.AMTSBRUECKE, process=Process.OWNER))]
    words = f"the documents of {alpha.tenant_role} take {used}.0 of 1000 GB"
    assert [each.grade for each in found] == [Grade.WARNING] * warned
    assert all(each.text.startswith(words) for each in found)


@pytest.mark.parametrize("documents", ["files"], indirect=True)
@pytest.mark.parametrize(("mode", "warned"), [(0o700, False), (0o750, True), (0o777, True)])
def test_the_doctor_warns_where_others_may_enter_the_folder(
    db: None, documents: Files, settings: Any, mode: int, *, warned: bool
) -> None:
    folder = settings.AMTSBRUECKE.documents
    folder.chmod(mode)
    *warnings, last = storage.documents(settings.AMTSBRUECKE)
    assert last == Finding(Grade.GOOD, f"documents can be stored in {folder}")
    assert [each.grade for each in warnings] == [Grade.WARNING] * warned
    assert all(f"{folder} (mode {mode:04o}): chmod 700" in each.text for each in warnings)


@pytest.mark.parametrize("documents", ["files"], indirect=True)
def test_the_doctor_names_the_files_that_are_gone(
    alpha: Municipality, documents: Files, settings: Any
) -> None:
    with tenant_scope(alpha):
        services.store(chunks=[b"lost"], name="a.pdf")
        blob = Blob.objects.get()
    path = documents.path(alpha.tenant_role, blob.id)
    path.unlink()
    with capture_logs() as logs:
        (finding,) = storage.documents(replace(settings.AMTSBRUECKE, process=Process.OWNER))
    assert finding.text.startswith("1 document has lost its file")
    assert [each["file"] for each in logs] == [str(path)]


@pytest.mark.parametrize(("role", "told"), [("centre", True), ("umbrella", False)])
def test_the_doctor_says_where_documents_go(
    db: None, settings: Any, role: str, *, told: bool
) -> None:
    environment = replace(settings.AMTSBRUECKE, role=CentreRole(role))
    assert settings.AMTSBRUECKE.documents is None
    words = "AMTSBRUECKE_DOCUMENTS is not set: new documents go into the database"
    assert [*storage.documents(environment)] == [Finding(Grade.GOOD, words)] * told


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


def test_a_database_that_refuses_is_not_said_to_be_away(
    db: None, settings: Any, dsn: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_too_long(_: object) -> Iterator[Finding]:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(60)")
        yield Finding(Grade.GOOD, "there")

    def sign_in(_: object) -> Iterator[Finding]:
        psycopg.connect(make_conninfo(dsn("owner"), dbname="nowhere"))
        yield Finding(Grade.GOOD, "there")

    monkeypatch.setattr(doctor, "_CHECKS", (sign_in, wait_too_long))
    signed_in, waited = doctor.examine(settings.AMTSBRUECKE)
    assert signed_in.text.startswith("sign_in: ")
    assert 'database "nowhere" does not exist' in signed_in.text
    assert waited.text == "wait_too_long: canceling statement due to statement timeout"


def test_a_paused_link_where_letters_wait_is_a_warning(
    committed_db: None, alpha: Municipality, dsn: Callable[[str], str], settings: Any
) -> None:
    url = dsn("owner")
    environment = replace(
        settings.AMTSBRUECKE, process=Process.OWNER, database_urls={Process.OWNER: url}
    )
    nothing = [Finding(Grade.GOOD, "no message waits for a person")]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("INSERT INTO outbox_link (name) VALUES ('nord'), ('sachsen')")
        for link in ("nord", "sachsen"):
            outbox.pause(link=link, by=system("tests"))
        assert [*surroundings.traffic(environment)] == nothing
        for day, lseq in ((2, None), (1, None), (3, None), (1, 5)):
            owner.execute(
                "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id,"
                " case_sequence, kind, size, envelope, digest, lseq, expires_at, accepted_at)"
                " VALUES (%s, %s, 'nord', %s, %s, 1, 'query', 1, '', '', %s,"
                " make_timestamptz(2099, 1, %s, 12, 0, 0, 'UTC'), now())",
                (new_id(), alpha.tenant_role, new_id(), new_id(), lseq, day),
            )
    (finding,) = surroundings.traffic(environment)
    assert finding == Finding(
        Grade.WARNING,
        "the link to nord is paused, and 3 letters wait (the first expires at 2099-01-01 12:00:00"
        " UTC): amtsbruecke link resume nord",
    )
    outbox.resume(link="nord", by=system("tests"))
    assert [*surroundings.traffic(environment)] == nothing


def test_a_misspelt_setting_is_a_warning(settings: Any) -> None:
    assert not [*surroundings.settings(settings.AMTSBRUECKE)]
    (finding,) = surroundings.settings(
        replace(settings.AMTSBRUECKE, unknown=("AMTSBRUECKE_DOKUMENTE",))
    )
    assert finding.grade is Grade.WARNING
    assert finding.text.startswith("AMTSBRUECKE_DOKUMENTE is no setting")
