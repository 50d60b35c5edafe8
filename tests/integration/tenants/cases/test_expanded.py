"""This version's code works on the next version's schema: a rolling upgrade stops nobody."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import ProgrammingError, connection

from centre.kernel.actors import system
from centre.registry import services as registry
from centre.registry import upgrades
from centre.tenancy.context import tenant_scope
from tenants.cases import selectors, services
from tenants.cases.graph import State
from tests.factories.requests import request
from tests.plugins.versions import NextVersion

# Fixtures' types; conftest files are no modules.
Town = Any
Postman = Any

# What a version may do to every table (docs/adr/0015): all of it at once.
EXPANSION = """
    migrations.RunSQL('''
        DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT relname FROM pg_class
                        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
            LOOP
                EXECUTE format('ALTER TABLE %I ADD in_words text', name);
                EXECUTE format('ALTER TABLE %I ADD weight int NOT NULL DEFAULT 7', name);
                EXECUTE format('CREATE INDEX ON %I (weight)', name);
            END LOOP;
        END $$'''),
    migrations.CreateModel("Companion", [
        ("id", models.BigAutoField(primary_key=True)),
        ("run", models.ForeignKey("importers.ImportRun", on_delete=models.CASCADE)),
    ]),
"""


@pytest.fixture
def upgrade(
    as_process: Callable[[str], AbstractContextManager[None]], next_version: NextVersion
) -> Callable[[str], None]:
    def upgrade(operations: str) -> None:
        next_version(operations)
        with as_process("owner"):
            results = upgrades.upgrade(report=lambda _: None)
        assert {str(result.outcome) for result in results} == {"migrated", "replayed"}

    return upgrade


def _way_of_a_request(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    with b.scope():
        version = b.case(case.id).version
        services.accept(case_id=case.id, version=version, by=b.by, own_reference="V-1/26")
        services.complete(
            case_id=case.id,
            version=b.case(case.id).version,
            by=b.by,
            result="paid_here",
            collected_cents=33_750,
            costs_cents=0,
        )
    post.until_quiet()
    with a.scope():
        services.close(case_id=case.id, version=a.case(case.id).version, by=a.by)
        assert case.id in {row.case_id for row in selectors.rows(case_ids=[case.id], by=a.by)}
        assert selectors.read_case(case_id=case.id, by=a.by)
    post.until_quiet()
    assert b.case(case.id).state == State.CLOSED


def test_old_code_writes_and_reads_the_expanded_schema(
    upgrade: Callable[[str], None], a: Town, b: Town, post: Postman
) -> None:
    upgrade(EXPANSION)
    _way_of_a_request(a, b, post)
    with a.scope(), connection.cursor() as cursor:
        cursor.execute("SELECT weight, in_words, count(*) FROM cases_case GROUP BY 1, 2")
        assert cursor.fetchall() == [(7, None, 1)]


def test_old_code_founds_a_municipality_in_the_expanded_version(
    upgrade: Callable[[str], None], as_process: Callable[[str], AbstractContextManager[None]]
) -> None:
    upgrade(EXPANSION)
    with as_process("owner"):
        delta = registry.create_tenant(
            slug="delta", name="D", ags="05770004", ars="057700004004", by=system("tests")
        )
        with tenant_scope(delta), connection.cursor() as cursor:
            cursor.execute("SELECT weight FROM cases_case")


def test_old_code_works_on_while_the_schema_is_expanded(
    upgrade: Callable[[str], None], a: Town, b: Town
) -> None:
    begun, ended = threading.Event(), threading.Event()
    problems: list[Exception] = []
    written: list[Any] = []

    def work() -> None:
        try:
            while not ended.is_set() or len(written) < 3:
                with a.scope():
                    written.append(services.submit_request(draft=request(to=b.id), by=a.by).id)
                begun.set()
        except Exception as problem:  # noqa: BLE001 -- shown below
            problems.append(problem)
            begun.set()
        finally:
            connection.close()

    clerk = threading.Thread(target=work)
    clerk.start()
    try:
        assert begun.wait(20)
        upgrade(EXPANSION)
    finally:
        ended.set()
        clerk.join(20)
    assert problems == []
    with a.scope():
        assert len(selectors.rows(case_ids=written, by=a.by)) == len(written)


def test_old_code_breaks_where_a_column_is_taken_away_too_early(
    upgrade: Callable[[str], None], a: Town, b: Town
) -> None:
    """Why the rule is there."""
    upgrade("migrations.RunSQL('ALTER TABLE cases_case DROP urgent'),")
    with a.scope(), pytest.raises(ProgrammingError, match="urgent"):
        services.submit_request(draft=request(to=b.id), by=a.by)
