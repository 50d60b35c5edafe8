"""Reads of accounts."""

from uuid import UUID

from django.db.models import Q, QuerySet

from centre.kernel import searching
from tenants.clerks.errors import ClerkNotFound
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role


def clerk(*, clerk_id: UUID) -> Clerk:
    """Return an account; raise `ClerkNotFound`."""
    found = Clerk.objects.filter(id=clerk_id).first()
    if found is None:
        raise ClerkNotFound
    return found


def clerks(*, search: str = "") -> QuerySet[Clerk]:
    """Return the accounts whose name or login has all these words; open ones first, by name."""
    found = Clerk.objects.order_by("-is_active", "name", "login")
    for word in searching.words(search):
        found = found.filter(Q(name__icontains=word) | Q(login__icontains=word))
    return found


def role_of(clerk_id: str) -> Role | None:
    """Return the role of an open account, or None."""
    found = Clerk.objects.filter(id=clerk_id, is_active=True).values_list("role", flat=True).first()
    return Role(found) if found else None
