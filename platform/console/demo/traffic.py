"""Posts the sample file and watches it arrive."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import urlopen
from uuid import UUID

from console.demo.plan import Centre, Plan
from console.demo.provisioning import Report, run_step
from console.demo.report import Count, Posted, count
from console.errors import DemoStuck
from console.home import Home

#: No progress for so long means that something is wrong.
PATIENCE = 60.0
_TICK = 0.5

type Interrupted = Callable[[float], bool]


def await_ready(home: Home, plan: Plan, interrupted: Interrupted) -> bool:
    """Wait until every door is open; say whether we were not interrupted meanwhile."""
    todo = list(plan.all)
    deadline = time.monotonic() + PATIENCE
    while todo:
        todo = [centre for centre in todo if not _open(centre)]
        if todo and time.monotonic() > deadline:
            names = ", ".join(centre.name for centre in todo)
            raise DemoStuck(
                f"These centres do not open their doors: {names}.",
                hint=f"See the logs in {home.path / 'centres'}/*/logs.",
            )
        if todo and interrupted(0.1):
            return False
    return True


def _open(centre: Centre) -> bool:
    try:
        socket.create_connection(("127.0.0.1", centre.ports.gateway), timeout=1).close()
        if centre.role == "centre":
            with urlopen(f"http://127.0.0.1:{centre.ports.web}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 -- OK
    # A connection to a port where nobody listens can meet itself, and then hears its own words.
    except (OSError, URLError, HTTPException):
        return False
    return True


def fetch_directory(home: Home, plan: Plan, version: int) -> None:
    """Bring every centre to the directory that was just published, without waiting for timers."""
    with ThreadPoolExecutor(max_workers=len(plan.centres)) as pool:
        list(
            pool.map(
                lambda centre: run_step(home.centre(centre.name), "fetch", {"version": version}),
                plan.centres,
            )
        )


def post_sample(home: Home, plan: Plan, report: Report) -> Posted:
    """Let the sending municipality import the sample file; again changes nothing."""
    if not plan.centres[0].towns:
        raise DemoStuck(
            f"Nobody is left in {plan.centres[0].name} who could send: all its towns were deleted.",
            hint=f"Give the demo another --home, or delete {home.path}.",
        )
    centre, town = plan.sender
    report(f"{town.name} imports the sample file …")
    said = run_step(home.centre(centre.name), "post", {"town": town.slug})
    report(said["summary"])
    return Posted(rows=said["rows"], cases=frozenset(map(UUID, said["cases"])))


def watch(home: Home, plan: Plan, report: Report, interrupted: Interrupted) -> Count:
    """Count until everything has arrived and had its effect, or nothing moves any more."""
    last, since = (-1, -1, -1), time.monotonic()
    while True:
        now = count(home, plan)
        moved = (now.sent, now.delivered, now.registered)
        if moved != last:
            report(f"sent {now.sent}, delivered {now.delivered}, registered {now.registered}")
            last, since = moved, time.monotonic()
        if now.settled or time.monotonic() - since > PATIENCE or interrupted(_TICK):
            return now
