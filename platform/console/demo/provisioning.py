"""Makes the demo, or brings an earlier one up to date: every step may be repeated.

Settings and certificates first, then all databases at once (each centre founds its municipalities
in a process of its own), then the umbrella publishes what the centres have told it.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from centre.kernel import clock
from centre.keys import pki
from console.demo.plan import Centre, Plan
from console.engines import EMBEDDED, running_database
from console.errors import ConsoleError
from console.home import CentreFolder, Home
from console.preparing import complaint, make_secrets, run_in, settings_for
from console.supervisor.centre import require_free_ports as require_free_ports_of

type Report = Callable[[str], None]


class StepFailed(ConsoleError):
    """A step of setting up a centre failed."""

    reason = "STEP_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioning:
    """Where the demo goes, and who hears about it."""

    home: Home
    plan: Plan
    report: Report
    #: Settings beyond those of the demo, for each centre.
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def run(self) -> int:
        """Make everything that the centres need to start; return the directory's version."""
        self.home.create()
        for centre in self.plan.all:
            prepare(self.home, self.plan, centre, self.more.get(centre.name, {}))
        with ThreadPoolExecutor(max_workers=len(self.plan.all)) as pool:
            told = dict(
                zip(
                    (centre.name for centre in self.plan.all),
                    pool.map(self._found, self.plan.all),
                    strict=True,
                )
            )
        return self._publish(told)

    def _found(self, centre: Centre) -> dict[str, Any]:
        """Give a centre its database, roles, keys and municipalities; return what it publishes."""
        folder = self.home.centre(centre.name)
        with running_database(folder):
            said = run_step(
                folder,
                "found",
                {"title": centre.title, "towns": [town.slug for town in centre.towns]},
            )
        self.report(f"{centre.name}: {said['summary']}")
        return said

    def _publish(self, told: Mapping[str, Any]) -> int:
        umbrella = self.home.centre(self.plan.umbrella.name)
        with running_database(umbrella):
            said = run_step(
                umbrella,
                "publish",
                [told[centre.name]["registration"] for centre in self.plan.centres],
            )
        version: int = said["version"]
        self.report(f"{umbrella.name}: directory version {version} published")
        for centre in self.plan.all:
            folder = self.home.centre(centre.name)
            folder.write_settings(
                {**folder.settings(), "AMTSBRUECKE_UMBRELLA_KEYS": said["umbrella_keys"]}
            )

        return version


def prepare(
    home: Home, plan: Plan, centre: Centre, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write a centre's settings, master key and certificate. Secrets are made once and kept."""
    folder = home.centre(centre.name)
    fresh = make_secrets(folder)
    known = folder.settings() if folder.settings_file.exists() else {}
    engines = {EMBEDDED: "postgres" if centre.role == "umbrella" else "postgres valkey"}
    wanted = {**fresh, **known, **settings_in(plan, centre, folder), **engines, **more}
    if wanted != known:
        folder.write_settings(wanted)
    folder.create_documents()
    certify(home, folder, centre)


def settings_in(plan: Plan, centre: Centre, folder: CentreFolder) -> dict[str, str]:
    """Return what a centre of the demo is told of itself and of the umbrella."""
    return settings_for(
        folder,
        role=centre.role,
        ports=centre.ports,
        gateway=f"127.0.0.1:{centre.ports.gateway}",
        umbrella=f"127.0.0.1:{plan.umbrella.ports.gateway}",
        domain=centre.domain,
    )


def require_free_ports(home: Home, plan: Plan) -> None:
    """Raise `PortInUse` if something listens where a process of the demo will."""
    for centre in plan.all:
        folder = home.centre(centre.name)
        known = folder.settings() if folder.settings_file.exists() else {}
        require_free_ports_of(centre.name, {**known, **settings_in(plan, centre, folder)})


def certify(home: Home, folder: CentreFolder, centre: Centre) -> None:
    """Give a centre its certificate from the trial authority; a good one is kept."""
    authority = home.path / "pki"
    pki.create_authority(authority)
    if not (folder.tls / "centre.pem").exists():
        pki.issue(authority, centre.name, folder.tls)
    elif pki.describe((folder.tls / "centre.pem").read_bytes()).not_after < clock.in_future(
        days=30
    ):
        pki.renew(authority, centre.name, folder.tls)
        pki.activate(centre.name, folder.tls)


def run_step(folder: CentreFolder, name: str, said: object) -> dict[str, Any]:
    """Run one of `console.demo.steps` as a process of this centre; return its answer."""
    done = run_in(folder, "console.demo.steps", name, said=json.dumps(said))
    folder.logs.mkdir(exist_ok=True)
    log = folder.logs / f"{name}.log"
    log.write_text(done.stderr)
    if done.returncode != 0:
        raise StepFailed(
            f"The step {name!r} of {folder.name} failed: {complaint(done)}",
            hint=f"The whole story is in {log}. Running the demo again goes on from here.",
        )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
