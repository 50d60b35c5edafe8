"""The end of a municipality: asked for twice, exported, told to others, and then gone."""

import json
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from pytest_django import Settings

from centre.audit import services as audit
from centre.audit.chain import CENTRE, Entry
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.actors import Actor, system
from centre.keys import keystore
from centre.registry import archive, deletion, selectors, services
from centre.registry.models import Municipality, MunicipalityState
from centre.registry.selectors import MunicipalityUnknown
from centre.tenancy.context import require_tenant, tenant_scope
from centre.tenancy.locks import others_have_ended
from tests.integration.mortal import work_and_be_killed

ME = system("tests")
DELTA = {"slug": "delta-stadt", "name": "Deltastadt", "ags": "05770004", "ars": "057700004004"}

ended: list[tuple[str, str]] = []


def lose() -> str:
    return f"7 cases of {require_tenant().slug} are open."


def lose_nothing() -> str:
    return ""


def stumble() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM not_migrated_yet")
    return ""


def end(*, municipality: Municipality, by: Actor) -> None:
    """An ending, called by its dotted name."""
    with tenant_scope(municipality), connection.cursor() as cursor:
        cursor.execute("SELECT FROM auth_group")  # all is still there
    ended.append((municipality.slug, municipality.state))


def files(*, tenant_role: str) -> Iterator[tuple[str, Path, str]]:
    assert selectors.municipality(slug=tenant_role.removeprefix("krz_t_").replace("_", "-"))
    for name in ("sealed", "lost", "broken"):
        digest = sha256(b"ciphertext" * 1000).hexdigest()
        yield f"documents/{name}", django_settings.KEPT / name, digest


def remove(*, municipality: Municipality) -> None:
    assert municipality.state == MunicipalityState.DELETED
    for name in ("sealed", "broken"):
        (django_settings.KEPT / name).unlink(missing_ok=True)


@pytest.fixture
def owner(
    as_process: Callable[[str], AbstractContextManager[None]],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    ended.clear()
    monkeypatch.setattr(deletion, "_GATEWAYS_S", 0.0)  # there are none
    settings.TENANT_FOUNDERS = []
    settings.TENANT_LOSSES = [f"{__name__}.lose", f"{__name__}.lose_nothing"]
    settings.TENANT_ENDINGS = [f"{__name__}.end"]
    with as_process("owner"):
        yield


def _create() -> Municipality:
    return services.create_tenant(**DELTA, by=ME)


def _events() -> list[str]:
    return [e.event for e in TrailEntry.objects.filter(tenant_role=CENTRE, subject=DELTA["slug"])]


def _rows(tenant_role: str, *, kept: bool) -> int:
    """Count what the shared tables hold of a municipality."""
    with connection.cursor() as cursor:
        found = 0
        for table in archive.shared_tables(kept=kept):
            cursor.execute(f"SELECT count(*) FROM {table} WHERE tenant_role = %s", [tenant_role])
            found += cursor.fetchone()[0]
        return found


def test_delete_asks_first(owner: None, tmp_path: Path) -> None:
    """And says what would be cut off with this municipality."""
    losses = r"deleted\. 7 cases of alpha are open\. Confirm with: delete-alpha-"
    with pytest.raises(deletion.NotConfirmed, match=losses):
        deletion.delete_tenant(slug="alpha", confirm="yes", export_to=tmp_path / "a.zip", by=ME)
    assert selectors.municipality(slug="alpha").state == MunicipalityState.ACTIVE


def test_delete_asks_also_where_nobody_can_say_what_is_lost(
    owner: None, tmp_path: Path, settings: Settings
) -> None:
    settings.TENANT_LOSSES = [f"{__name__}.stumble"]
    with pytest.raises(deletion.NotConfirmed, match=r"not complete\. Confirm with: delete-alpha-"):
        deletion.delete_tenant(slug="alpha", confirm="", export_to=tmp_path / "a.zip", by=ME)


def test_what_is_being_written_is_exported(
    owner: None, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta = _create()
    target = tmp_path / "delta.zip"
    with psycopg.connect(cluster.url("owner")) as writer:
        writer.execute(f"INSERT INTO {delta.schema_name}.auth_group (name) VALUES ('late')")

        def commit(_: float) -> None:
            assert selectors.municipality(slug=delta.slug).state == MunicipalityState.DELETING
            writer.commit()

        monkeypatch.setattr(deletion, "others_have_ended", partial(others_have_ended, sleep=commit))
        confirm = deletion.confirmation(delta)
        deletion.delete_tenant(slug=delta.slug, confirm=confirm, export_to=target, by=ME)
    with zipfile.ZipFile(target) as content:
        assert b"late" in content.read("tenant/auth_group.jsonl")


def test_nothing_is_deleted_while_somebody_goes_on_writing(
    owner: None, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "_OTHERS_S", 0.0)
    alpha = selectors.municipality(slug="alpha")
    confirm = deletion.confirmation(alpha)
    with psycopg.connect(cluster.url("owner")) as writer:
        writer.execute(f"INSERT INTO {alpha.schema_name}.auth_group (name) VALUES ('long')")
        with pytest.raises(services.MunicipalityConflict, match="still being written"):
            deletion.delete_tenant(
                slug="alpha", confirm=confirm, export_to=tmp_path / "a.zip", by=ME
            )
        writer.rollback()
    assert selectors.municipality(slug="alpha").state == MunicipalityState.ACTIVE


def test_delete_exports_removes_and_remembers_the_name(owner: None, tmp_path: Path) -> None:
    delta = _create()
    target = tmp_path / "delta.zip"
    with tenant_scope(delta), transaction.atomic():
        entry = Entry(event=AuditEvent.CASE_REQUEST_READ, by=ME, subject="kept", detail={})
        audit.record(events=[entry])
    keystore.create_authority_keys(municipality=delta)
    assert _rows(delta.tenant_role, kept=False) == 2
    evidence, others = _rows(delta.tenant_role, kept=True), _rows("krz_t_alpha", kept=False)
    confirm = deletion.confirmation(delta)
    deletion.delete_tenant(slug=delta.slug, confirm=confirm, export_to=target, by=ME)
    assert _rows(delta.tenant_role, kept=False) == 0
    assert _rows(delta.tenant_role, kept=True) == evidence > 0
    assert _rows("krz_t_alpha", kept=False) == others > 0
    assert ended == [("delta-stadt", MunicipalityState.DELETING)]
    assert archive.check(target)
    with pytest.raises(MunicipalityUnknown):
        selectors.municipality(slug=delta.slug)
    assert selectors.by_host("delta-stadt.krz.localhost") is None
    assert TrailEntry.objects.filter(tenant_role=delta.tenant_role, subject="kept").exists()
    assert _events()[1:] == [
        AuditEvent.TENANT_DELETION_BEGUN,
        AuditEvent.TENANT_MUNICIPALITY_EXPORTED,
        AuditEvent.TENANT_MUNICIPALITY_DELETED,
    ]
    with pytest.raises(services.MunicipalityConflict, match="choose another"):
        _create()


def test_delete_exports_and_removes_what_lies_in_files(
    owner: None, tmp_path: Path, settings: Settings
) -> None:
    delta, folder = _create(), tmp_path / "documents"
    settings.TENANT_FILES = [f"{__name__}.files"]
    settings.TENANT_REMAINS = [f"{__name__}.remove"]
    folder.mkdir()
    (folder / "sealed").write_bytes(b"ciphertext" * 1000)
    (folder / "broken").write_bytes(b"cipher")
    settings.KEPT = folder
    target = tmp_path / "delta.zip"
    confirm = deletion.confirmation(delta)
    deletion.delete_tenant(slug=delta.slug, confirm=confirm, export_to=target, by=ME)
    assert archive.check(target)
    with zipfile.ZipFile(target) as content:
        assert content.read("documents/sealed") == b"ciphertext" * 1000
        manifest = json.loads(content.read("manifest.json"))
    assert [each["size"] for each in manifest["files"]] == [10_000, 6]
    assert manifest["lost_files"] == ["documents/lost", "documents/broken"]
    assert list(folder.iterdir()) == []
    # What came back, as from a back-up, goes when the deletion is repeated.
    (folder / "sealed").write_bytes(b"ciphertext")
    deletion.delete_tenant(slug=delta.slug, confirm=confirm, export_to=target, by=ME)
    assert list(folder.iterdir()) == []


def test_a_file_that_was_changed_in_an_archive_is_noticed(
    owner: None, tmp_path: Path, settings: Settings
) -> None:
    settings.TENANT_FILES = [f"{__name__}.files"]
    settings.KEPT = tmp_path
    (tmp_path / "sealed").write_bytes(b"ciphertext")
    target = tmp_path / "alpha.zip"
    found = services.export_tenant(slug="alpha", path=target, by=ME)
    assert [each.size for each in found.files] == [10]
    assert found.lost_files == ("documents/sealed", "documents/lost", "documents/broken")
    target.write_bytes(target.read_bytes().replace(b"ciphertext", b"cyphertext"))
    with pytest.raises((ValueError, zipfile.BadZipFile), match="documents/sealed"):
        archive.check(target)


def test_delete_that_cannot_export_opens_the_doors_again(
    owner: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Any
) -> None:
    delta = _create()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(archive, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        deletion.delete_tenant(
            slug=delta.slug,
            confirm=deletion.confirmation(delta),
            export_to=tmp_path / "delta.zip",
            by=ME,
        )
    assert selectors.municipality(slug=delta.slug).state == MunicipalityState.ACTIVE
    assert _events()[-1] == AuditEvent.TENANT_DELETION_ABANDONED
    assert deletion.done(slug=delta.slug) is None
    with psycopg.connect(cluster.url("web")) as writer:
        _write_as(writer, delta)


@pytest.mark.parametrize("content", [None, b"", b"no archive", "alpha"])
def test_no_other_file_is_written_over(owner: None, tmp_path: Path, content: Any) -> None:
    """Above all not what is left of another municipality."""
    delta, target = _create(), tmp_path / "kept.zip"
    if content == "alpha":
        services.export_tenant(slug="alpha", path=target, by=ME)
    elif content is None:
        target = tmp_path / "nowhere" / "delta.zip"
    else:
        target.write_bytes(content)
    before = target.read_bytes() if target.exists() else None
    arguments = {"slug": delta.slug, "export_to": target, "by": ME}
    with pytest.raises(archive.ArchiveRefused, match=r"no folder|no archive of delta-stadt"):
        deletion.delete_tenant(**arguments, confirm=deletion.confirmation(delta))
    assert selectors.municipality(slug=delta.slug).state == MunicipalityState.ACTIVE
    assert (target.read_bytes() if target.exists() else None) == before


def test_what_is_no_regular_file_is_not_even_opened(owner: None, tmp_path: Path) -> None:
    delta = _create()
    pipe, device = tmp_path / "delta.zip", tmp_path / "device.zip"
    beside, folder = tmp_path / "beside.zip", tmp_path / "beside.zip.part"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    folder.mkdir()
    held = os.open(pipe, os.O_RDWR)  # else whoever opens it would wait for ever
    try:
        for target in (pipe, device, beside):
            arguments = {"slug": delta.slug, "by": ME}
            with pytest.raises(archive.ArchiveRefused, match="no regular file"):
                services.export_tenant(**arguments, path=target)
            confirm = deletion.confirmation(delta)
            with pytest.raises(archive.ArchiveRefused, match="no regular file"):
                deletion.delete_tenant(**arguments, export_to=target, confirm=confirm)
    finally:
        os.close(held)
    assert selectors.municipality(slug=delta.slug).state == MunicipalityState.ACTIVE
    assert AuditEvent.TENANT_DELETION_BEGUN not in _events()


def _write_as(session: psycopg.Connection[Any], municipality: Municipality) -> None:
    with session.transaction():
        session.execute(f"SET LOCAL ROLE {municipality.tenant_role}")
        session.execute(f"INSERT INTO {municipality.schema_name}.auth_group (name) VALUES ('x')")


def test_what_goes_on_by_itself_is_stopped_before_the_export(
    owner: None, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an import does, which takes one transaction after the other."""
    delta = _create()
    refused: list[bool] = []
    with psycopg.connect(cluster.url("web")) as writer:
        _write_as(writer, delta)
        writer.commit()

        def try_again(**_: Any) -> bool:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _write_as(writer, delta)
            refused.append(True)
            writer.rollback()
            return True

        monkeypatch.setattr(deletion, "others_have_ended", try_again)
        deletion.delete_tenant(
            slug=delta.slug,
            confirm=deletion.confirmation(delta),
            export_to=tmp_path / "delta.zip",
            by=ME,
        )
    assert refused == [True]


def test_delete_goes_on_after_an_interruption(
    owner: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta = _create()
    arguments: dict[str, Any] = {
        "slug": delta.slug,
        "confirm": deletion.confirmation(delta),
        "export_to": tmp_path / "delta.zip",
        "by": ME,
    }
    with monkeypatch.context() as broken:
        broken.setattr(deletion, "_remove", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deletion.delete_tenant(**arguments)
    assert selectors.municipality(slug=delta.slug).state == MunicipalityState.DELETING
    deletion.delete_tenant(**arguments)
    assert not selectors.hosted().filter(slug=delta.slug).exists()


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_the_end(event: AuditEvent, *_: Any, **__: Any) -> None:
    """All is removed, and nothing of it committed."""
    if event is AuditEvent.TENANT_MUNICIPALITY_DELETED:
        _die()


#: In a process of its own: one that is forked off ours may wait for locks that our threads hold.
_MORTAL = """
import sys
import django
django.setup()
from tests.integration.centre.registry import test_deletion
test_deletion.delete_and_die(*sys.argv[1:])
"""


def delete_and_die(step: str, slug: str, confirm: str, target: str) -> None:
    """Delete a municipality, but be killed at this step."""
    django_settings.TENANT_LOSSES = []
    django_settings.TENANT_ENDINGS = [f"{__name__}.end"]
    deletion._GATEWAYS_S = 0.0
    setattr(deletion, step, _die_at_the_end if step == "tell" else _die)
    deletion.delete_tenant(slug=slug, confirm=confirm, export_to=Path(target), by=ME)


@pytest.mark.parametrize(
    "step",
    [
        "execute",  # begun, and its schema is still open
        "_await_others",
        "export_tenant",
        "import_string",  # exported, and others are not told
        "_remove",
        "tell",
    ],
)
def test_deletion_that_was_killed_is_finished_by_the_same_command(
    owner: None, cluster: Any, tmp_path: Path, step: str
) -> None:
    delta, target = _create(), tmp_path / "delta.zip"
    arguments: dict[str, Any] = {
        "slug": delta.slug,
        "confirm": deletion.confirmation(delta),
        "export_to": target,
        "by": ME,
    }
    work_and_be_killed(
        _MORTAL,
        *(step, delta.slug, arguments["confirm"], str(target)),
        process="owner",
        url=cluster.url("owner"),
    )
    assert selectors.municipality(slug=delta.slug).state == MunicipalityState.DELETING
    made = deletion.delete_tenant(**arguments)
    assert archive.check(target)
    assert ended == [(delta.slug, MunicipalityState.DELETING)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regnamespace(%s), to_regrole(%s)", [delta.schema_name, delta.tenant_role]
        )
        assert cursor.fetchone() == (None, None)
    events = _events()
    assert events.count(AuditEvent.TENANT_DELETION_BEGUN) == 2 - (step == "tell")
    assert events[-1] == AuditEvent.TENANT_MUNICIPALITY_DELETED
    assert deletion.delete_tenant(**{**arguments, "confirm": "", "export_to": tmp_path}) == made
    assert _events() == events
