"""Twenty links at once: what a dead, a slow and a poisoned one cost the others.

The sender is a real centre with all its guarantees; eighteen receivers and the two bad ones are
`benchmarks.peers`. Figures with and without trouble are taken in turns.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import modes
from benchmarks.modes import Clockwork, percentile
from benchmarks.peers import DEAD, POISON, SLOW, Peers
from benchmarks.world import PORT_BASE, World, wait_for

#: Letters behind each of the two bad links.
_BEHIND: Final = 2_000
_BURY: Final = """
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at)
SELECT uuidv7(), %(role)s, %(link)s, gen_random_uuid(), gen_random_uuid(), 1, 'assistance_request',
       octet_length(%(body)s::bytea), %(body)s, sha256(%(body)s), now() + interval '14 days', now()
"""


def measure(folder: Path, *, letters: int, rounds: int, steady_s: float) -> dict[str, float]:
    """Return the ratios for G10 and G13."""
    with (
        Peers(folder) as peers,
        World(
            folder,
            tenants=6,
            port_base=PORT_BASE + 100,
            peers=peers.centres,
            authorities=peers.authorities,
        ) as world,
    ):
        world.start()
        world.pause(*modes.NEIGHBOURS)
        return Neighbours(world, peers, letters, steady_s).measure(rounds)


class Neighbours:
    """The sending centre and its twenty links."""

    def __init__(self, world: World, peers: Peers, letters: int, steady_s: float) -> None:
        self._world, self._peers, self._letters = world, peers, letters
        self._steady_s = steady_s
        self._clock = Clockwork(world)

    def measure(self, rounds: int) -> dict[str, float]:
        clock, healthy = self._clock, self._peers.healthy
        wait_for(lambda: all(map(clock.known, (*healthy, SLOW, DEAD))), what="twenty links")
        with clock.held(SLOW, DEAD):
            pace = self._rate() / 2
            for bad in (SLOW, DEAD):
                self._post(self._peers.recipients([bad]), count=_BEHIND)
        found: list[dict[str, float]] = []
        for _ in range(rounds):
            self._world.krz.checkpoint()
            with clock.held(SLOW, DEAD):
                alone = {"rate": self._rate(), "p99": self._p99(pace, healthy)}
            self._wait_for_trouble()
            self._world.krz.checkpoint()
            beside = {"rate": self._rate(), "p99": self._p99(pace, healthy)}
            found.append(
                {
                    "rate": beside["rate"] / alone["rate"],
                    "p99": beside["p99"] / alone["p99"],
                    **self._poison(pace),
                }
            )
        return {name: median(each[name] for each in found) for name in found[0]} | {
            "letters_per_s": pace * 2
        }

    def _wait_for_trouble(self) -> None:
        """Wait until the slow peer has letters under way and the dead one was tried."""

        def under_way() -> bool:
            row = self._world.krz.rows(
                "SELECT next_lseq - 1 > acked_lseq AS sent FROM outbox_link WHERE name = %s", SLOW
            )
            tried = "SELECT last_error <> '' AS tried FROM outbox_link WHERE name = %s"
            return bool(row[0]["sent"] and self._world.krz.rows(tried, DEAD)[0]["tried"])

        wait_for(under_way, what="trouble")

    def _post(self, recipients: Sequence[str], *, count: int, **said: Any) -> Any:
        return self._world.krz.step(
            "post",
            towns=list(range(self._world.tenants)),
            recipients=recipients,
            count=count,
            **said,
        )

    def _rate(self) -> float:
        """Letters per second over all healthy links, posted as fast as one process can."""
        step = self._world.krz.begin(
            "post",
            towns=list(range(self._world.tenants)),
            recipients=self._peers.recipients(self._peers.healthy),
            count=self._letters,
        ).ready()
        begin = time.perf_counter()
        step.go().answer()
        return self._letters / (self._clock.relayed(*self._peers.healthy) - begin)

    def _p99(self, pace: float, links: Sequence[str]) -> float:
        """Return the 99th percentile of these links while all get letters at a steady pace."""
        since = self._clock.now()
        self._post(
            self._peers.recipients(self._peers.healthy),
            count=int(pace * self._steady_s),
            bulk=18,
            pace=pace / 18,
        )
        self._clock.relayed(*self._peers.healthy)
        return percentile(self._clock.latencies(since, *links), 0.99)

    def _poison(self, pace: float) -> dict[str, float]:
        """Return what a letter that kills calls costs other links, and its own."""
        ill, *others = self._peers.healthy
        with self._clock.held(SLOW, DEAD):
            without = self._p99(pace, others)
            role = self._world.krz.value("SELECT min(tenant_role) FROM registry_municipality")
            self._clock.do(_BURY, role=role, link=ill, body=POISON + bytes(4_000))
            since = self._clock.now()
            beside = self._p99(pace, others)
            own = self._clock.latencies(since, ill)
        parked = self._world.krz.rows(
            "SELECT 1 FROM outbox_deadletter WHERE link = %s AND state = 'parked'", ill
        )
        assert parked, "the poison was not found"
        return {"poison_p99": beside / without, "poison_own_most_ms": max(own)}
