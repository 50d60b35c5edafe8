"""What keeps the demo from starting: told before anything is made, to people and to machines."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from console.demo.plan import make_plan
from console.embedded.lock import DirectoryLock

BASE = 22_100


def refused(home: Path, base: int = BASE) -> str:
    """Run the demo, which must refuse to start; return the error as machines read it."""
    options = ["--home", str(home), "--once", "--json", "--port-base", str(base)]
    done = subprocess.run(
        [sys.executable, "-m", "console", "demo", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    error: str = json.loads(done.stdout.splitlines()[-1])["error"]
    assert "Error: " in done.stderr
    assert not list(home.glob("centres/*"))
    return error


def test_every_port_is_looked_at_first(tmp_path: Path) -> None:
    umbrella, last = make_plan(BASE).umbrella.ports, make_plan(BASE).centres[-1].ports
    for port, what in (
        (umbrella.metrics_gateway, "the figures of umbrella of kdn"),
        (last.web, "the web pages of nord"),
        (last.metrics_worker, "the figures of worker of nord"),
    ):
        with socket.create_server(("127.0.0.1", port)):
            assert f"Port {port} on 127.0.0.1, needed for {what}, is not free" in refused(tmp_path)


def test_a_home_in_use_and_ports_out_of_range_are_told(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "supervisor.lock", what="The supervisor")
    lock.acquire()
    try:
        assert "is in use by process" in refused(tmp_path)
    finally:
        lock.release()
    assert "leaves no room" in refused(tmp_path, 70_000)


def test_a_home_that_is_no_folder_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert refused(file).startswith(f"{file} is no folder. Name another --home")
