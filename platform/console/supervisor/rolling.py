"""A rolling restart: one process after the other, each ready before the next one stops."""

import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from console.embedded.engine import lines
from console.errors import ConsoleError
from console.supervisor.instances import Instance
from console.supervisor.service import Service

PATIENCE = 60.0
_TICK = 0.1


def roll(
    services: Sequence[tuple[Service, Instance]], *, say: Callable[[str, str], None], logs: Path
) -> dict[str, float]:
    """Restart processes one by one; return how many seconds each was away from its work."""
    away = {}
    for service, instance in services:
        begin = time.monotonic()
        service.stop()
        service.start()
        await_ready(instance, log=logs / f"{instance.name}.log")
        away[instance.name] = time.monotonic() - begin
        say(instance.name, f"restarted, ready again after {away[instance.name]:.1f} s")
    return away


def await_ready(instance: Instance, *, log: Path, patience: float = PATIENCE) -> None:
    """Wait until a process says that it can work; one without a door is taken at its word."""
    if instance.door is None:
        return
    deadline = time.monotonic() + patience
    while not _ready(*instance.door):
        if time.monotonic() > deadline:
            raise ConsoleError(
                f"{instance.name} is not ready {patience:.0f} seconds after its restart.",
                hint=f"The processes after it were not restarted. {last_words(log)}",
            )
        time.sleep(_TICK)


def last_words(log: Path) -> str:
    """Return where a process writes what it says, with its last line."""
    said = [line.strip() for line in lines(log) if line.strip()]
    return f"See {log}; it ends with: {said[-1]}" if said else f"See {log}; it is empty."


def _ready(host: str, port: int) -> bool:
    try:
        with urlopen(f"http://{host}:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 -- OK
    # A connection to a port where nobody listens can meet itself, and then hears its own words.
    except (OSError, URLError, HTTPException):
        return False
