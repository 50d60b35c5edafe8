"""What tests do inside a centre, each in a process with that centre's settings.

python -m tests.two_centres.steps NAME      reads JSON, writes JSON as its last line
"""

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any
from uuid import UUID

from centre.kernel.actors import system
from console.roles import become

BY = system("tests")


def found(said: dict[str, Any]) -> dict[str, Any]:
    """Migrate, make keys and a municipality; return what goes into the directory."""
    become("owner")
    from django.core.management import call_command

    from centre.directory import services as directory
    from centre.keys import keystore
    from centre.registry import services as registry

    call_command("migrate_schemas", schema_name="public", interactive=False, verbosity=0)
    keystore.create_centre_keys()
    town = registry.create_tenant(
        slug=said["slug"], name=said["slug"], ags=said["ags"], ars=said["ars"], by=BY
    )
    entry = directory.entry(
        name=said["centre"],
        endpoint=said["endpoint"],
        fingerprints=[said["fingerprint"]],
        authorities=[directory.authority_record(municipality=town, areas=())],
    )
    return {"entry": b64encode(entry).decode(), "authority": str(town.authority_id)}


def apply(said: dict[str, str]) -> dict[str, Any]:
    """Put a signed directory in force."""
    become("owner")
    from centre.directory import services

    return {"version": services.apply(signed=b64decode(said["signed"]), by=BY)}


def post(said: dict[str, Any]) -> list[str]:
    """Post letters, a hundred in each transaction."""
    become("web")
    from django.db import transaction

    from centre.registry import selectors
    from centre.tenancy.context import tenant_scope
    from federation.outbox import services
    from tests.factories.letters import message

    messages = [message(UUID(said["recipient"])) for _ in range(said["count"])]
    with tenant_scope(selectors.municipality(slug=said["slug"])):
        for begin in range(0, len(messages), 100):
            with transaction.atomic():
                services.post(messages=messages[begin : begin + 100])
    return [str(each.message_id) for each in messages]


STEPS: dict[str, Callable[[Any], Any]] = {"found": found, "apply": apply, "post": post}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](json.load(sys.stdin))))  # noqa: T201 -- the answer
