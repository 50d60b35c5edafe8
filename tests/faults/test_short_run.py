"""The fault run, in short: the kinds of fault that the long one knows, with few letters."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.two_centres, pytest.mark.slow, pytest.mark.timeout(1000)]

ROOT = Path(__file__).resolve().parents[2]


def faults(home: Path, port_base: int, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "benchmarks.faults", "--json", "--home", str(home)]
    done = subprocess.run(
        [*command, "--port-base", str(port_base), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,  # two minutes on an idle machine; others of these tests run beside it
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_letters_survive_every_kind_of_fault_at_both_centres(
    tmp_path: Path, port_base: int
) -> None:
    code, said = faults(tmp_path, port_base, "--messages", "600", "--kills", "8", "--seed", "4")
    assert code == 0, said
    figures = json.loads(said.splitlines()[-1])
    assert list(figures) == [
        "messages",
        "kills",
        "lost",
        "duplicates",
        "out_of_order",
        "receipts_verified",
        "chains_ok",
    ]
    assert figures["messages"] >= 600
    # Each of the two walks of dead letters cancels one, which has none.
    assert figures["receipts_verified"] == figures["messages"] - 2
    assert figures["kills"] == 8
    assert (figures["lost"], figures["duplicates"], figures["out_of_order"]) == (0, 0, 0)
    assert figures["chains_ok"] is True
    assert re.search(r" [1-9]\d* documents came whole", said)
