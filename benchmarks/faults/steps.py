"""What the fault run does inside a centre, each in a process with that centre's settings.

python -m benchmarks.faults.steps NAME      reads JSON, writes JSON as its last line
"""

import json
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from console.roles import become


def fetch(said: dict[str, int]) -> dict[str, Any]:
    """Bring the newest directory into force."""
    from console.demo import steps

    return steps.fetch(said)


def _elsewhere() -> UUID:
    """Return an authority of another centre."""
    from centre.directory import selectors as directory
    from centre.registry import selectors as registry

    own = {each.authority_id for each in registry.active()}
    return next(a.id for a in directory.current().snapshot.authorities if a.id not in own)


def poison(said: dict[str, str]) -> dict[str, Any]:
    """Post a letter that is rightly signed and sealed, and whose content is no message."""
    del said
    become("web")
    from django.db import transaction

    from centre.kernel import clock
    from centre.kernel.ids import new_id
    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from federation.outbox import services
    from federation.protocol.messages import MessageKind, OutboundMessage

    town, *_ = registry.active()
    message = OutboundMessage(
        message_id=new_id(),
        recipient=_elsewhere(),
        case_id=new_id(),
        case_sequence=1,
        kind=MessageKind.ASSISTANCE_REQUEST,
        schema_version=1,
        payload=b"\xff\xff\xff nobody can read this",
        expires_at=clock.in_future(days=30),
    )
    with tenant_scope(town), transaction.atomic():
        services.post(messages=[message])
    return {"message": str(message.message_id)}


def drafts(said: dict[str, Any]) -> dict[str, Any]:
    """Write requests of one town to another centre, ready to be sent by a clerk."""
    become("web")
    from centre.kernel.actors import system
    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from tenants.cases import services
    from tests.factories.requests import request

    other = _elsewhere()
    with tenant_scope(registry.municipality(slug=said["slug"])):
        cases = services.create_drafts(
            drafts=[request(to=other) for _ in range(said["count"])], by=system("faults")
        )
    return {"cases": [str(case.id) for case in cases]}


def requests(said: dict[str, Any]) -> dict[str, Any]:
    """Send requests of the first town to another centre."""
    become("web")
    from centre.kernel.actors import system
    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from tenants.cases import services
    from tests.factories.requests import request

    town, *_ = registry.active()
    other = _elsewhere()
    with tenant_scope(town):
        cases = services.submit_requests(
            drafts=[request(to=other) for _ in range(said["count"])], by=system("faults")
        )
    return {"cases": [str(case.id) for case in cases]}


def chains(said: dict[str, Any]) -> dict[str, Any]:
    """Check every audit chain, every receipt held here and every receipt issued here."""
    del said
    become("owner")
    import psycopg
    from django.conf import settings

    from benchmarks.faults.issued import check_issued
    from centre.audit import heads, selectors
    from centre.directory import selectors as directory
    from console.receipts import check_all

    check = heads.signature_check()
    trails = [selectors.verify(chain, check_signature=check) for chain in selectors.chains()]
    environment = settings.AMTSBRUECKE
    known = directory.current()
    with psycopg.connect(environment.database_url) as connection:
        held = check_all(connection, centre=environment.centre, directory=known)
        issued = check_issued(connection, centre=environment.centre, directory=known)
    return {
        "letters": held.letters,
        "verified": held.verified,
        "refused": held.refused,
        "duplicates": [str(each) for each in held.duplicates],
        "issued": issued.receipts,
        "problems": held.problems
        + issued.problems
        + [f"{each.chain}: {problem}" for each in trails for problem in each.problems],
        "trails": len(trails),
        "entries": sum(each.entries for each in trails),
    }


def documents(said: dict[str, Any]) -> dict[str, Any]:
    """Read every document that has come."""
    del said
    become("web")
    from benchmarks.faults import documents as all_documents
    from centre.registry import selectors as registry

    found = [all_documents.check(town) for town in registry.active()]
    return {
        "whole": sum(whole for whole, _ in found),
        "problems": [each for _, wrong in found for each in wrong],
    }


STEPS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "fetch": fetch,
    "poison": poison,
    "drafts": drafts,
    "requests": requests,
    "chains": chains,
    "documents": documents,
}


if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](json.load(sys.stdin))))
