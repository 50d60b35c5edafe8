"""Every misuse of the gateway: the documented answer, nothing stored, an alarm where it is due,
memory within its bound, and an honest neighbour who notices nothing before, meanwhile and after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import grpc
import pytest
from structlog.testing import capture_logs

from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error
from tests.factories.letters import letter
from tests.integration.federation.misuse.everything import CASES
from tests.integration.federation.misuse.hands import NEIGHBOUR, honest
from tests.integration.federation.misuse.memory import Memory
from tests.integration.federation.misuse.table import Answered, Case
from tests.plugins.gateway import Gateway, Stream

#: What the test's own process, with both ends of the wire in it, may grow by in a case.
_MEMORY_MIB: Final = 96
#: So long a lone letter of the neighbour may take to its receipt, whatever goes on beside it.
_DELIVERY_S: Final = 5.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_misuse_is_refused_and_leaves_nothing(gateway: Gateway, case: Case) -> None:
    directory, hosts = gateway.world.directory, gateway.world.hosts
    async with _neighbour(gateway):
        with capture_logs() as logs, Memory() as memory:
            async with asyncio.timeout(60):
                answered = await case.misuse(gateway)
        if isinstance(answered, str):
            answered = Answered(answered)
        assert answered.answer == case.expected
        assert not [each for each in logs if each["event"] in {"call broken", "stream broken"}]
        assert memory.grown() < _MEMORY_MIB
        stored = [row for row in gateway.stored() if row["origin"] != NEIGHBOUR]
        assert sorted(bytes(row["envelope"]) for row in stored) == sorted(answered.kept)
        assert (case.expected in gateway.alarms()) == case.alarm
    # An honest letter of the same centre goes through, whatever happened before.
    gateway.world.directory, gateway.world.hosts = directory, hosts
    await gateway.lookout.refresh()
    position = gateway.position()
    async with _admitted(gateway, acked_lseq=position, next_lseq=position + 1) as stream:
        receipt = await stream.deliver(position + 1, honest(gateway))
    assert receipt.exceptions == ()


@asynccontextmanager
async def _admitted(gateway: Gateway, **hello: int) -> AsyncIterator[Stream]:
    """Open a stream; wait as the gateway says if the misuse has used up the centre's calls."""
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        while True:
            try:
                stream = await stack.enter_async_context(gateway.stream(**hello))  # type: ignore[arg-type]
                break
            except grpc.aio.AioRpcError as error:
                failure = from_rpc_error(error)
                assert failure.reason in {Reason.RATE_EXCEEDED, Reason.TOO_MANY_STREAMS}
                assert failure.retry_delay is not None
                await asyncio.sleep(failure.retry_delay.total_seconds())
        yield stream


@asynccontextmanager
async def _neighbour(gateway: Gateway) -> AsyncIterator[None]:
    """Deliver letters of another centre on one stream all the while; each must be accepted."""
    offices = gateway.world.offices
    done = asyncio.Event()

    async def deliver(stream: Stream, lseq: int) -> None:
        async with asyncio.timeout(_DELIVERY_S):
            receipt = await stream.deliver(lseq, letter(offices["dresden"], offices["beta"]))
        assert (receipt.last_lseq, receipt.exceptions) == (lseq, ())

    async def go_on(stream: Stream) -> int:
        lseq = 2
        while not done.is_set():
            await deliver(stream, lseq)
            lseq += 1
            await asyncio.sleep(0.02)
        return lseq

    async with gateway.stream(gateway.world.certificates[NEIGHBOUR], origin=NEIGHBOUR) as stream:
        await deliver(stream, 1)
        meanwhile = asyncio.create_task(go_on(stream))
        try:
            yield
        finally:
            done.set()
        await deliver(stream, await meanwhile)
