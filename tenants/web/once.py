"""A form is carried out once, even if it arrives twice at the same moment.

Each form carries a token. What was done for a token, and where that led, is kept in the session,
in one transaction with the deed; the same form again waits for that transaction, leads to the same
place and does nothing. A case's version would refuse it anyway; this makes the answer friendly.

Locks are taken in the order session, case, trail. So what writes to the trail by itself, such as
reading a case or storing a document, happens before the guarded block and never in it.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

_DONE = "done"
_KEPT = 30


def token() -> str:
    """Return a fresh token for a form."""
    return secrets.token_urlsafe(9)


def is_done(request: HttpRequest) -> bool:
    """Say whether this form is known to have been carried out; `guarded` knows for certain."""
    return request.POST.get("once", "") in dict(request.session.get(_DONE, []))


@contextmanager
def guarded(request: HttpRequest) -> Iterator[str]:
    """Yield where this very form led when it was carried out before; "" if it was not.

    What the block does, and `done`, happen in one transaction or not at all.
    """
    with transaction.atomic():
        key = request.session.session_key
        row = Session.objects.select_for_update().filter(session_key=key).first()
        if row is not None:
            request.session[_DONE] = row.get_decoded().get(_DONE, [])
        wanted = request.POST.get("once", "")
        known = dict(request.session.get(_DONE, []))
        yield str(known.get(wanted, "")) if wanted else ""


def done(request: HttpRequest, url: str) -> None:
    """Note that this form was carried out, and where it led. Inside `guarded`."""
    if carried := request.POST.get("once", ""):
        request.session[_DONE] = [*request.session.get(_DONE, [])[-_KEPT:], [carried, url]]
        request.session.save()
