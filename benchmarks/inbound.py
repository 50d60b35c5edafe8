"""How fast a worker gives arrived messages their effect, and takes over what became of its own.

    python -m benchmarks.inbound                        # 3 towns, 6,000 requests
    python -m benchmarks.inbound --towns 400 --messages 20000
    python -m benchmarks.inbound --profile              # where the time goes, by function

One centre with a PostgreSQL of its own and one process, which is the worker: no Celery, no gateway.
The inbox is filled beforehand as the gateway would fill it, with requests that are really sealed;
what is measured is `apply_due_messages`, from the first claim to the last commit. The second figure
is the way back: receipts for the confirmations that the towns have posted, until each case knows.

Other programs may call `prepare` (as owner), then `fill`, `drain`, `receipt` and `tell` (as worker)
in a centre of their own; each is a plain function.
"""

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from centre.kernel import clock
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.keys.seal import SealPrivateKey
from centre.keys.sign import SigningKey
from console.cluster import LOGINS, ensure_cluster
from console.embedded.postgres import EmbeddedPostgres
from console.roles import become

BY = system("benchmark")
#: The centre where all requests come from. It exists in the directory only.
PEER = "nord"
_CENTRE = "krz"
_MASTER, _UMBRELLA = "master.key", "umbrella.key"
_PASSWORD = "of-benchmarks"  # noqa: S105 -- of a database that lives as long as the run
_LONG = timedelta(hours=1)

_ARRIVED = """
INSERT INTO inbox_inboundmessage (origin, id, tenant_role, link, lseq, sender, case_id,
    case_sequence, kind, envelope, digest, received_at, state, due_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_RECEIPTED = """
WITH numbered AS (
    UPDATE outbox_letter SET lseq = item.lseq FROM (
        SELECT id, (SELECT coalesce(max(lseq), 0) FROM outbox_letter WHERE link = %(link)s)
               + row_number() OVER (ORDER BY id) AS lseq
          FROM outbox_letter WHERE link = %(link)s AND lseq IS NULL) AS item
     WHERE outbox_letter.id = item.id RETURNING item.lseq)
INSERT INTO outbox_link (name, acked_lseq)
SELECT %(link)s, max(lseq) FROM numbered HAVING count(*) > 0
    ON CONFLICT (name) DO UPDATE SET acked_lseq = excluded.acked_lseq
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one run gave: per second of the clock, and what one message cost this process."""

    what: str
    towns: int
    messages: int
    seconds: float
    cpu_seconds: float
    #: Of all processes of PostgreSQL, 0 if it is not ours.
    server_cpu_seconds: float
    #: Milliseconds of a fixed loop of Python, before and after: how fast the machine was.
    loop_ms: tuple[float, float]

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    def __str__(self) -> str:
        cpu, server = (
            each / self.messages * 1e6 for each in (self.cpu_seconds, self.server_cpu_seconds)
        )
        return (
            f"{self.what}: {self.messages} messages, {self.towns} towns: {self.per_second:,.0f}/s,"
            f" {cpu:,.0f} + {server:,.0f} µs CPU of worker and PostgreSQL each"
            f" (loop {self.loop_ms[0]:.1f} / {self.loop_ms[1]:.1f} ms)"
        )


# -- the centre ------------------------------------------------------------------------------


def prepare(*, towns: int) -> None:
    """As owner: migrate, found towns, and put a directory in force that knows them and a peer."""
    from django.conf import settings
    from django.core.management import call_command

    from centre.directory import encoding, services
    from centre.directory.records import AuthorityRecord, CentreRecord, PublicKey, Snapshot
    from centre.keys import keystore
    from centre.registry import services as registry

    call_command("migrate_schemas", schema_name="public", interactive=False, verbosity=0)
    keystore.create_centre_keys()
    founded = registry.create_tenants(
        tenants=[
            registry.NewTenant(
                slug=f"town{number}",
                name=f"Stadt {number}",
                ags=f"{number:08}",
                ars=f"{number:012}",
            )
            for number in range(1, towns + 1)
        ],
        by=BY,
    )
    towns_ = [each.municipality for each in founded if each.municipality is not None]
    seal, sign = SealPrivateKey.generate().public, SigningKey.generate().verify_key
    begin = clock.now() - timedelta(days=1)
    keys = (
        PublicKey(kid=seal.kid, purpose="seal", suite=seal.suite, raw=seal.raw, not_before=begin),
        PublicKey(kid=sign.kid, purpose="sign", suite="Ed25519", raw=sign.raw, not_before=begin),
    )
    asker = AuthorityRecord(id=new_id(), name="Stadt Nord", home_centre=PEER, keys=keys)
    snapshot = Snapshot(
        version=1,
        published_at=clock.now(),
        expires_at=clock.in_future(days=7),
        centres=tuple(
            CentreRecord(id=name, name=name, endpoint="127.0.0.1:1") for name in (_CENTRE, PEER)
        ),
        authorities=(
            asker,
            *(services.authority_record(municipality=town, areas=()) for town in towns_),
        ),
    )
    umbrella = SigningKey.from_bytes((settings.AMTSBRUECKE.home / _UMBRELLA).read_bytes())
    services.apply(signed=encoding.sign_snapshot(snapshot, by=umbrella), by=BY)


# -- arrived messages --------------------------------------------------------------------------


def fill(*, messages: int, dsn: str) -> None:
    """Put sealed requests of the peer into the inboxes of all towns, in turns. `dsn`: federation's.

    Any key may sign them: only the gateway, which is not here, looks at signatures.
    """
    from centre.directory import selectors as directory
    from centre.registry import selectors as registry

    known = directory.current()
    towns = list(registry.active().order_by("slug"))
    [sender] = known.authorities_of(PEER)
    signing = SigningKey.generate()
    rows = (
        _row(number, town, sender=sender.id, to=known.seal_key(town.authority_id), by=signing)
        for number, town in zip(range(messages), cycle(towns), strict=False)
    )
    with psycopg.connect(dsn) as connection:
        connection.cursor().executemany(_ARRIVED, rows)


def _row(number: int, town: Any, *, sender: UUID, to: Any, by: SigningKey) -> Sequence[Any]:
    from federation.protocol.messages import MessageKind, OutboundMessage
    from federation.wire.envelope import write_letter
    from tenants.cases import payloads, references, wire
    from tests.factories.requests import request

    now = clock.now()
    payload = payloads.AssistanceRequest(
        case_reference=references.case_reference(ags="01002000", year=2026, number=number + 1),
        request=request(to=town.authority_id, own_reference=f"20.3-{number}"),
    )
    message = OutboundMessage(
        message_id=new_id(),
        recipient=town.authority_id,
        case_id=new_id(),
        case_sequence=1,
        kind=MessageKind.ASSISTANCE_REQUEST,
        schema_version=wire.SCHEMA_VERSION,
        payload=wire.write(payload),
        expires_at=now + timedelta(days=14),
    )
    written = write_letter(message, origin_centre=PEER, sender=sender, created_at=now, to=to, by=by)
    return (
        PEER,
        message.message_id,
        town.tenant_role,
        PEER,
        number + 1,
        sender,
        message.case_id,
        1,
        message.kind.value,
        written.item,
        written.digest,
        now,
        "pending",
        now,
    )


def drain(*, threads: int = 1) -> None:
    """Let the worker apply all that is due, in as many threads as tasks run at once."""
    from django.db import connection

    from federation.inbox import processing

    def work() -> None:
        while processing.apply_due_messages(budget=_LONG):
            pass
        connection.close()

    others = [threading.Thread(target=work) for _ in range(threads - 1)]
    for other in others:
        other.start()
    work()
    for other in others:
        other.join()


# -- news of own messages ------------------------------------------------------------------------


def receipt(*, dsn: str) -> int:
    """Number and acknowledge all letters to the peer, as dispatch would. `dsn`: federation's."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(_RECEIPTED, {"link": PEER}).rowcount


def tell() -> int:
    """Let the worker tell the towns what became of their letters; return of how many."""
    from federation.outbox import outcomes

    told = 0
    while news := outcomes.deliver_due():
        told += news
    return told


# -- measuring -----------------------------------------------------------------------------------


def measure(
    what: str,
    work: Callable[[], object],
    *,
    towns: int,
    messages: int,
    postmaster: int | None = None,
) -> Rate:
    """Return how fast `work` deals with `messages`. `postmaster`: number of our server's process.

    The clock tells little on a machine with other work; the CPU times hold there too.
    """
    loop, server = _loop_ms(), _server_cpu(postmaster)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return Rate(
        what=what,
        towns=towns,
        messages=messages,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        server_cpu_seconds=_server_cpu(postmaster) - server,
        loop_ms=(loop, _loop_ms()),
    )


def _server_cpu(postmaster: int | None) -> float:
    """Return the CPU seconds of a process and its children, those that have ended included."""
    if postmaster is None:
        return 0.0
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = path.read_text().rpartition(")")[2].split()
            if path.parent.name == str(postmaster):
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == str(postmaster):
                ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _loop_ms() -> float:
    def once() -> float:
        begin, total = time.process_time(), 0
        for number in range(50_000):
            total += number
        return (time.process_time() - begin) * 1e3

    return min(once() for _ in range(5))


def _profiled(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        profile = cProfile.Profile()
        profile.runcall(work)
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)

    return run


def _environment(folder: Path, server: EmbeddedPostgres) -> None:
    for name in (_MASTER, _UMBRELLA):
        key = folder / name
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(32))
    umbrella = SigningKey.from_bytes((folder / _UMBRELLA).read_bytes())
    os.environ |= {
        "AMTSBRUECKE_HOME": str(folder),
        "AMTSBRUECKE_CENTRE": _CENTRE,
        "AMTSBRUECKE_SECRET_KEY": "of-benchmarks-only-" + "x" * 40,
        "AMTSBRUECKE_MASTER_KEY_FILE": str(folder / _MASTER),
        "AMTSBRUECKE_UMBRELLA_KEYS": umbrella.verify_key.raw.hex(),
    }
    for login in LOGINS:
        name = f"AMTSBRUECKE_{login.upper()}_DATABASE_URL"
        os.environ[name] = server.dsn(user=f"{_CENTRE}_{login}", password=_PASSWORD)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--towns", type=int, default=3)
    parser.add_argument("--messages", type=int, default=6_000)
    parser.add_argument("--threads", type=int, default=1, help="a worker's own default is 4")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--home", type=Path, help="keep the centre here, and use it again")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.prepare:
        become("owner")
        prepare(towns=said.towns)
        return
    with ExitStack() as stack:
        folder = said.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        server = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        for rate in _run(said, folder, server):
            print(json.dumps(asdict(rate)) if said.json else rate, flush=True)


def _run(said: argparse.Namespace, folder: Path, server: EmbeddedPostgres) -> Iterator[Rate]:
    ensure_cluster(server.admin_dsn, prefix=_CENTRE, passwords=dict.fromkeys(LOGINS, _PASSWORD))
    _environment(folder, server)
    if not (folder / "prepared").exists():
        command = [sys.executable, "-m", "benchmarks.inbound", "--prepare", f"--towns={said.towns}"]
        subprocess.run(command, check=True)
        (folder / "prepared").touch()
    become("worker")
    dsn = os.environ["AMTSBRUECKE_FEDERATION_DATABASE_URL"]
    wrap = _profiled if said.profile else lambda work: work
    sizes: Any = {"towns": said.towns, "messages": said.messages}
    if server.process is not None:
        sizes["postmaster"] = server.process.pid
    for _ in range(said.rounds):
        fill(messages=said.messages, dsn=dsn)
        yield measure("effect", wrap(partial(drain, threads=said.threads)), **sizes)
        receipt(dsn=dsn)
        yield measure("news", wrap(tell), **sizes)


if __name__ == "__main__":
    main()
