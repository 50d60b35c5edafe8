"""Whoever begins requests and never ends them holds nobody up."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from console.web import patience
from console.web.patience import Patient

_SERVER = """
import sys
from gunicorn.app.base import BaseApplication
from console.web import patience

patience.GRACE_S = 2.0

class Server(BaseApplication):
    def load_config(self):
        for name, value in {
            "bind": f"fd://{sys.argv[1]}", "worker_class": patience.PatientWorker,
            "threads": 2, "loglevel": "error", "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self):
        def application(environ, start_response):
            size = len(environ["wsgi.input"].read())
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(size).encode()]
        return application

Server().run()
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A server with two threads."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number: int = listening.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(listening.fileno())],
            pass_fds=[listening.fileno()],
        )
    yield number
    server.terminate()
    server.wait(timeout=20)


def _answer(port: int, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", body, timeout=30) as answer:
        content: bytes = answer.read()
    return content


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: kiel",
        b"POST / HTTP/1.1\r\nHost: kiel\r\nContent-Length: 1000\r\n\r\nabc",
    ],
    ids=["silent", "half a head", "half a body"],
)
def test_unfinished_requests_hold_no_thread(port: int, beginning: bytes) -> None:
    assert _answer(port) == b"0"
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(beginning)
        begin = time.monotonic()
        assert _answer(port, b"x" * 100_000) == b"100000"
        assert time.monotonic() - begin < 15


def test_progress_buys_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GRACE_S", 0.05)
    monkeypatch.setattr(patience, "BYTES_A_SECOND", 100)
    here, there = socket.socketpair()
    with here, there:
        reader = Patient(here)
        there.sendall(b"x" * 1000)  # ten seconds more
        assert len(reader.recv(4096)) == 1000
        there.sendall(b"y")
        assert reader.recv(4096) == b"y"
        slow = Patient(here)
        with pytest.raises(ConnectionResetError):
            slow.recv(4096)


def test_a_byte_now_and_then_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: moment[0]))

    class Dripping:
        def settimeout(self, seconds: float | None) -> None:
            """Each byte comes in time."""

        def recv(self, size: int) -> bytes:
            moment[0] += 0.5
            return b"x"[:size]

    reader = Patient(cast("socket.socket", Dripping()))
    moment[0] += 3600  # what we do ourselves is not the sender's fault
    for _ in range(11):
        reader.recv(4096)
    with pytest.raises(ConnectionResetError):
        reader.recv(4096)
