"""The main job as a whole: what `make demo` does, on ports and in a folder of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

pytestmark = [pytest.mark.two_centres, pytest.mark.slow, pytest.mark.timeout(600)]
_PORTS = 40
#: For people: a head, a line for each pair of centres, one for all, and what the receipts prove.
_TABLE = re.compile(
    r"^from +to +sent +delivered +registered +p50 ms +p99 ms\n"
    r"(krz +\w+( +\d+){5}\n)+"
    r"all +200 +200 +200( +\d+){2}\n"
    r"receipts: 400 of 400 letters verified; lost 0, duplicates 0$",
    re.MULTILINE,
)
_BROKER = re.compile(r"^AMTSBRUECKE_BROKER_URL=redis\+socket://([^?\s]+)", re.MULTILINE)


def _port_base() -> int:
    """Find a block of ports that nobody uses, below those of connections that go out."""
    for base in range(26_000, 32_000, _PORTS):
        taken = [socket.socket() for _ in range(_PORTS)]
        try:
            for offset, probe in enumerate(taken):
                probe.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        else:
            return base
        finally:
            for probe in taken:
                probe.close()
    raise AssertionError("no block of ports is free")


def _amtsbruecke(home: Path, *arguments: str, timeout: float = 420) -> tuple[int, str, str]:
    """Return the exit code, and what was said on standard output and standard error."""
    clean = {name: value for name, value in os.environ.items() if "AMTSBRUECKE" not in name}
    clean.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-m", "console", "--home", str(home), *arguments],
        env=clean,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _demo(home: Path, base: int) -> dict[str, Any]:
    """Run the demo to its end; return the figures, which stand on the very last line."""
    code, said, complaints = _amtsbruecke(
        home, "demo", "--once", "--json", "--port-base", str(base)
    )
    assert code == 0, said + complaints
    *before, last = said.splitlines()
    figures: dict[str, Any] = json.loads(last)
    assert _TABLE.search("\n".join(before)), said
    return figures


def test_two_hundred_requests_cross_and_a_second_run_goes_on(tmp_path: Path) -> None:
    base = _port_base()
    first = _demo(tmp_path, base)
    assert first["sent"] == first["delivered"] == first["registered"] == 200
    # Each request was answered by a registration, and each of both has a verified receipt.
    assert first["receipts_verified"] == 400
    assert (first["lost"], first["duplicates"]) == (0, 0)
    assert 0 < first["p50_ms"] <= first["p99_ms"]
    memory = first["rss_mb"]
    assert set(memory) == {"kdn", "krz", "sachsen", "nord"}
    # No process of Python with Django has less than 20 MB, and a centre has at least five.
    assert 20 < memory.pop("kdn") < 2_000
    assert all(100 < each < 5_000 for each in memory.values()), memory
    second = _demo(tmp_path, base)
    same = ("sent", "delivered", "registered", "receipts_verified", "lost", "duplicates")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}


def test_an_occupied_port_is_said_in_words(tmp_path: Path) -> None:
    base = _port_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 11))
        taken.listen()
        code, said, complaint = _amtsbruecke(
            tmp_path, "demo", "--once", "--json", "--port-base", str(base)
        )
    assert code == 2
    assert str(base + 11) in complaint
    assert "Traceback" not in said + complaint


def test_a_broker_that_loses_everything_costs_nothing(tmp_path: Path) -> None:
    """The broker only wakes: emptied again and again while requests cross, nothing is missing."""
    base, thrown_away, stop = _port_base(), [0], threading.Event()

    def empty_brokers() -> None:
        while not stop.wait(0.05):
            for path in tmp_path.glob("centres/*/centre.env"):
                found = _BROKER.search(path.read_text())
                if found is None:
                    continue
                with suppress(redis.RedisError):
                    broker = redis.Redis(unix_socket_path=found[1], socket_timeout=5)
                    thrown_away[0] += int(broker.dbsize())
                    broker.flushall()
                    broker.close()

    thief = threading.Thread(target=empty_brokers)
    thief.start()
    try:
        figures = _demo(tmp_path, base)
    finally:
        stop.set()
        thief.join()
    assert thrown_away[0] > 0
    assert figures["registered"] == figures["sent"] == 200
    assert (figures["lost"], figures["duplicates"]) == (0, 0)
