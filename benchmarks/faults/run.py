"""A fault run from its first letter to its verdict. It can be interrupted and resumed."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.faults import counting, diagnosis, replay
from benchmarks.faults.injection import Injection
from benchmarks.faults.memory import Memory
from benchmarks.faults.plan import CENTRES, Fault
from benchmarks.faults.world import Say, StepBroken, World, running
from console.home import Home

#: No letter moves for so long: something waits for a human.
PATIENCE_S: Final = 90.0
_TICK_S: Final = 0.5
_SAMPLE_S: Final = 5.0
_TELL_S: Final = 30.0
#: When nothing has moved for so long, what is left waits for a time of day.
_STILL_S: Final = 10.0
#: When all is over an hour and more passes, so that what waits for the time of day need not wait.
_LATER_S: Final = 7_500


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done."""

    home: Path
    port_base: int
    messages: int
    seed: int
    faults: Sequence[Fault]


@dataclass(kw_only=True)
class Verdict:
    """What came of it."""

    figures: dict[str, Any]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def good(self) -> bool:
        return not self.problems and not self.interrupted


@dataclass(slots=True)
class Progress:
    """How far a run has come, in a file beside its data."""

    file: Path
    seed: int
    messages: int
    begun: int = 0
    kills: int = 0
    forsaken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job) -> "Progress":
        """Return what an interrupted run of the same plan left, or a new beginning."""
        progress = cls(job.home / "faults.json", job.seed, job.messages)
        if progress.file.exists():
            known = json.loads(progress.file.read_text(encoding="utf-8"))
            if (known["seed"], known["messages"]) != (job.seed, job.messages):
                raise StepBroken(
                    f"{job.home} belongs to a run with --seed {known['seed']}"
                    f" --messages {known['messages']}.",
                    hint="Resume that one, or name another --home.",
                )
            progress.begun, progress.kills = known["begun"], known["kills"]
            progress.forsaken = known["forsaken"]
        return progress

    def save(self) -> None:
        known = {
            "seed": self.seed,
            "messages": self.messages,
            "begun": self.begun,
            "kills": self.kills,
            "forsaken": self.forsaken,
        }
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(known), encoding="utf-8")
        fresh.replace(self.file)


@dataclass(kw_only=True)
class Run:
    """One run in a federation that is up."""

    world: World
    job: Job
    say: Say
    progress: Progress
    injection: Injection
    memory: Memory = field(default_factory=Memory)
    seconds: float = 0.0

    def traffic(self) -> bool:
        """Let clerks work while things break; say whether enough letters were sent."""
        begin = time.monotonic()
        self.world.start_drivers()
        try:
            return self._watch()
        finally:
            self.world.stop_drivers()
            self.injection.finish()
            self.progress.kills += self.injection.record.kills
            self.progress.forsaken += self.injection.record.forsaken
            self.progress.save()
            self.seconds = time.monotonic() - begin

    def _watch(self) -> bool:
        faults = self.job.faults
        last, moved_at, sampled_at, told_at = -1, time.monotonic(), 0.0, time.monotonic()
        while last < self.job.messages or self.progress.begun < len(faults):
            if self.world.supervisor.wait(_TICK_S):
                return False
            self.world.check_drivers()
            now = self._sent(last)
            if now != last:
                last, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > PATIENCE_S:
                raise StepBroken(
                    f"No letter was sent for {PATIENCE_S:.0f} s.", hint="See the logs."
                )
            share = last / self.job.messages
            self._break(share)
            if time.monotonic() - sampled_at > _SAMPLE_S:
                sampled_at = time.monotonic()
                self.memory.sample(self.world, share)
            if time.monotonic() - told_at > _TELL_S:
                told_at = time.monotonic()
                self.say(f"{last} letters, {self.injection.record.kills} kills")
        return True

    def _sent(self, before: int) -> int:
        try:
            return counting.sent(self.world)
        except psycopg.OperationalError:  # a database is being killed
            return before

    def _break(self, share: float) -> None:
        faults = self.job.faults
        while self.progress.begun < len(faults) and faults[self.progress.begun].at <= share:
            self.injection.begin(faults[self.progress.begun])
            self.progress.begun += 1
            self.progress.save()

    def settle(self) -> bool:
        """Mend everything and wait until nothing is on its way; say whether we may."""
        for proxy in self.world.proxies.values():
            proxy.heal()
        for each in self.world.surroundings.values():
            each.mend()
        begin = moved_at = time.monotonic()
        last, later = None, False
        while (now := counting.unsettled(self.world)).waiting:
            if now != last:
                last, moved_at = now, time.monotonic()
            still = time.monotonic() - moved_at
            if still > PATIENCE_S:
                self.injection.record.problems.append(f"nothing moves any more: {now}")
                diagnosis.write(self.world)
                break
            if still > _STILL_S and not later:
                later = True
                self.say(f"{now.under_way} letters, {now.unprocessed} effects wait: time passes")
                for each in self.world.surroundings.values():
                    each.set_clock(_LATER_S)
            if self.world.supervisor.wait(_TICK_S):
                return False
        self.say(f"settled after {time.monotonic() - begin:.1f} s")
        return True


def execute(job: Job, *, say: Say) -> Verdict:
    """Run it; return the verdict."""
    with running(Home(job.home), job.port_base, say=say) as world:
        injection = Injection(world, say)
        run = Run(world=world, job=job, say=say, progress=Progress.of(job), injection=injection)
        if not run.traffic():
            return Verdict(figures={}, interrupted=True)
        say("all letters are sent; waiting until the last has its effect")
        if not run.settle():
            return Verdict(figures={}, interrupted=True)
        return _judge(run)


def _judge(run: Run) -> Verdict:
    world, record = run.world, run.injection.record
    try:
        run.say(f"{replay.everything(world)} letters sent once more by a thief of the keys")
    except replay.ReplayRefused as problem:
        record.problems.append(f"replay: {problem}")
    found = counting.count(world, forsaken=run.progress.forsaken)
    with ThreadPoolExecutor(len(CENTRES)) as pool:
        chains = list(pool.map(lambda centre: world.step(centre, "chains"), CENTRES))
    verified, letters, refused = (
        sum(chain[name] for chain in chains) for name in ("verified", "letters", "refused")
    )
    problems = [*record.problems, *run.memory.growing()]
    problems += [f"lost: {each}" for each in found.lost]
    problems += [f"out of order: {each}" for each in found.out_of_order]
    problems += [f"promised and gone: case {each}" for each in found.broken_promises]
    problems += [each for chain in chains for each in chain["problems"]]
    if found.duplicates:
        problems.append(f"{found.duplicates} effects too many")
    if verified + refused != letters:
        problems.append(f"{letters - verified - refused} letters have no receipt that holds")
    figures = {
        "messages": found.messages,
        "kills": run.progress.kills,
        "lost": len(found.lost) + len(found.broken_promises),
        "duplicates": found.duplicates,
        "out_of_order": len(found.out_of_order),
        "receipts_verified": verified,
        "chains_ok": not any(chain["problems"] for chain in chains),
    }
    return Verdict(figures=figures, problems=problems, notes=_notes(run, found, chains))


def _notes(run: Run, found: counting.Count, chains: Sequence[Mapping[str, Any]]) -> list[str]:
    entries, trails, issued = (
        sum(chain[name] for chain in chains) for name in ("entries", "trails", "issued")
    )
    takeovers = run.injection.record.takeovers
    forsaken = len(run.progress.forsaken)
    sums = f"{found.relayed} relayed, {found.cancelled} cancelled, {forsaken} discarded"
    longest = max(takeovers, default=0.0)
    notes = [
        f"{found.messages} letters in {run.seconds:.0f} s: {sums}",
        f"{trails} audit chains with {entries} entries, {issued} receipts issued",
        f"links of {len(takeovers)} killed dispatchers had a new owner after {longest:.1f} s",
    ]
    for name, (early, late) in sorted(run.memory.compare().items()):
        notes.append(f"own memory of {name}: {early:.0f} MB in the beginning, {late:.0f} at last")
    return notes
