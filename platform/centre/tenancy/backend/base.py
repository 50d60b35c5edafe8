"""A PostgreSQL connection that follows the tenant and refuses to be mixed up.

Before each statement the connection is brought to the place that `context` names: search path and
role in one round trip, `SET search_path …; SET ROLE …`, which PostgreSQL does and undoes together.

- PostgreSQL 18 reports its search path with every change, also after a rollback, so an unchanged
  place costs nothing and a path changed behind our back is noticed. Older servers report nothing:
  there the place is set anew for each statement.
- A connection that has been in many schemas is replaced, see `pool`.
- A transaction belongs to the place that began it. A cursor belongs to the place that opened it.
- django-tenants' own switches (`set_tenant`, `with tenant:`, `schema_context`) keep state per
  thread or even per process; they are refused wherever they would change anything.
"""

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from django.db import InterfaceError
from django.db.backends.postgresql.base import CursorDebugWrapper
from django.db.backends.utils import CursorWrapper
from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsDatabaseWrapper
from psycopg.pq import TransactionStatus

from centre.tenancy import context
from centre.tenancy.backend.pool import is_spent, knows, note, reset
from centre.tenancy.context import Place
from centre.tenancy.errors import WrongTenant

if TYPE_CHECKING:
    from django.db.transaction import Atomic


class _Guarded(CursorWrapper):
    """A cursor that works only in the place where it was opened."""

    def __init__(self, cursor: Any, db: Any) -> None:
        super().__init__(cursor, db)
        self._opened_in = context.current_place()
        self._opened_at = db._at  # noqa: SLF001 -- one module, one secret

    def __getattr__(self, name: str) -> Any:
        if name != "close":
            self._refuse_elsewhere()
        return super().__getattr__(name)

    def __iter__(self) -> Any:
        self._refuse_elsewhere()
        return super().__iter__()

    def _execute(self, sql: Any, params: Any, *ignored: Any) -> Any:
        self._go_back()
        return super()._execute(sql, params, *ignored)  # type: ignore[misc]  # not in the stubs

    def _executemany(self, sql: Any, param_list: Any, *ignored: Any) -> Any:
        self._go_back()
        return super()._executemany(sql, param_list, *ignored)  # type: ignore[misc]

    def _go_back(self) -> None:
        """Make sure that the connection is where it was: others may have been elsewhere since."""
        self._refuse_elsewhere()
        if self.cursor.connection is not self.db.connection:
            raise InterfaceError("The connection of this cursor was left.")
        if self.db._at != self._opened_at:  # noqa: SLF001
            self.db._handle_search_path()  # noqa: SLF001
            self._opened_at = self.db._at  # noqa: SLF001

    def _refuse_elsewhere(self) -> None:
        here = context.current_place()
        if here is not self._opened_in and here != self._opened_in:
            raise WrongTenant(
                f"A cursor opened in {self._opened_in.schema!r} was used in {here.schema!r}."
            )


class _GuardedDebug(_Guarded, CursorDebugWrapper):
    pass


class DatabaseWrapper(TenantsDatabaseWrapper):  # type: ignore[misc]  # no types upstream
    """Follows `context.current_place()`; see the module."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        # Where the connection is, as far as we know: search path and role; None = unknown.
        self._at: tuple[str, str | None] | None = None
        self._bound: tuple[Atomic, Place] | None = None
        self._streams: WeakSet[Any] = WeakSet()
        pool_options = settings_dict.get("OPTIONS", {}).get("pool")
        if isinstance(pool_options, dict):
            pool_options["reset"] = reset
        # The router's alias carries a schema; a connection is of no schema.
        super().__init__(settings_dict, str(alias))

    # -- django-tenants' interface, as views of the context -----------------------------------

    @property
    def schema_name(self) -> str:
        return context.current_place().schema

    @schema_name.setter
    def schema_name(self, value: str | None) -> None:
        """Ignore the assignment in the parent's constructor: the context decides."""

    @property
    def tenant(self) -> Any:
        place = context.current_place()
        return place.tenant or place

    @tenant.setter
    def tenant(self, value: Any) -> None:
        """Ignore the assignment in the parent's constructor: the context decides."""

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:  # noqa: FBT001, FBT002
        if tenant.schema_name != self.schema_name:
            raise WrongTenant(
                f"The connection is in {self.schema_name!r} and does not go to "
                f"{tenant.schema_name!r} by itself. Use centre.tenancy.context.tenant_scope."
            )
        self.include_public_schema = include_public

    def set_schema_to_public(self) -> None:
        self.include_public_schema = True

    # -- transactions -------------------------------------------------------------------------

    @property
    def in_own_transaction(self) -> bool:
        """Whether an atomic block is open, other than the one around a test."""
        return self._outermost_block() is not None

    def _outermost_block(self) -> "Atomic | None":
        return next((block for block in self.atomic_blocks if not block._from_testcase), None)  # noqa: SLF001

    def set_autocommit(self, *args: Any, **kwargs: Any) -> None:
        self._bound = None
        super().set_autocommit(*args, **kwargs)

    def savepoint(self) -> str | None:
        if not self.in_own_transaction:
            self._bound = None
        return super().savepoint()  # type: ignore[no-any-return]

    def rollback(self) -> None:
        self._at = None
        super().rollback()

    def savepoint_rollback(self, sid: str) -> None:
        try:
            super().savepoint_rollback(sid)
        finally:
            self._at = None

    def connect(self) -> None:
        self._at = None
        super().connect()

    def close(self) -> None:
        self._at = None
        super().close()

    # -- statements ---------------------------------------------------------------------------

    def make_cursor(self, cursor: Any) -> CursorWrapper:
        return _Guarded(cursor, self)

    def make_debug_cursor(self, cursor: Any) -> CursorWrapper:
        return _GuardedDebug(cursor, self)

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = super().create_cursor(name)
        if name:
            self._streams.add(cursor)
        return cursor

    def _cursor(self, name: str | None = None) -> Any:
        if self._is_spent():
            self.close()
        return super()._cursor(name)

    def _is_spent(self) -> bool:
        """Whether it is time for a new connection, and nothing depends on this one."""
        if self.connection is None or self.in_atomic_block or not self.get_autocommit():
            return False
        if not is_spent(self.connection):
            return False
        if knows(self.connection, ", ".join(self._get_cursor_search_paths())):
            return False
        return all(stream.closed for stream in self._streams)

    def _handle_search_path(self, cursor: Any = None) -> None:  # noqa: ARG002
        """Bring the connection to the current place. Called by the parent for each cursor."""
        place = self._place_of_transaction()
        if self.connection.pgconn.transaction_status == TransactionStatus.INERROR:
            return  # only a rollback can follow, and the server refuses everything else
        path = ", ".join(self._get_cursor_search_paths())
        reported = self._reported_path()
        if self._at == (path, place.role) and reported is not None:
            if reported == path:
                return
            self._at = None
            raise WrongTenant(f"The connection of {path!r} was found in {reported!r}.")
        self._go(path, place.role)

    def _place_of_transaction(self) -> Place:
        place = context.current_place()
        block = self._outermost_block()
        if block is None:
            self._bound = None
        elif self._bound is None or self._bound[0] is not block:
            self._bound = (block, place)
        elif self._bound[1] != place:
            raise WrongTenant(
                f"The open transaction belongs to {self._bound[1].schema!r}, "
                f"the statement to {place.schema!r}."
            )
        return place

    def _go(self, path: str, role: str | None) -> None:
        quoted = ", ".join(f'"{name}"' for name in path.split(", "))
        become = f'SET ROLE "{role}"' if role else "RESET ROLE"
        self._at = None
        with self.wrap_database_errors:
            self.connection.execute(f"SET search_path = {quoted}; {become}")
        if (reported := self._reported_path()) not in {None, path}:
            raise WrongTenant(f"The connection went to {reported!r} instead of {path!r}.")
        self._at = (path, role)
        note(self.connection, path)

    def _reported_path(self) -> str | None:
        reported = self.connection.pgconn.parameter_status(b"search_path")
        return reported.decode() if reported is not None else None
