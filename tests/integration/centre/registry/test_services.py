"""Founding, closing and removing a municipality, as an operator does it: again and again."""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from pytest_django import Settings

from centre.audit import services as audit
from centre.audit.chain import CENTRE, Entry
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.actors import system
from centre.kernel.errors import AmtsbrueckeError
from centre.registry import archive, selectors, services
from centre.registry.models import Domain, Municipality, MunicipalityState
from centre.registry.selectors import MunicipalityUnknown
from centre.registry.services import RegistryError
from centre.tenancy.context import require_tenant, tenant_scope
from centre.tenancy.roles import NameInvalid

ME = system("tests")
DELTA = {"slug": "delta-stadt", "name": "Deltastadt", "ags": "05770004", "ars": "057700004004"}

founded: list[tuple[str, str]] = []


def refuse(*, administrator: Any) -> None:
    """A check, called by its dotted name."""
    if administrator and len(administrator.password) < 3:
        raise RegistryError("too short")


def found(*, municipality: Municipality, administrator: Any) -> None:
    """A founder, called by its dotted name."""
    assert require_tenant().slug == municipality.slug
    founded.append((municipality.slug, administrator.login if administrator else ""))
    Group.objects.get_or_create(name="Rat")


@pytest.fixture
def owner(
    as_process: Callable[[str], AbstractContextManager[None]],
    settings: Settings,
) -> Iterator[None]:
    founded.clear()
    settings.TENANT_FOUNDERS = [f"{__name__}.found"]
    settings.TENANT_CHECKS = [f"{__name__}.refuse"]
    with as_process("owner"):
        yield


def _create(**changes: Any) -> Municipality:
    return services.create_tenant(**{**DELTA, "by": ME, **changes})


def _events() -> list[str]:
    return [e.event for e in TrailEntry.objects.filter(tenant_role=CENTRE, subject=DELTA["slug"])]


def test_create_gives_schema_role_host_and_what_founders_add(owner: None) -> None:
    administrator = services.Administrator(login="admin", name="Erika", password="geheim")
    delta = _create(administrator=administrator)
    assert delta.state == MunicipalityState.ACTIVE
    assert (delta.schema_name, delta.tenant_role) == ("m_delta_stadt", "krz_t_delta_stadt")
    assert selectors.by_host("delta-stadt.krz.localhost") == delta
    assert founded == [("delta-stadt", "admin")]
    assert "geheim" not in repr(administrator)
    with tenant_scope(delta):
        assert Group.objects.count() == 1
    assert _events() == [AuditEvent.TENANT_MUNICIPALITY_CREATED]


def test_refused_administrator_leaves_nothing_half_done(owner: None) -> None:
    with pytest.raises(RegistryError, match="too short"):
        _create(administrator=services.Administrator(login="a", name="A", password="x"))
    assert not selectors.hosted().filter(slug=DELTA["slug"]).exists()


def test_create_again_changes_nothing(owner: None) -> None:
    first = _create()
    again = _create()
    assert again == first
    assert Domain.objects.filter(tenant=first).count() == 1
    assert _events() == [AuditEvent.TENANT_MUNICIPALITY_CREATED]


def test_create_finishes_what_was_interrupted(
    owner: None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.TENANT_FOUNDERS = [f"{__name__}.missing"]
    with pytest.raises(ImportError):
        _create()
    assert not selectors.active().filter(slug=DELTA["slug"]).exists()
    settings.TENANT_FOUNDERS = [f"{__name__}.found"]
    assert _create().state == MunicipalityState.ACTIVE


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"slug": "Delta Stadt"}, NameInvalid),
        ({"slug": "delta_stadt"}, NameInvalid),
        ({"slug": "d" * 41}, NameInvalid),
        ({"ags": "5770004"}, AmtsbrueckeError),
        ({"ars": "05770000400x"}, AmtsbrueckeError),
        ({"slug": "alpha"}, services.MunicipalityConflict),
    ],
)
def test_wrong_names_are_refused(
    owner: None, change: dict[str, str], error: type[Exception]
) -> None:
    before = Municipality.objects.count()
    with pytest.raises(error):
        _create(**change)
    assert Municipality.objects.count() == before


def test_authority_is_hosted_once(owner: None) -> None:
    alpha = selectors.municipality(slug="alpha")
    with pytest.raises(services.MunicipalityConflict):
        _create(authority_id=alpha.authority_id)


@pytest.mark.parametrize("process", ["web", "worker", "federation"])
def test_only_the_owner_founds(
    as_process: Callable[[str], AbstractContextManager[None]], process: str
) -> None:
    with as_process(process), pytest.raises(services.NotTheOwner):
        _create()


def test_suspend_and_resume_are_idempotent(owner: None) -> None:
    for changed in (True, False):
        assert services.suspend_tenant(slug="alpha", by=ME) is changed
        assert selectors.municipality(slug="alpha").state == MunicipalityState.SUSPENDED
    assert not selectors.active().filter(slug="alpha").exists()
    for changed in (True, False):
        assert services.resume_tenant(slug="alpha", by=ME) is changed
        assert selectors.municipality(slug="alpha").state == MunicipalityState.ACTIVE
    told = TrailEntry.objects.filter(tenant_role=CENTRE, subject="alpha").order_by("number")
    assert [each.event for each in told][-2:] == [
        AuditEvent.TENANT_MUNICIPALITY_SUSPENDED,
        AuditEvent.TENANT_MUNICIPALITY_RESUMED,
    ]
    with pytest.raises(MunicipalityUnknown):
        services.suspend_tenant(slug="omega", by=ME)


def test_export_has_the_tenants_rows_and_no_others(owner: None, tmp_path: Path) -> None:
    for slug in ("alpha", "beta"):
        with tenant_scope(selectors.municipality(slug=slug)), transaction.atomic():
            Group.objects.create(name=f'Rat "{slug}"\\ \n ß')
            entry = Entry(
                event=AuditEvent.CASE_REQUEST_READ, by=ME, subject=f"of {slug}", detail={}
            )
            audit.record(events=[entry])
    target = tmp_path / "alpha.zip"
    members = services.export_tenant(slug="alpha", path=target, by=ME).members
    assert target.stat().st_mode & 0o777 == 0o600
    rows = {member.name: member.rows for member in members}
    assert rows["tenant/auth_group.jsonl"] == 1
    assert rows["shared/audit_auditevent.jsonl"] == 2  # its founding too
    with zipfile.ZipFile(target) as content:
        group = json.loads(content.read("tenant/auth_group.jsonl"))
        assert group["name"] == 'Rat "alpha"\\ \n ß'
        assert json.loads(content.read("manifest.json"))["municipality"]["slug"] == "alpha"
        assert not any(b"beta" in content.read(name) for name in content.namelist())


def test_an_export_that_fails_leaves_nothing_behind(
    owner: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(archive, "_manifest", fail)  # the last member: all rows are written by then
    with pytest.raises(OSError, match="disk full"):
        services.export_tenant(slug="alpha", path=tmp_path / "alpha.zip", by=ME)
    assert not list(tmp_path.iterdir())


def test_an_export_writes_through_no_link(owner: None, tmp_path: Path) -> None:
    """Nor into what an interrupted export has left, which others may have open."""
    target, unfinished, foreign = (tmp_path / name for name in ("a.zip", "a.zip.part", "foreign"))
    foreign.write_bytes(b"not ours")
    unfinished.symlink_to(foreign)
    services.export_tenant(slug="alpha", path=target, by=ME)
    assert foreign.read_bytes() == b"not ours"
    assert not target.is_symlink()
    assert not unfinished.exists()
    unfinished.write_bytes(b"half")
    with unfinished.open("rb") as half:
        services.export_tenant(slug="alpha", path=target, by=ME)
        assert half.read() == b"half"


def test_damaged_archive_is_noticed(owner: None, tmp_path: Path) -> None:
    target = tmp_path / "alpha.zip"
    services.export_tenant(slug="alpha", path=target, by=ME)
    with zipfile.ZipFile(target) as whole, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in whole.namelist():
            bad.writestr(name, whole.read(name) + (b"{}\n" if "auth_group." in name else b""))
    with pytest.raises(ValueError, match=r"auth_group.jsonl .* is not what the manifest says"):
        archive.check(tmp_path / "bad.zip")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\x1b[31m"])
def test_name_that_is_none_is_refused(owner: None, name: str) -> None:
    with pytest.raises(RegistryError, match="printable characters"):
        services.check_name(name)
    with pytest.raises(RegistryError, match="printable characters"):
        services.create_tenant(slug="epsilon", name=name, ags="05770013", ars="057700013013", by=ME)
    assert not selectors.hosted().filter(slug="epsilon").exists()
