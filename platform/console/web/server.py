"""Gunicorn with threads: the pages wait for the database far more than they compute."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from console.web import metrics
from console.web.patience import PatientWorker


class Words(Logger):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn says goes through the root logger, without what a clerk has searched for."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log what broke; of an address the path, never the question after it."""
        paths = [str(each).partition("?")[0] for each in args]
        super().exception(msg, *paths, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning; of a request that cannot be read, not its text."""
        text = str(msg)
        if text.startswith("Invalid request from"):
            text = text.partition(": ")[0]
        super().warning(text, *args, **kwargs)


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn that is told its options by us and reads no configuration file."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the application in the worker, after the fork."""
        from centre.config.wsgi import application
        from console.doors import Health, reaches_database
        from console.web.doors import with_doors

        health = Health(reaches_database(settings.AMTSBRUECKE.database_url))
        return with_doors(application, health)


def _believed(proxies: Iterable[str]) -> Iterator[str]:
    for each in proxies:
        yield each
        network = None if each == "*" else ipaddress.ip_network(each)
        if isinstance(network, ipaddress.IPv4Network):
            # As whom a server at [::] sees it.
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"


def serve(*, workers: int, threads: int, socket: int | None = None) -> None:
    """Serve the pages until SIGTERM, which lets running requests finish.

    With `socket`, the number of a listening socket that we inherited, several servers share it:
    whoever connects while one of them stops is answered by another.
    """
    environment = settings.AMTSBRUECKE
    folder = environment.home / "centres" / environment.centre / "run"
    bind = environment.metrics_bind_web
    metrics.use_directory(folder / f"web-metrics-{0 if bind is None else bind.port}")

    def when_ready(server: Any) -> None:
        del server
        if bind is not None:
            metrics.serve(bind, database_url=environment.database_url)

    def child_exit(server: Any, worker: Any) -> None:
        del server
        metrics.forget_worker(worker.pid)

    Server(
        {
            "bind": str(environment.web_bind) if socket is None else f"fd://{socket}",
            "worker_class": PatientWorker,
            "workers": workers,
            "threads": threads,
            "timeout": 60,
            "graceful_timeout": 12,
            "keepalive": 5,
            "forwarded_allow_ips": ",".join(_believed(environment.web_proxies)),
            "limit_request_line": 8190,
            "worker_tmp_dir": None,
            "control_socket_disable": True,
            "accesslog": None,
            "logger_class": Words,
            "loglevel": "warning",
            "proc_name": f"amtsbruecke-web-{environment.centre}",
            "when_ready": when_ready,
            "child_exit": child_exit,
        }
    ).run()
