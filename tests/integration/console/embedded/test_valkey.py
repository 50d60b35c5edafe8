"""The embedded broker: it keeps its place, and forgets rather than refuses."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from console import processes
from console.embedded.valkey import EmbeddedValkey
from console.errors import EngineInUse, PortInUse

RUN_AND_REPORT = """
import sys
from console.embedded.valkey import EmbeddedValkey
server = EmbeddedValkey(sys.argv[1])
server.start()
print(server.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


def write(server: EmbeddedValkey, key: str, value: str) -> None:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.set(key, value)


def read(server: EmbeddedValkey, key: str) -> bytes | None:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        found = client.get(key)
    assert found is None or isinstance(found, bytes)
    return found


def test_socket_is_private_and_no_port_is_open(server: EmbeddedValkey) -> None:
    assert server.socket.stat().st_mode & 0o077 == 0
    assert server.socket_directory.stat().st_mode & 0o077 == 0
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert client.config_get("port") == {"port": "0"}


def test_wakes_survive_a_stop_and_a_start(server: EmbeddedValkey) -> None:
    write(server, "wake", "dispatch")
    server.stop()
    server.start()
    assert read(server, "wake") == b"dispatch"


def test_unreadable_files_are_put_aside_and_the_start_succeeds(server: EmbeddedValkey) -> None:
    write(server, "wake", "dispatch")
    server.stop()
    for path in (server.directory / "appendonlydir").glob("*.incr.aof"):
        path.write_bytes(b"this is no append only file\r\n" * 10)
    server.start()
    assert read(server, "wake") is None
    assert list(server.directory.glob("appendonlydir.unreadable-*"))


def test_second_start_is_refused_in_words(server: EmbeddedValkey) -> None:
    with pytest.raises(EngineInUse, match=f"in use by process {os.getpid()}"):
        EmbeddedValkey(server.directory).start()
    assert server.running


def test_occupied_port_is_said_in_words(tmp_path: Path, occupied_port: int) -> None:
    with pytest.raises(PortInUse, match=str(occupied_port)):
        EmbeddedValkey(tmp_path, port=occupied_port).start()


def test_start_after_the_supervisor_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_AND_REPORT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        orphan = int(supervisor.stdout.readline())
        supervisor.send_signal(signal.SIGKILL)
    with EmbeddedValkey(tmp_path) as server:
        assert server.running
        assert list(processes.working_in(tmp_path, "valkey-server")) == [server.process.pid]  # type: ignore[union-attr]
    assert processes.await_end(orphan, 10.0)
