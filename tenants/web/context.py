"""What the frame of every page shows."""

from typing import Any

from django.http import HttpRequest

from centre.tenancy.context import current_tenant


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the clerk who is signed in, if any, and the section of the page."""
    user = getattr(request, "user", None)
    signed_in = current_tenant() is not None and user is not None and user.is_authenticated
    match = request.resolver_match
    return {
        "clerk": user if signed_in else None,
        "section": match.kwargs.get("section", "") if match else "",
    }
