"""The federation of a fault run: its processes, the network between, its clocks and disks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.faults import layout, shim
from benchmarks.faults.plan import CENTRES
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.shim import Surroundings
from console import processes
from console.demo.plan import Plan
from console.demo.traffic import await_ready
from console.errors import ConsoleError
from console.home import CentreFolder, Home
from console.supervisor.output import Output
from console.supervisor.service import Service
from console.supervisor.supervisor import Supervisor

ROOT: Final = Path(__file__).resolve().parents[2]
#: The federation was founded so long ago that no skew makes its certificates too young.
_FOUNDED_S: Final = -2 * 3600
_ENDURANCE_S: Final = 20.0

type Say = Callable[[str], None]


class StepBroken(ConsoleError):
    """Something that the fault run itself has to do did not work."""

    reason = "STEP_BROKEN"


@dataclass(kw_only=True)
class World:
    """Two centres that run."""

    home: Home
    plan: Plan
    supervisor: Supervisor
    proxies: Mapping[str, Proxy]
    surroundings: Mapping[str, Surroundings]
    drivers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def folder(self, centre: str) -> CentreFolder:
        return self.home.centre(centre)

    def services(self, centre: str) -> dict[str, Service]:
        """Return engines and processes of a centre by name."""
        (runner,) = [each for each in self.supervisor.centres if each.name == centre]
        return {service.name: service for service in runner.services}

    def connect(self, centre: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to a centre's database as its owner."""
        url = self.folder(centre).settings()["AMTSBRUECKE_OWNER_DATABASE_URL"]
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def rows(self, centre: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask a centre's database; wait a while for one that is down."""
        deadline = time.monotonic() + _ENDURANCE_S
        while True:
            try:
                with self.connect(centre) as connection:
                    cursor = connection.execute(statement, parameters or None)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def step(self, centre: str, name: str, **said: Any) -> Any:
        """Run one of `steps` as a process of a centre; return its answer."""
        code, out, err = self._run(
            centre, ("-m", "benchmarks.faults.steps", name), text=json.dumps(said)
        )
        if code:
            raise StepBroken(f"The step {name} of {centre} broke.", hint=err[-2000:])
        return json.loads(out.splitlines()[-1])

    def command(self, centre: str, *arguments: str) -> tuple[int, str]:
        """Run an operator's command; return its exit code and what it said."""
        code, out, err = self._run(centre, ("-m", "console", "--centre", centre, *arguments))
        return code, out + err

    def _run(
        self, centre: str, arguments: tuple[str, ...], *, text: str = ""
    ) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            input=text,
            env=self.folder(centre).environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    # -- clerks ------------------------------------------------------------------------------

    def journal(self, centre: str) -> Path:
        """Return the file with the cases that services have promised."""
        return self.home.path / f"journal-{centre}.txt"

    def start_drivers(self, *, pause: float = 0.0) -> None:
        """Let the clerks of both centres begin."""
        for centre in CENTRES:
            folder = self.folder(centre)
            with (folder.logs / "driver.log").open("ab") as log:
                self.drivers[centre] = processes.spawn(
                    [
                        sys.executable,
                        "-m",
                        "benchmarks.faults.driver",
                        self.journal(centre),
                        str(pause),
                    ],
                    env=folder.environment(),
                    cwd=ROOT,
                    output=log,
                )

    def check_drivers(self) -> None:
        """Raise `StepBroken` if clerks have gone home by themselves."""
        for centre, process in self.drivers.items():
            if process.poll() is not None:
                log = self.folder(centre).logs / "driver.log"
                words = log.read_text(errors="replace")[-2000:]
                raise StepBroken(f"The driver of {centre} ended: {words}", hint=f"See {log}.")

    def stop_drivers(self) -> None:
        """Let the clerks finish what they have begun."""
        for process in self.drivers.values():
            processes.stop(process, (signal.SIGTERM, 30.0))
        self.drivers.clear()


@contextmanager
def running(home: Home, port_base: int, *, say: Say) -> Iterator[World]:
    """Run the federation in `home`, founding what is missing."""
    home.create()
    plan = layout.make(port_base)
    faults = home.path / "faults"
    faults.mkdir(exist_ok=True)
    faults.chmod(0o755)
    library = shim.build(faults)
    version = _found(home, port_base, faults, library, say)
    surroundings = {name: Surroundings(faults / name) for name in CENTRES}
    with ExitStack() as stack:
        proxies = {
            centre.name: stack.enter_context(
                Proxy(layout.proxy_port(centre.name, port_base), centre.ports.gateway)
            )
            for centre in plan.centres
        }
        states = {name: each.file for name, each in surroundings.items()}
        stack.enter_context(shim.around(library, states))
        supervisor = stack.enter_context(Supervisor(home, output=Output(None)))
        stack.enter_context(supervisor.stopping_on_signals())
        supervisor.start([home.centre(centre.name) for centre in plan.all])
        world = World(
            home=home,
            plan=plan,
            supervisor=supervisor,
            proxies=proxies,
            surroundings=surroundings,
        )
        stack.callback(world.stop_drivers)
        await_ready(home, plan, supervisor.wait)
        for name in CENTRES:
            world.step(name, "fetch", version=version)
        yield world


def _found(home: Home, port_base: int, faults: Path, library: Path, say: Say) -> int:
    past = Surroundings(faults / "founding")
    past.set_clock(_FOUNDED_S)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults.founding", home.path, str(port_base)],
        env={**os.environ, "LD_PRELOAD": str(library), "FAULTS_STATE": str(past.file)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StepBroken("The federation could not be founded.", hint=done.stderr[-2000:])
    *words, version = done.stdout.splitlines()
    for line in words:
        say(line)
    return int(version)
