"""Migration operations for tables in `public` that hold rows of several tenants."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db.migrations.operations.base import Operation

from centre.tenancy.roles import RoleNames

_COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


class ShareAmongTenants(Operation):
    """Let tenants and processes use a shared table, each only as far as named here.

    Rights go to the group of all tenants and to the login roles of the processes. With
    `row_level`, FORCE ROW LEVEL SECURITY shows a tenant only rows whose `tenant_role` it is, and
    lets it write only such rows; processes see all rows, for the commands that they were granted.
    `only` narrows the rows of a process by an SQL condition. Without `row_level` everybody who may
    read reads all (the directory).

    A later migration may state the rights anew: each run replaces what an earlier one said.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(
        self,
        model_name: str,
        tenant: Iterable[str] = ("SELECT", "INSERT"),
        web: Iterable[str] = (),
        worker: Iterable[str] = (),
        federation: Iterable[str] = (),
        *,
        row_level: bool = True,
        only: Mapping[str, str] | None = None,
    ) -> None:
        self.model_name = model_name
        self.tenant = tuple(tenant)
        self.web = tuple(web)
        self.worker = tuple(worker)
        self.federation = tuple(federation)
        self.row_level = row_level
        self.only = dict(only or {})
        for command in {*self.tenant, *self.web, *self.worker, *self.federation}:
            if command not in _COMMANDS:
                message = f"{command!r} is no right on a table: {', '.join(_COMMANDS)}"
                raise ValueError(message)

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change no model."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: Any,
        from_state: Any,  # noqa: ARG002 -- Django's interface
        to_state: Any,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            for statement in self._statements(model._meta.db_table):  # noqa: SLF001
                schema_editor.execute(statement)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: Any,
        from_state: Any,  # noqa: ARG002 -- Django's interface
        to_state: Any,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            for statement in self._withdrawals(model._meta.db_table):  # noqa: SLF001
                schema_editor.execute(statement)

    def describe(self) -> str:
        return f"Share {self.model_name} among tenants"

    @property
    def migration_name_fragment(self) -> str:
        return f"share_{self.model_name.lower()}"

    def _grants(self, names: RoleNames) -> dict[str, tuple[str, ...]]:
        return {
            names.tenants: self.tenant,
            names.web: self.web,
            names.worker: self.worker,
            names.federation: self.federation,
        }

    def _statements(self, table: str) -> Iterator[str]:
        names = role_names()
        yield from self._withdrawals(table)
        for role, commands in self._grants(names).items():
            if commands:
                yield f'GRANT {", ".join(commands)} ON "{table}" TO {role}'
        if not self.row_level:
            return
        yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'
        yield f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY'
        yield (
            f'CREATE POLICY tenant ON "{table}" TO {names.tenants} '
            "USING (tenant_role = current_user) WITH CHECK (tenant_role = current_user)"
        )
        yield f'CREATE POLICY owner ON "{table}" TO {names.owner} USING (true) WITH CHECK (true)'
        for process, role in names.processes.items():
            rows = self.only.get(process, "true")
            for command in self._grants(names)[role]:
                yield (
                    f'CREATE POLICY {process}_{command.lower()} ON "{table}" FOR {command} '
                    f"TO {role} {_CLAUSES[command].format(rows=rows)}"
                )

    def _withdrawals(self, table: str) -> Iterator[str]:
        names = role_names()
        for role in self._grants(names):
            yield f'REVOKE ALL ON "{table}" FROM {role}'
        policies = ["tenant", "owner"]
        policies += [f"{p}_{c.lower()}" for p in names.processes for c in _COMMANDS]
        for policy in policies:
            yield f'DROP POLICY IF EXISTS {policy} ON "{table}"'
        yield f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY'
        yield f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY'


_CLAUSES = {
    "SELECT": "USING ({rows})",
    "INSERT": "WITH CHECK ({rows})",
    "UPDATE": "USING ({rows}) WITH CHECK ({rows})",
    "DELETE": "USING ({rows})",
}


def role_names() -> RoleNames:
    """Return the names of this centre's roles."""
    return RoleNames(settings.AMTSBRUECKE.role_prefix)
