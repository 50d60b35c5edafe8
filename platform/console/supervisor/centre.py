"""All engines and processes of one centre."""

import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from centre.config.environment import CentreRole, Environment, EnvironmentInvalid
from centre.kernel.errors import AmtsbrueckeError
from console.embedded.engine import require_free_port
from console.engines import Engines
from console.errors import ConsoleError
from console.home import CentreFolder
from console.supervisor import rolling
from console.supervisor.instances import COUNTS, Instance, all_doors, instances
from console.supervisor.output import Output
from console.supervisor.service import CommandProgram, EngineProgram, Service, Stage, State
from federation.blobs.errors import FilesUnusable
from federation.blobs.files import Files


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """A process of a centre: the command's name, when it stops, how long it may drain."""

    name: str
    stage: Stage
    patience: float


PROCESSES: Mapping[str, Sequence[ProcessPlan]] = {
    "centre": (
        ProcessPlan("gateway", Stage.RECEIVES, 15.0),
        ProcessPlan("dispatch", Stage.DRAINS, 15.0),
        ProcessPlan("worker", Stage.DRAINS, 30.0),
        ProcessPlan("beat", Stage.DRAINS, 10.0),
        ProcessPlan("web", Stage.RECEIVES, 15.0),
    ),
    "umbrella": (ProcessPlan("umbrella", Stage.RECEIVES, 15.0),),
}


def require_free_ports(centre: str, settings: Mapping[str, str]) -> None:
    """Raise `PortInUse` if something listens where a process of this centre will."""
    for name, what in (("WEB_BIND", "the web pages"), ("GATEWAY_BIND", "the gateway")):
        host, _, port = settings.get(f"AMTSBRUECKE_{name}", "").rpartition(":")
        if port:
            require_free_port(int(port), what=f"{what} of {centre}", host=host.strip("[]"))
    kinds = [plan.name for plan in PROCESSES[settings.get("AMTSBRUECKE_ROLE", "centre")]]
    for instance, (host, number) in all_doors(kinds, settings):
        what = f"the figures of {instance.name} of {centre}"
        require_free_port(number, what=what, host=host)


def _require_startable(folder: CentreFolder, env: Mapping[str, str]) -> None:
    """Raise what a process with this environment would say instead of serving."""
    try:
        environment = Environment.from_mapping(env)
        if environment.documents is not None and environment.role is not CentreRole.UMBRELLA:
            Files(folder.path / environment.documents).check()
    except (EnvironmentInvalid, FilesUnusable) as problem:
        raise ConsoleError(
            problem.message, hint=f"Nothing was stopped. Mend that, or {folder.settings_file}."
        ) from problem


#: Clerks that may wait for a web process to come back.
_BACKLOG = 512


class CentreRunner:
    """Starts and stops one centre. Its methods may be called from any thread."""

    def __init__(self, folder: CentreFolder, output: Output) -> None:
        self.name = folder.name
        self._folder = folder
        self._output = output
        self._services: list[Service] = []
        self._instances: dict[str, Instance] = {}
        self._env: Mapping[str, str] = {}
        self._pages: socket.socket | None = None
        self._changing = threading.RLock()

    @property
    def services(self) -> list[Service]:
        """The engines and processes, in the order of their start."""
        return list(self._services)

    @property
    def running(self) -> bool:
        """Whether the centre was started and not stopped since."""
        return any(service.state is not State.STOPPED for service in self._services)

    def start(self) -> None:
        """Start what does not run, engines first. A problem stops what had started."""
        with self._changing:
            if self.running:
                return
            self._folder.logs.mkdir(exist_ok=True)
            self._services = []
            try:
                self._start_engines()
                self._start_processes()
            except BaseException:
                for stage in Stage:
                    self.stop(stage)
                raise

    def stop(self, stage: Stage | None = None) -> None:
        """Stop one stage, or all of them in their order. Who is stopped already stays so."""
        with self._changing:
            for each in Stage if stage is None else (stage,):
                leaving = [service for service in self._services if service.stage is each]
                threads = [threading.Thread(target=service.stop) for service in leaving]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

        if not self.running and self._pages is not None:
            self._pages.close()
            self._pages = None

    def restart(self) -> None:
        """Stop and start. What would keep its processes from starting is raised before that."""
        with self._changing:
            _require_startable(self._folder, self._folder.environment())
            self.stop()
            try:
                self.start()
            except (AmtsbrueckeError, OSError) as problem:
                hint = problem.hint if isinstance(problem, ConsoleError) else ""
                message = problem.message if isinstance(problem, AmtsbrueckeError) else str(problem)
                raise ConsoleError(
                    f"{self.name} is stopped now: {message}",
                    hint=f"{hint} Then: amtsbruecke centre start {self.name}".lstrip(),
                ) from problem

    def roll(self) -> dict[str, float]:
        """Restart every process, engines aside, one after the other; return the seconds of each.

        They keep the settings with which the centre was started.
        """
        with self._changing:
            if not self.running:
                raise ConsoleError(
                    f"{self.name} does not run, so there is nothing to restart.",
                    hint=f"Start it: amtsbruecke centre start {self.name}",
                )
            _require_startable(self._folder, {**self._folder.environment(), **self._env})
            chosen = [
                (service, self._instances[service.name])
                for service in self._services
                if service.name in self._instances
            ]
            return rolling.roll(chosen, say=self.say, logs=self._folder.logs)

    def changed_settings(self) -> list[str]:
        """Return the settings in centre.env that only a restart takes over."""
        fresh = self._folder.environment()
        counted = {each for each in COUNTS.values() if each in fresh}
        return sorted(
            name
            for name in self._env.keys() | counted
            if name.startswith("AMTSBRUECKE_") and fresh.get(name) != self._env.get(name)
        )

    def _start_engines(self) -> None:
        engines = Engines(self._folder)
        stages = ((engines.postgres, Stage.DATABASE), (engines.valkey, Stage.BROKER))
        for engine, stage in stages:
            if engine is None:
                continue
            service = Service(
                engine.name.lower(),
                stage,
                EngineProgram(engine),
                report=self._reporter(engine.name.lower()),
            )
            self._services.append(service)
            service.start()
        engines.note_addresses()

    def _start_processes(self) -> None:
        settings = self._folder.settings()
        require_free_ports(self.name, settings)
        env = self._env = self._folder.environment()
        for plan in PROCESSES[settings.get("AMTSBRUECKE_ROLE", "centre")]:
            for instance in instances(plan.name, settings):
                shared = self._shared_socket(plan.name, settings)
                options = ("--socket", str(shared[0])) if shared else ()
                program = CommandProgram(
                    command=(sys.executable, "-m", "console", plan.name, *options),
                    env={**env, **instance.environment},
                    say=self._reporter(instance.name),
                    cwd=self._folder.path,
                    patience=plan.patience,
                    inherit=shared,
                )
                service = Service(
                    instance.name, plan.stage, program, report=self._reporter(instance.name)
                )
                self._instances[instance.name] = instance
                self._services.append(service)
                service.start()

    def _shared_socket(self, name: str, settings: Mapping[str, str]) -> tuple[int, ...]:
        """Return the listening socket of the pages: it outlives each process that answers there.

        So whoever connects while a web process is restarted waits a moment instead of being
        refused, and a second one answers beside the first.
        """
        host, _, port = settings.get("AMTSBRUECKE_WEB_BIND", "").rpartition(":")
        if name != "web" or not port:
            return ()
        if self._pages is None:
            kind = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
            self._pages = socket.create_server(
                (host.strip("[]"), int(port)), family=kind, backlog=_BACKLOG
            )
        return (self._pages.fileno(),)

    def _reporter(self, service: str) -> "_Reporter":
        return _Reporter(self, service)

    def say(self, service: str, text: str) -> None:
        """Pass on a line of one of our processes."""
        self._output.line(self.name, service, text, log=self._folder.logs / f"{service}.log")


@dataclass(frozen=True, slots=True)
class _Reporter:
    runner: CentreRunner
    service: str

    def __call__(self, text: str) -> None:
        self.runner.say(self.service, text)
