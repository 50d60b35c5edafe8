"""All engines and processes of one centre."""

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.embedded.engine import require_free_port
from console.engines import Engines
from console.home import CentreFolder
from console.supervisor.output import Output
from console.supervisor.service import CommandProgram, EngineProgram, Service, Stage, State


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


class CentreRunner:
    """Starts and stops one centre. Its methods may be called from any thread."""

    def __init__(self, folder: CentreFolder, output: Output) -> None:
        self.name = folder.name
        self._folder = folder
        self._output = output
        self._services: list[Service] = []
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
        self._require_free_ports(settings)
        env = self._folder.environment()
        for plan in PROCESSES[settings.get("AMTSBRUECKE_ROLE", "centre")]:
            program = CommandProgram(
                command=(sys.executable, "-m", "console", plan.name),
                env=env,
                say=self._reporter(plan.name),
                cwd=self._folder.path,
                patience=plan.patience,
            )
            service = Service(plan.name, plan.stage, program, report=self._reporter(plan.name))
            self._services.append(service)
            service.start()

    def _require_free_ports(self, settings: Mapping[str, str]) -> None:
        for name, what in (
            ("WEB_BIND", "the web pages"),
            ("GATEWAY_BIND", "the gateway"),
            ("METRICS_BIND_GATEWAY", "the gateway's metrics"),
            ("METRICS_BIND_DISPATCH", "the dispatch's metrics"),
            ("METRICS_BIND_WEB", "the metrics of the web pages"),
            ("METRICS_BIND_WORKER", "the worker's metrics"),
        ):
            host, _, port = settings.get(f"AMTSBRUECKE_{name}", "").rpartition(":")
            if port:
                require_free_port(int(port), what=f"{what} of {self.name}", host=host.strip("[]"))

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
