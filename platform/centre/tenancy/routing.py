"""Rows remember the schema they came from.

Django asks the router for a database alias whenever it reads or writes, with the instance at hand
as a hint, and keeps the answer in the instance (`_state.db`). Our answer is the alias `default`
that also carries the schema. So every row of every model is marked when it is loaded or saved,
with no base class to forget, and Django's own question tells when it is saved, deleted, refreshed
or followed to a relation in another tenant's scope: that raises `WrongTenant`.

`.using(...)` and `save(using=...)` would skip the question; a test keeps them out of the code.
"""

from functools import cache
from typing import Any, Self

from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models
from django_tenants.routers import TenantSyncRouter

from centre.tenancy import context
from centre.tenancy.errors import TenantRequired, WrongTenant


class SchemaAlias(str):
    """The alias `default`, marked with the schema of a tenant."""

    __slots__ = ("schema",)
    schema: str

    def __new__(cls, schema: str) -> Self:
        alias = super().__new__(cls, DEFAULT_DB_ALIAS)
        alias.schema = schema
        return alias

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.schema,)


class TenantRouter(TenantSyncRouter):  # type: ignore[misc]  # no types upstream
    """Migrates each app into its own kind of schema, and guards where rows come from and go to."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return _alias(model, hints.get("instance"))

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return _alias(model, hints.get("instance"))

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:  # noqa: ARG002
        schemas = {_schema_of(one), _schema_of(other)} - {None}
        return len(schemas) <= 1


def _alias(model: type[models.Model], instance: models.Model | None) -> str:
    here = context.current_place().schema
    if instance is not None and (origin := _schema_of(instance)) not in {None, here}:
        raise WrongTenant(
            f"A row of {instance._meta.label} from {origin!r} was used in {here!r}."  # noqa: SLF001
        )
    if model._meta.app_label not in _tenant_labels():  # noqa: SLF001
        return DEFAULT_DB_ALIAS
    if here == context.PUBLIC.schema:
        raise TenantRequired(
            f"{model._meta.label} lives in a municipality's schema: "  # noqa: SLF001
            "enter tenant_scope first."
        )
    return SchemaAlias(here)


def _schema_of(instance: models.Model) -> str | None:
    return getattr(instance._state.db, "schema", None)  # noqa: SLF001


@cache
def _tenant_labels() -> frozenset[str]:
    """Labels of the apps that exist only in municipalities' schemas."""
    only = set(settings.TENANT_APPS) - set(settings.SHARED_APPS)
    return frozenset(config.label for config in apps.get_app_configs() if config.name in only)
