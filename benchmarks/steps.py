"""What the benchmarks do inside a centre, each step in a process with that centre's settings.

    python -m benchmarks.steps NAME      reads a line of JSON, says "ready", waits for a line,
                                         answers in JSON

So the start of Python, Django and the pools is never part of a figure.
"""

import json
import os
import resource
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import cycle, islice
from typing import Any
from uuid import UUID

from benchmarks import resources
from centre.kernel.actors import system
from console.roles import become

BY = system("benchmark")

PASSWORD = "amtsbruecke-benchmark"  # noqa: S105 -- of invented cases on a loopback address
LOGIN = "vollstreckung"
_NOISE = os.urandom(4_096)


def _wait() -> None:
    print("ready", flush=True)
    if not sys.stdin.readline():
        sys.exit(3)


@contextmanager
def _measured(answer: dict[str, Any]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    answer["seconds"] = time.perf_counter() - wall
    answer["cpu_seconds"] = time.process_time() - cpu


def found(said: dict[str, Any]) -> dict[str, Any]:
    """Migrate, make keys and towns; return what goes into the directory."""
    become("owner")
    from django.conf import settings

    from centre.directory import services as directory
    from centre.directory.records import Area
    from centre.keys import keystore, pki
    from centre.registry import selectors, services
    from centre.tenancy.context import tenant_scope
    from console.migrations import migrate
    from tenants.clerks import services as clerks
    from tenants.clerks.roles import Role

    _wait()
    migrate(report=lambda _: None).require_success()
    keystore.create_centre_keys()
    centre = settings.AMTSBRUECKE.centre
    land = {"krz": "057", "nord": "010"}[centre]
    new = [
        services.NewTenant(
            slug=f"stadt{number}",
            name=f"Stadt {number}",
            ags=f"{land}{number:05}",
            ars=f"{land}{number:09}",
        )
        for number in range(said["towns"])
    ]
    for founding in services.create_tenants(tenants=new, by=BY):
        if founding.municipality is None:
            raise SystemExit(founding.problem)
    towns = [selectors.municipality(slug=each.slug) for each in new]
    with tenant_scope(towns[0]):
        clerks.create_clerk(
            login=LOGIN,
            name="Vollstreckung",
            role=Role.CASEWORKER,
            password=PASSWORD,
            temporary=False,
            by=BY,
        )
    assert settings.AMTSBRUECKE.tls_dir is not None
    certificate = (settings.AMTSBRUECKE.tls_dir / "centre.pem").read_bytes()
    entry = directory.entry(
        name=centre,
        endpoint=settings.AMTSBRUECKE.gateway_endpoint,
        fingerprints=[pki.fingerprint(certificate)],
        authorities=[
            directory.authority_record(municipality=town, areas=[Area(ars_prefix=town.ars)])
            for town in towns
        ],
    )
    return {
        "entry": b64encode(entry).decode(),
        "authorities": [str(town.authority_id) for town in towns],
    }


def apply(said: dict[str, Any]) -> dict[str, Any]:
    """Put a signed directory in force."""
    become("owner")
    from centre.directory import services

    _wait()
    return {"version": services.apply(signed=b64decode(said["signed"]), by=BY)}


def submit(said: dict[str, Any]) -> dict[str, Any]:
    """Send requests of towns to recipients, in turns, `bulk` of them in each call.

    With `pace`, so many calls a second and no more. Answers with the time of each call.
    """
    become("web")
    from django.db import transaction

    from centre.registry import selectors
    from centre.tenancy.context import tenant_scope
    from tenants.cases import services

    towns = [selectors.municipality(slug=f"stadt{number}") for number in said["towns"]]
    recipients = [UUID(each) for each in said["recipients"]]
    bulk, count, pace = said.get("bulk", 1), said["count"], said.get("pace")
    calls = list(_drafts(recipients, count, bulk, [town.name for town in towns]))
    # A process that serves has its connection, and has seen its towns: the first request of each
    # costs 4 ms more. So each has one before the clock starts, which is not kept.
    for town, drafts in zip(towns, calls, strict=False):
        with tenant_scope(town), transaction.atomic():
            services.submit_requests(drafts=drafts[:1], by=BY)
            transaction.set_rollback(True)
    _wait()
    answer: dict[str, Any] = {"count": count, "call_ms": []}
    with _measured(answer):
        begin = time.perf_counter()
        for number, (town, drafts) in enumerate(zip(cycle(towns), calls, strict=False)):
            if pace:
                time.sleep(max(0.0, begin + number / pace - time.perf_counter()))
            called = time.perf_counter()
            with tenant_scope(town):
                services.submit_requests(drafts=drafts, by=BY)
            answer["call_ms"].append((time.perf_counter() - called) * 1000)
    return answer


def _drafts(
    recipients: Sequence[UUID], count: int, bulk: int, names: Sequence[str]
) -> Iterator[Sequence[Any]]:
    from benchmarks.drafts import request

    numbers = iter(range(count))
    to = cycle(recipients)
    for name in cycle(names):
        chosen = list(islice(numbers, bulk))
        if not chosen:
            return
        yield [request(to=next(to), reference=f"20.3-{number}", town=name) for number in chosen]


def post(said: dict[str, Any]) -> dict[str, Any]:
    """Post letters of 4 KB without a case: what a link alone is measured with.

    `bulk` letters in each transaction; sealing, signing and the row are the product's.
    """
    become("web")
    from django.db import transaction

    from centre.kernel import clock
    from centre.registry import selectors
    from centre.tenancy.context import tenant_scope
    from federation.outbox import services

    towns = [selectors.municipality(slug=f"stadt{number}") for number in said["towns"]]
    recipients = cycle(said["recipients"])
    count, bulk, pace = said["count"], said.get("bulk", 64), said.get("pace")
    expires, size = clock.in_future(days=14), said.get("size", 3_500)

    def messages(some: int) -> list[Any]:
        return [_letter(next(recipients), expires, size) for _ in range(some)]

    for town in towns:  # as in `submit`: keys are found and read once
        with tenant_scope(town), transaction.atomic():
            services.post(messages=messages(1))
            transaction.set_rollback(True)
    _wait()
    answer: dict[str, Any] = {"count": count, "call_ms": []}
    with _measured(answer):
        begin = time.perf_counter()
        for number, town in zip(range(0, count, bulk), cycle(towns), strict=False):
            if pace:
                time.sleep(max(0.0, begin + number / bulk / pace - time.perf_counter()))
            called = time.perf_counter()
            with tenant_scope(town), transaction.atomic():
                services.post(messages=messages(min(bulk, count - number)))
            answer["call_ms"].append((time.perf_counter() - called) * 1000)
    return answer


def _letter(recipient: str, expires: datetime, size: int) -> Any:
    from centre.kernel.ids import new_id
    from federation.protocol.messages import MessageKind, OutboundMessage

    return OutboundMessage(
        message_id=new_id(),
        recipient=UUID(recipient),
        case_id=new_id(),
        case_sequence=1,
        kind=MessageKind.ASSISTANCE_REQUEST,
        schema_version=1,
        payload=_NOISE[:size],
        expires_at=expires,
    )


def document(said: dict[str, Any]) -> dict[str, Any]:
    """Seal and store one document of `size` bytes and post the letter that names it."""
    become("web")
    from django.db import transaction

    from centre.kernel import clock
    from centre.kernel.ids import new_id
    from centre.registry import selectors
    from centre.tenancy.context import tenant_scope
    from federation.blobs import services as blobs
    from federation.outbox import services
    from federation.protocol.messages import BlobRef, MessageKind, OutboundMessage

    piece = os.urandom(1 << 20)
    whole, rest = divmod(said["size"], len(piece))
    town = selectors.municipality(slug=f"stadt{said['towns'][0]}")
    letter = _letter(said["recipients"][0], clock.in_future(days=14), 1)
    with tenant_scope(town), transaction.atomic():  # as in `submit`: keys are found and read once
        blobs.store(chunks=[piece[:1]], name="Anlage")
        services.post(messages=[letter])
        transaction.set_rollback(True)
    _wait()
    answer: dict[str, Any] = {}
    idle = resources.rss_mib(os.getpid())
    with _measured(answer), tenant_scope(town), transaction.atomic():
        stored = blobs.store(chunks=(*[piece] * whole, piece[:rest]), name="Anlage")
        services.post(
            messages=[
                OutboundMessage(
                    message_id=new_id(),
                    recipient=UUID(said["recipients"][0]),
                    case_id=new_id(),
                    case_sequence=1,
                    kind=MessageKind.ASSISTANCE_REQUEST,
                    schema_version=1,
                    payload=b"a document comes with it",
                    expires_at=clock.in_future(days=14),
                    blobs=(BlobRef(digest=stored.digest.hex(), size=stored.sealed_size),),
                )
            ]
        )
    answer["above_idle_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - idle
    return answer


def bring_in(said: dict[str, Any]) -> dict[str, Any]:
    """Import a file of so many requests of one town, as the command and the page do."""
    become("web")
    from centre.directory import selectors as directory
    from centre.registry import selectors
    from centre.tenancy.context import tenant_scope
    from tenants.importers import services
    from tests.factories import import_files

    town = selectors.municipality(slug=f"stadt{said['town']}")
    known = directory.current()
    keys = [
        authority.ars
        for each in said["recipients"]
        if (authority := known.authority(UUID(each))) is not None
    ]
    first = said.get("first", 0)
    rows = (
        import_files.row(first + number, Behoerdenschluessel=keys[number % len(keys)])
        for number in range(said["count"])
    )
    content = import_files.file(*rows)
    _wait()
    answer: dict[str, Any] = {"count": said["count"]}
    with tenant_scope(town):
        begin = time.perf_counter()
        run = services.start(name="bench.csv", chunks=[content], by=BY)
        services.check_run(run.id)
        answer["check_seconds"] = time.perf_counter() - begin
        services.confirm(run_id=run.id, submit=True, by=BY)
        with _measured(answer):
            view = services.run_import(run.id)
    if view.imported != said["count"]:
        raise SystemExit(f"{view.imported} of {said['count']} rows imported: {view.problem}")
    return answer


def lone(said: dict[str, Any]) -> dict[str, Any]:
    """Post single letters on an idle link; see from outside when each receipt is stored.

    The clock starts when the commit has returned and stops when another session sees the receipt.
    """
    become("web")
    from django.db import transaction

    from centre.kernel import clock
    from centre.registry import selectors
    from centre.tenancy.context import tenant_scope
    from federation.outbox import services

    town = selectors.municipality(slug=f"stadt{said['towns'][0]}")
    letters = cycle(said["recipients"])
    with _watched(said["url"], said["link"]) as look, tenant_scope(town):
        with transaction.atomic():
            services.post(messages=[])
        _wait()
        found = []
        for _ in range(said["count"]):
            target = look() + 1
            with transaction.atomic():
                services.post(messages=[_letter(next(letters), clock.in_future(days=14), 3_500)])
            begin = time.perf_counter()
            while look() < target:
                time.sleep(0.001)  # looking costs processor time that the link should have
            found.append((time.perf_counter() - begin) * 1000)
            time.sleep(said["rest"])
    return {"ms": found}


@contextmanager
def _watched(url: str, link: str) -> Iterator[Callable[[], int]]:
    """Yield what tells the position up to which a link's receipts are stored."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:

        def look() -> int:
            row = connection.execute(
                "SELECT acked_lseq FROM outbox_link WHERE name = %s", (link,)
            ).fetchone()
            return int(row[0]) if row else 0

        yield look


def keys(said: dict[str, Any]) -> dict[str, Any]:
    """Return the public keys that somebody else needs to write to an authority of this centre."""
    become("owner")
    from centre.directory import selectors
    from centre.keys import keystore

    _wait()
    public = selectors.current().seal_key(UUID(said["authority"]))
    assert public is not None
    [receipts] = [each for each in keystore.centre_public_keys() if each.purpose == "sign"]
    return {
        "suite": str(public.suite),
        "public": public.raw.hex(),
        "receipt_key": receipts.raw.hex(),
    }


def verify(said: dict[str, Any]) -> dict[str, Any]:
    """Check every receipt of this centre with the keys of the directory."""
    del said
    become("owner")
    import psycopg
    from django.conf import settings

    from centre.directory import selectors
    from console.receipts import check_all

    _wait()
    environment = settings.AMTSBRUECKE
    with psycopg.connect(environment.database_url) as connection:
        checked = check_all(connection, centre=environment.centre, directory=selectors.current())
    return {"letters": checked.letters, "verified": checked.verified}


STEPS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "found": found,
    "apply": apply,
    "submit": submit,
    "post": post,
    "document": document,
    "bring_in": bring_in,
    "lone": lone,
    "keys": keys,
    "verify": verify,
}


def main() -> None:
    """Run the step that the command line names."""
    answer = STEPS[sys.argv[1]](json.loads(sys.stdin.readline()))
    print(json.dumps(answer), flush=True)
    # What serves does not end with its work. To end takes a core for a tenth of a second, which
    # what is still under way would lack: so not before the answer was read.
    sys.stdin.read()


if __name__ == "__main__":
    main()
