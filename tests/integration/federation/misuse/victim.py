"""A centre with a real gateway process, and the strangers that its directory knows."""

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from amtsbruecke.directory.v1beta1 import directory_service_pb2 as directory

from centre.keys.sign import SigningKey
from console.embedded.postgres import FAST, EmbeddedPostgres
from tests.factories.certificates import Certificate, CertificateAuthority
from tests.integration.federation.misuse.speaker import Authority, Caller
from tests.two_centres.conftest import Centre, found_centre

HONEST: Final = "honest"
#: Of a crowd, each may have four streams.
CROWD: Final = 250


@dataclass
class Victim:
    """What strangers know of it, and what can be seen of it from outside."""

    centre: Centre
    trust: CertificateAuthority
    umbrella: SigningKey
    snapshot: directory.Snapshot
    authorities: dict[str, Authority] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)

    @property
    def recipient(self) -> bytes:
        return UUID(self.centre.authority).bytes

    def caller(self, name: str, certificate: Certificate) -> Caller:
        """Return a caller of that name with any certificate."""
        return Caller(
            name=name,
            address=f"127.0.0.1:{self.centre.port}",
            receiver=self.centre.name,
            certificate=certificate.pem,
            key=certificate.key,
            trusts=self.trust.pem,
        )

    def invite(self, name: str) -> None:
        """Let a centre with one authority join; `publish` makes it known."""
        certificate, authority = self.trust.issue(name), Authority()
        self.callers[name] = self.caller(name, certificate)
        self.authorities[name] = authority
        self.snapshot.centres.add(
            id=name,
            name=name,
            endpoint="127.0.0.1:9",
            state=directory.STATE_ACTIVE,
            certificate_fingerprints=[certificate.fingerprint],
        )
        self.snapshot.authorities.append(authority.entry(name))

    def suspend(self, name: str) -> None:
        """Suspend a centre for good."""
        (centre,) = (each for each in self.snapshot.centres if each.id == name)
        centre.state = directory.STATE_SUSPENDED
        self.publish()

    def publish(self) -> None:
        """Put the directory in force."""
        self.snapshot.version += 1
        self.snapshot.publish_time.FromSeconds(int(time.time()))
        self.snapshot.expire_time.FromSeconds(int(time.time()) + 86_400)
        raw = self.snapshot.SerializeToString()
        with_signature = directory.SignedSnapshot(snapshot=raw)
        key = self.umbrella
        with_signature.signatures.add(
            key_id=key.kid, value=key.sign(context=b"amtsbruecke directory v1", message=raw)
        )
        self.centre.step("apply", signed=b64encode(with_signature.SerializeToString()).decode())

    # -- what can be seen --------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        return self.centre.processes["gateway"].poll() is None

    def resident_mib(self, key: str) -> float:
        """Return the resident memory of the gateway's process: `VmRSS` or its peak, `VmHWM`."""
        status = Path(f"/proc/{self.centre.processes['gateway'].pid}/status").read_text()
        (line,) = (each for each in status.splitlines() if each.startswith(f"{key}:"))
        return int(line.split()[1]) / 1024

    def forget_peak(self) -> None:
        """Let the peak be measured from now on."""
        Path(f"/proc/{self.centre.processes['gateway'].pid}/clear_refs").write_text("5")

    def stored(self, origin: str) -> list[bytes]:
        rows = self.centre.rows(
            "SELECT envelope FROM inbox_inboundmessage WHERE origin = %s ORDER BY lseq", origin
        )
        return [bytes(row["envelope"]) for row in rows]

    def origins(self) -> list[str]:
        """Return the centres of which anything is stored."""
        rows = self.centre.rows("SELECT DISTINCT origin FROM inbox_inboundmessage")
        return [row["origin"] for row in rows]

    def alarms(self, link: str) -> list[str]:
        rows = self.centre.rows("SELECT code FROM outbox_alarm WHERE link = %s", link)
        return [row["code"] for row in rows]


@contextmanager
def victim(folder: Path, names: list[str]) -> Iterator[Victim]:
    """Found a centre, publish a directory with these strangers, and run its gateway."""
    folder.chmod(0o711)
    trust, umbrella = CertificateAuthority(), SigningKey.generate()
    with EmbeddedPostgres(folder / "postgres", settings=FAST) as server:
        centre = Centre("krz", "minden", folder / "krz", server)
        entry = directory.SignedSnapshot.FromString(found_centre(centre, trust, umbrella, 0))
        snapshot = directory.Snapshot.FromString(entry.snapshot)
        found = Victim(centre, trust, umbrella, snapshot)
        for name in (HONEST, *names, *(f"crowd-{number}" for number in range(CROWD))):
            found.invite(name)
        found.publish()
        centre.start("gateway")
        try:
            yield found
        finally:
            centre.stop("gateway")
