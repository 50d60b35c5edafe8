"""Gunicorn with threads: the pages wait for the database far more than they compute."""

from typing import Any

from django.conf import settings
from gunicorn.app.base import BaseApplication

from console.web import metrics


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
        from console.web.doors import with_doors

        return with_doors(application, database_url=settings.AMTSBRUECKE.database_url)


def serve(*, workers: int, threads: int) -> None:
    """Serve the pages until SIGTERM, which lets running requests finish."""
    environment = settings.AMTSBRUECKE
    folder = environment.home / "centres" / environment.centre / "run"
    bind = environment.metrics_bind_web
    metrics.use_directory(folder / "web-metrics")

    def when_ready(server: Any) -> None:
        del server
        if bind is not None:
            metrics.serve(bind.host, bind.port)

    def child_exit(server: Any, worker: Any) -> None:
        del server
        metrics.forget_worker(worker.pid)

    Server(
        {
            "bind": str(environment.web_bind),
            "worker_class": "gthread",
            "workers": workers,
            "threads": threads,
            "timeout": 60,
            "graceful_timeout": 12,
            "keepalive": 5,
            "limit_request_line": 8190,
            "worker_tmp_dir": None,
            "control_socket_disable": True,
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": f"amtsbruecke-web-{environment.centre}",
            "when_ready": when_ready,
            "child_exit": child_exit,
        }
    ).run()
