"""Every process is restarted, one after the other, and nobody outside notices."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.faults import counting, waiting
from benchmarks.faults.plan import CENTRES, ENGINES, TARGETS
from benchmarks.faults.world import World, running
from console.demo.plan import Centre
from console.home import Home
from console.supervisor.centre import CentreRunner
from tests.faults.clerks import Clerk
from tests.two_centres.conftest import eventually

pytestmark = [pytest.mark.two_centres, pytest.mark.slow, pytest.mark.timeout(600)]


#: Engines stay: they have no second one that could take over.
_ROLLED = set(TARGETS) - set(ENGINES)


def settled(world: World) -> bool:
    return not waiting.unsettled(world).waiting


def test_rolling_restart_loses_no_request_and_answers_no_clerk_with_an_error(
    tmp_path: Path, port_base: int
) -> None:
    tmp_path.chmod(0o711)
    with running(Home(tmp_path), port_base, say=lambda _: None) as world, ExitStack() as stack:
        clerks = [
            stack.enter_context(Clerk(centre, centre.towns[0], drafts=_drafts(world, centre)))
            for centre in world.plan.centres
        ]
        world.start_drivers(pause=2.0)
        eventually(lambda: counting.sent(world) > 100, what="traffic")
        before = {centre: _pids(world, centre) for centre in CENTRES}
        with ThreadPoolExecutor(len(CENTRES)) as pool:
            rolled = list(pool.map(lambda runner: runner.roll(), _runners(world)))
        sent = counting.sent(world)
        eventually(lambda: counting.sent(world) > sent + 50, what="traffic after the restarts")
        stack.close()  # the clerks go home
        world.stop_drivers()
        for centre, clerk in zip(world.plan.centres, clerks, strict=True):
            with world.journal(centre.name).open("a", encoding="ascii") as journal:
                journal.writelines(f"{each}\n" for each in clerk.promises)
        eventually(lambda: settled(world), seconds=90, what="all settled")
        for centre in CENTRES:
            kept = before[centre].items() & _pids(world, centre).items()
            assert {name for name, _ in kept} == set(ENGINES)
        found = counting.count(world, forsaken=[], cancelled=[])
    assert [set(each) for each in rolled] == [_ROLLED] * len(CENTRES)
    assert [each.errors for each in clerks] == [[], []]
    assert all(each.pages > 20 for each in clerks)
    assert all(each.sent > 5 and each.accepted > 5 for each in clerks)
    assert (found.lost, found.duplicates, found.out_of_order) == ([], 0, [])
    assert not found.broken_promises


def _drafts(world: World, centre: Centre) -> list[str]:
    said = world.step(centre.name, "drafts", slug=centre.towns[0].slug, count=60)
    return list(said["cases"])


def _runners(world: World) -> list[CentreRunner]:
    return [runner for runner in world.supervisor.centres if runner.name in CENTRES]


def _pids(world: World, centre: str) -> dict[str, int | None]:
    return {name: service.pid for name, service in world.services(centre).items()}
