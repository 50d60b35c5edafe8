"""Centres under one supervisor: as an operator stops, starts, kills and asks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from console import processes
from console.commands import centre as centre_command
from console.demo import provisioning
from console.demo.plan import make_plan
from console.engines import running_database
from console.errors import ConsoleError, EngineInUse, SupervisorAway
from console.home import CentreFolder, Home
from console.supervisor import centre as module
from console.supervisor import control
from console.supervisor.centre import ProcessPlan
from console.supervisor.output import Output
from console.supervisor.service import Stage, State
from console.supervisor.supervisor import Supervisor

NAME = "krz"


def eventually(condition: Callable[[], bool], *, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One centre with engines and a database, and no process that needs more."""
    patch = pytest.MonkeyPatch()
    patch.setattr(provisioning, "certify", lambda *_: None)
    patch.setitem(
        module.PROCESSES,
        "centre",
        (ProcessPlan("worker", Stage.DRAINS, 20.0), ProcessPlan("beat", Stage.DRAINS, 10.0)),
    )
    home = Home(tmp_path_factory.mktemp("home"))
    plan = make_plan(21_640)
    provisioning.prepare(home, plan, plan.centres[0])
    with running_database(home.centre(NAME)), connect(home.centre(NAME), "owner") as connection:
        connection.execute("CREATE TABLE letters (n int)")
    yield home
    patch.undo()


@pytest.fixture
def supervisor(home: Home) -> Iterator[Supervisor]:
    with Supervisor(home, output=Output(None)) as supervisor:
        supervisor.start([home.centre(NAME)])
        yield supervisor


def connect(folder: CentreFolder, login: str) -> psycopg.Connection:
    url = folder.settings()[f"AMTSBRUECKE_{login.upper()}_DATABASE_URL"]
    return psycopg.connect(url, autocommit=True)


@contextmanager
def settings_changed(folder: CentreFolder, **settings: str) -> Iterator[None]:
    before = folder.settings()
    folder.write_settings({**before, **settings})
    try:
        yield
    finally:
        folder.write_settings(before)


def test_status_names_every_engine_and_process(supervisor: Supervisor, home: Home) -> None:
    (centre,) = control.ask(home, "status")["centres"]
    assert centre["centre"] == NAME
    assert centre["running"] is True
    assert [each["name"] for each in centre["services"]] == [
        "postgresql",
        "valkey",
        "worker",
        "beat",
    ]


def test_stopped_centre_has_no_process_left_and_keeps_its_data(
    supervisor: Supervisor, home: Home
) -> None:
    with connect(home.centre(NAME), "owner") as connection:
        connection.execute("INSERT INTO letters VALUES (1)")
    pids = [each["pid"] for each in control.ask(home, "status")["centres"][0]["services"]]
    control.ask(home, "stop", NAME)
    assert not any(processes.exists(pid) for pid in pids)
    control.ask(home, "start", NAME)
    with connect(home.centre(NAME), "owner") as connection:
        assert connection.execute("SELECT count(*) >= 1 FROM letters").fetchone() == (True,)


def test_killed_database_comes_back_with_what_was_committed(
    supervisor: Supervisor, home: Home
) -> None:
    with connect(home.centre(NAME), "owner") as connection:
        connection.execute("INSERT INTO letters VALUES (42)")
    (runner,) = supervisor.centres
    database = runner.services[0]
    assert database.pid is not None
    os.kill(database.pid, signal.SIGKILL)
    eventually(lambda: database.state is State.RUNNING and database.restarts == 1)
    with connect(home.centre(NAME), "owner") as connection:
        row = connection.execute("SELECT count(*) >= 1 FROM letters WHERE n = 42").fetchone()
    assert row == (True,)


def test_second_supervisor_is_refused_in_words(supervisor: Supervisor, home: Home) -> None:
    with pytest.raises(EngineInUse, match=f"in use by process {os.getpid()}"):
        Supervisor(home, output=Output(None)).__enter__()
    assert control.ask(home, "status")["centres"][0]["running"] is True


def test_unknown_centre_is_refused_with_those_that_exist(
    supervisor: Supervisor, home: Home
) -> None:
    with pytest.raises(ConsoleError, match="known: krz"):
        control.ask(home, "start", "sued")


def test_without_a_supervisor_the_question_says_how_to_start_one(home: Home) -> None:
    with pytest.raises(ConsoleError, match="No supervisor runs") as caught:
        control.ask(home, "status")
    assert "amtsbruecke run" in caught.value.hint


def test_settings_follow_a_home_that_moved(home: Home, tmp_path: Path) -> None:
    """The address of the database is a path; whoever moves the folder must not mend it by hand."""
    moved = tmp_path / "moved"
    home.path.rename(moved)
    try:
        with Supervisor(Home(moved), output=Output(None)) as supervisor:
            supervisor.start([Home(moved).centre(NAME)])
            with connect(Home(moved).centre(NAME), "web") as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        moved.rename(home.path)


def test_centre_whose_port_is_taken_does_not_start_halfway(
    home: Home, occupied_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home.centre(NAME)
    before = folder.settings()
    folder.write_settings({**before, "AMTSBRUECKE_WEB_BIND": f"127.0.0.1:{occupied_port}"})
    try:
        with Supervisor(home, output=Output(None)) as supervisor:
            with pytest.raises(ConsoleError, match=f"Port {occupied_port} .* is not free"):
                supervisor.start([folder])
            assert [runner.running for runner in supervisor.centres] == [False]
    finally:
        folder.write_settings(before)


@pytest.mark.parametrize("action", ["restart", "roll"])
@pytest.mark.parametrize("setting", ["AMTSBRUECKE_WEBS=0", "AMTSBRUECKE_DISPATCHERS=x"])
def test_with_a_setting_that_nobody_can_read_nothing_is_stopped(
    supervisor: Supervisor, home: Home, action: str, setting: str
) -> None:
    folder, pids = home.centre(NAME), _pids(home)
    name, value = setting.split("=")
    with settings_changed(folder, **{name: value}), pytest.raises(ConsoleError) as caught:
        control.ask(home, action, NAME)
    assert name in caught.value.message
    assert "Nothing was stopped." in caught.value.hint
    assert str(folder.settings_file) in caught.value.hint
    assert _pids(home) == pids


@pytest.mark.parametrize("action", ["restart", "roll"])
def test_without_the_folder_of_documents_nothing_is_stopped(
    supervisor: Supervisor, home: Home, action: str
) -> None:
    folder, pids = home.centre(NAME), _pids(home)
    away = folder.documents.rename(folder.path / "unmounted")
    try:
        with pytest.raises(ConsoleError, match="Is its disk mounted") as caught:
            control.ask(home, action, NAME)
    finally:
        away.rename(folder.documents)
    assert "Nothing was stopped." in caught.value.hint
    assert _pids(home) == pids


def test_a_start_that_fails_after_the_stop_says_that_the_centre_is_stopped(
    supervisor: Supervisor, home: Home, occupied_port: int
) -> None:
    address = f"127.0.0.1:{occupied_port}"
    with settings_changed(home.centre(NAME), AMTSBRUECKE_WEB_BIND=address):
        with pytest.raises(
            ConsoleError, match=r"krz is stopped now: Port .* is not free"
        ) as caught:
            control.ask(home, "restart", NAME)
        assert "Then: amtsbruecke centre start krz" in caught.value.hint
        assert not _runs(home)
    with pytest.raises(ConsoleError, match="krz does not run"):
        control.ask(home, "roll", NAME)
    control.ask(home, "start", NAME)
    assert _runs(home)


def test_a_roll_names_what_only_a_restart_takes_over(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.PROCESSES, "centre", (ProcessPlan("beat", Stage.DRAINS, 10.0),))
    folder = home.centre(NAME)
    with Supervisor(home, output=Output(None)) as supervisor:
        supervisor.start([folder])
        said = CliRunner().invoke(centre_command.command, ("roll", NAME), obj=home)
        assert said.output == "Every process of krz was restarted.\n"
        new = {"AMTSBRUECKE_WORKERS": "2", "AMTSBRUECKE_KEEP_ATTEMPTS_DAYS": "7"}
        with settings_changed(folder, AMTSBRUECKE_WEB_DOMAIN="krz.example", **new):
            said = CliRunner().invoke(centre_command.command, ("roll", NAME), obj=home)
    assert "not taken over: AMTSBRUECKE_WEB_DOMAIN, AMTSBRUECKE_WORKERS. That takes:" in said.output
    assert "amtsbruecke centre restart krz" in said.output


def test_the_doctor_of_a_stopped_centre_tells_once_that_the_database_is_away(
    supervisor: Supervisor, home: Home
) -> None:
    control.ask(home, "stop", NAME)
    done = subprocess.run(
        [sys.executable, "-m", "console", "--home", str(home.path), "--centre", NAME, "doctor"],
        env={**home.centre(NAME).environment(), "AMTSBRUECKE_DOKUMENTE": "/srv"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    said = done.stdout
    assert said.count("the database does not answer; is the centre running?") == 1
    assert said.count("the broker does not answer; is the centre running?") == 1
    assert said.count("s.PGSQL") == 1, said
    assert "Python " in said  # what needs neither is told all the same
    assert "AMTSBRUECKE_DOKUMENTE is no setting" in said


def test_nothing_survives_a_supervisor_that_was_killed(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from console.home import Home\n"
        "from console.supervisor.output import Output\n"
        "from console.supervisor.supervisor import Supervisor\n"
        "home = Home(Path(sys.argv[1]))\n"
        "with Supervisor(home, output=Output(None)) as supervisor:\n"
        f"    supervisor.start([home.centre('{NAME}')])\n"
        "    print('up', flush=True)\n"
        "    supervisor.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        family = processes.descendants(process.pid)
        assert len(family) > 4
        process.kill()
    eventually(lambda: not any(processes.exists(pid) for pid in family))


def test_ctrl_c_stops_everything_and_ends_well(home: Home) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "console", "--home", str(home.path), "run", NAME],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "AMTSBRUECKE_CENTRE": ""},
    ) as process:
        eventually(lambda: _runs(home))
        family = processes.descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert not any(processes.exists(pid) for pid in family)


def test_stop_all_returns_when_all_has_stopped(home: Home) -> None:
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "console", "--home", str(home.path), "run", NAME],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AMTSBRUECKE_CENTRE": ""},
    ) as process:
        try:
            eventually(lambda: _runs(home) and len(_pids(home)) > 2)
            children = processes.descendants(process.pid)[1:]
            control.stop_all(home, say=told.append)
            assert not any(processes.exists(pid) for pid in children)
            assert process.wait(10) == 0
        finally:
            process.terminate()
    assert told[0].startswith("still running: krz postgresql")
    with pytest.raises(SupervisorAway):
        control.stop_all(home, say=told.append)


def test_stop_all_has_a_deadline_and_names_what_still_runs(
    supervisor: Supervisor, home: Home
) -> None:
    """Here nobody heeds the wish: the supervisor of this test leaves later."""
    with pytest.raises(ConsoleError, match=r"still runs: .*krz postgresql"):
        control.stop_all(home, say=lambda _: None, patience=0.0)


def test_stop_all_names_what_outlives_a_killed_supervisor(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["sleep", "60"]) as worker, subprocess.Popen(["true"]) as beat:
        beat.wait()
        services = [{"name": "worker", "pid": worker.pid}, {"name": "beat", "pid": beat.pid}]
        answers = [{"centres": [{"centre": NAME, "services": services}]}]

        def ask(*_: object, **__: float) -> dict[str, object]:
            if not answers:
                raise SupervisorAway("Killed.", hint="")
            return answers.pop()

        monkeypatch.setattr(control, "ask", ask)
        try:
            with pytest.raises(ConsoleError) as caught:
                control.stop_all(home, say=lambda _: None, tick=0.0)
        finally:
            worker.kill()
    assert caught.value.message == (
        f"The supervisor ended before what it ran: krz worker (pid {worker.pid})."
    )


# -- the commands ----------------------------------------------------------------------------


def command(home: Home, *arguments: str, code: int = 0) -> str:
    """Run `amtsbruecke centre ARGUMENTS` in another terminal; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "console", "--home", str(home.path), "centre", *arguments],
        env={**os.environ, "AMTSBRUECKE_CENTRE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def running_pids(said: str) -> dict[str, int]:
    """Return the processes of which `centre status` says that they run."""
    return {
        name: int(pid)
        for name, pid in re.findall(r"^  (\S+) +running +pid (\d+)", said, re.MULTILINE)
    }


def test_a_centre_is_stopped_and_started_by_command(supervisor: Supervisor, home: Home) -> None:
    said = command(home, "status")
    assert said.startswith(f"{NAME}: runs\n")
    before = running_pids(said)
    assert list(before) == ["postgresql", "valkey", "worker", "beat"]
    assert all(map(processes.exists, before.values()))

    assert f"amtsbruecke centre start {NAME}" in command(home, "stop", NAME)
    assert not any(map(processes.exists, before.values()))
    said = command(home, "status")
    assert said.startswith(f"{NAME}: stopped\n")
    assert running_pids(said) == {}
    assert "has stopped" in command(home, "stop", NAME)  # it has, whoever stopped it
    refused = command(home, "roll", NAME, code=2)
    assert f"{NAME} does not run" in refused
    assert f"amtsbruecke centre start {NAME}" in refused
    assert running_pids(command(home, "status")) == {}

    assert "amtsbruecke centre status" in command(home, "start", NAME)
    after = json.loads(command(home, "status", "--json"))
    assert after["centres"][0]["running"] is True
    pids = {each["name"]: each["pid"] for each in after["centres"][0]["services"]}
    assert list(pids) == list(before)
    assert all(map(processes.exists, pids.values()))
    assert not set(pids.values()) & set(before.values())
    command(home, "start", NAME)  # who runs is left alone
    assert running_pids(command(home, "status")) == pids


def test_a_centre_is_restarted_and_rolled_by_command(supervisor: Supervisor, home: Home) -> None:
    before = running_pids(command(home, "status"))
    assert "starts anew" in command(home, "restart", NAME)
    anew = running_pids(command(home, "status"))
    assert list(anew) == list(before)
    assert not set(anew.values()) & set(before.values())
    assert not any(map(processes.exists, before.values()))

    assert f"Every process of {NAME} was restarted." in command(home, "roll", NAME)
    rolled = running_pids(command(home, "status"))
    for engine in ("postgresql", "valkey"):
        assert rolled[engine] == anew[engine]
    for process in ("worker", "beat"):
        assert rolled[process] != anew[process]
        assert processes.exists(rolled[process])
        assert not processes.exists(anew[process])


def test_status_tells_how_often_a_process_has_died(supervisor: Supervisor, home: Home) -> None:
    def told() -> bool:
        (line,) = [line for line in command(home, "status").splitlines() if " beat " in line]
        return line.endswith(" restarted once") and " running " in line

    os.kill(running_pids(command(home, "status"))["beat"], signal.SIGKILL)
    eventually(told)


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "roll"])
def test_a_centre_that_is_not_there_is_refused_by_name(home: Home, verb: str) -> None:
    assert "known: krz" in command(home, verb, "sued", code=2)


def test_a_command_without_a_supervisor_says_how_to_start_one(home: Home) -> None:
    said = command(home, "status", code=2)
    assert f"No supervisor runs for {home.path}." in said
    assert "amtsbruecke run" in said


def _runs(home: Home) -> bool:
    try:
        return bool(control.ask(home, "status")["centres"][0]["running"])
    except (ConsoleError, IndexError):
        return False


def _pids(home: Home) -> list[int]:
    (centre,) = control.ask(home, "status")["centres"]
    return [each["pid"] for each in centre["services"] if each["pid"]]
