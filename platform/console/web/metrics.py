"""What the operator counts at the web process."""

import os
import shutil
from pathlib import Path

from centre.config.environment import Bind


def use_directory(directory: Path) -> None:
    """Let several web workers count together, in files. Before the first import of the client."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


def serve(bind: Bind, *, database_url: str) -> None:
    """Answer probes and Prometheus on a port of its own, which no clerk reaches."""
    from prometheus_client import CollectorRegistry, multiprocess

    from console.doors import open_doors, reaches_database

    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    open_doors(bind, reaches_database(database_url), registry=registry)


def forget_worker(pid: int) -> None:
    """Take a worker that ended out of the gauges."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
