"""What a hostile peer does again and again: sends something, and reads how it was answered."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.inbox.admission import Host
from federation.links.endings import Truthful
from federation.wire.errors import from_rpc_error
from tests.factories.letters import Office, letter
from tests.plugins.gateway import Gateway, make_hello

EXCHANGE = "/amtsbruecke.exchange.v1beta1.LinkService/Exchange"
DELIVER = "/amtsbruecke.exchange.v1beta1.LinkService/Deliver"
PUT_BLOB = "/amtsbruecke.exchange.v1beta1.BlobService/PutBlob"
#: The honest centre that delivers all the while.
NEIGHBOUR = "sachsen"


def honest(gateway: Gateway, **changes: Any) -> bytes:
    return letter(gateway.world.offices["kiel"], gateway.world.offices["alpha"], **changes)


async def delete_alpha(gateway: Gateway, home: str | None) -> None:
    """Delete a municipality here; the directory has its authority there, or not any more."""
    world = gateway.world
    alpha = world.offices["alpha"]
    role = world.hosts[alpha.id].tenant_role
    world.hosts = {**world.hosts, alpha.id: Host(role, active=False, deleted=True)}
    if home is None:
        world.directory = world.directory.without_office(alpha)
    else:
        moved = Office(home, alpha.id, alpha.signing, alpha.sealing)
        world.directory = world.directory.with_office(moved)
    await gateway.lookout.refresh()


async def item(gateway: Gateway, *items: bytes) -> str:
    """Send items in an honest frame; return the reason why the last one was refused."""
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, *items)
    verdict = receipt.verdict(receipt.last_lseq)
    assert not verdict.status.held
    return str(verdict.reason)


async def refusal(awaitable: Awaitable[Any]) -> str:
    """Return the reason why a call was refused, as a sender reads it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return str(from_rpc_error(caught.value).reason)


async def hello(gateway: Gateway, certificate: Any = None, **changes: Any) -> str:
    async def attempt() -> None:
        async with gateway.stream(certificate, **changes):
            pytest.fail("the stream was opened")

    return await refusal(attempt())


async def frames(gateway: Gateway, *requests: pb.ExchangeRequest | bytes) -> str:
    """Open a stream as the bytes go, send requests and read until it ends."""

    async def attempt() -> None:
        async with gateway.channel() as channel:
            call = Truthful(channel.stream_stream(EXCHANGE)())
            with suppress(asyncio.InvalidStateError):  # it has ended: reading tells why
                for request in requests:
                    raw = request if isinstance(request, bytes) else request.SerializeToString()
                    await call.write(raw)
            while await call.read() is not grpc.aio.EOF:
                pass

    return await refusal(attempt())


async def neighbour_delivers(gateway: Gateway, count: int) -> None:
    """Wait until so many more letters of the neighbour are stored."""
    goal = gateway.position(NEIGHBOUR) + count
    async with asyncio.timeout(30):
        while await asyncio.to_thread(gateway.position, NEIGHBOUR) < goal:  # noqa: ASYNC110 -- a row
            await asyncio.sleep(0.05)


HELLO = pb.ExchangeRequest(hello=make_hello())


def batch(first_lseq: int, *items: bytes) -> pb.ExchangeRequest:
    return pb.ExchangeRequest(batch=pb.Batch(first_lseq=first_lseq, items=items))
