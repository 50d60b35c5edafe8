"""A rolling restart: nobody is stopped before the one before can work again."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import pytest

from console.errors import ConsoleError
from console.supervisor import rolling
from console.supervisor.instances import Instance
from console.supervisor.service import Service

FIRST = Instance("worker", 1, ("127.0.0.1", 8413))
SECOND = Instance("worker", 2, ("127.0.0.1", 8417))
WITHOUT_A_DOOR = Instance("beat", 1, None)


class Watched(Service):
    """Notes what is asked of it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self._notes = notes

    def stop(self) -> None:
        self._notes.append(f"{self.name} stops")

    def start(self) -> None:
        self._notes.append(f"{self.name} starts")


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch, notes: list[str]) -> dict[str, list[int]]:
    """Return what the doors will answer by their addresses; 0: nobody listens.

    Time goes by only where somebody sleeps.
    """
    answers: dict[str, list[int]] = {}
    now = [0.0]

    def open_door(url: str, **_: Any) -> Any:
        said = answers[url]
        status = said.pop(0) if len(said) > 1 else said[0]
        notes.append(f"{url[17:21]} says {status}")
        if not status:
            raise URLError("nobody listens")
        return nullcontext(SimpleNamespace(status=status))

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(rolling, "urlopen", open_door)
    monkeypatch.setattr(rolling, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return answers


def roll(*instances: Instance, notes: list[str], logs: Path = Path("nowhere")) -> dict[str, float]:
    services = [(Watched(each.name, notes), each) for each in instances]
    return rolling.roll(services, say=lambda name, _: notes.append(f"{name} is back"), logs=logs)


def test_the_next_one_stops_only_when_the_one_before_is_ready(
    doors: dict[str, list[int]], notes: list[str]
) -> None:
    doors["http://127.0.0.1:8413/readyz"] = [0, 503, 200]
    doors["http://127.0.0.1:8417/readyz"] = [200]
    away = roll(FIRST, WITHOUT_A_DOOR, SECOND, notes=notes)
    assert notes == [
        "worker stops",
        "worker starts",
        "8413 says 0",
        "8413 says 503",
        "8413 says 200",
        "worker is back",
        "beat stops",
        "beat starts",
        "beat is back",
        "worker-2 stops",
        "worker-2 starts",
        "8417 says 200",
        "worker-2 is back",
    ]
    assert away["worker"] > away["worker-2"]


def test_behind_one_whose_door_stays_closed_nobody_is_stopped(
    doors: dict[str, list[int]], notes: list[str], tmp_path: Path
) -> None:
    doors["http://127.0.0.1:8413/readyz"] = [503]
    log = tmp_path / "worker.log"
    with pytest.raises(ConsoleError, match="worker is not ready 60 seconds after") as caught:
        roll(FIRST, SECOND, notes=notes, logs=tmp_path)
    assert f"See {log}; it is empty." in caught.value.hint
    assert "worker-2 stops" not in notes
    log.write_text("worker started\nError: no.\n\n")
    with pytest.raises(ConsoleError) as caught:
        roll(FIRST, SECOND, notes=notes, logs=tmp_path)
    assert f"See {log}; it ends with: Error: no." in caught.value.hint
