"""The end of a municipality: what it had is exported, what others wait for ends, then it goes."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.module_loading import import_string
from psycopg import sql

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from centre.registry import archive, selectors
from centre.registry.models import Domain, Municipality, MunicipalityState
from centre.registry.selectors import RegistryError
from centre.registry.services import (
    MunicipalityConflict,
    enter,
    execute,
    export_tenant,
    require_owner,
    schema_exists,
    tell,
)
from centre.tenancy import roles
from centre.tenancy.context import public_scope, tenant_scope
from centre.tenancy.locks import exclusively, others_have_ended
from centre.tenancy.operations import role_names

log = structlog.get_logger(__name__)

#: So long it waits for what is being written.
_OTHERS_S: Final = 30.0
#: By then every gateway has seen that nothing more may come in: they look once a second.
_GATEWAYS_S: Final = 3.0


class NotConfirmed(RegistryError):
    """This cannot be undone and was not confirmed."""

    reason = "NOT_CONFIRMED"


def confirmation(municipality: Municipality) -> str:
    """Return what somebody must type who wants to delete this municipality."""
    return f"delete-{municipality.slug}-{municipality.id.hex[-8:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A deletion that is done, as the trail tells of it."""

    at: datetime
    #: Where the archive was written; empty where an earlier version of the product deleted.
    archive: str


def done(*, slug: str) -> Deletion | None:
    """Return when a municipality was deleted and where its archive lies; None if it was not."""
    gone = Municipality.objects.filter(slug=slug, state=MunicipalityState.DELETED)
    entry = audit.newest_of_centre(event=AuditEvent.TENANT_MUNICIPALITY_DELETED, subject=slug)
    if entry is None or not gone.exists():
        return None
    return Deletion(at=entry.at, archive=entry.content["detail"].get("archive", ""))


def delete_tenant(*, slug: str, confirm: str, export_to: Path, by: Actor) -> Deletion:
    """Export a municipality, then delete its schema, role, host names and rows.

    Its letters and its part of the trail are kept as evidence, and so is its name: no other
    municipality ever gets it. What others still wait for ends, and they are told. Repeating it
    finishes what was interrupted, and changes nothing once it is done. Raises `NotConfirmed` unless
    `confirm` is the `confirmation` of exactly this municipality.
    """
    require_owner()
    export_to = export_to.absolute()
    with public_scope(), exclusively(f"tenant {slug}"):
        if (earlier := done(slug=slug)) is not None:
            _remove_remains(Municipality.objects.get(slug=slug))
            return earlier
        municipality = selectors.municipality(slug=slug)
        if confirm != confirmation(municipality):
            losses = "".join(f"{loss} " for loss in _losses(municipality))
            raise NotConfirmed(
                f"{municipality.name} and all its cases would be deleted. {losses}"
                f"Confirm with: {confirmation(municipality)}"
            )
        archive.refuse_to_replace(export_to, municipality)
        before = MunicipalityState(municipality.state)
        with transaction.atomic():
            enter(municipality, MunicipalityState.DELETING)
            tell(AuditEvent.TENANT_DELETION_BEGUN, municipality, by, archive=str(export_to))
        if schema_exists(municipality):
            try:
                execute(roles.close_schema(role_names(), slug))
                _await_others()
                export_tenant(slug=slug, path=export_to, by=by)
            except BaseException:
                # Where an earlier one was interrupted, its endings may have begun: it stays closed.
                if before is not MunicipalityState.DELETING:
                    _abandon(municipality, before, by)
                raise
            for ending in settings.TENANT_ENDINGS:
                import_string(ending)(municipality=municipality, by=by)
        with transaction.atomic():
            _remove(municipality)
            enter(municipality, MunicipalityState.DELETED)
            tell(AuditEvent.TENANT_MUNICIPALITY_DELETED, municipality, by, archive=str(export_to))
        _remove_remains(municipality)
        made = done(slug=slug)
        assert made is not None
        return made


def _remove_remains(municipality: Municipality) -> None:
    """Delete what no transaction can delete: after the last one, and whenever it is repeated."""
    for remains in settings.TENANT_REMAINS:
        import_string(remains)(municipality=municipality)


def _abandon(municipality: Municipality, before: MunicipalityState, by: Actor) -> None:
    """Open the doors again: nothing is gone."""
    execute(roles.open_schema(role_names(), municipality.slug))
    with transaction.atomic():
        enter(municipality, before)
        tell(AuditEvent.TENANT_DELETION_ABANDONED, municipality, by)


def _await_others() -> None:
    """Wait for what is being written just now: it belongs into the export. No more is let in."""
    time.sleep(_GATEWAYS_S)
    if not others_have_ended(patience=_OTHERS_S):
        raise MunicipalityConflict(
            f"Something is still being written after {_OTHERS_S:.0f} s, such as an import or a "
            f"migration. Try again when it has ended."
        )


def _losses(municipality: Municipality) -> list[str]:
    """Return what the other rooms have to say before a municipality is deleted."""
    if not schema_exists(municipality):
        return []
    try:
        with tenant_scope(municipality), transaction.atomic():
            said = [import_string(loss)() for loss in settings.TENANT_LOSSES]
    except DatabaseError as error:
        log.warning("losses not known", tenant=municipality.slug, error=str(error))
        return ["What would be cut off with it is not known: its schema is not complete."]
    return [each for each in said if each]


def _remove(municipality: Municipality) -> None:
    role = municipality.tenant_role
    Domain.objects.filter(tenant=municipality).delete()
    with connection.cursor() as cursor:
        for table in archive.shared_tables(kept=False):
            cursor.execute(
                sql.SQL("DELETE FROM public.{} WHERE tenant_role = {}").format(
                    sql.Identifier(table), sql.Literal(role)
                )
            )
        cursor.execute(f"DROP SCHEMA IF EXISTS {municipality.schema_name} CASCADE")
        cursor.execute(f"DROP ROLE IF EXISTS {role}")
