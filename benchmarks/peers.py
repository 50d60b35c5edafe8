"""Centres that only receive: what dispatch meets when twenty links are open at once.

    python -m benchmarks.peers JSON      tells its ports as a line of JSON, then serves

Each takes letters by the protocol, signs honest receipts and forgets the letters. One of them is
slow: it signs ten seconds after each batch. One is dead in the worst way: it takes connections and
never says a word. A letter that begins with `POISON` ends the call in which it came.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from centre.directory.records import AuthorityRecord, CentreRecord, PublicKey
from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys import pki
from centre.keys.seal import DEFAULT_SUITE, SealPrivateKey
from centre.keys.sign import SigningKey
from federation.protocol.frames import Welcome
from federation.protocol.receipts import (
    ACCEPTED,
    GENESIS,
    NOTHING,
    VOID,
    Sent,
    Verdict,
    compose,
)
from federation.wire.envelope import read_outer
from federation.wire.frames import write_welcome
from federation.wire.receipt import sign_receipt, to_message

HEALTHY: Final = 18
SLOW, DEAD = "langsam", "stumm"
SLOW_S: Final = 10.0
POISON: Final = b"POISON"
ORIGIN: Final = "krz"
ROOT = Path(__file__).resolve().parents[1]


def public_key(key: SigningKey) -> PublicKey:
    """Return a signing key as the directory has it, valid since yesterday."""
    verify = key.verify_key
    return PublicKey(
        kid=verify.kid,
        purpose="sign",
        suite="Ed25519",
        raw=verify.raw,
        not_before=clock.now() - timedelta(days=1),
    )


# -- inside the process ----------------------------------------------------------------------------


@dataclass
class Receiver(link_service_pb2_grpc.LinkServiceServicer):
    """Takes the letters of one link."""

    name: str
    key: SigningKey
    delay_s: float = 0.0
    _durable: int = 0
    _hash: bytes = GENESIS
    #: Receipts that the sender may not have yet, with their last position.
    _receipts: list[tuple[int, pb.ExchangeResponse]] = field(default_factory=list)

    async def Deliver(self, _: Any, context: Any) -> Any:  # noqa: N802 -- gRPC's name
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "streams only")

    async def GetPosition(self, _: Any, context: Any) -> Any:  # noqa: N802
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "streams only")

    async def Exchange(self, _: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        hello = (await context.read()).hello
        welcome = Welcome(receiver=self.name, in_lseq=self._durable, receipt_hash=self._hash)
        await context.write(pb.ExchangeResponse(welcome=write_welcome(welcome)))
        self._receipts = [each for each in self._receipts if each[0] > hello.acked_lseq]
        for _, response in self._receipts:
            await context.write(response)
        while isinstance(request := await context.read(), pb.ExchangeRequest):
            batch = request.batch
            if any(item.startswith(POISON) for item in batch.items):
                await context.abort(grpc.StatusCode.INTERNAL, "a letter broke the receiver")
            await asyncio.sleep(self.delay_s)
            response = self._hold(batch)
            await context.write(response)
            credit = pb.Credit(messages=len(batch.items), bytes=sum(map(len, batch.items)))
            await context.write(pb.ExchangeResponse(credit=credit))

    def _hold(self, batch: pb.Batch) -> pb.ExchangeResponse:
        judged: list[tuple[Sent, Verdict]] = []
        for item in batch.items:
            sent = Sent(read_outer(item).read().message_id, sha256(item).digest()) if item else None
            judged.append((sent, ACCEPTED) if sent else (NOTHING, VOID))
        body, _ = compose(
            issuer=self.name,
            origin=ORIGIN,
            first_lseq=batch.first_lseq,
            items=judged,
            prev_hash=self._hash,
            issued_at=clock.now(),
        )
        receipt = sign_receipt(body, by=self.key)
        self._durable, self._hash = body.last_lseq, receipt.hash
        response = pb.ExchangeResponse(receipt=to_message(receipt, issuer=self.name))
        # The sender says how far it has come at the next hello; a window of receipts is enough.
        self._receipts = [*self._receipts[-4096:], (body.last_lseq, response)]
        return response


async def _serve(said: dict[str, Any]) -> None:
    ports, servers = {}, []
    for name, key in said["keys"].items():
        server = grpc.aio.server()
        receiver = Receiver(
            name, SigningKey.from_bytes(bytes.fromhex(key)), SLOW_S if name == SLOW else 0.0
        )
        link_service_pb2_grpc.add_LinkServiceServicer_to_server(receiver, server)
        tls = Path(said["pki"]) / name
        credentials = grpc.ssl_server_credentials(
            [((tls / "centre.key").read_bytes(), (tls / "centre.pem").read_bytes())],
            (tls / "ca.pem").read_bytes(),
            require_client_auth=True,
        )
        ports[name] = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        servers.append(server)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ports[DEAD] = mute.getsockname()[1]
        print(json.dumps(ports), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(server.stop(grace=0) for server in servers))


# -- outside ---------------------------------------------------------------------------------------


class Peers:
    """The process with all of them, and what the directory says of them."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)
        self._pki = home / "peers"
        pki.create_authority(home / "pki")
        self.healthy = [f"nachbar{number}" for number in range(HEALTHY)]
        self._keys = {name: SigningKey.generate() for name in (*self.healthy, SLOW)}
        for name in self._keys:
            pki.issue(home / "pki", name, self._pki / name)
        self._authorities = {
            name: AuthorityRecord(
                id=new_id(),
                name=f"Stadt {name}",
                home_centre=name,
                keys=(public_key(SigningKey.generate()), _seal_key()),
            )
            for name in (*self._keys, DEAD)
        }
        self._process: subprocess.Popen[str] | None = None
        self._ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        keys = {name: key.to_bytes().hex() for name, key in self._keys.items()}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.peers",
                json.dumps({"pki": str(self._pki), "keys": keys}),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._ports = json.loads(self._process.stdout.readline())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def authorities(self) -> tuple[AuthorityRecord, ...]:
        return tuple(self._authorities.values())

    @property
    def centres(self) -> tuple[CentreRecord, ...]:
        """Return the entries of the directory; the ports are known while the process runs."""
        return tuple(
            CentreRecord(
                id=name,
                name=name,
                endpoint=f"127.0.0.1:{self._ports[name]}",
                fingerprints=self._fingerprints(name),
                keys=(public_key(self._keys[name]),) if name in self._keys else (),
            )
            for name in self._authorities
        )

    def _fingerprints(self, name: str) -> tuple[str, ...]:
        """Return whose certificate a link to it must find; the mute one never shows any."""
        if name not in self._keys:
            return ()
        return (pki.fingerprint((self._pki / name / "centre.pem").read_bytes()),)

    def recipients(self, names: Sequence[str]) -> list[str]:
        """Return the authorities of some of the centres."""
        return [str(self._authorities[name].id) for name in names]


def _seal_key() -> PublicKey:
    public = SealPrivateKey.generate(DEFAULT_SUITE).public
    return PublicKey(
        kid=public.kid,
        purpose="seal",
        suite=str(public.suite),
        raw=public.raw,
        not_before=clock.now() - timedelta(days=1),
    )


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
