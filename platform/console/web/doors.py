"""Health and measurement around the pages, below Django: a probe knows no municipality's name.

- `/healthz`: the process answers.
- `/readyz`: it can serve, that is, it reaches its database; 503 with a word otherwise.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from prometheus_client import Counter, Histogram

type Environ = dict[str, Any]
type StartResponse = Callable[..., Any]
type Application = Callable[[Environ, StartResponse], Iterable[bytes]]

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
_PATIENCE = 3


def with_doors(pages: Application, *, database_url: str) -> Application:
    """Return `pages` with the two doors before it, counted."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/healthz":
            return _say(start_response, "200 OK", b"alive\n")
        if path == "/readyz":
            return _ready(start_response, database_url)
        return _counted(pages, environ, start_response)

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


def _ready(start_response: StartResponse, database_url: str) -> Iterable[bytes]:
    try:
        with psycopg.connect(database_url, connect_timeout=_PATIENCE) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return _say(start_response, "503 Service Unavailable", b"no database\n")
    return _say(start_response, "200 OK", b"ready\n")


def _say(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(status, headers)
    return [body]
