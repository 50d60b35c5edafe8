"""One run: which worlds are built, what is measured in which order, and the ratios that follow."""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks import fresh, growth, modes, neighbours, probes, product, slow_disk
from benchmarks.modes import Clockwork
from benchmarks.small_centres import GONE, SmallCentres
from benchmarks.world import ROOT, BenchmarkError, World
from federation.protocol.limits import MAX_SIGNED_TOGETHER

#: A tenth of the letters of their words, or fewer: only `--long` does them in full.
_FULL_IF_LONG = frozenset({"G11", "G12", "G12a", "G17", "G17a", "G17b"})
#: Towns in the worlds where only a link is measured.
_FEW = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    rounds: int = 5
    #: Of what takes long each time: an outage, a document, a slow disk.
    long_rounds: int = 3
    towns: int = 50
    growth: tuple[int, ...] = (1, 10, 100, 400)
    growth_rounds: int = 5
    neighbour_rounds: int = 5
    neighbour_letters: int = 20_000
    letters: int = 20_000
    backlog: int = 20_000
    sustained: int = 100_000
    accepts: int = 1_280
    lone: int = 150
    dead: int = 100_000
    #: Drained at a time beside a dead link, and for so long letters go at a steady pace.
    drained: int = 12_000
    steady_s: float = 4.0
    #: Whether growth is also measured until the registrations are back, for which there is no goal.
    whole_growth: bool = True
    document: int = 99_000_000
    whole: int = 2_400
    #: In the worklist of the clerk whose page is fetched.
    cases: int = 300
    file: int = 20_000
    faults: int = 4_000
    outage_s: float = 8.0
    #: Goals that are not measured.
    left_out: frozenset[str] = frozenset()
    #: Goals whose figure means less than its words say, because less was done.
    reduced: frozenset[str] = _FULL_IF_LONG

    @classmethod
    def quick(cls) -> Self:
        """About five minutes."""
        return cls(
            rounds=2,
            long_rounds=1,
            towns=10,
            growth=(1, 10),
            growth_rounds=1,
            neighbour_rounds=1,
            neighbour_letters=2_000,
            letters=4_000,
            backlog=4_000,
            sustained=6_000,
            accepts=256,
            lone=40,
            dead=5_000,
            drained=2_000,
            steady_s=1.0,
            whole_growth=False,
            document=30_000_000,
            whole=400,
            cases=100,
            file=300,
            faults=0,
            left_out=frozenset({"G11"}),
            outage_s=2.0,
            reduced=_FULL_IF_LONG
            | {"G10", "G10a", "G13", "G15", "G15a", "G16", "G16a", "G18", "G18a"},
        )

    @classmethod
    def long(cls) -> Self:
        """A million letters behind a dead link, a million in one drain: needs 30 GB of disk.

        And a fault run of a hundred thousand: a quarter of an hour.
        """
        return cls(sustained=1_000_000, dead=1_000_000, faults=100_000, reduced=frozenset())


class Run:
    """Collects values by goal."""

    def __init__(self, folder: Path, sizes: Sizes, wanted: frozenset[str]) -> None:
        self.folder, self.sizes, self._wanted = folder, sizes, wanted
        self.values: dict[str, float] = {}
        self.notes: list[str] = []
        #: What makes the figures worthless, in words.
        self.problems: list[str] = []
        self._begin = time.monotonic()
        self._accept_rate = self._bulk_rate = 0.0

    def all(self) -> None:
        """Measure everything that is wanted."""
        self._machine()
        for goals, work in (
            ("G12 G18", self._fresh_world),
            ("G1 G2 G3 G4 G5 G14 G16 G17", self._main_world),
            ("G9", self._slow_disk),
            ("G10 G13", self._neighbours),
            ("G15", self._growth),
            ("G11", self._faults),
        ):
            if self._any(goals):
                self._attempt(goals, work)
        self._machine()

    def _attempt(self, goals: str, work: Callable[[], None]) -> None:
        """One figure that cannot be taken must not cost the others."""
        try:
            work()
        except BenchmarkError as error:
            self._give_up(goals, str(error))
        except Exception as error:  # noqa: BLE001 -- told, and the run fails; the others count
            traceback.print_exc()
            self._give_up(goals, f"{type(error).__name__}: {error}")

    def _give_up(self, goals: str, words: str) -> None:
        self._say(f"given up: {words}")
        self.problems.append(f"{goals}: {words}")

    # -- helpers -------------------------------------------------------------------------------

    def _any(self, keys: str) -> bool:
        return not self._wanted or bool(self._wanted & set(keys.split()))

    def _machine(self) -> None:
        load, loop = os.getloadavg()[0], probes.calibration_ms()
        self.notes.append(f"after {self._seconds():.0f} s: load {load:.1f}, loop {loop:.2f} ms")

    def _seconds(self) -> float:
        return time.monotonic() - self._begin

    def _say(self, words: str) -> None:
        sys.stderr.write(f"{self._seconds():7.1f} s  {words}\n")
        sys.stderr.flush()

    def _took[T](self, words: str, work: Callable[[], T]) -> T:
        found = work()
        shown = (
            ", ".join(f"{name} {value:,.4g}" for name, value in found.items())
            if isinstance(found, Mapping)
            else ""
        )
        self._say(f"{words}: {shown}")
        return found

    def _note(self, what: str, found: list[float], unit: str) -> None:
        self.notes.append(
            f"{what}: median {median(found):,.4g} {unit} ({min(found):,.4g} to {max(found):,.4g})"
        )

    def _verify(self, world: World) -> None:
        """A figure counts only if every letter has a receipt that holds."""
        checked = world.krz.step("verify")
        words = f"receipts that verify: {checked['verified']} of {checked['letters']}"
        self._say(words)
        self.notes.append(words)
        if checked["verified"] != checked["letters"]:
            self.problems.append(words)

    # -- a fresh world -------------------------------------------------------------------------

    def _fresh_world(self) -> None:
        small = SmallCentres(self.folder / "fresh")
        with World(
            self.folder / "fresh",
            tenants=_FEW,
            peers=small.centres,
            authorities=small.authorities,
        ) as world:
            world.start()
            clockwork = Clockwork(world)
            world.pause(*modes.NEIGHBOURS)
            modes.drain(clockwork, 2_000)
            if self._any("G18"):
                first, *found = [
                    self._took("document", lambda: fresh.document(clockwork, self.sizes.document))
                    for _ in range(1 + self.sizes.rounds)
                ]
                self.values["G18"] = median(each["share"] for each in found)
                self.values["G18a"] = max(each["above_idle_mib"] for each in (first, *found))
                self._note(
                    "document, the first of a new centre / bare stream", [first["share"]], ""
                )
                ways = [each["share_of_the_way"] for each in found]
                self._note("document, the way alone / bare stream", ways, "")
                durable = [each["share_of_durable"] for each in found]
                self._note("document / bare stream and two bare tables", durable, "")
            if self._any("G12"):
                dead = self._took(
                    "behind a dead link",
                    lambda: fresh.behind_a_dead_link(
                        clockwork, self.sizes.dead, drained=self.sizes.drained, link=GONE
                    ),
                )
                self.values["G12"], self.values["G12a"] = dead["memory_ratio"], dead["rate_ratio"]

    # -- the main world ------------------------------------------------------------------------

    def _main_world(self) -> None:
        small = SmallCentres(self.folder / "main")
        with World(
            self.folder / "main",
            tenants=self.sizes.towns,
            peers=small.centres,
            authorities=small.authorities,
        ) as world:
            world.start()
            self._say(f"two centres with {self.sizes.towns} towns each run")
            clockwork = Clockwork(world)
            if self._any("G3 G14 G16"):
                self._accepting(world, clockwork)
                self._product(clockwork)
            if self._any("G16"):
                found = self._took("memory", lambda: modes.memory(world))
                self.values["G16"], self.values["G16a"] = found["centre_mib"], found["gateway_mib"]
            world.pause(*modes.NEIGHBOURS)
            if self._any("G4"):
                several = [
                    self._took("share", lambda: modes.shares(clockwork, self.sizes.accepts // 4))
                    for _ in range(self.sizes.rounds)
                ]
                self.values["G4"] = median(each["ratio"] for each in several)
            if self._any("G1 G2 G3 G5"):
                self._link(world, clockwork, small)
            if self._any("G17"):
                found = self._took(
                    "sustained", lambda: modes.sustained(clockwork, self.sizes.sustained)
                )
                self.values["G17"] = found["per_s"]
                self.values["G17a"] = found["last_to_first"]
                self.values["G17b"] = found["growth_mib"]
                self.notes.append(f"{self.sizes.sustained:,} letters in the sustained drain")
            self._verify(world)

    def _accepting(self, world: World, clockwork: Clockwork) -> None:
        single, bulk = [], []
        for _ in range(self.sizes.rounds):
            with clockwork.held():
                one = self._took(
                    "one by one", lambda: modes.accept(world, self.sizes.accepts // 4, bulk=1)
                )
                many = self._took("bulk", lambda: modes.accept(world, self.sizes.accepts, bulk=64))
            single.append(one["per_s"])
            bulk.append(many["per_s"])
        self._accept_rate, self._bulk_rate = median(single), median(bulk)
        self.values["G14"] = median(many / one for one, many in zip(single, bulk, strict=True))
        self._note("accepted one by one", single, "/s")
        self._note("accepted 64 in a call", bulk, "/s")
        self._took("settling", world.settled)

    def _product(self, clockwork: Clockwork) -> None:
        """Figures of the whole product, for which there is no goal."""
        count = self.sizes.file
        for words, work in (
            ("clerks, one request at a time", lambda: product.clerks(clockwork, self.sizes.lone)),
            (f"a file of {count:,}", lambda: product.bring_in(clockwork, count, first=1)),
            (
                f"a file of {count:,} behind a pause",
                lambda: product.backlog(clockwork, count, first=count + 1),
            ),
        ):
            found = self._took(words, work)
            said = ", ".join(f"{name} {value:,.4g}" for name, value in found.items())
            self.notes.append(f"{words}: {said}")

    def _link(self, world: World, clockwork: Clockwork, small: SmallCentres) -> None:
        sizes, cores = self.sizes, os.cpu_count() or 1
        pieces, live, drained, single, lone, restless = [], [], [], [], [], []
        for _ in range(sizes.rounds):
            pieces.append(
                self._took(
                    "bare pieces",
                    lambda: probes.all_pieces(world.krz.url("owner"), world.krz.folder.tls, "krz"),
                )
            )
            single.append(self._took("unary calls", lambda: small.deliver(world)))
            live.append(self._took("live", lambda: modes.live(clockwork, sizes.letters, loaders=3)))
            drained.append(self._took("drain", lambda: modes.drain(clockwork, sizes.backlog)))
            lone.append(self._took("lone letters", lambda: modes.alone(clockwork, sizes.lone)))
            restless.append(
                self._took(
                    "lone letters without rest", lambda: modes.alone(clockwork, sizes.lone, rest=0)
                )
            )
        rates = [each["per_s"] for each in live]
        drains = [each["per_s"] for each in drained]
        unaries = [each["per_s"] for each in single]
        self.values["G1"] = median(a / b for a, b in zip(rates, unaries, strict=True))
        ceilings = [probes.ceiling(each, cores=cores) for each in pieces]
        self.values["G2"] = median(a / b for a, b in zip(rates, ceilings, strict=True))
        self.values["G3"] = median(a / b for a, b in zip(drains, rates, strict=True))
        if self._accept_rate:
            self.values["G3a"] = median(drains) / self._accept_rate
            self.values["G3b"] = median(self._outages(clockwork, self._accept_rate))
            self._note(
                f"G3b at the rate of imports, {self._bulk_rate:,.0f}/s",
                self._outages(clockwork, self._bulk_rate),
                "",
            )
        self.values["G5"] = median(
            each["p50_ms"] / (3 * piece["idle_commit_ms"] + piece["idle_trip_ms"])
            for each, piece in zip(lone, pieces, strict=True)
        )
        tight = [3 * piece["commit_ms"] + piece["trip_ms"] for piece in pieces]
        for words, letters in (
            ("G5 with pieces in a tight loop, letters after a rest", lone),
            ("G5 with pieces and letters in a tight loop", restless),
        ):
            shares = [each["p50_ms"] / bare for each, bare in zip(letters, tight, strict=True)]
            self._note(words, shares, "")
        self._note("lone letter without rest, median", [each["p50_ms"] for each in restless], "ms")
        self.values["G5a"] = median(each["p99_ms"] / each["p50_ms"] for each in lone)
        self._note("batched link", rates, "/s")
        self._note("ceiling", ceilings, "/s")
        together = [
            probes.ceiling(each, cores=cores, signed_together=MAX_SIGNED_TOGETHER)
            for each in pieces
        ]
        shares = [a / b for a, b in zip(rates, together, strict=True)]
        self._note("batched link / the ceiling with one signature for 64 letters", shares, "")
        self._note("drain", drains, "/s")
        self._note("unary calls", unaries, "/s")
        self._note("lone letter, median", [each["p50_ms"] for each in lone], "ms")
        self._note("live, 99th percentile", [each["p99_ms"] for each in live], "ms")
        spent = self._took("processor", lambda: modes.profile(clockwork, sizes.letters))
        by_size = sorted(spent.items(), key=lambda each: -each[1])
        self.notes.append("µs a letter: " + ", ".join(f"{who} {us:.0f}" for who, us in by_size))

    def _outages(self, clockwork: Clockwork, per_s: float) -> list[float]:
        """Return times to catch up as shares of outages, letters coming at a rate all the while."""
        seconds = self.sizes.outage_s
        return [
            self._took(
                f"outage at {per_s:,.0f}/s",
                lambda: modes.outage(clockwork, seconds=seconds, per_s=per_s),
            )["share"]
            for _ in range(self.sizes.long_rounds)
        ]

    # -- other worlds --------------------------------------------------------------------------

    def _slow_disk(self) -> None:
        found = slow_disk.measure(
            self.folder / "slow", letters=self.sizes.letters // 2, rounds=self.sizes.long_rounds
        )
        if isinstance(found, str):
            self.notes.append(found)
            return
        self._took("slow disk", lambda: found)
        self.values["G9"] = found["ratio"]

    def _neighbours(self) -> None:
        found = self._took(
            "twenty links",
            lambda: neighbours.measure(
                self.folder / "neighbours",
                letters=self.sizes.neighbour_letters,
                rounds=self.sizes.neighbour_rounds,
                steady_s=self.sizes.steady_s,
            ),
        )
        self.values["G10"], self.values["G10a"] = found["rate"], found["p99"]
        self.values["G13"] = found["poison_p99"]
        longest = found["poison_own_most_ms"]
        self.notes.append(f"the longest wait on the poisoned link itself: {longest:.0f} ms")

    def _growth(self) -> None:
        sizes = self.sizes
        found = growth.measure(
            self.folder,
            sizes=sizes.growth,
            requests=sizes.whole,
            cases=sizes.cases,
            rounds=sizes.growth_rounds,
            whole=sizes.whole_growth,
            say=self._say,
        )
        many = found[sizes.growth[-1]]
        self.values["G15"], self.values["G15a"] = many["rate_share"], many["page_share"]
        for towns, each in sorted(found.items()):
            whole = each["whole_per_s"]
            back = f"{whole:.4g} until the registration is back, " if whole else ""
            self.notes.append(
                f"{towns} towns: {each['per_s']:.4g} requests/s until the receipt, "
                f"{back}a page {each['page_ms']:.3g} ms"
            )

    def _faults(self) -> None:
        if not self.sizes.faults:
            return
        self._say(f"a fault run with {self.sizes.faults} letters")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.faults", "--json"),
                *("--messages", str(self.sizes.faults)),
            ],
            cwd=ROOT,
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
        # Bad figures are figures: a run that has lost something says so, and fails.
        last = next(reversed(done.stdout.splitlines()), "")
        if (lost := lost_or_doubled(last)) is not None:
            self.values["G11"] = lost
            self.notes.append(f"fault run: {last}")
        if done.returncode or lost is None:
            self.problems.append(f"the fault run failed ({done.returncode}): {last}")


def lost_or_doubled(line: str) -> int | None:
    """Return what the last line of a fault run counts; None if it is no count."""
    try:
        counts = json.loads(line)
        return int(counts["lost"] + counts["duplicates"] + (not counts["chains_ok"]))
    except (ValueError, TypeError, KeyError):
        return None
