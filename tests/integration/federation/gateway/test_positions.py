"""`GetPosition`: how a client without a stream gets the receipts that it has lost."""

from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from federation.protocol.receipts import SignedReceipt
from federation.wire.receipt import from_message
from tests.factories.letters import letter
from tests.plugins.gateway import Gateway, make_hello


async def _deliver(gateway: Gateway, count: int) -> list[SignedReceipt]:
    """Deliver so many letters, one by one; return their receipts."""
    offices = gateway.world.offices
    receipts = []
    async with gateway.stream() as stream:
        for lseq in range(1, count + 1):
            await stream.send(lseq, letter(offices["kiel"], offices["alpha"]))
            receipts.append((await stream.signed_receipt())[0])
    return receipts


async def _ask(gateway: Gateway, *, acked: int, sent: int) -> tuple[int, list[SignedReceipt]]:
    """Return the gateway's position and the receipts beyond `acked`."""
    request = pb.GetPositionRequest(hello=make_hello(acked_lseq=acked, next_lseq=sent + 1))
    async with gateway.channel() as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        answer = await stub.GetPosition(request, timeout=20)
    return answer.welcome.in_lseq, [from_message(each) for each in answer.receipts]


async def test_the_position_comes_with_the_receipts_that_the_caller_lacks(
    gateway: Gateway,
) -> None:
    given = await _deliver(gateway, 3)
    assert await _ask(gateway, acked=0, sent=3) == (3, given)
    assert await _ask(gateway, acked=1, sent=3) == (3, given[1:])
    assert await _ask(gateway, acked=3, sent=3) == (3, [])


async def test_many_receipts_come_in_several_answers(gateway: Gateway) -> None:
    given = await _deliver(gateway, 70)
    assert await _ask(gateway, acked=0, sent=70) == (70, given[:64])
    assert await _ask(gateway, acked=64, sent=70) == (70, given[64:])
