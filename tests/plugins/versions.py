"""The program one version later: `next_version(operations)` adds a migration of the importers.

May be called several times. Only the database can tell; the models stay those of this version.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db.migrations.loader import MigrationLoader
from pytest_django import Settings

from centre.registry import blueprints

type NextVersion = Callable[..., None]

_MIGRATION = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models

def write(apps, editor):
{write}

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [{leaf!r}]
    operations = [{operations}]
"""


@pytest.fixture
def next_version(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> NextVersion:
    package = tmp_path / f"migrations_of_{tmp_path.name}"

    def make(operations: str, *, atomic: bool = True, write: str = "pass") -> None:
        leaf = MigrationLoader(None).graph.leaf_nodes("importers")[0]
        number = int(leaf[1][:4]) + 1
        (package / f"{number:04}_next.py").write_text(
            _MIGRATION.format(
                operations=operations,
                atomic=atomic,
                leaf=leaf,
                write=textwrap.indent(textwrap.dedent(write), "    "),
            )
        )
        settings.MIGRATION_MODULES = {"importers": package.name}
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", others.stem)  # of new processes
        blueprints.fingerprint.cache_clear()

    package.mkdir()
    (package / "__init__.py").write_text(
        "from tenants.importers import migrations\n__path__.extend(migrations.__path__)\n"
    )
    others = tmp_path / f"settings_of_{tmp_path.name}.py"
    others.write_text(
        "from centre.config.settings import *\n"
        f"MIGRATION_MODULES = {{'importers': '{package.name}'}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return make
