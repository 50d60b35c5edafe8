"""A slow disk counts only if it is slow: durable commits say so, of a real server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks import slow_disk
from benchmarks.faults import commits, shim, supervised
from benchmarks.faults.injection import Injection
from benchmarks.faults.plan import Fault, Kind
from benchmarks.faults.progress import Record
from benchmarks.world import BenchmarkError
from console.embedded.postgres import EmbeddedPostgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="needs a compiler"),
]


class Centre:
    """A database as the worlds of both runs show it."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._address = server.admin_dsn

    def url(self, _login: str) -> str:
        return self._address


class World:
    def __init__(self, server: EmbeddedPostgres, disk: shim.Surroundings) -> None:
        self.centres = {"krz": Centre(server)}
        self.surroundings = {"krz": disk}

    def connect(self, centre: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.centres[centre].url("owner"), autocommit=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def disk(folder: Path) -> shim.Surroundings:
    return shim.Surroundings(folder / "state")


@pytest.fixture(scope="module")
def slowed(folder: Path, disk: shim.Surroundings) -> Iterator[World]:
    """A server that the command line has started as it does for G9."""
    server = EmbeddedPostgres(folder / "centres" / "krz" / "postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervised, "console", lambda *_, **__: server.start())
        supervised.main([str(shim.build(folder)), f"nord=/none,krz={disk.file}", "run", "krz"])
    try:
        yield World(server, disk)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def spared(folder: Path, disk: shim.Surroundings) -> Iterator[World]:
    """A server that no shim has reached: LD_PRELOAD of its parent does not count."""
    with EmbeddedPostgres(folder / "spared") as server:
        yield World(server, disk)


def test_the_delay_reaches_a_server_that_the_supervisor_starts(slowed: World) -> None:
    assert slow_disk.commits_longer_ms(slowed, slowed.surroundings["krz"]) >= commits.LONGER_MS


def test_without_an_effect_nothing_is_measured(spared: World) -> None:
    with pytest.raises(BenchmarkError, match="longer by"):
        slow_disk.commits_longer_ms(spared, spared.surroundings["krz"])


def test_the_fault_counts_when_commits_take_longer(slowed: World) -> None:
    assert _effects(slowed) == {Kind.SLOW_DISK: 1}


def test_the_fault_does_not_count_when_they_do_not(
    spared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.faults.injection._PATIENCE_S", 1.0)
    with spared.connect("krz") as connection:
        connection.execute("CREATE TABLE work AS SELECT 1")  # the log moves all the same
    assert _effects(spared) == {Kind.SLOW_DISK: 0}


def _effects(world: Any) -> dict[str, int]:
    record = Record()
    injection = Injection(world, lambda _: None, record)
    injection.begin(Fault(kind=Kind.SLOW_DISK, centre="krz", what="", at=0.0, seconds=0.2))
    injection.finish()
    assert not record.problems
    return dict(record.effects)
