"""Where `amtsbruecke demo` puts data and ports: a flag beats the environment, that the default."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from console.cli import main
from console.demo import run as demo
from console.home import DEFAULT_PORT_BASE, Home, default_home

type Start = Callable[..., Result]


@pytest.fixture
def chosen() -> list[tuple[Path, int]]:
    """Home and port base of each demo that was started."""
    return []


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, chosen: list[tuple[Path, int]]) -> Start:
    """Return the function that calls the command; what it would run is only noted."""

    def note(home: Home, *, port_base: int, **_: Any) -> bool:
        chosen.append((home.path, port_base))
        return True

    monkeypatch.setattr(demo, "run", note)
    for name in ("AMTSBRUECKE_HOME", "AMTSBRUECKE_CENTRE"):
        monkeypatch.setenv(name, "")  # and so restored, whatever the command sets
    return lambda *said, **shell: CliRunner().invoke(main, said, env=shell)


def test_environment_beats_the_default(start: Start, chosen: list[tuple[Path, int]]) -> None:
    assert start("demo").exit_code == 0
    assert start("demo", AMTSBRUECKE_HOME="/a", AMTSBRUECKE_PORT_BASE="9000").exit_code == 0
    assert chosen == [(default_home(), DEFAULT_PORT_BASE), (Path("/a"), 9000)]


@pytest.mark.parametrize("said", [("--home", "/b", "demo"), ("demo", "--home", "/b")])
def test_flag_beats_the_environment(
    start: Start, chosen: list[tuple[Path, int]], said: tuple[str, ...]
) -> None:
    shell = {"AMTSBRUECKE_HOME": "/a", "AMTSBRUECKE_PORT_BASE": "9000"}
    assert start(*said, "--port-base", "9100", **shell).exit_code == 0
    assert chosen == [(Path("/b"), 9100)]


def test_port_base_that_is_no_number_is_refused_by_name(
    start: Start, chosen: list[tuple[Path, int]]
) -> None:
    refused = start("demo", AMTSBRUECKE_PORT_BASE="many")
    assert refused.exit_code == 2
    assert "'many' is not a valid integer" in refused.stderr
    assert chosen == []


def test_machines_are_told_which_option_is_wrong(start: Start) -> None:
    refused = start("demo", "--once", "--json", AMTSBRUECKE_PORT_BASE="many")
    assert refused.exit_code == 2
    assert "'many' is not a valid integer" in json.loads(refused.stdout)["error"]
