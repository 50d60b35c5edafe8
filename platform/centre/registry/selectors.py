"""Reads of the registry. A tenant's role may read them too: names of members are no secret."""

from uuid import UUID

from django.db.models import QuerySet

from centre.kernel import searching
from centre.kernel.errors import AmtsbrueckeError
from centre.registry.models import Domain, Municipality, MunicipalityState


class RegistryError(AmtsbrueckeError):
    """The registry of municipalities refuses this."""

    reason = "REGISTRY"


class MunicipalityUnknown(RegistryError):
    """No such municipality is hosted at this centre."""

    reason = "MUNICIPALITY_UNKNOWN"


def municipality(
    *,
    slug: str | None = None,
    authority_id: UUID | None = None,
    schema_name: str | None = None,
    tenant_role: str | None = None,
) -> Municipality:
    """Return the municipality with exactly this property; raise `MunicipalityUnknown` without one.

    Deleted municipalities are unknown.
    """
    criteria = {
        "slug": slug,
        "authority_id": authority_id,
        "schema_name": schema_name,
        "tenant_role": tenant_role,
    }
    given = {name: value for name, value in criteria.items() if value is not None}
    if len(given) != 1:
        message = "municipality() takes exactly one criterion"
        raise TypeError(message)
    found = hosted().filter(**given).first()
    if found is None:
        ((name, value),) = given.items()
        raise MunicipalityUnknown(f"No municipality with {name} {str(value)!r} is hosted here.")
    return found


def by_host(host: str) -> Municipality | None:
    """Return the municipality that a host name leads to, or None."""
    domain = Domain.objects.select_related("tenant").filter(domain=host).first()
    if domain is None or domain.tenant.state == MunicipalityState.DELETED:
        return None
    found: Municipality = domain.tenant
    return found


def hosted() -> QuerySet[Municipality]:
    """Return all municipalities but the deleted ones."""
    return Municipality.objects.exclude(state=MunicipalityState.DELETED)


def founded() -> QuerySet[Municipality]:
    """Return all municipalities that were ever finished, the deleted ones too."""
    return Municipality.objects.exclude(state=MunicipalityState.FOUNDING)


def listed() -> QuerySet[Municipality]:
    """Return the municipalities that belong in the directory, by name.

    Suspended ones, too: letters to them wait, and are not to find that nobody knows them.
    """
    states = (MunicipalityState.ACTIVE, MunicipalityState.SUSPENDED)
    return Municipality.objects.filter(state__in=states).order_by("name", "slug")


def active(*, search: str = "") -> QuerySet[Municipality]:
    """Return the municipalities that work now and have all these words in their names, by name."""
    found = Municipality.objects.filter(state=MunicipalityState.ACTIVE).order_by("name", "slug")
    for word in searching.words(search):
        found = found.filter(name__icontains=word)
    return found
