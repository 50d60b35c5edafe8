"""Who sends letters and who takes them keeps none of them in memory."""

from pathlib import Path
from subprocess import Popen
from typing import Final

import pytest

from tests.two_centres.conftest import Pair, eventually

pytestmark = [pytest.mark.two_centres, pytest.mark.slow]

LETTERS: Final = 1000
ROUNDS: Final = 4
#: In itself the memory of a process goes up and down by a megabyte.
MOST_BYTES_A_LETTER: Final = 1024


def test_neither_gateway_nor_dispatch_grows_with_the_letters(pair: Pair) -> None:
    watched = {
        "gateway": pair.nord.processes["gateway"],
        "dispatch": pair.krz.processes["dispatch"],
    }
    _exchange(pair)
    warm = {name: _own_bytes(process) for name, process in watched.items()}
    for _ in range(ROUNDS):
        _exchange(pair)
    for name, process in watched.items():
        grown = (_own_bytes(process) - warm[name]) / (LETTERS * ROUNDS)
        assert grown < MOST_BYTES_A_LETTER, f"{name} grows by {grown:.0f} bytes a letter"


def _exchange(pair: Pair) -> None:
    pair.krz.post(pair.nord, LETTERS)
    eventually(lambda: not pair.krz.waiting("nord"), what="receipts for all letters")


def _own_bytes(process: Popen[bytes]) -> int:
    """Return what a process has in memory without what it shares."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024
