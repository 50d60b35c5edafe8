"""The goals that the figures are held against. Pure.

Most are ratios of two things that one run has measured, because the clock of a shared machine says
little: its cores change their speed every few seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """What one figure should be."""

    key: str
    words: str
    #: The least or the most that it may be.
    kind: Literal["at least", "at most"]
    limit: float

    def met(self, value: float) -> bool:
        """Return whether a value reaches the goal."""
        return value >= self.limit if self.kind == "at least" else value <= self.limit

    def line(self, value: float | None, *, reduced: bool = False) -> str:
        """Return the goal with a value as one line; None: not measured in this run."""
        said = f"{self.kind} {self.limit:g}"
        if value is None:
            return f"{self.key:<4} {'–':>8}  {said:<15} not measured  {self.words}"
        verdict = "met" if self.met(value) else "NOT MET"
        words = f"{self.words} (reduced)" if reduced else self.words
        return f"{self.key:<4} {value:>8.3g}  {said:<15} {verdict:<12}  {words}"


#: Goals with more than one part have a letter behind the number.
GOALS: Final = (
    Goal("G1", "batched link / own unary calls, 16 in flight", "at least", 5),
    Goal("G2", "batched link / ceiling of the machine's bare pieces", "at least", 0.55),
    Goal("G3", "drain of a backlog / live batched link", "at least", 1.4),
    Goal("G3a", "drain of a backlog / requests accepted one by one", "at least", 5),
    Goal(
        "G3b", "time to drain an outage at the load of G3a / length of the outage", "at most", 0.25
    ),
    Goal("G4", "processor time of accept and delivery / accept alone", "at most", 1.35),
    Goal(
        "G5",
        "lone letter, median / (3 single commits + 1 round trip), all after a rest",
        "at most",
        2,
    ),
    Goal("G5a", "lone letter, 99th percentile / median", "at most", 5),
    Goal("G9", "batched link with 2 ms more for each fsync / without", "at least", 0.75),
    Goal("G10", "rate of healthy links beside a dead and a slow one / alone", "at least", 0.95),
    Goal("G10a", "99th percentile of healthy links beside them / alone", "at most", 1.5),
    Goal("G11", "lost or doubled under kill -9 (from `make faults`)", "at most", 0),
    Goal("G12", "memory of dispatch with a long backlog behind a dead link / idle", "at most", 1.1),
    Goal("G12a", "rate of another link beside that backlog / without", "at least", 0.9),
    Goal("G13", "99th percentile beside a poisonous letter / without", "at most", 2),
    Goal("G14", "accepting 64 in a call / one in a call", "at least", 5),
    Goal("G15", "requests end to end with many towns / with one", "at least", 0.85),
    Goal("G15a", "a clerk's page with many towns / with one", "at most", 1.2),
    Goal("G16", "a whole centre with 50 towns, MiB", "at most", 1024),
    Goal("G16a", "its gateway, MiB", "at most", 150),
    Goal("G17", "letters per second, sustained", "at least", 2200),
    Goal("G17a", "their speed in the last third / in the first third", "at least", 0.8),
    Goal("G17b", "memory that dispatch or gateway gain meanwhile, MiB", "at most", 16),
    Goal("G18", "a 100 MB document / bare gRPC stream", "at least", 0.5),
    Goal("G18a", "memory above idle while it travels, MiB", "at most", 64),
)
BY_KEY: Final = {goal.key: goal for goal in GOALS}


def table(values: Mapping[str, float], reduced: frozenset[str] = frozenset()) -> list[str]:
    """Return one line for each goal."""
    return [goal.line(values.get(goal.key), reduced=goal.key in reduced) for goal in GOALS]


def as_json(
    values: Mapping[str, float], reduced: frozenset[str] = frozenset()
) -> dict[str, object]:
    """Return what the last line of `--json` says; what was not measured is absent.

    `reduced` are goals for which less was done than their words say: they are marked.
    """
    return {
        "goals": {
            goal.key: {
                "value": round(values[goal.key], 4),
                "goal": f"{goal.kind} {goal.limit:g}",
                "met": goal.met(values[goal.key]),
                **({"reduced": True} if goal.key in reduced else {}),
            }
            for goal in GOALS
            if goal.key in values
        }
    }
