"""A gateway process and strangers: the documented answer, nothing stored, an alarm where it is due,
memory within its bound, and an honest centre whose letters are receipted in time all the while."""

import ast
import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.integration.federation.misuse import speaker
from tests.integration.federation.misuse.everything import STRANGERS
from tests.integration.federation.misuse.speaker import batch, envelope, letter, outcome
from tests.integration.federation.misuse.strangers import Attack
from tests.integration.federation.misuse.table import Answered, Case
from tests.integration.federation.misuse.victim import HONEST, Victim, victim

pytestmark = [pytest.mark.two_centres, pytest.mark.slow]

#: What the gateway's process may have at its highest, and a letter's way to its receipt may take.
_RESIDENT_MIB: Final = 200
_DELIVERY_S: Final = 3.0


def _name(case: Case) -> str:
    return f"stranger-{STRANGERS.index(case)}"


@pytest.fixture(scope="module")
def krz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with victim(tmp_path_factory.mktemp("victim"), [_name(case) for case in STRANGERS]) as found:
        yield found


@pytest.mark.parametrize("case", STRANGERS, ids=lambda case: case.name)
async def test_stranger_is_refused_and_leaves_nothing(krz: Victim, case: Case) -> None:
    krz.forget_peak()
    name = _name(case)
    async with _honest(krz), asyncio.timeout(60):
        answered = await case.misuse(Attack(krz, name))
    if isinstance(answered, str):
        answered = Answered(answered)
    assert answered.answer == case.expected
    assert krz.alive
    assert krz.resident_mib("VmHWM") < _RESIDENT_MIB
    assert krz.stored(name) == list(answered.kept)
    assert (case.expected in krz.alarms(name)) == case.alarm
    assert "call broken" not in krz.centre.log("gateway")
    assert "stream broken" not in krz.centre.log("gateway")
    assert not [origin for origin in krz.origins() if origin.startswith("crowd")]


@asynccontextmanager
async def _honest(krz: Victim) -> AsyncIterator[None]:
    """Deliver letters all the while; each must be accepted, and in time."""
    sender, done = krz.authorities[HONEST], asyncio.Event()
    lseq = len(krz.stored(HONEST))
    async with krz.callers[HONEST].stream(acked_lseq=lseq, next_lseq=lseq + 1) as stream:
        assert (await stream.welcome()).in_lseq == lseq

        async def deliver() -> None:
            nonlocal lseq
            lseq += 1
            begin = time.monotonic()
            await stream.send(batch(lseq, letter(envelope(HONEST, sender, krz.recipient), sender)))
            assert outcome(await stream.receipt(lseq), lseq) == "OUTCOME_STATUS_ACCEPTED"
            assert time.monotonic() - begin < _DELIVERY_S

        async def go_on() -> None:
            while not done.is_set():
                await deliver()
                await asyncio.sleep(0.02)

        await deliver()
        meanwhile = asyncio.create_task(go_on())
        try:
            yield
        finally:
            done.set()
        await meanwhile
        await deliver()


def test_the_speaker_knows_no_line_of_the_product() -> None:
    tree = ast.parse(Path(speaker.__file__).read_text(encoding="utf-8"))
    imported = {
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    ours = {"centre", "console", "federation", "platform", "tenants", "tests"}
    assert not {module for module in imported if module.split(".")[0] in ours}
