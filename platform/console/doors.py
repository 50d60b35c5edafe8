"""Health and figures of a process, for probes and Prometheus, on a port that no clerk reaches.

- `/healthz`: the process answers.
- `/readyz`: it can work, that is, it reaches what it needs; 503 with a word otherwise.
- `/metrics`: its figures.

A question costs nothing that a flood of them could use up: readiness is looked at once a second.
"""

import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psycopg
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from centre.config.environment import Bind
from console.embedded.engine import port_in_use

type Environ = dict[str, Any]
type StartResponse = Callable[..., Any]
type Application = Callable[[Environ, StartResponse], Iterable[bytes]]
#: Returns what is missing, in a few words, or nothing.
type Check = Callable[[], str]

_PATIENCE_S = 3
_FRESH_S = 1.0


def reaches_database(url: str) -> Check:
    """Return the check that the database takes this process's login."""

    def check() -> str:
        try:
            with psycopg.connect(url, connect_timeout=_PATIENCE_S) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return "no database"
        return ""

    return check


class Health:
    """Answers the two health doors; looks at most once a second, however many ask."""

    def __init__(self, *checks: Check) -> None:
        self._checks = checks
        self._lock = threading.Lock()
        self._missing, self._until = "", 0.0

    def answer(self, path: str, start_response: StartResponse) -> Iterable[bytes] | None:
        """Answer a probe, or return None if the path is none of its doors."""
        if path == "/healthz":
            return _say(start_response, "200 OK", "alive")
        if path == "/readyz":
            if missing := self.missing():
                return _say(start_response, "503 Service Unavailable", missing)
            return _say(start_response, "200 OK", "ready")
        return None

    def missing(self) -> str:
        """Return what this process lacks now, or did a second ago."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._missing = next(filter(None, (check() for check in self._checks)), "")
                self._until = time.monotonic() + _FRESH_S
            return self._missing


def doors(health: Health, *, registry: CollectorRegistry = REGISTRY) -> Application:
    """Return the three doors as an application."""
    metrics: Application = make_wsgi_app(registry)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if (answer := health.answer(path, start_response)) is not None:
            return answer
        if path == "/metrics":
            return metrics(environ, start_response)
        return _say(start_response, "404 Not Found", "/healthz, /readyz, /metrics")

    return application


def open_doors(bind: Bind | None, *checks: Check, registry: CollectorRegistry = REGISTRY) -> None:
    """Serve the doors from threads of this process, until it ends; without an address, do not."""
    if bind is None:
        return
    application = doors(Health(*checks), registry=registry)
    try:
        server = make_server(bind.host, bind.port, application, _Server, handler_class=_Silent)
    except OSError as problem:
        what = "health and figures of this process"
        raise port_in_use(bind.port, what=what, host=bind.host, problem=problem) from problem
    threading.Thread(target=server.serve_forever, name="doors", daemon=True).start()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
        """Say nothing: a probe asks every few seconds."""


def _say(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(status, headers)
    return [body]
