"""How django-tenants migrates here: schema after schema, each in its own scope."""

from collections.abc import Iterable
from typing import Any

from django_tenants.migration_executors.base import MigrationExecutor, run_migrations

from centre.tenancy.context import schema_scope


class ScopedExecutor(MigrationExecutor):  # type: ignore[misc]  # no types upstream
    """Run the migrations of each schema as the owner, one after the other."""

    codename = "scoped"

    def run_migrations(self, tenants: Iterable[str] | None = None) -> None:
        schemas = list(tenants or ())
        for index, schema in enumerate(schemas):
            with schema_scope(schema):
                run_migrations(
                    self.args, self.options, self.codename, schema, idx=index, count=len(schemas)
                )


def executor(codename: str | None = None) -> Any:  # noqa: ARG001 -- django-tenants' interface
    """Return the one executor of this house."""
    return ScopedExecutor
