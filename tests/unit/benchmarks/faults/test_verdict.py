"""The verdict of a fault run: each count that is not as it should be is a problem, and shows."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.faults import counting, replay, run, steps
from benchmarks.faults.counting import Count
from benchmarks.faults.injection import Injection
from benchmarks.faults.memory import LONG_RUN, Memory
from benchmarks.faults.plan import Fault, Kind
from benchmarks.faults.progress import Record
from benchmarks.faults.run import Verdict

CHAIN: dict[str, Any] = {
    "verified": 5,
    "letters": 6,
    "refused": 1,
    "duplicates": ["twice"],
    "issued": 2,
    "entries": 9,
    "trails": 2,
    "problems": [],
}


@dataclass
class Found:
    """What a run comes to; all is well."""

    count: Count = field(default_factory=lambda: Count(messages=12, relayed=10))
    record: Record = field(default_factory=lambda: Record(effects={"cut": 1}, twice=["twice"]))
    chains: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"krz": dict(CHAIN), "nord": dict(CHAIN)}
    )
    documents: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {name: {"whole": 1, "problems": []} for name in ("krz", "nord")}
    )
    memory: Memory = field(default_factory=Memory)
    asked: int = 600

    def step(self, centre: str, name: str) -> dict[str, Any]:
        return {"chains": self.chains, "documents": self.documents}[name][centre]

    def judge(self, monkeypatch: pytest.MonkeyPatch) -> Verdict:
        monkeypatch.setattr(replay, "everything", lambda _: 0)
        monkeypatch.setattr(counting, "count", lambda *_, **__: self.count)
        injection = Injection(cast("Any", self), print, self.record)
        faults = [Fault(0.5, Kind.CUT, "krz")]
        job: Any = run.Job(
            home=cast("Any", None), port_base=0, messages=self.asked, seed=1, faults=faults
        )
        progress = cast("Any", None)
        return run._judge(
            run.Run(
                world=cast("Any", self),
                job=job,
                say=lambda _: None,
                progress=progress,
                injection=injection,
                memory=self.memory,
            )
        )


@pytest.fixture
def found() -> Found:
    return Found()


def test_where_all_is_well_the_figures_say_so(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = found.judge(monkeypatch)
    assert verdict.good
    assert verdict.figures == {
        "messages": 12,
        "kills": 0,
        "lost": 0,
        "duplicates": 0,
        "out_of_order": 0,
        "receipts_verified": 10,
        "chains_ok": True,
    }


@pytest.mark.parametrize(
    ("count", "figures", "words"),
    [
        (Count(lost=["one"]), {"lost": 1}, "lost: one"),
        (Count(broken_promises=["one"]), {"lost": 1}, "promised and gone: one"),
        (Count(duplicates=2), {"duplicates": 2}, "2 effects too many"),
        (Count(astray=["one"]), {"duplicates": 1}, "astray: one"),
        (Count(out_of_order=["one"]), {"out_of_order": 1}, "out of order: one"),
    ],
)
def test_what_was_counted_is_a_problem(
    found: Found,
    monkeypatch: pytest.MonkeyPatch,
    count: Count,
    figures: dict[str, Any],
    words: str,
) -> None:
    found.count = count
    verdict = found.judge(monkeypatch)
    assert verdict.problems == [words]
    assert verdict.figures.items() >= figures.items()


def test_a_letter_whose_receipt_does_not_hold_is_a_problem(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.chains["nord"]["verified"] = 4
    verdict = found.judge(monkeypatch)
    assert verdict.problems == ["1 letters have no receipt that holds"]
    assert verdict.figures["receipts_verified"] == 9


def test_a_document_that_did_not_come_whole_is_lost(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.documents["nord"]["problems"] = ["half of it"]
    verdict = found.judge(monkeypatch)
    assert (verdict.problems, verdict.figures["lost"]) == (["half of it"], 1)
    assert "2 documents came whole" in verdict.notes


def test_a_broken_chain_of_either_centre_is_a_problem(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.chains["nord"]["problems"] = ["a gap"]
    verdict = found.judge(monkeypatch)
    assert (verdict.problems, verdict.figures["chains_ok"]) == (["a gap"], False)


def test_a_letter_sent_twice_must_be_called_a_duplicate_by_a_receipt(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.record.twice.append("also twice")
    (problem,) = found.judge(monkeypatch).problems
    assert problem.startswith("1 letters sent twice were not told from new ones")


def test_what_went_wrong_before_the_count_stays_a_problem(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.record.problems.append("nothing moves any more")
    found.record.effects.clear()
    verdict = found.judge(monkeypatch)
    assert verdict.problems == ["nothing moves any more", "cut never had an effect"]


def test_a_long_run_that_can_say_nothing_of_memory_is_not_well(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.asked = LONG_RUN
    assert "nothing can be said of nord gateway-2" in found.judge(monkeypatch).problems


@pytest.mark.parametrize("broken", ["held", "issued", "trail"])
def test_a_centre_tells_the_problems_of_all_its_chains(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Of the receipts that it holds, of those that it has issued, and of its audit trails."""

    def problems(of: str) -> list[str]:
        return [f"{of} is bent"] if of == broken else []

    held = SimpleNamespace(
        letters=1, verified=1, refused=0, duplicates=[], problems=problems("held")
    )
    issued = SimpleNamespace(receipts=1, problems=problems("issued"))
    trail = SimpleNamespace(chain="krz", entries=1, problems=problems("trail"))
    monkeypatch.setattr(steps, "become", lambda _: None)
    for name, value in (
        ("psycopg.connect", nullcontext),
        ("benchmarks.faults.issued.check_issued", lambda *_, **__: issued),
        ("console.receipts.check_all", lambda *_, **__: held),
        ("centre.audit.heads.signature_check", lambda: None),
        ("centre.audit.selectors.chains", lambda: ["krz"]),
        ("centre.audit.selectors.verify", lambda *_, **__: trail),
        ("centre.directory.selectors.current", lambda: None),
    ):
        monkeypatch.setattr(name, value)
    (problem,) = steps.chains({})["problems"]
    assert problem.endswith(f"{broken} is bent")
