"""Pages for what did not work. Each says what happened and what to do."""

from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

log = structlog.get_logger(__name__)


def _page(
    request: HttpRequest, status: int, *, title: str, text: str, advice: str, back: str = ""
) -> HttpResponse:
    context = {"title": title, "text": text, "advice": advice, "status": status, "back": back}
    return render(request, "web/error.html", context, status=status)


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    del exception
    return _page(
        request,
        400,
        title=_("Diese Anfrage war nicht zu verstehen"),
        text=_("Ihr Browser hat etwas geschickt, das diese Seite nicht lesen kann."),
        advice=_("Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal."),
    )


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    message = getattr(exception, "message", "")
    return _page(
        request,
        403,
        title=_("Dazu sind Sie nicht berechtigt"),
        text=message or _("Ihr Konto darf diese Seite nicht sehen oder diesen Schritt nicht tun."),
        advice=_(
            "Wenn Sie die Berechtigung für Ihre Arbeit brauchen, wenden Sie sich an die Person, "
            "die in Ihrer Kommune die Zugänge verwaltet."
        ),
    )


@requires_csrf_token
def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    del exception
    return _page(
        request,
        404,
        title=_("Diese Seite gibt es hier nicht"),
        text=_(
            "Der Vorgang oder die Seite ist in Ihrer Kommune nicht vorhanden. Vielleicht ist die "
            "Adresse unvollständig, oder ein Entwurf wurde inzwischen gelöscht."
        ),
        advice=_("Suchen Sie den Vorgang in der Arbeitsliste nach Aktenzeichen oder Name."),
    )


@requires_csrf_token
def conflict(request: HttpRequest, text: str, *, back: str = "") -> HttpResponse:
    """Answer a step that came too late: somebody else, or the other authority, was faster."""
    return _page(
        request,
        409,
        title=_("Der Vorgang hat sich inzwischen geändert"),
        text=text,
        advice=_(
            "Nichts wurde doppelt ausgeführt. Öffnen Sie den Vorgang neu, sehen Sie im Verlauf, "
            "was geschehen ist, und entscheiden Sie dann."
        ),
        back=back,
    )


@requires_csrf_token
def too_many(request: HttpRequest, text: str, *, retry_after: int) -> HttpResponse:
    response = _page(
        request,
        429,
        title=_("Zu viele Anfragen"),
        text=text,
        advice=_("Warten Sie einen Moment und versuchen Sie es dann noch einmal."),
    )
    response["Retry-After"] = str(retry_after)
    return response


@requires_csrf_token
def unavailable(request: HttpRequest, text: str) -> HttpResponse:
    """Answer what the centre cannot give just now, and has a note of."""
    return _page(
        request,
        503,
        title=_("Das ist zurzeit nicht möglich"),
        text=text,
        advice=_(
            "Versuchen Sie es später noch einmal. Bleibt es dabei, wenden Sie sich an Ihr "
            "Rechenzentrum."
        ),
    )


@requires_csrf_token
def broken(request: HttpRequest, text: str) -> HttpResponse:
    """Answer what the centre cannot give before somebody there has brought it back."""
    return _page(
        request,
        503,
        title=_("Das Dokument lässt sich nicht lesen"),
        text=text,
        advice=_(
            "Wenden Sie sich an Ihr Rechenzentrum: Es kann die Datei aus der Sicherung "
            "zurückholen. Ein neuer Versuch hilft vorher nicht."
        ),
    )


@requires_csrf_token
def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """Answer a fault of ours. Needs no database, no session and no clerk."""
    del request, args
    return HttpResponse(render_to_string("web/error_plain.html"), status=500)


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    del reason
    if settings.CSRF_COOKIE_SECURE and not request.is_secure():
        # Each form fails then, and no clerk can mend it.
        came = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        log.warning(
            "form refused: not over HTTPS as far as is known",
            peer=request.META.get("REMOTE_ADDR", ""),
            cause="AMTSBRUECKE_WEB_PROXIES does not name this peer"
            if came
            else "the header X-Forwarded-Proto: https is missing",
        )
    return _page(
        request,
        403,
        title=_("Das Formular ist abgelaufen"),
        text=_(
            "Zu Ihrer Sicherheit wird ein Formular nur angenommen, wenn es aus Ihrer laufenden "
            "Sitzung stammt. Vielleicht haben Sie sich inzwischen neu angemeldet, oder Ihr Browser "
            "nimmt keine Cookies an."
        ),
        advice=_("Gehen Sie zurück, laden Sie die Seite neu und senden Sie das Formular erneut."),
    )
