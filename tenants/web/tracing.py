"""Each page is a piece of work of its own, or goes on with that of the program that asks for it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bound_contextvars

from centre.kernel import trace


def trace_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Let what a page does, sends and logs carry one trace (W3C Trace Context)."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("traceparent", "")
        with trace.continued(given) as span, bound_contextvars(trace_id=trace.trace_id(span)):
            return get_response(request)

    return middleware
