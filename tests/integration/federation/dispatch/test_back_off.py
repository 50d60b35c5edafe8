"""What ends a back-off before its time: the peer, an operator, the directory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.db import connections

from centre.kernel.actors import system
from federation.outbox import services
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import NOWHERE, Road, eventually, serving
from tests.plugins.gateway import PEER, RECEIVER

#: Close to the longest back-off, and far longer than a test waits.
_LONG = """
INSERT INTO outbox_link (name, next_try_at, backoff_ms, failing_since)
VALUES (%s, clock_timestamp() + interval '280 s', 300000, clock_timestamp())
"""


@asynccontextmanager
async def backing_off(road: Road, receiver: FakeReceiver) -> AsyncIterator[None]:
    """A peer that is there again, a letter for it, and a link that does not know yet."""
    async with serving(road, receiver):
        road.do(_LONG, PEER)
        road.post(link=PEER)
        async with road.dispatch() as dispatch:
            await eventually(lambda: PEER in dispatch.crew.held)
            # The other link has all that this one would need to begin.
            road.post()
            await road.acknowledged(1)
            assert road.link(PEER)["acked_lseq"] == 0
            yield


async def test_call_from_the_peer(road: Road, receiver: FakeReceiver) -> None:
    async with backing_off(road, receiver):
        async with road.gateway.stream():
            await road.acknowledged(1, link=PEER)
        assert road.link(PEER)["failing_since"] is None


async def test_operator(road: Road, receiver: FakeReceiver) -> None:
    def retry() -> None:
        try:
            services.retry_now(link=PEER, by=system("operator"))
        finally:
            connections.close_all()

    async with backing_off(road, receiver):
        await asyncio.to_thread(retry)
        await road.acknowledged(1, link=PEER)


async def test_directory_that_leads_elsewhere(road: Road, receiver: FakeReceiver) -> None:
    road.know(PEER, NOWHERE)
    road.do(_LONG, PEER)
    road.post(link=PEER)
    async with road.dispatch() as dispatch:
        await eventually(lambda: PEER in dispatch.crew.held)
        async with serving(road, receiver):
            await road.acknowledged(1, link=PEER)


async def test_centre_that_comes_back_says_so_although_it_has_nothing_to_send(road: Road) -> None:
    """Dispatch greets its own gateway here, which lets the waiting link of that name go."""
    road.do(_LONG, RECEIVER)
    road.post()
    async with road.dispatch():
        await road.acknowledged(1)
