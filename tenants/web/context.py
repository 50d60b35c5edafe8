"""What the frame of every page shows."""

from typing import Any

from django.http import HttpRequest

from centre.tenancy.context import current_tenant
from tenants.clerks.roles import Role


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the clerk who is signed in, if any."""
    user = getattr(request, "user", None)
    signed_in = current_tenant() is not None and user is not None and user.is_authenticated
    if user is None or not signed_in:
        return {"clerk": None, "may_keep_accounts": False}
    return {"clerk": user, "may_keep_accounts": user.may(Role.ADMINISTRATOR)}
