"""The demo after its sample has arrived: it shows where to look, and stays until told to stop."""

from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from console.demo import provisioning, report, run, traffic
from console.demo.plan import ADMINISTRATOR, CASEWORKER, PASSWORD, make_plan
from console.errors import DemoStuck, SupervisorAway
from console.home import Home
from console.supervisor import control
from console.supervisor.supervisor import Supervisor

BASE = 22_200


class Founded:
    """Stands for the centres, of which none is founded or started here."""

    def __init__(self, **_: Any) -> None:
        """Take what a demo gives."""

    def run(self) -> int:
        return 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """How long the demo has waited each time.

    The supervisor is a real one. From a second terminal, it is told to stop once the demo waits.
    """
    for module, name, answer in (
        (provisioning, "Provisioning", Founded),
        (provisioning, "require_free_ports", lambda *_: None),
        (Supervisor, "start", lambda *_: None),
        (traffic, "await_ready", lambda *_: True),
        (report, "without_deleted", lambda _, plan: plan),
        (traffic, "fetch_directory", lambda *_: None),
        (traffic, "post_sample", lambda *_: report.Posted(rows=0, cases=frozenset())),
        (traffic, "watch", lambda *_: report.Count()),
        (run, "verify_receipts", lambda *_: {"letters": 0, "verified": 0, "problems": 0}),
        (report, "shortcomings", lambda *_: ()),
    ):
        monkeypatch.setattr(module, name, answer)
    waits: list[float | None] = []
    wait = Supervisor.wait

    def stopped_meanwhile(supervisor: Supervisor, seconds: float | None = None) -> bool:
        waits.append(seconds)
        control.ask(supervisor._home, "stop-all")
        return wait(supervisor, seconds)

    monkeypatch.setattr(Supervisor, "wait", stopped_meanwhile)
    return waits


def _run(home: Home, *, once: bool) -> bool:
    return run.run(home, port_base=BASE, once=once, as_json=False, logs=False)


def test_the_demo_says_where_to_look_and_runs_until_told_to_stop(
    waits: list[float | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    assert _run(home, once=False)
    assert waits == [None]
    said = capsys.readouterr().out
    for centre in make_plan(BASE).centres:
        assert f"\n  {centre.title}\n" in said
        for town in centre.towns:
            assert f"{town.place:<18} {centre.url(town)}\n" in said
    logins = f"Logins everywhere: {CASEWORKER} or {ADMINISTRATOR}, password {PASSWORD}\n"
    assert logins in said
    assert f"--home {tmp_path} centre stop sachsen\n" in said
    with pytest.raises(SupervisorAway):
        control.ask(home, "status")


def test_who_stops_the_demo_while_it_is_set_up_reads_what_is_waited_for(
    waits: list[float | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, told = Home(tmp_path), []
    stopped: list[Thread] = []

    def is_stopped_meanwhile(_: Founded) -> int:
        heard = Event()

        def say(words: str) -> None:
            told.append(words)
            heard.set()

        stopped.append(Thread(target=control.stop_all, args=(home,), kwargs={"say": say}))
        stopped[0].start()
        assert heard.wait(30)
        return 1

    monkeypatch.setattr(Founded, "run", is_stopped_meanwhile)
    with pytest.raises(DemoStuck, match="stopped before its centres were ready"):
        _run(home, once=False)
    stopped[0].join()
    assert told[0] == (
        "still running: the supervisor itself (it sets the centres of the demo up, and then stops)"
    )
    assert waits == []


def test_once_the_demo_ends_by_itself(
    waits: list[float | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(Home(tmp_path), once=True)
    assert waits == []
    assert "Logins" not in capsys.readouterr().out
