"""Figures of a link's life: who owns it, how long a receipt takes, what ends its calls."""

from dataclasses import replace

from prometheus_client import REGISTRY

from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import Road, eventually, serving
from tests.plugins.gateway import PEER, RECEIVER


def _figure(name: str, link: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"amtsbruecke_{name}", {"link": link, **labels}) or 0


async def test_an_exchange_is_timed_at_both_ends(road: Road) -> None:
    names = ("dispatch_receipt_seconds", "gateway_commit_seconds")
    before = {
        f"{name}_{part}": _figure(f"{name}_{part}", RECEIVER)
        for name in names
        for part in ("count", "sum")
    }
    road.post()
    async with road.dispatch():
        await road.acknowledged(1)
    passed = {name: _figure(name, RECEIVER) - value for name, value in before.items()}
    for name in names:
        assert passed[f"{name}_count"] == 1
        assert 0 < passed[f"{name}_sum"] < 20


async def test_a_link_is_owned_and_connected_while_a_process_works_on_it(road: Road) -> None:
    gauges = ("dispatch_owned", "dispatch_connected")
    road.post()
    async with road.dispatch():
        await road.acknowledged(1)
        assert [_figure(each, RECEIVER) for each in gauges] == [1, 1]
    assert [_figure(each, RECEIVER) for each in gauges] == [0, 0]


async def test_calls_that_fail_and_receipts_that_do_not_hold_are_counted(
    road: Road, receiver: FakeReceiver
) -> None:
    def figures() -> tuple[float, float]:
        return (
            _figure("dispatch_failures_total", PEER, code="RECEIPT_INVALID"),
            _figure("dispatch_receipts_invalid_total", PEER),
        )

    failures, invalid = figures()
    receiver.change = lambda receipt: replace(receipt, signature=bytes(64))
    road.post(link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(lambda: road.link(PEER)["last_error"] == "RECEIPT_INVALID")
        receiver.change = lambda receipt: receipt
        await road.acknowledged(1, link=PEER)
    now = figures()
    assert now[0] > failures
    assert now[0] - failures == now[1] - invalid
