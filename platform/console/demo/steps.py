"""What the demo does inside a centre: each step is a process of that centre, with its settings.

    python -m console.demo.steps NAME      reads JSON, writes JSON as its last line

A step may be repeated: it finishes what was interrupted and leaves alone what is there.
"""

import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from centre.kernel.actors import system
from centre.kernel.counting import counted
from centre.kernel.errors import AmtsbrueckeError
from console.demo.plan import ADMINISTRATOR, CASEWORKER, PASSWORD, Town, towns
from console.errors import DemoStuck
from console.roles import become

if TYPE_CHECKING:
    from centre.registry.models import Municipality

BY = system("demo")
_PATIENCE, _TICK = 30.0, 0.2


def found(said: dict[str, Any]) -> dict[str, Any]:
    """Migrate, make keys and municipalities with their first clerks; tell what is public."""
    begin = time.monotonic()
    become("owner")
    from centre.directory import services as directory
    from console.demo.entries import registration
    from console.migrations import migrate

    migrate(report=lambda line: sys.stderr.write(f"{line}\n")).require_success()
    directory.create_centre_keys(by=BY)
    planned = [town for town in towns() if town.slug in said["towns"]]
    gone = _deleted(planned)
    chosen = [town for town in planned if town not in gone]
    _found_towns(chosen)
    without = f", without {', '.join(town.name for town in gone)} (deleted)" if gone else ""
    return {
        "summary": f"{counted(len(chosen), 'municipality', 'municipalities')}"
        f" in {time.monotonic() - begin:.1f} s{without}",
        "registration": registration(said["title"], chosen) if planned else "",
    }


def _found_towns(chosen: Sequence[Town]) -> None:
    from centre.registry import selectors, services

    there = set(selectors.active().values_list("slug", flat=True))
    new = (
        services.NewTenant(
            slug=town.slug,
            name=town.name,
            ags=town.ags,
            ars=town.ars,
            authority_id=town.authority_id,
            administrator=services.Administrator(
                login=ADMINISTRATOR,
                name=f"Leitung {town.place}",
                password=PASSWORD,
                password_hash=_password_hash(),
            ),
        )
        for town in chosen
        if town.slug not in there
    )
    for founding in services.create_tenants(tenants=new, by=BY):
        if founding.municipality is None:
            raise DemoStuck(
                f"{founding.slug} could not be founded: {founding.problem}",
                hint="Running the demo again goes on from here.",
            )
    for town in chosen:
        _employ(selectors.municipality(slug=town.slug), town.place)


def _deleted(planned: Sequence[Town]) -> list[Town]:
    """Return the towns that an operator has deleted: they never come back."""
    from centre.registry.models import Municipality, MunicipalityState

    gone = set(
        Municipality.objects.filter(
            state__in=[MunicipalityState.DELETING, MunicipalityState.DELETED]
        ).values_list("slug", flat=True)
    )
    return [town for town in planned if town.slug in gone]


def _employ(municipality: "Municipality", place: str) -> None:
    from centre.tenancy.context import tenant_scope
    from tenants.clerks import services as clerks
    from tenants.clerks.models import Clerk
    from tenants.clerks.roles import Role

    with tenant_scope(municipality):
        if Clerk.objects.filter(login=CASEWORKER).exists():
            return
        clerks.create_clerk(
            login=CASEWORKER,
            name=f"Vollstreckung {place}",
            role=Role.CASEWORKER,
            password=PASSWORD,
            password_hash=_password_hash(),
            temporary=False,
            by=BY,
        )


@cache
def _password_hash() -> str:
    """Return the hash of everybody's password: slow on purpose, so it is worked out once."""
    from django.contrib.auth.hashers import make_password

    return make_password(PASSWORD)


def publish(said: list[str]) -> dict[str, Any]:
    """Publish the directory from the centres' registrations."""
    become("owner")
    from centre.keys import keystore
    from console.demo import entries

    version = entries.publish(said, by=BY)
    keys = [half.raw.hex() for half in keystore.centre_public_keys() if half.purpose == "sign"]
    return {"version": version, "umbrella_keys": " ".join(keys)}


def fetch(said: dict[str, int]) -> dict[str, Any]:
    """Fetch the directory until the version that was published is in force here."""
    become("worker")
    from django.conf import settings

    from federation.sync import services

    deadline = time.monotonic() + _PATIENCE
    while (version := services.fetch_directory(by=BY)) < said["version"]:
        if time.monotonic() > deadline:
            raise DemoStuck(
                f"Version {version} of the directory is in force, {said['version']} expected.",
                hint="Is the umbrella running? See"
                f" {settings.AMTSBRUECKE.home}/centres/*/logs/umbrella.log.",
            )
        time.sleep(_TICK)
    return {"version": version}


def post(said: dict[str, str]) -> dict[str, Any]:
    """Import the sample file; what was imported before stays as it is."""
    become("worker")
    from importlib import resources

    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from tenants.importers import samples, services
    from tenants.importers.models import ImportRow

    content = resources.files(samples).joinpath("ersuchen-minden.csv").read_bytes()
    with tenant_scope(registry.municipality(slug=said["town"])):
        run = services.start(name="ersuchen-minden.csv", chunks=[content], by=BY)
        services.check_run(run.id)
        services.confirm(run_id=run.id, by=BY)
        done = services.run_import(run.id)
        made = ImportRow.objects.filter(run_id=run.id).exclude(case_id=None)
        cases = [str(case_id) for case_id in made.values_list("case_id", flat=True)]
    return {
        "rows": done.rows_total,
        "cases": cases,
        "summary": f"{done.imported} of {done.rows_total} rows are requests now, "
        f"{done.faulty + done.undecided} are left over",
    }


def verify(said: object) -> dict[str, Any]:
    """Check every receipt of this centre with the keys of the directory."""
    del said
    become("owner")
    import psycopg
    from django.conf import settings

    from centre.directory import selectors
    from console.receipts import check_all

    environment = settings.AMTSBRUECKE
    with psycopg.connect(environment.database_url) as connection:
        found = check_all(connection, centre=environment.centre, directory=selectors.current())
    for problem in found.problems:
        sys.stderr.write(f"{problem}\n")
    return {
        "letters": found.letters,
        "verified": found.verified,
        "problems": len(found.problems),
    }


STEPS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "found": found,
    "publish": publish,
    "fetch": fetch,
    "post": post,
    "verify": verify,
}


def main() -> None:
    """Run the step that the command line names."""
    try:
        answer = STEPS[sys.argv[1]](json.load(sys.stdin))
    except AmtsbrueckeError as problem:
        traceback.print_exc()
        sys.exit(f"Error: {problem.message}")
    print(json.dumps(answer))  # noqa: T201 -- the answer to the process that asked


if __name__ == "__main__":
    main()
