"""What a page learns from its request."""

from typing import cast
from uuid import UUID

from django.http import HttpRequest

from centre.kernel.actors import Actor
from tenants.clerks.models import Clerk

_DIGITS = 10


def clerk_of(request: HttpRequest) -> Clerk:
    """Return who is signed in. The middleware lets nobody else reach a page that asks."""
    return cast("Clerk", request.user)


def number_of(text: str) -> int:
    """Return a small whole number; 0 for everything that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else 0


def id_of(text: str) -> UUID | None:
    """Return an identifier; None for everything that is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def version_of(request: HttpRequest, name: str = "version") -> int:
    """Return the version that the form was made for; 0, which no case has, for nonsense."""
    return number_of(request.POST.get(name, ""))


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor in whose name services act."""
    return clerk_of(request).actor
