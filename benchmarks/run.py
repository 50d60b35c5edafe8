"""One run: which worlds are built, what is measured in which order, and the ratios that follow."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Self

from benchmarks import modes, pages, probes, slow_disk, unary
from benchmarks.modes import Clockwork
from benchmarks.world import ROOT, World
from centre.directory.records import AuthorityRecord, CentreRecord, PublicKey
from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys import pki
from centre.keys.sign import SigningKey

#: A centre in the directory where nobody answers.
GONE = "fort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    rounds: int = 5
    towns: int = 50
    many: int = 400
    letters: int = 12_000
    backlog: int = 20_000
    accepts: int = 1_280
    lone: int = 150
    dead: int = 100_000
    document: int = 99_000_000
    whole: int = 3_200
    outage_s: float = 8.0

    @classmethod
    def quick(cls) -> Self:
        """About four minutes."""
        return cls(
            rounds=2,
            towns=6,
            many=0,
            letters=4_000,
            backlog=6_000,
            accepts=256,
            lone=50,
            dead=10_000,
            document=30_000_000,
            whole=0,
            outage_s=4.0,
        )

    @classmethod
    def long(cls) -> Self:
        """Hours on a slow machine: a million letters in one drain."""
        return cls(backlog=1_000_000, dead=1_000_000)


class Run:
    """Collects values by goal."""

    def __init__(self, folder: Path, sizes: Sizes, wanted: frozenset[str]) -> None:
        self.folder, self.sizes, self._wanted = folder, sizes, wanted
        self.values: dict[str, float] = {}
        self.notes: list[str] = []
        self._begin = time.monotonic()

    def all(self) -> None:
        """Measure everything that is wanted."""
        self.notes.append(f"load {os.getloadavg()[0]:.1f}, loop {probes.calibration_ms():.2f} ms")
        if self._any("G1 G2 G3 G4 G5 G12 G14 G16 G17 G18"):
            self._main_world()
        if self._any("G9"):
            self._slow_disk()
        if self._any("G15") and self.sizes.many:
            self._growth()
        self.notes.append(f"load {os.getloadavg()[0]:.1f}, loop {probes.calibration_ms():.2f} ms")

    # -- helpers -------------------------------------------------------------------------------

    def _any(self, keys: str) -> bool:
        return not self._wanted or bool(self._wanted & set(keys.split()))

    def _say(self, words: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._begin:7.1f} s  {words}\n")
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
            if self._any("G1 G2 G3 G5 G17 G18"):
                self._link(world, clockwork, small)
            if self._any("G18"):
                self._document(clockwork)
            if self._any("G12"):
                dead = self._took(
                    "behind a dead link",
                    lambda: modes.behind_a_dead_link(clockwork, self.sizes.dead, link=GONE),
                )
                self.values["G12"], self.values["G12a"] = dead["memory_ratio"], dead["rate_ratio"]
            checked = world.krz.step("verify")
            self.notes.append(
                f"receipts that verify: {checked['verified']} of {checked['letters']}"
            )

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
        self._accept_rate = median(single)
        self.values["G14"] = median(many / one for one, many in zip(single, bulk, strict=True))
        self._note("accepted one by one", single, "/s")
        self._note("accepted 64 in a call", bulk, "/s")
        self._took("settling", world.settled)

    _accept_rate = 0.0

    def _link(self, world: World, clockwork: Clockwork, small: "SmallCentres") -> None:
        sizes, cores = self.sizes, os.cpu_count() or 1
        pieces, live, drained, single, lone = [], [], [], [], []
        database = probes.Database(world.krz.url("owner"), world.pids("krz")["postgresql"])
        for _ in range(sizes.rounds):
            pieces.append(
                self._took(
                    "bare pieces",
                    lambda: probes.all_pieces(database, world.krz.folder.tls, "krz"),
                )
            )
            single.append(self._took("unary calls", lambda: small.deliver(world)))
            live.append(self._took("live", lambda: modes.live(clockwork, sizes.letters)))
            drained.append(self._took("drain", lambda: modes.drain(clockwork, sizes.backlog)))
            lone.append(self._took("lone letters", lambda: modes.alone(clockwork, sizes.lone)))
        rates = [each["per_s"] for each in live]
        drains = [each["per_s"] for each in drained]
        unaries = [each["per_s"] for each in single]
        best = probes.best(pieces)
        self._took("pieces at their best", lambda: best)
        self._stream = best["bytes_per_s"]
        self.values["G1"] = median(a / b for a, b in zip(rates, unaries, strict=True))
        ceilings = [probes.ceiling(each, cores=cores) for each in pieces]
        self.values["G2"] = median(a / b for a, b in zip(rates, ceilings, strict=True))
        self.values["G3"] = median(a / b for a, b in zip(drains, rates, strict=True))
        if self._accept_rate:
            self.values["G3a"] = median(drains) / self._accept_rate
        self.values["G5"] = median(
            each["p50_ms"] / (3 * piece["commit_ms"] + piece["trip_ms"])
            for each, piece in zip(lone, pieces, strict=True)
        )
        self.values["G5a"] = median(each["p99_ms"] / each["p50_ms"] for each in lone)
        self.values["G17"] = median(drains)
        outage = self._took(
            "outage",
            lambda: modes.outage(clockwork, seconds=sizes.outage_s, per_s=0.7 * median(rates)),
        )
        self.values["G3b"] = outage["share"]
        self._note("batched link", rates, "/s")
        self._note("ceiling", ceilings, "/s")
        self._note("drain", drains, "/s")
        self._note("unary calls", unaries, "/s")
        self._note("lone letter, median", [each["p50_ms"] for each in lone], "ms")
        self._note("live, 99th percentile", [each["p99_ms"] for each in live], "ms")

    _stream = 0.0

    def _document(self, clockwork: Clockwork) -> None:
        tls = clockwork.world.krz.folder.tls
        found, shares = [], []
        for _ in range(min(self.sizes.rounds, 3)):
            bare = probes.wire(tls, "krz")["bytes_per_s"]
            found.append(
                self._took("document", lambda: modes.document(clockwork, self.sizes.document))
            )
            shares.append(found[-1]["bytes_per_s"] / bare)
        self.values["G18"] = median(shares)
        self.values["G18a"] = max(each["above_idle_mib"] for each in found)

    # -- other worlds --------------------------------------------------------------------------

    def _slow_disk(self) -> None:
        found = slow_disk.measure(
            self.folder / "slow", letters=self.sizes.letters // 2, rounds=self.sizes.rounds
        )
        if isinstance(found, str):
            self.notes.append(found)
            return
        self._took("slow disk", lambda: found)
        self.values["G9"] = found["ratio"]

    def _growth(self) -> None:
        rates, seconds = {}, {}
        for towns in (1, self.sizes.many):
            with World(self.folder / f"towns{towns}", tenants=towns) as world:
                world.start()
                self._say(f"two centres with {towns} towns each run")
                modes.whole(world, self.sizes.whole // 4, bulk=8)
                several = [
                    self._took("whole", lambda: modes.whole(world, self.sizes.whole, bulk=8))
                    for _ in range(3)
                ]
                rates[towns] = median(each["per_s"] for each in several)
                found = self._took("page", lambda: pages.worklist(world, times=60))
                seconds[towns] = found["p50_ms"]
        self.values["G15"] = rates[self.sizes.many] / rates[1]
        self.values["G15a"] = seconds[self.sizes.many] / seconds[1]
        self.notes.append(f"whole product, 1 town: {rates[1]:.4g}/s")


class SmallCentres:
    """Centres that stand in the directory: sixteen that deliver by calls, one that is gone."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True)
        home.chmod(0o711)
        self._pki = home / "small"
        pki.create_authority(home / "pki")
        self._keys = [SigningKey.generate() for _ in range(unary.CENTRES)]
        self.authorities = tuple(
            AuthorityRecord(
                id=new_id(),
                name=f"Stadt {unary.name(number)}",
                home_centre=unary.name(number),
                keys=(_public(key),),
            )
            for number, key in enumerate(self._keys)
        )
        self.centres = (
            *(self._centre(home, number) for number in range(unary.CENTRES)),
            CentreRecord(id=GONE, name=GONE, endpoint="127.0.0.1:9"),
        )

    def _centre(self, home: Path, number: int) -> CentreRecord:
        name = unary.name(number)
        pki.issue(home / "pki", name, self._pki / name)
        certificate = (self._pki / name / "centre.pem").read_bytes()
        return CentreRecord(
            id=name, name=name, endpoint="127.0.0.1:9", fingerprints=(pki.fingerprint(certificate),)
        )

    def deliver(self, world: World, *, seconds: float = 4.0) -> dict[str, float]:
        """Let all sixteen deliver to nord for a while."""
        keys = world.nord.step("keys", authority=world.nord.authorities[0])
        said: dict[str, Any] = {
            "pki": str(self._pki),
            "authorities": [str(each.id) for each in self.authorities],
            "keys": [key.to_bytes().hex() for key in self._keys],
            "recipient": world.nord.authorities[0],
            "endpoint": world.nord.folder.settings()["AMTSBRUECKE_GATEWAY_BIND"],
            "receiver": "nord",
            "url": world.krz.url("owner"),
            "version": 1,
            "size": 3_500,
            "seconds": seconds,
            **keys,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.unary", json.dumps(said)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        return {"per_s": found["count"] / found["seconds"]}


def _public(key: SigningKey) -> PublicKey:
    verify = key.verify_key
    return PublicKey(
        kid=verify.kid,
        purpose="sign",
        suite="Ed25519",
        raw=verify.raw,
        not_before=clock.now() - timedelta(days=1),
    )
