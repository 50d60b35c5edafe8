"""Many municipalities in one centre: founding and migrating them, and what a connection remembers.

`python -m benchmarks.tenants [--tenants 400] [--json]` starts an embedded PostgreSQL of its own in
a new directory, with the product's settings, and removes it afterwards. `measure()` does the same
in a process of its own and returns the figures; the functions below measure one thing each, within
`centre()`, which a process can enter once.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from console.cluster import LOGINS, ensure_cluster
from console.embedded.postgres import EmbeddedPostgres

_PASSWORD = "of-the-benchmark"  # noqa: S105 -- of a server that nobody else reaches
_PACKAGE = "next_version_of_the_benchmark"
_NEXT_VERSION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [{leaf!r}]
    operations = [
        migrations.AddField("importrun", "of_benchmark", models.IntegerField(db_default=1)),
        migrations.AddIndex(
            "importrun", models.Index(fields=["of_benchmark"], name="by_benchmark")
        ),
    ]
"""


def measure(tenants: int = 400) -> dict[str, float]:
    """Measure everything in a process of its own; return what `figures` returns."""
    command = [sys.executable, "-m", "benchmarks.tenants", "--tenants", str(tenants), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def figures(tenants: int) -> dict[str, float]:
    """Measure everything, in an order that makes sense."""
    found = create(tenants)
    found |= migrate_unchanged()
    found |= connection_memory("web") | connection_memory("worker")
    found |= connection_memory("web", unbounded=True)
    found |= migrate_plain()
    return found


@contextmanager
def centre() -> Iterator[None]:
    """A centre without municipalities; this process is its owner within the block."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amtsbruecke-bench-")))
        home.chmod(0o711)
        server = stack.enter_context(EmbeddedPostgres(home / "postgres"))
        ensure_cluster(server.admin_dsn, prefix="krz", passwords=dict.fromkeys(LOGINS, _PASSWORD))
        master_key = home / "master.key"
        master_key.touch(mode=0o600)
        master_key.write_bytes(os.urandom(32))
        addresses = {
            f"AMTSBRUECKE_{login.upper()}_DATABASE_URL": server.dsn(
                user=f"krz_{login}", password=_PASSWORD
            )
            for login in LOGINS
        }
        os.environ.update(
            DJANGO_SETTINGS_MODULE="centre.config.settings",
            AMTSBRUECKE_HOME=str(home),
            AMTSBRUECKE_CENTRE="krz",
            AMTSBRUECKE_SECRET_KEY="of-the-benchmark-" + "x" * 40,
            AMTSBRUECKE_MASTER_KEY_FILE=str(master_key),
            AMTSBRUECKE_WEB_DOMAIN="krz.localhost",
            **addresses,
        )
        from console.roles import become

        become("owner")
        from console.migrations import migrate

        migrate(report=_say).require_success()
        yield
        from django.db import connections

        connections.close_all()


def create(tenants: int) -> dict[str, float]:
    """Found so many municipalities, without administrators, the first blueprint included."""
    from centre.kernel.actors import system
    from centre.registry import services
    from centre.registry.services import FoundingOutcome, NewTenant

    def new(number: int) -> NewTenant:
        key = f"{number:03}"
        return NewTenant(
            slug=f"stadt-{number:04}", name=f"Stadt {number}", ags=f"05770{key}",
            ars=f"05770{number // 1000:04}{key}",
        )  # fmt: skip

    begin = time.monotonic()
    founded = services.create_tenants(tenants=map(new, range(tenants)), by=system("benchmark"))
    outcomes = [each.outcome for each in founded]
    seconds = time.monotonic() - begin
    _require(outcomes == [FoundingOutcome.CREATED] * tenants, "all municipalities are founded")
    return {"create_seconds": seconds, "create_each_ms": seconds / tenants * 1000}


def migrate_unchanged() -> dict[str, float]:
    """Migrate all schemas when there is nothing to do."""
    from console.migrations import migrate

    outcome = migrate(report=_say)
    _require(not outcome.results, "nothing is to be migrated")
    return {"migrate_unchanged_seconds": outcome.seconds}


def migrate_plain() -> dict[str, float]:
    """Migrate all schemas by a new column and an index. Leaves the schemas changed."""
    from django.conf import settings
    from django.db.migrations.loader import MigrationLoader

    from centre.registry.models import UpgradeOutcome
    from console.migrations import migrate

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / _PACKAGE
        package.mkdir()
        (package / "__init__.py").write_text(
            "from tenants.importers import migrations\n__path__.extend(migrations.__path__)\n"
        )
        (leaf,) = MigrationLoader(None).graph.leaf_nodes("importers")
        (package / f"{int(leaf[1][:4]) + 1:04}_next.py").write_text(_NEXT_VERSION.format(leaf=leaf))
        sys.path.insert(0, folder)
        settings.MIGRATION_MODULES = {"importers": _PACKAGE}
        outcome = migrate(report=_say)
        settings.MIGRATION_MODULES = {}
        sys.path.remove(folder)
    outcome.require_success()
    replayed = [r for r in outcome.results if r.outcome == UpgradeOutcome.REPLAYED]
    _require(len(replayed) == len(outcome.results) - 1, "all but the first were replayed")
    return {
        "migrate_plain_seconds": outcome.seconds,
        "migrate_plain_each_ms": sum(r.milliseconds for r in replayed) / len(replayed),
    }


def connection_memory(process: str, *, unbounded: bool = False) -> dict[str, float]:
    """Visit all tables of all municipalities on one connection of `process`; tell its server side.

    In MiB: what its server process holds for itself when fresh and at most, and at most as its
    proportional share (PSS). `unbounded` shows what it would hold if no connection was replaced.
    """
    from django.apps import apps
    from django.conf import settings
    from django.db import connections

    from centre.config.databases import database
    from centre.config.environment import Environment
    from centre.registry.selectors import active
    from centre.tenancy.backend.base import DatabaseWrapper
    from centre.tenancy.context import tenant_scope

    only_theirs = set(settings.TENANT_APPS) - set(settings.SHARED_APPS)
    models = [
        model for model in apps.get_models()
        if apps.get_app_config(model._meta.app_label).name in only_theirs  # noqa: SLF001
    ]  # fmt: skip
    towns = list(active())
    environment = Environment.from_mapping({**os.environ, "AMTSBRUECKE_PROCESS": process})
    before, kept = connections["default"], settings.AMTSBRUECKE
    other = DatabaseWrapper({**before.settings_dict, **database(environment)}, "default")
    connections["default"] = other
    if unbounded:
        settings.AMTSBRUECKE = replace(kept, schemas_per_connection=len(towns) + 2)
    servers: dict[int, tuple[float, float]] = {}
    try:
        fresh, _ = _memory(_server_process(other))
        for town in towns:
            with tenant_scope(town):
                for model in models:
                    model._base_manager.first()  # noqa: SLF001
                pid = _server_process(other)
            servers[pid] = max(servers.get(pid, (0.0, 0.0)), _memory(pid))
    finally:
        other.close()
        other.close_pool()
        connections["default"], settings.AMTSBRUECKE = before, kept
    name = f"connection_{process}{'_unbounded' if unbounded else ''}"
    return {
        f"{name}_fresh_mib": fresh,
        f"{name}_most_mib": max(private for private, _ in servers.values()),
        f"{name}_most_pss_mib": max(pss for _, pss in servers.values()),
        f"{name}_servers": len(servers),
    }


def _server_process(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _memory(pid: int) -> tuple[float, float]:
    """Return the MiB that a process has for itself, and its share of all that it uses."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    return (found["Private_Clean"] + found["Private_Dirty"]) / 1024, found["Pss"] / 1024


def _require(truth: bool, words: str) -> None:  # noqa: FBT001
    if not truth:
        raise RuntimeError(f"The measurement is worthless: it is not so that {words}.")


def _say(text: object) -> None:
    """Say nothing: a line for each municipality is too much here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with centre():
        found = figures(options.tenants)
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:<40} {value:10.2f}")


if __name__ == "__main__":
    main()
