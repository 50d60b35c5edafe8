"""Many schemas come to the next version: fast, proven, whoever is in the way, whatever breaks."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from centre.kernel.actors import system
from centre.registry import blueprints, schemas, selectors, services, upgrades
from centre.registry.models import Municipality, MunicipalityState, Upgrade
from centre.registry.selectors import MunicipalityUnknown
from centre.registry.upgrades import Result
from centre.tenancy import catalog, migrating
from centre.tenancy.context import schema_scope
from centre.tenancy.locks import exclusively
from console import migrations as console_migrations
from console.commands import migrate as command_module
from tests.plugins.versions import NextVersion

PLAIN = """
    migrations.AddField("importrun", "note", models.TextField(null=True)),
    migrations.AddField("importrun", "weight", models.IntegerField(db_default=1)),
    migrations.AddIndex("importrun", models.Index(fields=["weight"], name="by_weight")),
    migrations.CreateModel("Extra", [("id", models.BigAutoField(primary_key=True)),
                                     ("text", models.CharField(max_length=9, unique=True))]),
    migrations.RunSQL("CREATE VIEW light AS SELECT id FROM importers_importrun WHERE weight < 9",
                      "DROP VIEW light"),
"""
RENAMED = 'migrations.RenameField("importrun", "weight", "mass"),'
PYTHON = """
    migrations.AddField("importrun", "note", models.TextField(null=True)),
    migrations.RunPython(write, write),
"""


@pytest.fixture
def owner(as_process: Callable[[str], AbstractContextManager[None]]) -> Iterator[None]:
    with as_process("owner"):
        yield
    blueprints.fingerprint.cache_clear()


def _upgrade(**options: Any) -> dict[str, Result]:
    told: list[Result] = []
    results = upgrades.upgrade(report=told.append, **options)
    assert len(told) >= len(results)
    return {result.schema.slug: result for result in results}


def _outcomes(results: dict[str, Result]) -> dict[str, str]:
    return {slug: str(result.outcome) for slug, result in results.items()}


def _execute(schema: str, statement: str) -> None:
    with schema_scope(schema), connection.cursor() as cursor:
        cursor.execute(statement)


def _definitions(slug: str) -> frozenset[str]:
    town = selectors.municipality(slug=slug)
    return catalog.definitions(town.schema_name, called={town.tenant_role: "tenant"})


def _rights(slug: str) -> set[Any]:
    with schema_scope(selectors.municipality(slug=slug).schema_name):
        found = set(Permission.objects.values_list("content_type__model", "codename"))
    assert ("extra", "add_extra") in found
    return found


def _pending() -> list[str]:
    return [schema.slug for schema in upgrades.pending()]


def test_nothing_is_to_do_and_is_found_out_in_few_queries(owner: None) -> None:
    assert _queries_to_find_nothing() <= 6
    assert _upgrade() == {}
    assert Upgrade.objects.count() == 0


def test_three_towns_take_as_many_queries_as_one(owner: None) -> None:
    of_three = _queries_to_find_nothing()
    Municipality.objects.exclude(slug="alpha").update(state=MunicipalityState.DELETED)
    assert [schema.slug for schema in schemas.hosted()] == ["alpha"]
    assert _queries_to_find_nothing() == of_three


def _queries_to_find_nothing() -> int:
    with CaptureQueriesContext(connection) as queries:
        assert upgrades.pending() == []
    return len(queries)


def test_first_is_migrated_by_django_and_the_others_by_its_statements(
    owner: None, next_version: NextVersion
) -> None:
    next_version(PLAIN)
    assert _pending() == ["alpha", "beta", "gamma"]
    results = _upgrade()
    assert _outcomes(results) == {"alpha": "migrated", "beta": "replayed", "gamma": "replayed"}
    assert _pending() == []
    assert _definitions("alpha") == _definitions("beta") == _definitions("gamma")
    for word in ("column importers_importrun.weight", "index by_weight", "view light"):
        assert any(word in fact for fact in _definitions("gamma")), word
    assert {row.outcome for row in upgrades.reports()} == {"migrated", "replayed"}


def test_a_town_founded_afterwards_is_the_same(owner: None, next_version: NextVersion) -> None:
    next_version(PLAIN)
    _upgrade()
    services.create_tenant(
        slug="delta", name="delta", ags="05770004", ars="057700004004", by=system("tests")
    )
    assert _definitions("delta") == _definitions("beta")
    assert _rights("delta") == _rights("beta") == _rights("alpha")


def test_several_migrations_at_once(owner: None, next_version: NextVersion) -> None:
    next_version(PLAIN)
    next_version('migrations.RemoveIndex("importrun", "by_weight"), ' + RENAMED)
    results = _upgrade()
    assert set(_outcomes(results).values()) == {"migrated", "replayed"}, results
    assert _definitions("alpha") == _definitions("gamma")


def test_django_migrates_each_where_python_is_to_run(
    owner: None, next_version: NextVersion
) -> None:
    next_version(PYTHON, write='apps.get_model("importers", "ImportRow").objects.count()')
    assert set(_outcomes(_upgrade()).values()) == {"migrated"}
    assert _definitions("alpha") == _definitions("gamma")


def test_django_migrates_each_if_told_so(owner: None, next_version: NextVersion) -> None:
    next_version(PLAIN)
    assert set(_outcomes(_upgrade(by_statements=False)).values()) == {"migrated"}


def test_without_a_transaction_django_migrates_each(owner: None, next_version: NextVersion) -> None:
    next_version(
        "AddIndexConcurrently('importrun', models.Index(fields=['name'], name='by_name')),",
        atomic=False,
    )
    assert set(_outcomes(_upgrade()).values()) == {"migrated"}


def test_several_processes_share_what_django_must_do(
    owner: None, next_version: NextVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "_WORTH_A_CREW", 2)
    next_version(
        PYTHON,
        write="""
        if connection.schema_name == "m_gamma":
            raise ValueError("not this one")
    """,
    )
    results = _upgrade(processes=2)
    assert _outcomes(results) == {"alpha": "migrated", "beta": "migrated", "gamma": "failed"}
    assert results["gamma"].problem == "ValueError: not this one"
    assert _definitions("alpha") == _definitions("beta") != _definitions("gamma")


def test_a_process_that_dies_takes_one_schema_with_it(
    owner: None, next_version: NextVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "_WORTH_A_CREW", 2)
    next_version(
        PYTHON,
        write="""
        if connection.schema_name == "m_beta":
            import os
            os.kill(os.getpid(), 9)
    """,
    )
    results = _upgrade(processes=2)
    assert _outcomes(results) == {"alpha": "migrated", "beta": "failed", "gamma": "migrated"}
    assert "ended with code -9" in results["beta"].problem


def test_one_that_fails_is_named_and_stops_nobody(owner: None, next_version: NextVersion) -> None:
    _execute("m_beta", "ALTER TABLE importers_importrun ADD weight text")
    next_version(PLAIN)
    results = _upgrade()
    assert _outcomes(results) == {"alpha": "migrated", "beta": "failed", "gamma": "replayed"}
    assert "DuplicateColumn" in results["beta"].problem
    assert "Mend the cause" in results["beta"].next_step
    assert upgrades.reports()[0].municipality.slug == "beta"
    assert not any("note" in fact for fact in _definitions("beta"))  # nothing half done
    assert _pending() == ["beta"]

    _execute("m_beta", "ALTER TABLE importers_importrun DROP weight")
    assert _outcomes(_upgrade()) == {"beta": "migrated"}
    assert _pending() == []
    assert not [row for row in upgrades.reports() if row.problem]


def test_first_one_that_fails_stops_nobody(owner: None, next_version: NextVersion) -> None:
    _execute("m_alpha", "ALTER TABLE importers_importrun ADD weight text")
    next_version(PLAIN)
    outcomes = _outcomes(_upgrade())
    assert outcomes == {"alpha": "failed", "beta": "migrated", "gamma": "replayed"}


def test_a_migration_that_always_fails_is_tried_on_the_first_ones_only(
    owner: None, next_version: NextVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "ENOUGH", 2)
    next_version('migrations.RunSQL("SELECT 1/0"),')
    results = _upgrade()
    assert _outcomes(results) == {"alpha": "failed", "beta": "failed", "gamma": "skipped"}
    assert "DivisionByZero" in results["alpha"].problem


def test_canary_goes_first_and_nothing_follows_if_it_fails(
    owner: None, next_version: NextVersion
) -> None:
    _execute("m_gamma", "ALTER TABLE importers_importrun ADD weight text")
    next_version(PLAIN)
    assert _outcomes(_upgrade(canary="gamma")) == {
        "gamma": "failed",
        "alpha": "skipped",
        "beta": "skipped",
    }
    assert _pending() == ["alpha", "beta", "gamma"]
    assert next(iter(_outcomes(_upgrade(canary="beta")))) == "beta"
    with pytest.raises(MunicipalityUnknown):
        _upgrade(canary="omega")


def test_statements_are_not_trusted_if_they_do_something_else_elsewhere(
    owner: None, next_version: NextVersion
) -> None:
    # What Django would do here, too: but nothing proves that. With the whole name of the schema in
    # them, they would not even be tried.
    next_version("""migrations.RunSQL('''DO $$ BEGIN IF right(current_schema(), 5) = 'alpha'
        THEN CREATE TABLE only_there (); END IF; END $$''')""")
    assert set(_outcomes(_upgrade()).values()) == {"migrated"}
    assert not any("only_there" in fact for fact in _definitions("beta"))


def test_killed_in_the_middle_it_goes_on(
    owner: None, next_version: NextVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_version(PLAIN)
    with monkeypatch.context() as killed:

        def kill(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        killed.setattr(migrating, "replay", kill)
        with pytest.raises(KeyboardInterrupt):
            upgrades.upgrade(report=lambda _: None)
    assert _pending() == ["beta", "gamma"]
    assert [row.municipality.slug for row in upgrades.reports()] == ["alpha"]
    assert _outcomes(_upgrade()) == {"beta": "migrated", "gamma": "replayed"}
    assert _definitions("alpha") == _definitions("gamma")


@pytest.mark.parametrize(("operations", "left"), [(PLAIN, ["gamma"]), (PYTHON, [])])
def test_killed_without_a_word_it_goes_on(
    owner: None,
    dsn: Callable[[str], str],
    tmp_path: Path,
    next_version: NextVersion,
    operations: str,
    left: list[str],
) -> None:
    next_version(operations)
    program = """if True:
        import os, signal
        from console.roles import become
        become("owner")
        from centre.registry import upgrades

        def report(result):
            if result.schema.slug != "alpha":
                os.kill(os.getpid(), signal.SIGKILL)

        if __name__ == "__main__":
            upgrades._WORTH_A_CREW = 2
            upgrades.upgrade(report=report, processes=2)
    """
    (tmp_path / "program.py").write_text(program)
    environment = {"AMTSBRUECKE_OWNER_DATABASE_URL": dsn("owner"), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, env=os.environ | environment, check=False)
    assert done.returncode == -signal.SIGKILL
    _await_no_other_owner()  # the processes that it had started end by themselves
    assert set(_pending()) >= set(left)
    _upgrade()
    assert _pending() == []
    assert _definitions("alpha") == _definitions("beta") == _definitions("gamma")


def _await_no_other_owner() -> None:
    deadline = time.monotonic() + 30
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND usename = current_user AND pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0,):
                return
        assert time.monotonic() < deadline, "a process that lost its parent goes on"
        time.sleep(0.05)


def test_long_transaction_delays_only_its_own_town_and_not_for_ever(
    owner: None, dsn: Callable[[str], str], next_version: NextVersion
) -> None:
    next_version(PLAIN)
    _execute("m_beta", "SET lock_timeout = 200")
    with psycopg.connect(dsn("owner")) as clerk:
        clerk.execute("SELECT FROM m_beta.importers_importrun")
        results = _upgrade()
        assert _outcomes(results) == {"alpha": "migrated", "beta": "failed", "gamma": "replayed"}
        assert results["beta"].busy
        assert "long transaction" in results["beta"].next_step
    assert _outcomes(_upgrade()) == {"beta": "migrated"}


def test_busy_one_is_tried_again_when_the_others_are_done(
    owner: None, dsn: Callable[[str], str], next_version: NextVersion
) -> None:
    next_version(PLAIN)
    _execute("m_beta", "SET lock_timeout = 200")
    with psycopg.connect(dsn("owner")) as clerk:
        clerk.execute("SELECT FROM m_beta.importers_importrun")

        def report(result: Result) -> None:
            if result.schema.slug == "gamma":
                clerk.rollback()

        results = upgrades.upgrade(report=report)
    assert {str(result.outcome) for result in results} == {"migrated", "replayed"}
    assert Upgrade.objects.get(municipality__slug="beta").problem == ""


def test_nothing_is_replayed_in_a_schema_that_is_just_founded_or_deleted(
    owner: None, next_version: NextVersion
) -> None:
    next_version(PLAIN)
    _execute("m_beta", "SET lock_timeout = 200")
    (beta,) = (schema for schema in upgrades.pending() if schema.slug == "beta")
    told: list[tuple[str, str, bool]] = []
    with ExitStack() as somebody:
        somebody.enter_context(exclusively(beta.lock))

        def report(result: Result) -> None:
            told.append((result.schema.slug, str(result.outcome), result.busy))
            if result.schema.slug == "gamma":
                somebody.close()

        upgrades.upgrade(report=report)
    assert told == [
        ("alpha", "migrated", False),
        ("beta", "failed", True),
        ("gamma", "replayed", False),
        ("beta", "migrated", False),
    ]


def test_two_operators_take_turns(
    owner: None,
    as_process: Callable[[str], AbstractContextManager[None]],
    next_version: NextVersion,
) -> None:
    next_version(PLAIN)
    second_waits = threading.Event()
    second: list[Result] = []

    def other() -> None:
        with as_process("owner"):
            second.extend(upgrades.upgrade(report=lambda _: None, waiting=second_waits.set))

    thread = threading.Thread(target=other)

    def report(_: Result) -> None:
        if not thread.ident:
            thread.start()
            assert second_waits.wait(20)

    results = upgrades.upgrade(report=report)
    thread.join(20)
    assert len(results) == 3
    assert second == []


def test_command_tells_people_and_machines(
    owner: None, next_version: NextVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_module, "become", lambda *_, **__: None)
    _execute("m_beta", "ALTER TABLE importers_importrun ADD weight text")
    next_version(PLAIN)
    run = CliRunner().invoke

    assert run(command_module.command, ["--check"]).exit_code == 1
    done = run(command_module.command, ["--json"])
    assert isinstance(done.exception, console_migrations.MigrationFailed)
    assert "beta could not be migrated: DuplicateColumn" in str(done.exception)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["migrated"], told["replayed"], told["failed"]) == (1, 1, 1)
    (failed,) = [town for town in told["municipalities"] if town["outcome"] == "failed"]
    assert (failed["slug"], bool(failed["next_step"])) == ("beta", True)

    status = run(command_module.command, ["--status"])
    assert "beta" in status.stdout.splitlines()[0]
    assert "DuplicateColumn" in status.stdout
    assert json.loads(run(command_module.command, ["--status", "--json"]).stdout)["behind"] == [
        "beta"
    ]

    _execute("m_beta", "ALTER TABLE importers_importrun DROP weight")
    done = run(command_module.command, [])
    assert done.exit_code == 0, done.output
    assert "1 migrated in" in done.stdout
    assert run(command_module.command, ["--check"]).exit_code == 0
