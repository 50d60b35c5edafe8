"""What a page learns from its request."""

from typing import cast

from django.http import HttpRequest

from centre.kernel.actors import Actor
from tenants.clerks.models import Clerk


def clerk_of(request: HttpRequest) -> Clerk:
    """Return who is signed in. The middleware lets nobody else reach a page that asks."""
    return cast("Clerk", request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor in whose name services act."""
    return clerk_of(request).actor
