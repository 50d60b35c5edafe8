"""What a run does, and what it says about what it did less of."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import goals, slow_disk
from benchmarks.run import Run, Sizes


@pytest.mark.parametrize("sizes", [Sizes(), Sizes.quick()])
@pytest.mark.parametrize("key", ["G11", "G12", "G12a", "G17", "G17a", "G17b"])
def test_what_is_done_at_a_tenth_is_marked(sizes: Sizes, key: str) -> None:
    said = json.loads(json.dumps(goals.as_json({key: 0.0}, sizes.reduced)))
    assert said["goals"][key]["reduced"] is True
    assert f"{goals.BY_KEY[key].words} (reduced)" in "\n".join(
        goals.table({key: 0.0}, sizes.reduced)
    )


def test_a_long_run_does_all() -> None:
    assert not Sizes.long().reduced
    assert Sizes.long().dead == Sizes.long().sustained == 1_000_000


@pytest.mark.parametrize(
    ("key", "value", "met"),
    [("G17a", 0.8, True), ("G17a", 0.3, False), ("G17b", 16, True), ("G17b", 40, False)],
)
def test_a_drain_that_slows_down_or_grows_is_not_met(key: str, value: float, *, met: bool) -> None:
    assert goals.BY_KEY[key].met(value) is met


@pytest.mark.parametrize(
    "error", [AssertionError("no row"), subprocess.CalledProcessError(1, ["cc"]), OSError("full")]
)
def test_whatever_breaks_one_measurement_leaves_the_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(slow_disk, "measure", broken)
    _fault_run(monkeypatch, 0, _counts())
    run = Run(tmp_path, Sizes(), frozenset({"G9", "G11"}))
    run.all()
    assert run.values == {"G11": 0}
    (problem,) = run.problems
    assert problem.startswith(f"G9: {type(error).__name__}")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "last", "value", "problems"),
    [
        (0, {}, 0, 0),
        (1, {"lost": 2, "duplicates": 1}, 3, 1),
        (1, {"chains_ok": False}, 1, 1),
        # It found something else than what G11 counts.
        (1, {}, 0, 1),
        (130, None, None, 1),
        (0, None, None, 1),
    ],
)
def test_what_a_fault_run_has_lost_is_the_value(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    code: int,
    last: dict[str, Any] | None,
    value: int | None,
    problems: int,
) -> None:
    _fault_run(monkeypatch, code, "  9.1 s  interrupted" if last is None else _counts(**last))
    run = Run(tmp_path, Sizes(), frozenset({"G11"}))
    run.all()
    assert run.values.get("G11") == value
    assert len(run.problems) == problems


def _counts(**other: Any) -> str:
    return json.dumps({"messages": 9, "lost": 0, "duplicates": 0, "chains_ok": True} | other)


def _fault_run(monkeypatch: pytest.MonkeyPatch, code: int, last: str) -> None:
    done = subprocess.CompletedProcess([], code, stdout=f"  0.0 s  seed 1\n{last}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
