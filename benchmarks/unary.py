"""The link without its stream and its batches: one letter, one commit, one call, one receipt.

    python -m benchmarks.unary JSON

Sixteen small centres, each with a certificate and an entry in the directory, deliver to the same
gateway through the unary call `Deliver`, one letter at a time each, because the order of a link
allows no more: sixteen in flight. Each letter is sealed, signed and committed in a row before its
call, its receipt is verified and committed after it. What the product's stream is compared with.
"""

import asyncio
import json
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import psycopg
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys.seal import SealPublicKey
from centre.keys.sign import SigningKey, VerifyKey
from federation.links.channels import channel_options
from federation.protocol.messages import MessageKind, OutboundMessage
from federation.wire import receipt as wire_receipt
from federation.wire.envelope import write_letter

CENTRES = 16


def name(number: int) -> str:
    """Return the name of one of the small centres."""
    return f"klein{number}"


class Sender:
    """One centre and its one authority."""

    def __init__(self, said: dict[str, Any], number: int) -> None:
        self.name = name(number)
        self.tls = Path(said["pki"]) / self.name
        self.authority = UUID(said["authorities"][number])
        self.signing = SigningKey.from_bytes(bytes.fromhex(said["keys"][number]))
        self.recipient = UUID(said["recipient"])
        self.to = SealPublicKey(said["suite"], bytes.fromhex(said["public"]))
        self.receipt_key = VerifyKey.from_bytes(bytes.fromhex(said["receipt_key"]))
        self.endpoint, self.receiver = said["endpoint"], said["receiver"]
        self.payload = bytes(said["size"])
        self.url = said["url"]
        self.version = said["version"]

    async def run(self, until: float) -> int:
        """Deliver letters until the time is over; return how many have a receipt."""
        credentials = grpc.ssl_channel_credentials(
            (self.tls / "ca.pem").read_bytes(),
            (self.tls / "centre.key").read_bytes(),
            (self.tls / "centre.pem").read_bytes(),
        )
        options = channel_options(self.receiver)
        done = 0
        async with (
            await psycopg.AsyncConnection.connect(self.url, autocommit=True) as database,
            grpc.aio.secure_channel(self.endpoint, credentials, options) as channel,
        ):
            stub = link_service_pb2_grpc.LinkServiceStub(channel)
            position = await stub.GetPosition(
                pb.GetPositionRequest(hello=self._hello(0, 1)), timeout=20
            )
            at = position.welcome.in_lseq
            while time.monotonic() < until:
                await self._deliver(stub, database, at)
                at += 1
                done += 1
        return done

    def _hello(self, acked: int, following: int) -> pb.Hello:
        return pb.Hello(
            origin=self.name,
            versions=[1],
            acked_lseq=acked,
            next_lseq=following,
            directory_version=self.version,
        )

    async def _deliver(
        self,
        stub: "link_service_pb2_grpc.LinkServiceAsyncStub",
        database: psycopg.AsyncConnection[Any],
        at: int,
    ) -> None:
        message = OutboundMessage(
            message_id=new_id(),
            recipient=self.recipient,
            case_id=new_id(),
            case_sequence=1,
            kind=MessageKind.ASSISTANCE_REQUEST,
            schema_version=1,
            payload=self.payload,
            expires_at=clock.in_future(days=14),
        )
        written = write_letter(
            message,
            origin_centre=self.name,
            sender=self.authority,
            created_at=clock.now(),
            to=self.to,
            by=self.signing,
        )
        await database.execute(
            "INSERT INTO unary (id, body) VALUES (%s, %s)", (message.message_id, written.item)
        )
        answer = await stub.Deliver(
            pb.DeliverRequest(
                hello=self._hello(at, at + 2),
                batch=pb.Batch(first_lseq=at + 1, items=[written.item]),
            ),
            timeout=30,
        )
        [given] = answer.receipts
        receipt = wire_receipt.from_message(given)
        body = wire_receipt.verify_receipt(receipt, key=self.receipt_key)
        assert body.first_lseq == at + 1
        assert sha256(written.item).digest() == written.digest
        await database.execute(
            "UPDATE unary SET receipt = %s WHERE id = %s", (receipt.body, message.message_id)
        )


async def main(said: dict[str, Any]) -> dict[str, float]:
    """Let all centres deliver at once; return letters per second."""
    async with await psycopg.AsyncConnection.connect(said["url"], autocommit=True) as database:
        await database.execute(
            "CREATE TABLE IF NOT EXISTS unary (id uuid PRIMARY KEY, body bytea, receipt bytea)"
        )
    senders = [Sender(said, number) for number in range(CENTRES)]
    begin = time.monotonic()
    counts = await asyncio.gather(*(each.run(begin + said["seconds"]) for each in senders))
    return {"count": sum(counts), "seconds": time.monotonic() - begin}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
