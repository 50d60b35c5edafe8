"""From a host name to a municipality."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.http.request import split_domain_port
from django.utils.decorators import sync_and_async_middleware
from django.utils.html import escape

from centre.registry import selectors
from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy import context

_PAGE = """<!doctype html>
<html lang="de"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""


@sync_and_async_middleware
def municipality_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[..., Any]:
    """Answer each request in the scope of the municipality that its host name names.

    The centre's own name leads to the centre's own pages; any other name to a page that explains.
    """
    if iscoroutinefunction(get_response):
        respond = cast("Callable[[HttpRequest], Awaitable[HttpResponseBase]]", get_response)

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            found = await sync_to_async(_destination)(request)
            if isinstance(found, HttpResponse):
                return found
            if found is None:
                return await respond(request)
            with context.tenant_scope(found):
                return _carried(await respond(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        found = _destination(request)
        if isinstance(found, HttpResponse):
            return found
        if found is None:
            return cast("HttpResponseBase", get_response(request))
        with context.tenant_scope(found):
            return _carried(get_response(request))

    return answer


def _destination(request: HttpRequest) -> Municipality | HttpResponse | None:
    """Return the municipality, or None for the centre's own pages, or a page that explains."""
    host, _port = split_domain_port(request.get_host())
    if host == settings.AMTSBRUECKE.web_domain:
        request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
        return None
    found = selectors.by_host(host)
    if found is None:
        return _page(
            404,
            "Adresse unbekannt",
            f"Unter {host} ist in diesem Rechenzentrum keine Kommune eingerichtet. Bitte prüfen "
            "Sie die Schreibweise der Adresse oder fragen Sie Ihr Rechenzentrum.",
        )
    if found.state != MunicipalityState.ACTIVE:
        return _page(
            503,
            "Zurzeit nicht verfügbar",
            f"Der Zugang von {found.name} ist derzeit gesperrt. Es ist nichts verloren gegangen: "
            "Eingehende Ersuchen warten. Auskunft gibt Ihr Rechenzentrum.",
        )
    request.tenant = found  # type: ignore[attr-defined]
    return found


def _page(status: int, title: str, text: str) -> HttpResponse:
    return HttpResponse(
        _PAGE.format(title=escape(title), text=escape(text)),
        status=status,
        headers={"Cache-Control": "no-store"},
    )


def _carried(response: HttpResponseBase) -> HttpResponseBase:
    """Let streamed content be made in the same scope, after this middleware has been left."""
    if isinstance(response, StreamingHttpResponse):
        if response.is_async:
            response.streaming_content = context.carry_async(
                cast("AsyncIterator[bytes]", response.streaming_content)
            )
        else:
            response.streaming_content = context.carry(
                cast("Iterator[bytes]", response.streaming_content)
            )
    return response
