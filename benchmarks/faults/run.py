"""A fault run from its first letter to its verdict. It can be interrupted and resumed."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.faults import counting, diagnosis, replay, waiting
from benchmarks.faults.injection import Injection
from benchmarks.faults.memory import Memory
from benchmarks.faults.plan import CENTRES, Fault
from benchmarks.faults.progress import Progress, Record
from benchmarks.faults.world import Say, StepBroken, World, running
from console.home import Home

#: No letter moves for so long: something waits for a human.
PATIENCE_S: Final = 90.0
_TICK_S: Final = 0.5
#: So long at least after one fault the next one begins.
_BETWEEN_S: Final = 1.0
_SAMPLE_S: Final = 5.0
_TELL_S: Final = 30.0
#: When nothing has moved for so long, what is left may be waiting for a time of day.
_STILL_S: Final = 10.0
#: If all of it does, by design, an hour and more passes at once.
_LATER_S: Final = 7_500
_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done."""

    home: Path
    port_base: int
    messages: int
    seed: int
    faults: Sequence[Fault]

    def progress(self) -> Progress:
        """Return how far the run has come that lies in this folder."""
        plan = {"seed": self.seed, "messages": self.messages, "faults": len(self.faults)}
        return Progress.of(self.home / "faults.json", plan=plan)


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
    _broke_at: float = 0.0

    def traffic(self) -> bool:
        """Let clerks work while things break; say whether enough letters were sent."""
        begin = time.monotonic()
        self.world.start_drivers()
        try:
            return self._watch()
        finally:
            self.world.stop_drivers()
            self.injection.finish()
            self.progress.save()
            self.seconds = time.monotonic() - begin

    def _watch(self) -> bool:
        faults = self.job.faults
        last, moved_at, sampled_at, told_at = -1, time.monotonic(), 0.0, time.monotonic()
        while (
            last < self.job.messages
            or self.progress.begun < len(faults)
            or self.injection.busy  # what breaks letters needs some
        ):
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
                self.memory.sample(self.world, max(0, last))
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
        """Begin what is due, one thing at a time: in a short run much is due at once."""
        faults, now = self.job.faults, time.monotonic()
        if now - self._broke_at < _BETWEEN_S or self.progress.begun == len(faults):
            return
        if faults[self.progress.begun].at <= share:
            self._broke_at = now
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
        while (now := waiting.unsettled(self.world)).waiting:
            if now != last:
                last, moved_at = now, time.monotonic()
            still = time.monotonic() - moved_at
            if still > PATIENCE_S:
                self._stands_still(now)
                break
            # The clock is moved only for what waits for it: it would hide what hangs.
            if still > _STILL_S and not later and not waiting.stuck(self.world):
                later, moved_at = True, time.monotonic()
                self.say(f"{now.under_way} letters, {now.unprocessed} effects wait: time passes")
                for each in self.world.surroundings.values():
                    each.set_clock(_LATER_S)
            if self.world.supervisor.wait(_TICK_S):
                self.progress.save()
                return False
        self.say(f"settled after {time.monotonic() - begin:.1f} s")
        return True

    def _stands_still(self, now: waiting.Unsettled) -> None:
        stuck = waiting.stuck(self.world)
        self.injection.problem(f"nothing moves any more: {now}, {len(stuck)} without a time")
        for each in stuck[:_SHOWN]:
            self.injection.problem(f"stands still: {each}")
        diagnosis.write(self.world)
        self.progress.save()


def execute(job: Job, *, say: Say) -> Verdict:
    """Run it; return the verdict."""
    progress = job.progress()
    with running(Home(job.home), job.port_base, say=say) as world:
        injection = Injection(world, say, progress.record)
        run = Run(world=world, job=job, say=say, progress=progress, injection=injection)
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
    found = counting.count(world, forsaken=record.forsaken, cancelled=record.cancelled)
    with ThreadPoolExecutor(len(CENTRES)) as pool:
        chains = list(pool.map(lambda centre: world.step(centre, "chains"), CENTRES))
        documents = list(pool.map(lambda centre: world.step(centre, "documents"), CENTRES))
    verified, letters, refused = (
        sum(chain[name] for chain in chains) for name in ("verified", "letters", "refused")
    )
    problems = [
        *record.problems,
        *run.memory.problems(asked=run.job.messages),
        *without_effect(run.job.faults, record),
    ]
    problems += [f"lost: {each}" for each in found.lost]
    problems += [f"astray: {each}" for each in found.astray]
    problems += [f"out of order: {each}" for each in found.out_of_order]
    problems += [f"promised and gone: {each}" for each in found.broken_promises]
    problems += [each for chain in chains for each in chain["problems"]]
    broken = [each for document in documents for each in document["problems"]]
    problems += broken
    if found.duplicates:
        problems.append(f"{found.duplicates} effects too many")
    if verified + refused != letters:
        problems.append(f"{letters - verified - refused} letters have no receipt that holds")
    signed_twice = {each for chain in chains for each in chain["duplicates"]}
    if missing := set(record.twice) - signed_twice:
        problems.append(f"{len(missing)} letters sent twice were not told from new ones: {missing}")
    figures = {
        "messages": found.messages,
        "kills": record.kills,
        "lost": len(found.lost) + len(found.broken_promises) + len(broken),
        "duplicates": found.duplicates + len(found.astray),
        "out_of_order": len(found.out_of_order),
        "receipts_verified": verified,
        "chains_ok": not any(chain["problems"] for chain in chains),
    }
    whole = sum(document["whole"] for document in documents)
    notes = [*_notes(run, found, chains), f"{whole} documents came whole"]
    return Verdict(figures=figures, problems=problems, notes=notes)


def without_effect(faults: Sequence[Fault], record: Record) -> list[str]:
    """Return the kinds of faults that were asked for and never broke anything, in words."""
    kinds = sorted({each.kind for each in faults})
    return [f"{kind} never had an effect" for kind in kinds if not record.effects.get(kind)]


def _notes(run: Run, found: counting.Count, chains: Sequence[Mapping[str, Any]]) -> list[str]:
    entries, trails, issued = (
        sum(chain[name] for chain in chains) for name in ("entries", "trails", "issued")
    )
    record = run.injection.record
    sums = (
        f"{found.relayed} relayed, {found.cancelled} cancelled, {len(record.forsaken)} discarded, "
        f"{len(set(record.twice))} sent twice"
    )
    longest = max(record.takeovers, default=0.0)
    counts = ", ".join(f"{kind} {number}" for kind, number in sorted(record.effects.items()))
    return [
        f"{found.messages} letters in {run.seconds:.0f} s: {sums}",
        f"faults with an effect: {counts}",
        f"{trails} audit chains with {entries} entries, {issued} receipts issued",
        f"links of {len(record.takeovers)} killed dispatchers had a new owner by {longest:.1f} s",
        *run.memory.notes(),
    ]
