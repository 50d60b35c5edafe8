"""Probes and counts around the pages, below Django: a probe knows no municipality's name.

`/healthz` and `/readyz` answer on the pages' port too, for a load balancer in front of them.
"""

import time
from collections.abc import Iterable
from typing import Any

from prometheus_client import Counter, Histogram

from console.doors import Application, Environ, Health, StartResponse

REQUESTS = Counter(
    "amtsbruecke_web_requests_total", "Requests answered by the pages.", ["method", "status"]
)
SECONDS = Histogram(
    "amtsbruecke_web_request_seconds",
    "Time until a page's answer begins.",
    ["method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS = frozenset({"GET", "POST", "HEAD"})


def with_doors(pages: Application, health: Health) -> Application:
    """Return `pages` with the health doors before it, counted."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = health.answer(environ.get("PATH_INFO", ""), start_response)
        return _counted(pages, environ, start_response) if answer is None else answer

    return application


def _counted(
    pages: Application, environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    method = environ.get("REQUEST_METHOD", "")
    method = method if method in _METHODS else "other"
    begin = time.perf_counter()

    def begin_answer(status: str, *rest: Any) -> Any:
        SECONDS.labels(method).observe(time.perf_counter() - begin)
        REQUESTS.labels(method, status.partition(" ")[0]).inc()
        return start_response(status, *rest)

    return pages(environ, begin_answer)
