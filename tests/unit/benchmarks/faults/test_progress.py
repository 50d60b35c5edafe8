"""An interrupted run goes on with what it has found so far."""

from pathlib import Path

import pytest

from benchmarks.faults.plan import Kind, make
from benchmarks.faults.progress import Progress, Record
from benchmarks.faults.run import without_effect
from benchmarks.faults.world import StepBroken

PLAN = {"seed": 1, "messages": 100}


def test_what_was_wrong_before_an_interruption_stays_wrong(tmp_path: Path) -> None:
    before = Progress.of(tmp_path / "faults.json", plan=PLAN)
    before.begun = 3
    before.record.problems.append("a letter was lost")
    before.record.effects["cut"] = 1
    before.record.twice.append("id")
    before.save()
    after = Progress.of(tmp_path / "faults.json", plan=PLAN)
    assert (after.begun, after.record) == (3, before.record)
    assert after.record.problems == ["a letter was lost"]


def test_a_folder_of_another_plan_is_refused(tmp_path: Path) -> None:
    Progress.of(tmp_path / "faults.json", plan=PLAN).save()
    with pytest.raises(StepBroken):
        Progress.of(tmp_path / "faults.json", plan={**PLAN, "seed": 2})


def test_a_kind_of_fault_that_never_broke_anything_is_a_problem() -> None:
    faults = make(1, kills=0, kinds=[Kind.CUT, Kind.MUTE])
    assert without_effect(faults, Record(effects={"cut": 1, "mute": 0})) == [
        "mute never had an effect"
    ]
