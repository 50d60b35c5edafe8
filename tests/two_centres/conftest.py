"""Two centres as real processes: one PostgreSQL, two databases, gRPC with certificates between."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from centre.directory import encoding
from centre.directory.records import Snapshot
from centre.kernel import clock
from centre.keys.sign import SigningKey
from console.cluster import LOGINS, ensure_cluster
from console.embedded.postgres import FAST, EmbeddedPostgres
from tests.factories.certificates import CertificateAuthority

ROOT = Path(__file__).resolve().parents[2]
_PASSWORD = "of-tests"
_PATIENCE = 60.0


def eventually[T](look: Callable[[], T], *, seconds: float = _PATIENCE, what: str = "") -> T:
    """Return what `look` finds in another process, as soon as it finds something."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            pytest.fail(f"not within {seconds} s: {what or look}")
        time.sleep(0.05)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Centre:
    """A centre: its settings, its database, its processes."""

    name: str
    slug: str
    folder: Path
    server: EmbeddedPostgres
    port: int = field(default_factory=_free_port)
    umbrella_key: str = ""
    authority: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        urls = {f"AMTSBRUECKE_{login.upper()}_DATABASE_URL": self.url(login) for login in LOGINS}
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "platform", ROOT / "proto/gen"))),
            "AMTSBRUECKE_HOME": str(self.folder),
            "AMTSBRUECKE_CENTRE": self.name,
            "AMTSBRUECKE_SECRET_KEY": "of-tests-only-" + "x" * 40,
            "AMTSBRUECKE_MASTER_KEY_FILE": str(self.folder / "master.key"),
            "AMTSBRUECKE_TLS_DIR": str(self.folder / "tls"),
            "AMTSBRUECKE_GATEWAY_BIND": f"127.0.0.1:{self.port}",
            "AMTSBRUECKE_GATEWAY_ENDPOINT": f"127.0.0.1:{self.port}",
            "AMTSBRUECKE_UMBRELLA_KEYS": self.umbrella_key,
            "AMTSBRUECKE_BROKER_URL": "memory://",  # no worker runs here
            **urls,
        }

    def url(self, login: str) -> str:
        return self.server.dsn(
            user=f"{self.name}_{login}", password=_PASSWORD, database=f"centre_{self.name}"
        )

    def step(self, name: str, **said: Any) -> Any:
        """Run one of `steps` in this centre; return its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.two_centres.steps", name],
            input=json.dumps(said),
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def post(self, recipient: "Centre", count: int) -> list[str]:
        answer: list[str] = self.step(
            "post", slug=self.slug, recipient=recipient.authority, count=count
        )
        return answer

    # -- processes ---------------------------------------------------------------------------

    def start(self, role: str, *, named: str = "") -> None:
        """Start `gateway` or `dispatch`; several may run under different names."""
        name = named or role
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "console", role],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        if role == "gateway":
            eventually(self._listens, what=f"gateway of {self.name}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """Ask a process to end, and wait until it has."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=30)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    # -- what can be seen --------------------------------------------------------------------

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url("owner"), row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()

    def acked(self, link: str) -> int:
        rows = self.rows("SELECT acked_lseq FROM outbox_link WHERE name = %s", link)
        return int(rows[0]["acked_lseq"]) if rows else 0

    def waiting(self, link: str) -> int:
        """Letters for a centre that have no receipt."""
        (row,) = self.rows(
            "SELECT count(*) FROM outbox_letter AS letter LEFT JOIN outbox_link AS link"
            " ON link.name = letter.link WHERE letter.link = %s"
            " AND (letter.lseq IS NULL OR letter.lseq > link.acked_lseq)",
            link,
        )
        return int(row["count"])

    def stored(self, origin: str) -> list[str]:
        """Ids of the letters that came from a centre, in the order of their positions."""
        rows = self.rows(
            "SELECT id FROM inbox_inboundmessage WHERE origin = %s ORDER BY lseq", origin
        )
        return [str(row["id"]) for row in rows]


@dataclass
class Pair:
    """The two centres."""

    krz: Centre
    nord: Centre

    @property
    def both(self) -> tuple[Centre, Centre]:
        return self.krz, self.nord

    def settled(self, sender: Centre, receiver: Centre, ids: list[str]) -> None:
        """Wait until all has a receipt; check that each letter is stored exactly once."""
        eventually(lambda: not sender.waiting(receiver.name), what="receipts for all letters")
        stored = receiver.stored(sender.name)
        assert len(stored) == len(set(stored)), "a letter was stored twice"
        assert set(ids) <= set(stored), "a letter was lost"
        assert not sender.rows("SELECT FROM outbox_deadletter")
        assert not sender.rows("SELECT FROM outbox_alarm")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two centres with a municipality each and one directory; nothing runs yet."""
    folder = tmp_path_factory.mktemp("two")
    folder.chmod(0o711)
    authority = CertificateAuthority()
    umbrella = SigningKey.generate()
    with EmbeddedPostgres(folder / "postgres", settings=FAST) as server:
        pair = Pair(
            Centre("krz", "minden", folder / "krz", server),
            Centre("nord", "kiel", folder / "nord", server),
        )
        entries = [
            found_centre(centre, authority, umbrella, number)
            for number, centre in enumerate(pair.both)
        ]
        now = clock.now()
        parts = [encoding.read_trusted(entry) for entry in entries]
        snapshot = Snapshot(
            version=1,
            published_at=now,
            expires_at=now + timedelta(days=7),
            centres=tuple(each for part in parts for each in part.centres),
            authorities=tuple(each for part in parts for each in part.authorities),
        )
        signed = b64encode(encoding.sign_snapshot(snapshot, by=umbrella)).decode()
        for centre in pair.both:
            centre.step("apply", signed=signed)
        yield pair


def found_centre(
    centre: Centre, authority: CertificateAuthority, umbrella: SigningKey, number: int
) -> bytes:
    centre.folder.mkdir()
    master = centre.folder / "master.key"
    master.touch(mode=0o600)
    master.write_bytes(os.urandom(32))
    certificate = authority.issue(centre.name)
    certificate.write(centre.folder / "tls", authority)
    centre.umbrella_key = umbrella.verify_key.raw.hex()
    ensure_cluster(
        centre.server.admin_dsn,
        prefix=centre.name,
        passwords=dict.fromkeys(LOGINS, _PASSWORD),
        database=f"centre_{centre.name}",
    )
    answer = centre.step(
        "found",
        centre=centre.name,
        slug=centre.slug,
        ags=f"0577000{number}",
        ars=f"05770000{number}00{number}",
        endpoint=f"127.0.0.1:{centre.port}",
        fingerprint=certificate.fingerprint,
    )
    centre.authority = answer["authority"]
    return b64decode(answer["entry"])


@pytest.fixture
def pair(founded: Pair) -> Iterator[Pair]:
    """Both centres with gateway and dispatch."""
    for centre in founded.both:
        for role in ("gateway", "dispatch"):
            centre.start(role)
    yield founded
    for centre in founded.both:
        for name in list(centre.processes):
            centre.stop(name)
