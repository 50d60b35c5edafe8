"""How Celery tasks keep to a tenant: the name travels in a header, and no header means no work.

Each task says whose it is, and fails before its body runs if that does not fit:

    @shared_task(scope="tenant")     # runs in the scope of the tenant that enqueued it
    @shared_task(scope="centre")     # runs in nobody's scope

The tenant is noted when the task is enqueued, never when the transaction commits, and looked up
again when it runs: a task of an unknown, suspended or deleted municipality never runs. Tasks have
no payload: they ask the database what is due, so a lost message costs time and nothing else.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Never

import structlog
from celery import Task
from celery.exceptions import Reject
from django.db import transaction
from kombu.exceptions import OperationalError

from centre.registry import selectors
from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy.context import current_tenant, public_scope, require_tenant, tenant_scope
from centre.tenancy.errors import TenantRequired, WrongTenant

log = structlog.get_logger(__name__)

HEADER = "amtsbruecke_tenant"


class Scope(StrEnum):
    """In whose name a task works."""

    TENANT = "tenant"
    CENTRE = "centre"


class StrictTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task that runs in the tenant that enqueued it, or not at all."""

    abstract = True
    scope: ClassVar[Scope | str | None] = None

    def apply_async(self, *args: Any, headers: Any = None, **kwargs: Any) -> Any:
        """Enqueue for the tenant of now."""
        return super().apply_async(*args, headers=self._headers(headers), **kwargs)

    def apply(self, *args: Any, headers: Any = None, **kwargs: Any) -> Any:
        """Run here and now, by the same rules as in a worker."""
        return super().apply(*args, headers=self._headers(headers), **kwargs)

    def delay_on_commit(self) -> None:
        """Enqueue after the commit, for the tenant of now; a broker that is down is no error.

        The database holds the truth: what a silent broker misses, the next tick of beat finds.
        """
        headers = self._headers(None)

        def enqueue() -> None:
            try:
                super(StrictTask, self).apply_async(headers=headers, retry=False)
            except OperationalError as error:
                log.warning("broker did not take a wake-up", task=self.name, error=str(error))

        transaction.on_commit(enqueue, robust=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.scope == Scope.TENANT:
            if self.request.called_directly:
                require_tenant()
                return super().__call__(*args, **kwargs)
            with tenant_scope(self._municipality()):
                return super().__call__(*args, **kwargs)
        if self.scope == Scope.CENTRE:
            with public_scope():
                return super().__call__(*args, **kwargs)
        return self._refuse("it does not say whose it is")

    def _headers(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = dict(given or {})
        if self.scope != Scope.TENANT:
            return headers
        tenant, noted = current_tenant(), headers.get(HEADER)
        if tenant is None and noted is None:
            raise TenantRequired(f"{self.name} is enqueued in a tenant's scope only.")
        if tenant is not None and noted not in {None, tenant.schema_name}:
            raise WrongTenant(f"{self.name} of {noted!r} was enqueued in {tenant.schema_name!r}.")
        return {**headers, HEADER: tenant.schema_name if tenant else noted}

    def _municipality(self) -> Municipality:
        noted = (self.request.headers or {}).get(HEADER)
        if not isinstance(noted, str):
            self._refuse("no tenant is noted")
        with public_scope():
            try:
                municipality = selectors.municipality(schema_name=noted)
            except selectors.MunicipalityUnknown:
                self._refuse(f"tenant {noted!r} is unknown")
        if municipality.state != MunicipalityState.ACTIVE:
            self._refuse(f"tenant {noted!r} is {municipality.state}")
        return municipality

    def _refuse(self, why: str) -> Never:
        log.error("task refused", task=self.name, why=why)
        raise Reject(why, requeue=False)
