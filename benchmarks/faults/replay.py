"""A thief of a centre's key sends every letter of the centre once more, as it was sent."""

from collections.abc import Iterator
from itertools import batched
from pathlib import Path
from typing import Any, Final

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from benchmarks.faults.plan import CENTRES
from benchmarks.faults.world import World
from federation.links import credentials
from federation.links.channels import channel_options

_AT_ONCE: Final = 100
_TRIES: Final = 20
_TIMEOUT_S: Final = 20.0
_ACKED: Final = "SELECT acked_lseq FROM outbox_link WHERE name = %s"
_LETTERS: Final = """
SELECT lseq, envelope FROM outbox_letter
 WHERE link = %s AND lseq > %s AND lseq <= %s ORDER BY lseq LIMIT 5000
"""


class ReplayRefused(Exception):
    """The receiver did not answer a repeated batch with its receipt."""


def replay(world: World, centre: str) -> int:
    """Send all receipted letters of a centre to the other again; return how many."""
    (peer,) = (each for each in CENTRES if each != centre)
    folder = world.folder(centre)
    endpoint = next(
        each.ports.gateway for each in world.plan.centres if each.name == peer
    )  # past the proxy: nothing that is broken there hides an answer
    with _channel(folder.tls, peer, endpoint) as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        return sum(_deliver(stub, centre, batch) for batch in _batches(world, centre, peer))


def _channel(tls: Path, peer: str, port: int) -> Any:
    return grpc.secure_channel(
        f"127.0.0.1:{port}",
        credentials.load(tls).for_channel(),
        options=channel_options(peer),
    )


def _batches(world: World, centre: str, peer: str) -> Iterator[list[tuple[int, bytes]]]:
    """Yield runs of neighbouring letters. Where one is missing (it was spoilt) a run ends."""
    ((end,),) = world.rows(centre, _ACKED, peer) or ((0,),)
    after = 0
    while page := world.rows(centre, _LETTERS, peer, after, end):
        after = page[-1][0]
        for some in batched(page, _AT_ONCE):
            run: list[tuple[int, bytes]] = []
            for lseq, envelope in some:
                if run and lseq != run[-1][0] + 1:
                    yield run
                    run = []
                run.append((lseq, bytes(envelope)))
            yield run


def _deliver(stub: Any, centre: str, batch: list[tuple[int, bytes]]) -> int:
    first = batch[0][0]
    request = pb.DeliverRequest(
        hello=pb.Hello(origin=centre, versions=[1], acked_lseq=0, next_lseq=batch[-1][0] + 1),
        batch=pb.Batch(first_lseq=first, items=[envelope for _, envelope in batch]),
    )
    problem: Exception | None = None
    for _ in range(_TRIES):
        try:
            response = stub.Deliver(request, timeout=_TIMEOUT_S, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code() in {
                grpc.StatusCode.INVALID_ARGUMENT,
                grpc.StatusCode.FAILED_PRECONDITION,
            }:
                raise ReplayRefused(f"letters from {first} on: {error.details()}") from error
            problem = error
            continue
        if not response.receipts:
            raise ReplayRefused(f"letters from {first} on: no receipt")
        return len(batch)
    raise ReplayRefused(f"letters from {first} on: {problem}")


def everything(world: World) -> int:
    """Send every letter of both centres again."""
    return sum(replay(world, centre) for centre in CENTRES)
