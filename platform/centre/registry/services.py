"""Writes of the registry. They run as the owner of the database and may be repeated at will."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils.module_loading import import_string

from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.kernel.ids import new_id
from centre.registry.models import Domain, Municipality, MunicipalityState
from centre.registry.selectors import MunicipalityUnknown, RegistryError
from centre.tenancy import roles
from centre.tenancy.context import public_scope, schema_scope, tenant_scope
from centre.tenancy.locks import exclusively
from centre.tenancy.operations import role_names

log = structlog.get_logger(__name__)

_AGS_LENGTH, _ARS_LENGTH = 8, 12


class MunicipalityConflict(RegistryError):
    """Another municipality has this name or number already."""

    reason = "MUNICIPALITY_CONFLICT"


class NotTheOwner(RegistryError):
    """Only the owner of the database may do this: run it with AMTSBRUECKE_PROCESS=owner."""

    reason = "NOT_THE_OWNER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """The first person who may sign in and invite others."""

    login: str
    name: str
    password: str = field(repr=False)


def create_tenant(
    *,
    slug: str,
    name: str,
    ags: str,
    ars: str,
    by: Actor,
    authority_id: UUID | None = None,
    administrator: Administrator | None = None,
) -> Municipality:
    """Give a municipality its role, schema, host name, and what the founders add.

    Repeating it finishes what was interrupted and changes nothing that is there. Raises
    `MunicipalityConflict` if the slug belongs, or ever belonged, to another authority.
    """
    _require_owner()
    roles.check_slug(slug)
    _check_number("ags", ags, _AGS_LENGTH)
    _check_number("ars", ars, _ARS_LENGTH)
    with public_scope(), exclusively(f"tenant {slug}"):
        municipality = _row(slug=slug, name=name, ags=ags, ars=ars, authority_id=authority_id)
        _found_schema(municipality)
        with tenant_scope(municipality), transaction.atomic():
            for founder in settings.TENANT_FOUNDERS:
                import_string(founder)(municipality=municipality, administrator=administrator)
        if municipality.state == MunicipalityState.FOUNDING:
            _enter(municipality, MunicipalityState.ACTIVE)
            log.info("tenant created", tenant=slug, by=by.name)
    return municipality


def suspend_tenant(*, slug: str, by: Actor) -> Municipality:
    """Close a municipality's doors: no page, no task, no letter, until it is resumed."""
    return _switch(
        slug, by, {MunicipalityState.ACTIVE: MunicipalityState.SUSPENDED}, "tenant suspended"
    )


def resume_tenant(*, slug: str, by: Actor) -> Municipality:
    """Open a suspended municipality's doors again."""
    return _switch(
        slug, by, {MunicipalityState.SUSPENDED: MunicipalityState.ACTIVE}, "tenant resumed"
    )


def _switch(
    slug: str, by: Actor, allowed: dict[MunicipalityState, MunicipalityState], word: str
) -> Municipality:
    _require_owner()
    with public_scope(), transaction.atomic():
        municipality = _locked(slug)
        state = MunicipalityState(municipality.state)
        if state in allowed.values():
            return municipality
        if state not in allowed:
            raise MunicipalityConflict(f"{slug!r} is {state}; that cannot be changed so.")
        _enter(municipality, allowed[state])
        log.info(word, tenant=slug, by=by.name)
    return municipality


def _locked(slug: str) -> Municipality:
    found = Municipality.objects.select_for_update().filter(slug=slug).first()
    if found is None or found.state == MunicipalityState.DELETED:
        raise MunicipalityUnknown(f"No municipality {slug!r} is hosted here.")
    return found


def _enter(municipality: Municipality, state: MunicipalityState) -> None:
    municipality.state = state
    municipality.save(update_fields=["state"])


def _row(*, slug: str, name: str, ags: str, ars: str, authority_id: UUID | None) -> Municipality:
    found = Municipality.objects.filter(slug=slug).first()
    if found is None:
        return _new_row(slug=slug, name=name, ags=ags, ars=ars, authority_id=authority_id)
    if found.state in {MunicipalityState.DELETING, MunicipalityState.DELETED}:
        raise MunicipalityConflict(
            f"{slug!r} was deleted. Its evidence is kept under this name, so no other "
            "municipality can have it: choose another."
        )
    if authority_id not in {None, found.authority_id} or ars != found.ars:
        raise MunicipalityConflict(f"{slug!r} is {found.name} (ARS {found.ars}) already.")
    return found


def _new_row(
    *, slug: str, name: str, ags: str, ars: str, authority_id: UUID | None
) -> Municipality:
    if authority_id and Municipality.objects.filter(authority_id=authority_id).exists():
        raise MunicipalityConflict(f"The authority {authority_id} is hosted here already.")
    with transaction.atomic():
        municipality = Municipality(
            slug=slug,
            schema_name=roles.schema_name(slug),
            tenant_role=role_names().tenant(slug),
            authority_id=authority_id or new_id(),
            name=name,
            ags=ags,
            ars=ars,
            created_at=clock.now(),
        )
        municipality.save()
        Domain(tenant=municipality, domain=f"{slug}.{settings.AMTSBRUECKE.web_domain}").save()
    return municipality


def _found_schema(municipality: Municipality) -> None:
    names = role_names()
    with transaction.atomic():
        _execute(roles.create_tenant_role(names, municipality.slug))
        _execute([f"CREATE SCHEMA IF NOT EXISTS {municipality.schema_name}"])
        _execute(roles.open_schema(names, municipality.slug))
    with schema_scope(municipality.schema_name):
        call_command(
            "migrate_schemas",
            schema_name=municipality.schema_name,
            tenant=True,
            interactive=False,
            verbosity=0,
        )


def _execute(statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _check_number(name: str, value: str, length: int) -> None:
    if len(value) != length or not (value.isascii() and value.isdecimal()):
        raise RegistryError(f"{name} {value!r} does not have {length} digits.")


def _require_owner() -> None:
    if connection.settings_dict["USER"] != role_names().owner:
        raise NotTheOwner
