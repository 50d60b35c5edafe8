"""Streams that end: by the gateway's will, by a newer stream, by silence. Nothing is lost."""

import asyncio
from typing import Any

import grpc
import pytest

from federation.gateway import commits, sessions
from federation.protocol.reasons import Reason
from federation.protocol.receipts import ReceiptBody, SignedReceipt
from federation.wire.errors import from_rpc_error
from tests.factories.letters import letter
from tests.plugins.gateway import Gateway, Stream


def _letters(gateway: Gateway, count: int) -> list[bytes]:
    offices = gateway.world.offices
    return [letter(offices["kiel"], offices["alpha"]) for _ in range(count)]


async def _end(stream: Stream) -> str:
    """Read to the end of the stream; return why it ended."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read_on()
    return str(from_rpc_error(caught.value).reason)


async def test_drain_receipts_what_is_at_hand_and_then_ends_the_stream(gateway: Gateway) -> None:
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, *_letters(gateway, 3))
        assert receipt.last_lseq == 3
        await gateway.desk.drain()
        assert await _end(stream) == Reason.DRAINING
    assert await _refusal(gateway) == Reason.DRAINING


async def test_drain_waits_for_a_commit_that_has_begun(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, commit = asyncio.Event(), asyncio.Event(), commits.commit

    async def held(*given: Any, **more: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await commit(*given, **more)

    monkeypatch.setattr(commits, "commit", held)
    async with gateway.stream() as stream:
        await stream.send(1, *_letters(gateway, 1))
        await begun.wait()
        draining = asyncio.create_task(gateway.desk.drain())
        assert await _refusal(gateway) == Reason.DRAINING
        assert not draining.done()
        go_on.set()
        await draining
        assert gateway.position() == 1
        assert (await stream.receipt()).last_lseq == 1
        assert await _end(stream) == Reason.DRAINING


async def _refusal(gateway: Gateway) -> str:
    """Ask for a stream; return why there is none."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with gateway.stream():
            pytest.fail("a stream was opened")
    return str(from_rpc_error(caught.value).reason)


async def test_a_newer_stream_ends_the_older_and_goes_on_where_it_was(gateway: Gateway) -> None:
    first, second = _letters(gateway, 2)
    async with gateway.stream() as older:
        await older.deliver(1, first)
        async with gateway.stream(acked_lseq=1, next_lseq=2) as newer:
            assert newer.welcome.in_lseq == 1
            assert await _end(older) == Reason.STREAM_SUPERSEDED
            await newer.deliver(2, second)
    assert len(gateway.stored()) == 2


async def test_a_lost_receipt_is_given_again_on_the_next_stream(gateway: Gateway) -> None:
    async with gateway.stream() as stream:
        given, _ = await _deliver_signed(stream, 1, *_letters(gateway, 2))
    async with gateway.stream(acked_lseq=0, next_lseq=3) as stream:
        assert stream.welcome.in_lseq == 2
        again, _ = await stream.signed_receipt()
    assert again == given


async def test_a_repeated_batch_gets_the_receipt_that_it_had(gateway: Gateway) -> None:
    items = _letters(gateway, 3)
    async with gateway.stream() as stream:
        given, _ = await _deliver_signed(stream, 1, *items)
        again, _ = await _deliver_signed(stream, 1, *items)
        part, _ = await _deliver_signed(stream, 2, items[1])
    assert given == again == part
    assert len(gateway.stored()) == 3
    assert gateway.position() == 3


async def test_other_letters_under_old_numbers_end_the_stream_with_an_alarm(
    gateway: Gateway,
) -> None:
    first, other = _letters(gateway, 2)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        await stream.send(1, other)
        assert await _end(stream) == Reason.SEQUENCE_REWIND
    assert [bytes(row["envelope"]) for row in gateway.stored()] == [first]
    assert gateway.alarms() == [Reason.SEQUENCE_REWIND]
    async with gateway.stream(acked_lseq=1, next_lseq=2) as stream:
        await stream.send(1, other)
        assert await _end(stream) == Reason.SEQUENCE_REWIND
    assert gateway.alarms() == [Reason.SEQUENCE_REWIND]  # it is open: once is enough
    gateway.do("UPDATE outbox_alarm SET acknowledged_at = now()")
    async with gateway.stream(acked_lseq=1, next_lseq=2) as stream:
        await stream.send(1, other)
        assert await _end(stream) == Reason.SEQUENCE_REWIND
    assert len(gateway.alarms()) == 2


async def test_a_batch_that_is_half_old_and_half_new_ends_the_stream(gateway: Gateway) -> None:
    first, second = _letters(gateway, 2)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        await stream.send(1, first, second)
        assert await _end(stream) == Reason.SEQUENCE_REWIND
    assert len(gateway.stored()) == 1


async def test_the_same_id_with_other_bytes_is_refused_and_alarms(gateway: Gateway) -> None:
    offices = gateway.world.offices
    (first,) = _letters(gateway, 1)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        message_id = gateway.stored()[0]["id"]
        other = letter(offices["kiel"], offices["alpha"], message_id=message_id)
        receipt = await stream.deliver(2, other)
        assert receipt.verdict(2).reason is Reason.MESSAGE_ID_REUSED
        twins = [letter(offices["kiel"], offices["beta"]), *_letters(gateway, 1)]
        receipt = await stream.deliver(3, *twins, twins[0])
        assert [each.status.name for each in receipt.verdicts()] == [
            "ACCEPTED",
            "ACCEPTED",
            "DUPLICATE",
        ]
    assert gateway.alarms() == [Reason.MESSAGE_ID_REUSED]
    assert len(gateway.stored()) == 3


async def test_refused_items_do_not_touch_their_neighbours(gateway: Gateway) -> None:
    good = _letters(gateway, 2)
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, good[0], b"garbage", b"", good[1])
    assert [each.status.name for each in receipt.verdicts()] == [
        "ACCEPTED",
        "REFUSED",
        "VOID",
        "ACCEPTED",
    ]
    assert [bytes(row["envelope"]) for row in gateway.stored()] == good
    assert gateway.position() == 4


async def test_a_peer_that_says_nothing_is_cut_off(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "HELLO_TIMEOUT_S", 0.05)
    async with gateway.channel() as channel:
        call: Any = channel.stream_stream("/amtsbruecke.exchange.v1beta1.LinkService/Exchange")()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert from_rpc_error(caught.value).reason is Reason.HELLO_MISSING


async def test_the_peer_may_hang_up_at_any_time(gateway: Gateway) -> None:
    """What came before the end is stored and receipted on the next stream, or not taken at all."""
    items = _letters(gateway, 40)
    async with gateway.stream() as stream:
        for number, item in enumerate(items, start=1):
            await stream.send(number, item)
    position = gateway.position()
    async with gateway.stream(next_lseq=len(items) + 1) as stream:
        position = stream.welcome.in_lseq
        covered = 0
        while covered < position:
            covered = (await stream.receipt()).last_lseq
    assert [row["lseq"] for row in gateway.stored()] == list(range(1, position + 1))


async def test_credit_comes_back_for_a_long_stream(gateway: Gateway) -> None:
    """More goes through than the first credit allows, by far."""
    async with gateway.stream() as stream:
        credit = stream.welcome.credit.messages
        lseq = 1
        while lseq < 3 * credit:
            await stream.deliver(lseq, *[b""] * 128)
            lseq += 128
    assert stream.granted
    assert gateway.position() == lseq - 1


async def test_commits_wake_the_worker(gateway: Gateway) -> None:
    serving = asyncio.create_task(gateway.desk.worker.run())
    async with gateway.stream() as stream:
        await stream.deliver(1, *_letters(gateway, 1))
        assert await asyncio.to_thread(gateway.pokes.get, timeout=10)
    serving.cancel()


async def _deliver_signed(
    stream: Stream, first_lseq: int, *items: bytes
) -> tuple[SignedReceipt, ReceiptBody]:
    await stream.send(first_lseq, *items)
    return await stream.signed_receipt()
