"""What an operator's monitoring reads of each link, counted at both of its ends."""

from typing import Any

from prometheus_client import REGISTRY

from tests.factories.letters import letter, tampered
from tests.integration.federation.dispatch.conftest import Road, eventually
from tests.plugins.gateway import RECEIVER


def _figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"amtsbruecke_{name}_total", {"link": RECEIVER, **labels}) or 0


def _figures() -> dict[str, float]:
    wrong = "SIGNATURE_INVALID"
    return {
        "stored": _figure("gateway_messages"),
        "there already": _figure("gateway_duplicates"),
        "refused": _figure("gateway_refusals", reason=wrong),
        "receipted": _figure("dispatch_letters_receipted"),
        "told: there already": _figure("dispatch_duplicates"),
        "told: refused": _figure("dispatch_refusals", reason=wrong, final="true"),
    }


async def test_letters_duplicates_and_refusals_are_counted_by_link(road: Road) -> None:
    def change(envelope: Any) -> None:
        envelope.schema_version = 9

    offices = road.gateway.world.offices
    before = _figures()
    (again, _) = road.post(2)
    road.queue([tampered(letter(offices["alpha"], offices["beta"]), change)])
    async with road.dispatch():
        await road.acknowledged(3)
        road.do("UPDATE outbox_letter SET lseq = NULL WHERE id = %s", again)
        await road.acknowledged(4)
    counted = {
        "stored": 2,
        "there already": 1,
        "refused": 1,
        "receipted": 4,
        "told: there already": 1,
        "told: refused": 1,
    }
    # Both ends count when the database has committed.
    await eventually(lambda: {name: n - before[name] for name, n in _figures().items()} == counted)


async def test_a_link_that_another_process_has_now_has_no_figures_here(road: Road) -> None:
    """They would stand still, and an operator would take them for the present."""
    names = [f"amtsbruecke_dispatch_{name}" for name in ("backlog", "oldest_seconds")]

    def told() -> list[float | None]:
        return [REGISTRY.get_sample_value(name, {"link": RECEIVER}) for name in names]

    road.post(1)
    async with road.dispatch() as dispatch:
        await road.acknowledged(1)
        await dispatch._figures()
        assert told() == [0, 0]
        road.do("UPDATE outbox_link SET fence = fence + 1, owner = 'another'")
        await eventually(lambda: told() == [None, None])
        await dispatch._figures()
        assert told() == [None, None]
