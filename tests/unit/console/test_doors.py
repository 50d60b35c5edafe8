"""Probes: what they are told, and that a flood of them costs nothing."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from centre.config.environment import Bind
from console import doors
from console.errors import PortInUse


def ask(application: doors.Application, path: str) -> tuple[str, str]:
    said: list[str] = []

    def start(status: str, _headers: Any, *_rest: Any) -> None:
        said.append(status)

    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    body = b"".join(application(environ, start))
    return said[0], body.decode()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return the function that sets the clock."""
    now = [100.0]
    monkeypatch.setattr(doors.time, "monotonic", lambda: now[0])

    def set_clock(moment: float) -> None:
        now[0] = moment

    return set_clock


def test_readiness_is_looked_at_once_a_second(at: Callable[[float], None]) -> None:
    looked: list[str] = []

    def check() -> str:
        looked.append("")
        return "no database" if len(looked) == 1 else ""

    probes = doors.doors(doors.Health(check))
    for _ in range(100):
        assert ask(probes, "/readyz") == ("503 Service Unavailable", "no database\n")
    assert len(looked) == 1
    at(101.1)
    assert ask(probes, "/readyz") == ("200 OK", "ready\n")
    assert len(looked) == 2


def test_the_first_thing_that_is_missing_is_named() -> None:
    later: list[str] = []
    health = doors.Health(lambda: "", lambda: "no broker", lambda: later.append("") or "never")
    assert health.missing() == "no broker"
    assert not later


def test_a_process_that_cannot_work_is_alive_all_the_same() -> None:
    assert ask(doors.doors(doors.Health(lambda: "no database")), "/healthz") == (
        "200 OK",
        "alive\n",
    )


def test_figures_have_a_door_and_nothing_else_has() -> None:
    registry = CollectorRegistry()
    Counter("letters", "Letters.", registry=registry).inc(3)
    probes = doors.doors(doors.Health(), registry=registry)
    status, text = ask(probes, "/metrics")
    assert status.startswith("200")
    assert "letters_total 3.0" in text
    assert ask(probes, "/")[0] == "404 Not Found"


def test_a_database_that_is_away_is_named_without_its_address() -> None:
    check = doors.reaches_database("postgresql://u:hush@127.0.0.1:1/x")
    assert check() == "no database"


def test_a_port_that_somebody_else_has_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            doors.open_doors(Bind("127.0.0.1", port), registry=CollectorRegistry())
    assert caught.value.message == (
        f"Port {port} on 127.0.0.1, needed for health and figures of this process, is not free"
        " (Address already in use)."
    )
    assert "AMTSBRUECKE_*_BIND" in caught.value.hint
