"""Peers that take a connection and then say nothing: nobody else waits for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from federation.dispatch import crew, session
from federation.links import servers
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import Road, eventually
from tests.plugins.gateway import PEER, RECEIVER

type Called = Callable[[], bool]


@asynccontextmanager
async def _mute_socket(road: Road) -> AsyncIterator[Called]:
    """A port that accepts connections and begins no TLS."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    road.know(PEER, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield lambda: bool(writers)
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def _mute_service(road: Road) -> AsyncIterator[Called]:
    """A gateway that reads the hello and answers no welcome."""
    world = road.gateway.world
    receiver = FakeReceiver(name=PEER, origin=RECEIVER, key=world.receipt_key)

    async def listen(context: Any) -> None:
        receiver.hellos.append((await context.read()).hello)
        await asyncio.Event().wait()

    receiver._exchange = listen  # type: ignore[method-assign]
    async with receiver.serve(world.certificates[PEER], world.authority) as address:
        road.know(PEER, address)
        yield lambda: bool(receiver.hellos)


@pytest.mark.parametrize("silence", [_mute_socket, _mute_service])
async def test_silent_peer_delays_nobody_else(
    road: Road,
    monkeypatch: pytest.MonkeyPatch,
    silence: Callable[[Road], AbstractAsyncContextManager[Called]],
) -> None:
    # By far longer than the others' letters are waited for.
    monkeypatch.setattr(servers, "HANDSHAKE_TIMEOUT_S", 120.0)
    monkeypatch.setattr(session, "HELLO_TIMEOUT_S", 120.0)
    monkeypatch.setattr(crew, "DRAIN_S", 0.5)
    async with silence(road) as called:
        road.post(link=PEER)
        async with road.dispatch():
            await eventually(called)
            road.post(10)
            await road.acknowledged(10)
            assert road.link(PEER)["failing_since"] is None
