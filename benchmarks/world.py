"""Two centres as anybody would run them: own engines, real processes, one signed directory.

    with World(folder, tenants=10) as world:
        world.start()
        world.krz.step("submit", towns=[0], recipients=[...], count=640, bulk=64)
        world.settled()

Nothing is switched off: TLS, signatures, sealing, audit, tenancy, fsync. The processes are those
that the product's own supervisor starts; a process can be put to rest with `pause` so that a link
is measured without its neighbours.
"""

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from benchmarks import resources
from centre.directory import encoding
from centre.directory.records import AuthorityRecord, CentreRecord, Snapshot
from centre.kernel import clock
from centre.keys.sign import SigningKey
from console.demo.plan import Centre as Planned
from console.demo.plan import Plan
from console.demo.provisioning import prepare
from console.embedded.postgres import ADMIN
from console.engines import running_database
from console.home import CentreFolder, Home, Ports
from console.supervisor import control

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("krz", "nord")
#: Ports of a run when nobody says otherwise: away from those of the demo.
PORT_BASE = 18_400
_PATIENCE = 120.0


class BenchmarkError(Exception):
    """A figure could not be taken."""


def wait_for[T](look: Callable[[], T], *, seconds: float = _PATIENCE, what: str = "") -> T:
    """Return what `look` finds as soon as it finds something; raise `BenchmarkError` in the end."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise BenchmarkError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)
    return found


@dataclass
class Centre:
    """One of the two, seen from outside."""

    folder: CentreFolder
    #: Identifiers of its authorities, by the number of the town.
    authorities: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.folder.name

    def url(self, login: str) -> str:
        return self.folder.settings()[f"AMTSBRUECKE_{login.upper()}_DATABASE_URL"]

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Read as the owner."""
        with psycopg.connect(self.url("owner"), row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()

    def value(self, statement: str, *parameters: Any) -> Any:
        (row,) = self.rows(statement, *parameters)
        return next(iter(row.values()))

    def checkpoint(self) -> None:
        """Let the database write out what it owes the disk, or the next figure pays for the last.

        The only thing here that takes the administrator.
        """
        secret = (self.folder.postgres / "admin.secret").read_text()
        address = conninfo_to_dict(self.url("owner"))
        login: dict[str, Any] = {**address, "user": ADMIN, "password": secret}
        with psycopg.connect(make_conninfo(**login), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    # -- work in the centre's own processes ----------------------------------------------------

    def begin(self, name: str, **said: Any) -> "Step":
        """Start a step of `benchmarks.steps` in a process of this centre."""
        return Step(self, name, said)

    def step(self, name: str, **said: Any) -> Any:
        """Run a step to its end; return its answer."""
        return self.begin(name, **said).answer()

    # -- what the database says ----------------------------------------------------------------

    def waiting(self, link: str) -> int:
        """Letters for a peer that have no receipt."""
        return int(
            self.value(
                "SELECT count(*) FROM outbox_letter AS letter LEFT JOIN outbox_link AS link"
                " ON link.name = letter.link WHERE letter.link = %s AND (letter.lseq IS NULL"
                " OR (letter.lseq > 0 AND letter.lseq > coalesce(link.acked_lseq, 0)))",
                link,
            )
        )

    def unprocessed(self) -> int:
        """Letters that came and have had no effect yet."""
        return int(
            self.value(
                "SELECT count(*) FROM inbox_inboundmessage WHERE state IN ('pending', 'held')"
            )
        )


class Step:
    """A step under way. Its process waits for `go` where the step measures something."""

    def __init__(self, centre: Centre, name: str, said: Mapping[str, Any]) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.steps", name],
            env=centre.folder.environment() | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._in.write(f"{json.dumps(said)}\n")
        self._in.flush()
        self._going = False

    def ready(self) -> Self:
        """Wait until the process has loaded everything."""
        if self._out.readline() != "ready\n":
            raise BenchmarkError(f"the step {self._name!r} failed; see above")
        return self

    def go(self) -> Self:
        self._going = True
        self._in.write("go\n")
        self._in.flush()
        return self

    def answer(self) -> Any:
        """Return what the step says when it has ended."""
        if not self._going:
            self.ready().go()
        answer = self._out.readline()
        self._in.close()
        if self._process.wait() != 0 or not answer:
            raise BenchmarkError(f"the step {self._name!r} failed; see above")
        return json.loads(answer)


class World:
    """Both centres, founded and in one directory; `start` brings them to life."""

    def __init__(
        self,
        path: Path,
        *,
        tenants: int = 3,
        port_base: int = PORT_BASE,
        settings: Mapping[str, str] | None = None,
        program: Sequence[str] = ("console",),
        peers: Sequence[CentreRecord] = (),
        authorities: Sequence[AuthorityRecord] = (),
    ) -> None:
        self.home = Home(path)
        self.tenants = tenants
        self._settings = dict(settings or {})
        self._program = tuple(program)
        self._peers, self._authorities = tuple(peers), tuple(authorities)
        self.plan = Plan(
            umbrella=Planned(name="kdn", title="Verzeichnis", ports=Ports.of(port_base, 0)),
            centres=tuple(
                Planned(name=name, title=name, ports=Ports.of(port_base, place))
                for place, name in enumerate(NAMES, start=1)
            ),
        )
        self.centres = {name: Centre(self.home.centre(name)) for name in NAMES}
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._paused: set[int] = set()

    @property
    def krz(self) -> Centre:
        """The sending centre."""
        return self.centres["krz"]

    @property
    def nord(self) -> Centre:
        """The receiving centre."""
        return self.centres["nord"]

    @cached_property
    def pki(self) -> Path:
        return self.home.path / "pki"

    def __enter__(self) -> Self:
        self.home.create()
        umbrella = SigningKey.generate()
        for planned in self.plan.centres:
            prepare(self.home, self.plan, planned)
            folder = self.centres[planned.name].folder
            ours = {"AMTSBRUECKE_UMBRELLA_KEYS": umbrella.verify_key.raw.hex()}
            folder.write_settings({**folder.settings(), **ours, **self._settings})
        with self._databases():
            founding = [
                (centre, centre.begin("found", towns=self.tenants))
                for centre in self.centres.values()
            ]
            parts = []
            for centre, step in founding:
                said = step.answer()
                centre.authorities = said["authorities"]
                parts.append(encoding.read_trusted(b64decode(said["entry"])))
            signed = encoding.sign_snapshot(
                Snapshot(
                    version=1,
                    published_at=clock.now(),
                    expires_at=clock.in_future(days=7),
                    centres=(*(each for part in parts for each in part.centres), *self._peers),
                    authorities=(
                        *(each for part in parts for each in part.authorities),
                        *self._authorities,
                    ),
                ),
                by=umbrella,
            )
            for centre in self.centres.values():
                centre.step("apply", signed=b64encode(signed).decode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @contextmanager
    def _databases(self) -> Iterator[None]:
        with (
            running_database(self.krz.folder),
            running_database(self.nord.folder),
        ):
            yield

    # -- processes -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything with the product's supervisor; return when both sides can work.

        `program` of the world is the module with arguments that stands for the command line.
        """
        with (self.home.path / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [
                    *(sys.executable, "-m", *self._program),
                    *("--home", str(self.home.path), "run", *NAMES),
                ],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        wait_for(self._all_run, what=f"all processes; see {self.home.path / 'supervisor.log'}")

    def _all_run(self) -> bool:
        assert self._supervisor is not None
        if self._supervisor.poll() is not None:
            raise BenchmarkError(f"no start: see {self.home.path / 'supervisor.log'}")
        try:
            pids = {name: self.pids(name) for name in NAMES}
        except Exception:  # noqa: BLE001 -- the control socket is not there yet
            return False
        return all(len(each) >= 7 for each in pids.values())

    def stop(self) -> None:
        """Stop everything; pauses end first."""
        if self._supervisor is None:
            return
        self.resume()
        self._supervisor.send_signal(signal.SIGTERM)
        try:
            self._supervisor.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        self._supervisor = None

    def pids(self, centre: str) -> dict[str, int]:
        """Return the process of each service of a centre."""
        answer = control.ask(self.home, "status", patience=10)
        (found,) = (each for each in answer["centres"] if each["centre"] == centre)
        return {each["name"]: each["pid"] for each in found["services"] if each["pid"]}

    def cpu(self, centre: str) -> dict[str, float]:
        """Seconds of processor that each service of a centre has used, children included."""
        return {name: resources.cpu_seconds(pid) for name, pid in self.pids(centre).items()}

    def memory(self, centre: str) -> dict[str, float]:
        """MiB of each service of a centre, as PSS, children included."""
        return {name: resources.pss_mib(pid) for name, pid in self.pids(centre).items()}

    def pause(self, *services: str) -> None:
        """Put services of both centres to rest (SIGSTOP), until `resume`."""
        for name in NAMES:
            for service, pid in self.pids(name).items():
                if service in services:
                    for each in resources.family(pid):
                        os.kill(each, signal.SIGSTOP)
                        self._paused.add(each)

    def resume(self) -> None:
        for pid in self._paused:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGCONT)
        self._paused.clear()

    # -- both sides ----------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Begin with clean databases, both of them."""
        for centre in (self.krz, self.nord):
            centre.checkpoint()

    def settled(self, *, seconds: float = 900) -> None:
        """Wait until everything has arrived on both sides and has had its effect."""

        def calm() -> bool:
            return not any(
                (
                    self.krz.waiting("nord"),
                    self.nord.waiting("krz"),
                    self.nord.unprocessed(),
                    self.krz.unprocessed(),
                )
            )

        wait_for(calm, seconds=seconds, what="all effects")
