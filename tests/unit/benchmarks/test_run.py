"""What a run does, and what it says about what it did less of."""

import json
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from benchmarks import goals, modes, probes, run, slow_disk
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
    measured = Run(tmp_path, Sizes(), frozenset({"G9", "G11"}))
    measured.all()
    assert measured.values == {"G11": 0}
    (problem,) = measured.problems
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
    measured = Run(tmp_path, Sizes(), frozenset({"G11"}))
    measured.all()
    assert measured.values.get("G11") == value
    assert len(measured.problems) == problems


def test_outages_and_lone_letters_are_held_against_more_than_one_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = MagicMock()
    world.__enter__.return_value = world
    world.krz.step.return_value = {"letters": 9, "verified": 9}
    small = MagicMock()
    small.deliver.return_value = {"per_s": 400.0}
    for name, double in (
        ("World", lambda *_, **__: world),
        ("SmallCentres", lambda *_: small),
        ("Clockwork", MagicMock()),
        ("product", MagicMock()),
    ):
        monkeypatch.setattr(run, name, double)
    rates = {"per_s": 3_000.0, "p99_ms": 50.0}
    pieces = dict.fromkeys(("seal", "sign", "verify", "hash", "insert", "number", "item"), 9.0)
    pieces |= {"commit_ms": 0.4, "trip_ms": 0.8, "idle_commit_ms": 1.5, "idle_trip_ms": 1.5}
    for module, name, answer in (
        (probes, "all_pieces", lambda *_: pieces),
        (probes, "calibration_ms", lambda: 4.0),
        (modes, "accept", lambda *_, bulk: {"per_s": 1_000.0 if bulk > 1 else 100.0}),
        (modes, "outage", lambda *_, seconds, per_s: {"share": per_s / seconds / 1_000}),
        (modes, "live", lambda *_, **__: rates),
        (modes, "drain", lambda *_: rates),
        (modes, "alone", lambda *_, rest=1.0: {"p50_ms": 6.0 if rest else 4.0, "p99_ms": 9.0}),
        (modes, "profile", lambda *_: {"krz dispatch": 70.0}),
    ):
        monkeypatch.setattr(module, name, answer)
    measured = Run(tmp_path, Sizes(outage_s=2.0), frozenset({"G3"}))
    measured.all()
    assert not measured.problems
    assert measured.values["G3b"] == pytest.approx(0.05)
    assert measured.values["G5"] == pytest.approx(1.0)
    said = "\n".join(measured.notes)
    assert "G3b at the rate of imports, 1,000/s: median 0.5 " in said
    assert "G5 with pieces in a tight loop, letters after a rest: median 3 " in said
    assert "G5 with pieces and letters in a tight loop: median 2 " in said


def _counts(**other: Any) -> str:
    return json.dumps({"messages": 9, "lost": 0, "duplicates": 0, "chains_ok": True} | other)


def _fault_run(monkeypatch: pytest.MonkeyPatch, code: int, last: str) -> None:
    done = subprocess.CompletedProcess([], code, stdout=f"  0.0 s  seed 1\n{last}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
