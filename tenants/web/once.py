"""A form is carried out once, even if it arrives twice.

Each form carries a token. What was done for a token, and where that led, is kept in the session;
the same form again leads there and does nothing. Steps of a case are safe without it, since the
case's version has moved on; this makes the second answer a friendly one.
"""

import secrets

from django.http import HttpRequest

_DONE = "done"
_KEPT = 30


def token() -> str:
    """Return a fresh token for a form."""
    return secrets.token_urlsafe(9)


def earlier(request: HttpRequest) -> str | None:
    """Return where this very form led when it was carried out before."""
    wanted = request.POST.get("once", "")
    for known, url in request.session.get(_DONE, []):
        if known == wanted:
            return str(url)
    return None


def done(request: HttpRequest, url: str) -> None:
    """Remember at once that this form was carried out and where it led."""
    if not (carried := request.POST.get("once", "")):
        return
    request.session[_DONE] = [*request.session.get(_DONE, [])[-_KEPT:], [carried, url]]
    request.session.save()
