"""The demo from the first line to the last."""

import json
import time
from collections.abc import Callable

import click

from console import processes
from console.demo import provisioning, report, traffic
from console.demo.plan import ADMINISTRATOR, CASEWORKER, PASSWORD, Plan, make_plan
from console.errors import DemoStuck
from console.home import Home
from console.supervisor.output import Output
from console.supervisor.supervisor import Supervisor

type Say = Callable[[str], None]


def run(home: Home, *, port_base: int, once: bool, as_json: bool, logs: bool) -> bool:
    """Run the demo; say whether the whole sample was delivered, registered and verified."""
    begin = time.monotonic()
    plan = make_plan(port_base)

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - begin:6.1f} s  {text}")

    output = Output() if logs else Output(None)
    with Supervisor(home, output=output) as supervisor:
        provisioning.require_free_ports(home, plan)
        supervisor.doing = "(it sets the centres of the demo up, and then stops)"
        version = provisioning.Provisioning(home=home, plan=plan, report=say).run()
        supervisor.doing = ""
        if supervisor.asked_to_stop:
            raise _stopped()
        with supervisor.stopping_on_signals():
            supervisor.start([home.centre(centre.name) for centre in plan.all])
            say("all processes started")
            if not traffic.await_ready(home, plan, supervisor.wait):
                raise _stopped()
            plan = report.without_deleted(home, plan)
            traffic.fetch_directory(home, plan, version)
            say(f"directory version {version} in force everywhere")
            posted = traffic.post_sample(home, plan, say)
            found = traffic.watch(home, plan, say, supervisor.wait)
            checked = verify_receipts(home, plan)
            problems = list(report.shortcomings(posted, found, checked))
            click.echo("")
            click.echo(report.table(found))
            click.echo(_verdict(found, checked))
            for problem in problems:
                click.echo(f"not complete: {problem}")
            if as_json:
                click.echo(json.dumps(_figures(found, checked, _memory(supervisor))))
            if once or supervisor.asked_to_stop:
                return not problems
            click.echo(_guide(plan, home))
            supervisor.wait()
            return not problems


def _stopped() -> DemoStuck:
    return DemoStuck(
        "The demo was stopped before its centres were ready.",
        hint="Running it again goes on from here.",
    )


def verify_receipts(home: Home, plan: Plan) -> dict[str, int]:
    """Let every centre check, with the directory's keys, each receipt that it holds."""
    found = {"letters": 0, "verified": 0, "problems": 0}
    for centre in plan.centres:
        said = provisioning.run_step(home.centre(centre.name), "verify", {})
        for name in found:
            found[name] += said[name]
    return found


def _figures(
    found: report.Count, checked: dict[str, int], memory: dict[str, float]
) -> dict[str, object]:
    return {
        "sent": found.sent,
        "delivered": found.delivered,
        "registered": found.registered,
        "receipts_verified": checked["verified"],
        "lost": found.lost,
        "duplicates": found.duplicates,
        "p50_ms": round(report.percentile(found.milliseconds, 0.5), 1),
        "p99_ms": round(report.percentile(found.milliseconds, 0.99), 1),
        "rss_mb": memory,
    }


def _verdict(found: report.Count, checked: dict[str, int]) -> str:
    return (
        f"receipts: {checked['verified']} of {checked['letters']} letters verified; "
        f"lost {found.lost}, duplicates {found.duplicates}"
    )


def _memory(supervisor: Supervisor) -> dict[str, float]:
    """Return the memory of each centre in MB; pages that processes share count once."""
    return {
        runner.name: round(
            sum(
                processes.memory_mb(pid)
                for service in runner.services
                if service.pid is not None
                for pid in processes.descendants(service.pid)
            ),
            1,
        )
        for runner in supervisor.centres
    }


def _guide(plan: Plan, home: Home) -> str:
    lines = ["", "Open in a browser (names under localhost need no DNS):", ""]
    for centre in plan.centres:
        lines.append(f"  {centre.title}")
        lines += [f"    {town.place:<18} {centre.url(town)}" for town in centre.towns]
    lines += [
        "",
        f"Logins everywhere: {CASEWORKER} or {ADMINISTRATOR}, password {PASSWORD}",
        "",
        "Try in another terminal (the data lie in " + str(home.path) + "):",
        f"  .venv/bin/amtsbruecke --home {home.path} centre stop sachsen",
        f"  .venv/bin/amtsbruecke --home {home.path} --centre krz link status",
        f"  .venv/bin/amtsbruecke --home {home.path} centre start sachsen",
        "",
        "Ctrl-C stops everything; `make demo` goes on with the same data.",
    ]
    return "\n".join(lines)
