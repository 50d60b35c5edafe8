"""Writes of the registry. They run as the owner of the database and may be repeated at will."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.module_loading import import_string

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.kernel.errors import AmtsbrueckeError
from centre.kernel.ids import new_id
from centre.registry import archive, blueprints, selectors
from centre.registry.models import Domain, Municipality, MunicipalityState
from centre.registry.selectors import MunicipalityUnknown, RegistryError
from centre.tenancy import roles
from centre.tenancy.context import public_scope, schema_scope, tenant_scope
from centre.tenancy.locks import exclusively
from centre.tenancy.migrating import migrate
from centre.tenancy.operations import role_names

log = structlog.get_logger(__name__)

_AGS_LENGTH, _ARS_LENGTH = 8, 12
_LONGEST_NAME = 200


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
    #: Must be replaced at the first visit.
    temporary: bool = False
    #: The password as it is kept, where somebody has worked that out already.
    password_hash: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTenant:
    """A municipality to be created."""

    slug: str
    name: str
    ags: str
    ars: str
    authority_id: UUID | None = None
    administrator: Administrator | None = None


class FoundingOutcome(StrEnum):
    """How the creation of one of many municipalities ended."""

    CREATED = "created"
    THERE = "there already"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What came of the creation of one of many municipalities."""

    slug: str
    outcome: FoundingOutcome
    municipality: Municipality | None
    #: Why there is none; empty if there is.
    problem: str = ""


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
    require_owner()
    roles.check_slug(slug)
    check_numbers(ags=ags, ars=ars)
    check_name(name)
    for check in settings.TENANT_CHECKS:
        import_string(check)(administrator=administrator)
    with public_scope(), exclusively(f"tenant {slug}"):
        municipality = _row(slug=slug, name=name, ags=ags, ars=ars, authority_id=authority_id)
        _found_schema(municipality)
        with tenant_scope(municipality), transaction.atomic():
            for founder in settings.TENANT_FOUNDERS:
                import_string(founder)(municipality=municipality, administrator=administrator)
            if municipality.state == MunicipalityState.FOUNDING:
                # Its own trail begins here, so that an empty one is never in order.
                audit.record(events=[_founding(municipality, by)])
        if municipality.state == MunicipalityState.FOUNDING:
            with transaction.atomic():
                enter(municipality, MunicipalityState.ACTIVE)
                tell(AuditEvent.TENANT_MUNICIPALITY_CREATED, municipality, by)
    return municipality


def create_tenants(*, tenants: Iterable[NewTenant], by: Actor) -> Iterator[Founding]:
    """Create many municipalities, each when its result is asked for.

    One that fails does not stop the others. Repeating it finishes what is not there yet, and passes
    over what is.
    """
    require_owner()
    for new in tenants:
        try:
            municipality, outcome = _found(new, by)
        except (AmtsbrueckeError, DatabaseError) as problem:
            log.warning("tenant:municipality:failed", tenant=new.slug)
            words = str(problem).partition("\n")[0]
            yield Founding(
                slug=new.slug, outcome=FoundingOutcome.FAILED, municipality=None, problem=words
            )
        else:
            yield Founding(slug=new.slug, outcome=outcome, municipality=municipality)


def _found(new: NewTenant, by: Actor) -> tuple[Municipality, FoundingOutcome]:
    with public_scope():
        if (found := _finished(new)) is not None:
            return found, FoundingOutcome.THERE
    made = create_tenant(
        slug=new.slug,
        name=new.name,
        ags=new.ags,
        ars=new.ars,
        by=by,
        authority_id=new.authority_id,
        administrator=new.administrator,
    )
    return made, FoundingOutcome.CREATED


def _finished(new: NewTenant) -> Municipality | None:
    found = Municipality.objects.filter(slug=new.slug).first()
    if found is None or found.state == MunicipalityState.FOUNDING:
        return None
    check_same(found, ars=new.ars, authority_id=new.authority_id)
    return found


def check_numbers(*, ags: str, ars: str) -> None:
    """Raise `RegistryError` unless these can be the two official keys of one municipality."""
    for name, value, length in (("ags", ags, _AGS_LENGTH), ("ars", ars, _ARS_LENGTH)):
        if len(value) != length or not (value.isascii() and value.isdecimal()):
            raise RegistryError(f"{name} {value!r} does not have {length} digits.")
    if ags != ars[:5] + ars[-3:]:  # between them, the ARS names the association of municipalities
        raise RegistryError(f"ags {ags!r} and ars {ars!r} are not of the same municipality.")


def check_name(name: str) -> None:
    """Raise `RegistryError` unless this can be the name of a municipality."""
    if not 0 < len(name.strip()) <= _LONGEST_NAME or not name.isprintable():
        raise RegistryError(
            f"A name has 1 to {_LONGEST_NAME} printable characters; {name[:80]!r} does not."
        )


def check_same(found: Municipality, *, ars: str, authority_id: UUID | None) -> None:
    """Raise `MunicipalityConflict` if the municipality of this slug is, or was, another one."""
    if found.state in {MunicipalityState.DELETING, MunicipalityState.DELETED}:
        raise MunicipalityConflict(
            f"{found.slug!r} was deleted. Its evidence is kept under this name, so no other "
            "municipality can have it: choose another."
        )
    if authority_id not in {None, found.authority_id} or ars != found.ars:
        raise MunicipalityConflict(f"{found.slug!r} is {found.name} (ARS {found.ars}) already.")


def suspend_tenant(*, slug: str, by: Actor) -> bool:
    """Close a municipality's doors: no page and no task, until it is resumed. Letters wait.

    Return False where they are closed already: then nothing is noted.
    """
    return _switch(slug, by, MunicipalityState.ACTIVE, MunicipalityState.SUSPENDED)


def resume_tenant(*, slug: str, by: Actor) -> bool:
    """Open a suspended municipality's doors again. Return False where they are open already."""
    return _switch(slug, by, MunicipalityState.SUSPENDED, MunicipalityState.ACTIVE)


def export_tenant(*, slug: str, path: Path, by: Actor) -> archive.Contents:
    """Write all rows of a municipality to one file, check the file, and return what is in it."""
    require_owner()
    with public_scope():
        municipality = selectors.municipality(slug=slug)
        archive.refuse_to_replace(path, municipality)
        archive.write(municipality, path, at=clock.now())
        contents = archive.check(path)
        with transaction.atomic():
            rows = str(sum(member.rows for member in contents.members))
            tell(AuditEvent.TENANT_MUNICIPALITY_EXPORTED, municipality, by, rows=rows)
    return contents


def _switch(slug: str, by: Actor, old: MunicipalityState, new: MunicipalityState) -> bool:
    require_owner()
    with public_scope(), transaction.atomic():
        municipality = _locked(slug)
        if municipality.state == new:
            return False
        if municipality.state != old:
            raise MunicipalityConflict(
                f"{slug!r} is {municipality.state}; only what is {old} can become {new}."
            )
        enter(municipality, new)
        tell(_SWITCHED[new], municipality, by)
    return True


_SWITCHED = {
    MunicipalityState.ACTIVE: AuditEvent.TENANT_MUNICIPALITY_RESUMED,
    MunicipalityState.SUSPENDED: AuditEvent.TENANT_MUNICIPALITY_SUSPENDED,
}


def _founding(municipality: Municipality, by: Actor) -> Entry:
    return Entry(
        event=AuditEvent.TENANT_MUNICIPALITY_CREATED, by=by, subject=municipality.slug, detail={}
    )


def tell(event: AuditEvent, municipality: Municipality, by: Actor, **detail: str) -> None:
    entry = Entry(event=event, by=by, subject=municipality.slug, detail=detail)
    audit.record(events=[entry])
    log.info(event.value, tenant=municipality.slug, by=by.name, **detail)


def schema_exists(municipality: Municipality) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [municipality.schema_name])
        return bool(cursor.fetchone()[0])


def _locked(slug: str) -> Municipality:
    found = Municipality.objects.select_for_update().filter(slug=slug).first()
    if found is None or found.state == MunicipalityState.DELETED:
        raise MunicipalityUnknown(f"No municipality {slug!r} is hosted here.")
    return found


def enter(municipality: Municipality, state: MunicipalityState) -> None:
    municipality.state = state
    municipality.save(update_fields=["state"])


def _row(*, slug: str, name: str, ags: str, ars: str, authority_id: UUID | None) -> Municipality:
    found = Municipality.objects.filter(slug=slug).first()
    if found is None:
        return _new_row(slug=slug, name=name, ags=ags, ars=ars, authority_id=authority_id)
    check_same(found, ars=ars, authority_id=authority_id)
    return found


def _new_row(
    *, slug: str, name: str, ags: str, ars: str, authority_id: UUID | None
) -> Municipality:
    if authority_id == UUID(int=0):
        raise RegistryError(f"{authority_id} is no identifier of an authority.")
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
    names, schema = role_names(), municipality.schema_name
    blueprint = None if schema_exists(municipality) else blueprints.current()
    with schema_scope(schema), transaction.atomic():
        execute(roles.create_tenant_role(names, municipality.slug))
        execute([f"CREATE SCHEMA IF NOT EXISTS {schema}"])
        execute(roles.open_schema(names, municipality.slug))
        if blueprint and not blueprint.problem:
            blueprints.replay(blueprint.script)
            return
    migrate(schema)


def execute(statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def require_owner() -> None:
    if connection.settings_dict["USER"] != role_names().owner:
        raise NotTheOwner
