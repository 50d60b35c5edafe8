"""What a run has done and found so far, in a file beside its data: it can be interrupted."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.world import StepBroken


@dataclass(slots=True)
class Record:
    """What has been done, and what came of it."""

    kills: int = 0
    #: How often each kind of fault really broke something.
    effects: dict[str, int] = field(default_factory=dict)
    #: Seconds until a link of a killed dispatcher had a new owner.
    takeovers: list[float] = field(default_factory=list)
    #: Messages that an operator has discarded at the receiver.
    forsaken: list[str] = field(default_factory=list)
    #: Letters that an operator has given up.
    cancelled: list[str] = field(default_factory=list)
    #: Letters that were sent once more though the receiver had them.
    twice: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Progress:
    """How far a run has come."""

    file: Path
    #: What makes the plan; a run goes on with the same one only.
    plan: dict[str, Any]
    begun: int = 0
    record: Record = field(default_factory=Record)

    @classmethod
    def of(cls, file: Path, *, plan: dict[str, Any]) -> "Progress":
        """Return what an interrupted run of the same plan left, or a new beginning."""
        progress = cls(file, plan)
        if file.exists():
            known = json.loads(file.read_text(encoding="utf-8"))
            if known["plan"] != plan:
                raise StepBroken(
                    f"{file.parent} belongs to another run: {known['plan']}.",
                    hint="Resume that one, or name another --home.",
                )
            progress.begun = known["begun"]
            progress.record = Record(**known["record"])
        return progress

    def save(self) -> None:
        """Write it down; whatever was found wrong before an interruption stays found."""
        known = {"plan": self.plan, "begun": self.begun, "record": asdict(self.record)}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(known), encoding="utf-8")
        fresh.replace(self.file)
