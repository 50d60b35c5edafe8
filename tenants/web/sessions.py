"""How long somebody stays signed in: a working day at most, an hour without asking for a page."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from centre.kernel import clock
from centre.tenancy.context import current_tenant

_SEEN = "seen"
_STARTED = "started"
_WRITE_EVERY_SECONDS = 300


def begin(request: HttpRequest) -> None:
    """Note when somebody signed in."""
    moment = int(clock.now().timestamp())
    request.session[_STARTED] = request.session[_SEEN] = moment


def session_rules(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Sign out who was away too long. The moment is written every five minutes, not every page."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if current_tenant() is not None and settings.SESSION_COOKIE_NAME in request.COOKIES:
            _apply(request)
        response = get_response(request)
        # What a clerk saw must not lie in the browser when somebody else sits down there.
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware


def _apply(request: HttpRequest) -> None:
    seen = request.session.get(_SEEN)
    if seen is None:
        return
    moment = int(clock.now().timestamp())
    too_old = moment - request.session[_STARTED] > settings.SESSION_COOKIE_AGE
    if too_old or moment - seen > settings.SESSION_IDLE_SECONDS:
        logout(request)
        request.session["ended"] = True
    elif moment - seen > _WRITE_EVERY_SECONDS:
        request.session[_SEEN] = moment


class PasswordChangeFirst:
    """Leads who was given a password by somebody else to the page where an own one is chosen."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        del args, kwargs
        if current_tenant() is None or not getattr(view, "login_required", True):
            return None
        if getattr(view, "before_password_change", False):
            return None
        if not getattr(request.user, "must_change_password", False):
            return None
        return redirect("web:account")


def before_password_change[**P, R](view: Callable[P, R]) -> Callable[P, R]:
    """Mark a page that may be seen before an own password is chosen."""
    view.before_password_change = True  # type: ignore[attr-defined]
    return view
