"""How Celery tasks keep to a tenant: the name travels in a header, and no header means no work.

A task is declared with one of two words, and fails before its body runs if they do not fit:

    @app.task(scope=TENANT)     # runs in the scope of the tenant that enqueued it
    @app.task(scope=CENTRE)     # runs in nobody's scope

The tenant is noted when the task is enqueued, never when the transaction commits, and looked up
again when it runs: a task for an unknown, suspended or deleted municipality never runs.
"""

from enum import StrEnum
from typing import Any, ClassVar

import structlog
from celery import Task
from celery.exceptions import Reject
from django.db import transaction

from centre.registry import selectors
from centre.registry.models import MunicipalityState
from centre.tenancy.context import current_tenant, public_scope, tenant_scope
from centre.tenancy.errors import TenantRequired, WrongTenant

log = structlog.get_logger(__name__)

_HEADER = "amtsbruecke_tenant"


class Scope(StrEnum):
    """In whose name a task works."""

    TENANT = "tenant"
    CENTRE = "centre"


TENANT, CENTRE = Scope.TENANT, Scope.CENTRE


class StrictTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task that runs in the tenant that enqueued it, or not at all."""

    abstract = True
    scope: ClassVar[Scope | None] = None
    # Tasks ask the database what is due; arguments would be a second, staler truth.
    typing = True

    def apply_async(self, *args: Any, headers: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Enqueue now, for the tenant of now."""
        return super().apply_async(*args, headers=self._headers(headers), **kwargs)

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Enqueue after the commit, for the tenant of now."""
        headers = self._headers(None)
        transaction.on_commit(lambda: self._enqueue_as_noted(headers, args, kwargs), robust=True)

    def _enqueue_as_noted(
        self, headers: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        # The database holds the truth: what a silent broker misses, the next tick of beat finds.
        try:
            super().apply_async(args=args, kwargs=kwargs, headers=headers)
        except self.app.connection_for_write().connection_errors as error:
            log.warning("broker did not take a wake-up", task=self.name, error=str(error))

    def _headers(self, given: dict[str, Any] | None) -> dict[str, Any]:
        tenant = current_tenant()
        headers = dict(given or {})
        noted = headers.get(_HEADER)
        if self.scope is Scope.TENANT:
            if tenant is None and noted is None:
                raise TenantRequired(f"{self.name} is enqueued within a tenant's scope only.")
            if tenant is not None and noted not in {None, tenant.schema_name}:
                raise WrongTenant(f"{self.name} of {noted!r} enqueued in {tenant.schema_name!r}.")
            headers[_HEADER] = tenant.schema_name if tenant else noted
        return headers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.scope is Scope.TENANT:
            with tenant_scope(self._tenant()):
                return super().__call__(*args, **kwargs)
        if self.scope is Scope.CENTRE:
            with public_scope():
                return super().__call__(*args, **kwargs)
        raise Reject(f"{self.name} does not say whose it is", requeue=False)

    def _tenant(self) -> Any:
        noted = (self.request.headers or {}).get(_HEADER) or self.request.get(_HEADER)
        if not noted:
            self._refuse("no tenant is noted")
        with public_scope():
            try:
                municipality = selectors.municipality(schema_name=noted)
            except selectors.MunicipalityUnknown:
                self._refuse(f"tenant {noted!r} is unknown")
        if municipality.state != MunicipalityState.ACTIVE:
            self._refuse(f"tenant {noted!r} is {municipality.state}")
        return municipality

    def _refuse(self, why: str) -> Any:
        log.error("task refused", task=self.name, why=why)
        raise Reject(why, requeue=False)
