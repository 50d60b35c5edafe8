"""One trace from the page that sends a request to the confirmation of the other side."""

from dataclasses import replace
from typing import Any

import structlog
from django.http import HttpResponse
from django.test import RequestFactory

from centre.kernel import trace
from federation.outbox.models import Letter
from federation.wire.envelope import read_outer
from tenants.cases import services
from tenants.web.tracing import trace_middleware
from tests.factories.requests import request

Town = Any
Postman = Any
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traces(town: Town) -> list[str]:
    """Return the traces of what a town has posted."""
    with town.scope():
        rows = Letter.objects.order_by("id").values_list("envelope", flat=True)
        return [trace.trace_id(read_outer(bytes(item)).read().traceparent) for item in rows]


def test_request_and_confirmation_are_of_one_trace(a: Town, b: Town, post: Postman) -> None:
    with a.scope(), trace.continued(GIVEN):
        services.submit_request(draft=request(to=b.id), by=a.by)
    assert traces(a) == [trace.trace_id(GIVEN)]
    (letter,) = post.waiting(a)
    post.bring(replace(letter, traceparent=GIVEN))
    assert traces(b) == [trace.trace_id(GIVEN)]


def test_work_without_a_trace_begins_one(a: Town, b: Town) -> None:
    with a.scope():
        for _ in range(2):
            services.submit_request(draft=request(to=b.id), by=a.by)
    first, second = traces(a)
    assert first != second


def test_a_page_goes_on_with_the_trace_of_who_asks_and_logs_it() -> None:
    seen = []

    def page(_: Any) -> HttpResponse:
        seen.append((trace.trace_id(trace.here()), structlog.contextvars.get_contextvars()))
        return HttpResponse()

    for headers in ({"traceparent": GIVEN}, {"traceparent": "nonsense"}, {}):
        trace_middleware(page)(RequestFactory().get("/", headers=headers))
    (given, bound), (invented, _), (another, _) = seen
    assert given == bound["trace_id"] == trace.trace_id(GIVEN)
    assert len({given, invented, another}) == 3
    assert "trace_id" not in structlog.contextvars.get_contextvars()
