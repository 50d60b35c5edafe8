"""A migration takes nothing away that the release before still uses (docs/adr/0015).

The processes of the old release go on while the schemas are migrated, and after it. So a migration
may add what old code need not know. What takes something away must name it in `contracts` of its
`Migration`, with the first release that no longer used it; that release must be out.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.fields import NOT_PROVIDED
from packaging.version import Version

from tests.architecture.raw_sql import unbearable

ROOT = Path(__file__).resolve().parents[2]
CURRENT = Version(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
WIDENED = {
    ("integer", "bigint"),
    ("smallint", "integer"),
    ("smallint", "bigint"),
}


def objections(migration: Any, state: ProjectState) -> Iterator[tuple[str, str]]:
    """Yield what old code could still use, and why it no longer could."""
    made: set[str] = set()
    for operation in _flat(migration.operations):
        yield from _objections(operation, state, migration.app_label, made)
        operation.state_forwards(migration.app_label, state)


def _flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _objections(  # noqa: C901, PLR0912 -- a case for each operation
    operation: Any, state: ProjectState, app: str, made: set[str]
) -> Iterator[tuple[str, str]]:
    model = f"{app}.{getattr(operation, 'model_name', getattr(operation, 'name', ''))}".lower()
    match operation:
        case migrations.CreateModel():
            made.add(model)
        case _ if model in made:
            pass  # old code does not know it
        case migrations.RemoveField():
            yield f"{model}.{operation.name}", "the field goes"
        case migrations.RenameField():
            yield f"{model}.{operation.old_name}", "the field gets another name"
        case migrations.DeleteModel():
            yield model, "the model goes"
        case migrations.RenameModel():
            yield f"{app}.{operation.old_name}".lower(), "the model gets another name"
        case migrations.AlterModelTable():
            yield model, "the table gets another name"
        case migrations.AddField() if not _may_be_left_out(operation.field):
            yield f"{model}.{operation.name}", "old code cannot insert: null=True or db_default"
        case migrations.AlterField():
            old = state.models[app, operation.model_name_lower].get_field(operation.name)
            if why := _narrower(old, operation.field):
                yield f"{model}.{operation.name}", why
        case migrations.AddConstraint():
            yield f"{model}.{operation.constraint.name}", "old code may write what it forbids"
        case migrations.AlterUniqueTogether():
            yield model, "old code may write what it forbids"
        case migrations.RunSQL():
            for statement in unbearable(_sql(operation.sql), new={_table(each) for each in made}):
                yield f"{app} (SQL)", f"old code may not bear {statement[:200]!r}"


def _table(model: str) -> str:
    return model.replace(".", "_")


def _may_be_left_out(field: Any) -> bool:
    return bool(
        field.null or field.db_default is not NOT_PROVIDED or field.many_to_many or field.generated
    )


def _narrower(old: Any, new: Any) -> str:
    if old.null and not new.null and new.db_default is NOT_PROVIDED:
        return "it may no longer be empty"
    if old.db_default is not NOT_PROVIDED and not _may_be_left_out(new):
        return "its default goes"
    if new.unique and not old.unique:
        return "it must be unique now"
    before, after = _type(old), _type(new)
    if before == after or (before, after) in WIDENED or after == "text":
        return ""
    lengths = [re.fullmatch(r"varchar\((\d+)\)", each) for each in (before, after)]
    if all(lengths) and int(lengths[0][1]) <= int(lengths[1][1]):  # type: ignore[index]
        return ""
    return f"{before} becomes {after}"


def _type(field: Any) -> str:
    if field.is_relation:
        return f"relation to {field.related_model}"
    return str(field.db_type(connection))


def _sql(sql: Any) -> str:
    if isinstance(sql, str):
        return sql
    return ";".join(part if isinstance(part, str) else part[0] for part in sql)


def _unmarked(migration: Any, state: ProjectState) -> list[str]:
    marks = getattr(migration, "contracts", {})
    return [
        f"{migration}: {subject}: {why}"
        for subject, why in objections(migration, state)
        if subject not in marks or not Version(marks[subject]) < CURRENT
    ]


def test_migrations_take_nothing_away_too_early() -> None:
    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if _is_ours(config.path)}
    found = [
        line
        for key in sorted(loader.graph.nodes)
        if key[0] in ours and not loader.graph.nodes[key].initial
        for line in _unmarked(loader.graph.nodes[key], loader.project_state(key, at_end=False))
    ]
    assert found == []
    assert {"cases", "importers", "registry"} <= ours


def _is_ours(path: str) -> bool:
    return Path(path).is_relative_to(ROOT) and ".venv" not in Path(path).parts


# -- the rule itself ------------------------------------------------------------------------------


def _state() -> ProjectState:
    state = ProjectState()
    migrations.CreateModel(
        "Case",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("note", models.CharField(max_length=9, null=True)),
            ("size", models.IntegerField(db_default=1)),
        ],
    ).state_forwards("app", state)
    return state


def _migration(operation: Operation, **marks: str) -> Any:
    kind = type("Migration", (migrations.Migration,), {"operations": [operation]})
    migration = kind("0002_next", "app")
    migration.contracts = {name.replace("__", "."): release for name, release in marks.items()}
    return migration


BREAKING_SQL = [
    "ALTER TABLE app_case ADD more int NOT NULL",
    "ALTER TABLE app_case ADD COLUMN more int NOT NULL",
    "ALTER TABLE app_case ADD COLUMN more int NOT NULL DEFAULT NULL",
    "ALTER TABLE app_case ADD more int, ADD one int UNIQUE",
    "ALTER TABLE app_case ADD more bigint REFERENCES app_other (id)",
    "CREATE UNIQUE INDEX one ON app_case (note)",
    "ALTER TABLE app_case ADD CONSTRAINT few CHECK (size < 9) NOT VALID",
    "ALTER TABLE app_case ADD CHECK (size < 9)",
    "ALTER TABLE app_case ADD UNIQUE (note)",
    "ALTER TABLE app_case ALTER size DROP DEFAULT",
    "ALTER TABLE app_case ALTER note TYPE varchar(3)",
    "ALTER TABLE app_case ENABLE ROW LEVEL SECURITY",
    "DELETE FROM app_case",
    "TRUNCATE app_case",
    "CREATE TRIGGER never BEFORE INSERT ON app_case FOR EACH ROW EXECUTE FUNCTION never()",
    "CREATE OR REPLACE FUNCTION known() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "CREATE POLICY few ON app_case AS RESTRICTIVE USING (size < 9)",
    "REVOKE INSERT ON app_case FROM somebody",
    "WITH gone AS (DELETE FROM app_case RETURNING id) UPDATE app_case SET size = 2",
    "DO $$ BEGIN DELETE FROM app_case; END $$",
    "UPDATE app_case SET note = 'x;--'; /* ; */ DROP TABLE app_case",
]
EXPANDING_SQL = [
    "UPDATE app_case SET note = 'x' WHERE note IS NULL",
    "ALTER TABLE app_case ADD more int, ADD COLUMN price numeric(9, 2) NOT NULL DEFAULT 0",
    "ALTER TABLE app_case ADD twice int GENERATED ALWAYS AS (size * 2) STORED",
    "ALTER TABLE app_case SET (fillfactor = 70, autovacuum_vacuum_threshold = 5000)",
    "ALTER TABLE app_case ALTER COLUMN note SET STORAGE EXTERNAL; ANALYZE app_case",
    "ALTER TABLE app_case ALTER note SET DEFAULT 'NOT NULL, DROP', ALTER size DROP NOT NULL",
    "CREATE TABLE app_new (id int PRIMARY KEY, size int NOT NULL CHECK (size > 0))",
    "CREATE INDEX by_size ON app_case (size) WHERE note IS NOT NULL -- DROP it later",
    "CREATE VIEW small AS SELECT id FROM app_case WHERE size < 9",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM x; END $$",
    "GRANT SELECT ON app_case TO somebody",
    "CREATE POLICY all_of_it ON app_case USING (true)",
    "COMMENT ON TABLE app_case IS 'DROP'",
]
CONTRACTING = [
    migrations.RemoveField("case", "note"),
    migrations.RenameField("case", "note", "remark"),
    migrations.DeleteModel("Case"),
    migrations.RenameModel("Case", "Matter"),
    migrations.AlterModelTable("case", "matters"),
    migrations.AlterField("case", "note", models.CharField(max_length=9)),
    migrations.AlterField("case", "note", models.CharField(max_length=8, null=True)),
    migrations.AlterField("case", "note", models.CharField(max_length=9, null=True, unique=True)),
    migrations.AlterField("case", "note", models.IntegerField(null=True)),
    migrations.AlterField("case", "size", models.IntegerField()),
    migrations.AddField("case", "more", models.IntegerField()),
    migrations.AddField("case", "more", models.IntegerField(default=1)),
    migrations.AddConstraint("case", models.UniqueConstraint(fields=["note"], name="one")),
    migrations.RunSQL("ALTER TABLE app_case DROP COLUMN note"),
    migrations.RunSQL(["ALTER TABLE app_case ALTER note SET NOT NULL"]),
    migrations.RunSQL("ALTER TABLE app_case RENAME note TO remark"),
    *map(migrations.RunSQL, BREAKING_SQL),
    migrations.RunSQL([("DELETE FROM app_case WHERE note = %s", ["x"])]),
    migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RemoveField("case", "note")]
    ),
]
EXPANDING = [
    migrations.AddField("case", "more", models.IntegerField(null=True)),
    migrations.AddField("case", "more", models.IntegerField(db_default=1)),
    migrations.AlterField("case", "note", models.CharField(max_length=20, null=True)),
    migrations.AlterField("case", "note", models.TextField(null=True)),
    migrations.AlterField("case", "note", models.CharField(max_length=9, db_default="")),
    migrations.AlterField("case", "size", models.BigIntegerField(db_default=1)),
    migrations.AlterField("case", "size", models.IntegerField(null=True)),
    migrations.AddIndex("case", models.Index(fields=["note"], name="by_note")),
    migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
    *map(migrations.RunSQL, EXPANDING_SQL),
    migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("case", "note")]),
]


def _words(operation: Operation) -> str:
    return str(getattr(operation, "sql", operation.describe()))[:70]


@pytest.mark.parametrize("operation", CONTRACTING, ids=_words)
def test_taking_away_is_refused(operation: Operation) -> None:
    assert _unmarked(_migration(operation), _state())


@pytest.mark.parametrize("operation", EXPANDING, ids=_words)
def test_adding_is_not(operation: Operation) -> None:
    assert _unmarked(_migration(operation), _state()) == []


def test_a_mark_counts_when_that_release_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CURRENT", Version("0.3.0.dev0"))
    operation = migrations.RemoveField("case", "note")
    assert _unmarked(_migration(operation, app__case__note="0.2.0"), _state()) == []
    assert _unmarked(_migration(operation, app__case__note="0.3.0"), _state())
    assert _unmarked(_migration(operation, app__case__size="0.2.0"), _state())


def test_nobody_else_knows_what_the_same_migration_makes() -> None:
    migration = _migration(
        migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))])
    )
    migration.operations = [
        *migration.operations,
        migrations.AddField("new", "x", models.IntegerField()),
        migrations.RunSQL(
            "ALTER TABLE app_new ADD CHECK (x > 0); CREATE UNIQUE INDEX ON app_new (x)"
        ),
        migrations.RunSQL("CREATE TRIGGER t BEFORE DELETE ON app_new EXECUTE FUNCTION never()"),
    ]
    assert _unmarked(migration, _state()) == []
