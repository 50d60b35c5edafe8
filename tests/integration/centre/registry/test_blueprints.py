"""A schema made by the blueprint is the schema that the migrations make."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from centre.kernel.actors import system
from centre.registry import blueprints, services
from centre.registry.models import Blueprint, Municipality
from centre.tenancy import catalog
from centre.tenancy.context import schema_scope


@pytest.fixture
def owner(as_process: Callable[[str], AbstractContextManager[None]]) -> Iterator[None]:
    forget = blueprints.fingerprint.cache_clear
    with as_process("owner"):
        yield
    forget()


@pytest.fixture
def tricky(owner: None, settings: Settings) -> None:
    """A version of the program with migrations that are hard to copy."""
    settings.MIGRATION_MODULES = {
        "importers": "tests.integration.centre.registry.tricky.migrations"
    }
    blueprints.fingerprint.cache_clear()


def _create(slug: str) -> Municipality:
    return services.create_tenant(
        slug=slug, name=slug, ags="05770004", ars="057700004004", by=system("tests")
    )


def _create_by_replay(slug: str, monkeypatch: pytest.MonkeyPatch) -> Municipality:
    """Found a municipality where the migrations could not."""
    with monkeypatch.context() as replaying:
        replaying.setattr(services, "migrate", lambda _: 1 / 0)
        return _create(slug)


def _facts(municipality: Municipality) -> frozenset[str]:
    role = {municipality.tenant_role: "tenant"}
    return catalog.facts(municipality.schema_name, called=role)


def _distrust() -> None:
    """From now on municipalities are founded by the migrations."""
    blueprints.current()
    Blueprint.objects.update(problem="not trusted in this test")


def test_replayed_schema_is_the_migrated_one(owner: None, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed = _facts(_create_by_replay("delta", monkeypatch))
    assert blueprints.current().problem == ""
    _distrust()
    migrated = _facts(_create("epsilon"))
    assert replayed == migrated
    for word in (
        "rows django_migrations",
        "constraint ",
        "index ",
        "sequence ",
        "trigger ",
        "function ",
        "rights={krz_owner=",
        "rights to come on r: {tenant=arwd",
    ):
        assert any(word in fact for fact in replayed), word
    assert not [fact for fact in replayed if "delta" in fact or "epsilon" in fact]


def test_tricky_schema_survives(tricky: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert blueprints.current().problem == ""
    replayed = _facts(_create_by_replay("delta", monkeypatch))
    _distrust()
    assert replayed == _facts(_create("epsilon"))
    for word in (
        "index thing_kind",
        "EXCLUDE USING gist",
        "gin (tags)",
        "generated=s",
        "trigger CREATE TRIGGER shout",
        "policy all_of_it",
        "forced=t",
        "labels=glad,sad",
        "view loud_things",
        "child parted_2026 of parted",
        "comment=its name",
        "DEFERRABLE INITIALLY DEFERRED",
        "sequence numbers: integer start=1 by=5",
        "rows tricky_thing: 2 ",
    ):
        assert any(word in fact for fact in replayed), word


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE auth_group ALTER name SET DEFAULT ''",
        "ALTER TABLE auth_group ALTER name SET STORAGE external",
        "ALTER TABLE auth_group ADD extra int",
        "ALTER TABLE auth_group FORCE ROW LEVEL SECURITY",
        "ALTER TABLE auth_group SET (fillfactor = 70)",
        "ALTER TABLE auth_group RENAME CONSTRAINT auth_group_pkey TO another",
        "ALTER SEQUENCE auth_group_id_seq MAXVALUE 99",
        "SELECT nextval('auth_group_id_seq')",
        "INSERT INTO auth_group (id, name) VALUES (-1, 'Rat')",
        "DELETE FROM django_migrations WHERE app = 'sessions'",
        "ALTER TABLE cases_caseevent DISABLE TRIGGER cases_keep_event",
        "DROP INDEX cases_by_age",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE POLICY p ON auth_group USING (true)",
        'CREATE COLLATION c FROM "C"',
        "CREATE TYPE t AS (a int)",
        "REVOKE UPDATE ON auth_group FROM krz_t_alpha",
        "COMMENT ON TABLE auth_group IS 'x'",
    ],
)
def test_comparison_sees_it(owner: None, change: str) -> None:
    before = catalog.facts("m_alpha")
    with schema_scope("m_alpha"), connection.cursor() as cursor:
        cursor.execute(change)
    assert catalog.facts("m_alpha") != before


def test_blueprint_is_made_once_for_each_state(
    owner: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = blueprints.current()
    with monkeypatch.context() as other:
        other.setattr(blueprints, "migrate", lambda _: 1 / 0)
        assert blueprints.current().made_at == first.made_at
    monkeypatch.setattr(blueprints, "fingerprint", lambda: "of another version")
    assert blueprints.current().fingerprint == "of another version"
    assert Blueprint.objects.count() == 1


def test_migrations_found_where_the_blueprint_is_not_proven(
    owner: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Blueprint.objects.all().delete()
    copied = blueprints._definitions

    def forgetful(statements: Any) -> Iterator[str]:
        yield from (text for text in copied(statements) if "cases_by_age" not in text)

    monkeypatch.setattr(blueprints, "_definitions", forgetful)
    delta = _create("delta")
    assert "cases_by_age" in blueprints.current().problem
    assert any("index cases_by_age" in fact for fact in _facts(delta))


def test_broken_blueprint_is_not_used(owner: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Blueprint.objects.all().delete()
    monkeypatch.setattr(blueprints, "_positions", lambda: ["SELECT nonsense"])
    assert "cannot be replayed" in blueprints.current().problem
    assert _facts(_create("delta"))


def test_nothing_of_the_making_stays(owner: None) -> None:
    Blueprint.objects.all().delete()
    with connection.cursor() as cursor:
        # As an interrupted run left it.
        cursor.execute("CREATE SCHEMA blueprint_migrated CREATE TABLE left_over ()")
    blueprints.current()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'blueprint%'")
        assert cursor.fetchall() == []


def test_half_founded_schema_of_an_older_version_is_finished(owner: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA m_delta")
    assert any(fact.startswith("rows cases_case:") for fact in _facts(_create("delta")))
