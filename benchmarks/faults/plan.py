"""What breaks, when and for how long: a pure function of the seed."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from typing import Final

CENTRES: Final = ("krz", "nord")


class Kind(StrEnum):
    """A way to break something."""

    #: kill -9 of one process.
    KILL = "kill"
    #: Nobody reaches the centre, connections end.
    CUT = "cut"
    #: The connection ends in the middle of a batch.
    BREAK = "break"
    #: Connections stay open and swallow everything, both ways.
    HALF_OPEN = "half-open"
    #: Letters arrive, receipts do not; then the connection ends.
    MUTE = "mute"
    #: Letters that the other centre has are sent once more, at new positions.
    TWICE = "twice"
    #: A thief of the centre's key sends its old letters once more.
    REPLAY = "replay"
    #: Letters overtake earlier ones of the same case.
    REORDER = "reorder"
    #: The centre's clock jumps by an hour and, later, back.
    SKEW = "skew"
    #: The centre's database can write nothing more.
    DISK_FULL = "disk-full"
    #: Each fsync of the centre's database takes 2 ms more.
    SLOW_DISK = "slow-disk"
    #: A letter whose content nobody can read, rightly signed.
    POISON = "poison"
    #: Two letters spoilt on their way: refused, seen, one sent again, one cancelled.
    DEAD_LETTERS = "dead-letters"


ENGINES: Final = ("postgresql", "valkey")
TARGETS: Final = (
    *ENGINES,
    "gateway",
    "gateway-2",
    "dispatch",
    "dispatch-2",
    "worker",
    "worker-2",
    "beat",
    "web",
    "web-2",
)
#: Processes whose memory is watched from the first letter to the last: one of each sort.
SPARED: Final = tuple(("nord", name) for name in ("gateway-2", "dispatch-2", "worker-2", "web-2"))
#: Everything but kills, with the shortest and longest time in seconds.
_SPANS: Final = {
    Kind.CUT: (2.0, 6.0),
    Kind.BREAK: (0.0, 0.0),
    Kind.HALF_OPEN: (2.0, 4.0),
    Kind.MUTE: (1.0, 3.0),
    Kind.TWICE: (0.0, 0.0),
    Kind.REPLAY: (0.0, 0.0),
    Kind.REORDER: (2.0, 5.0),
    Kind.SKEW: (6.0, 10.0),
    Kind.DISK_FULL: (2.0, 4.0),
    Kind.SLOW_DISK: (5.0, 10.0),
    Kind.POISON: (0.0, 0.0),
    Kind.DEAD_LETTERS: (0.0, 0.0),
}
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks once so much of the traffic has been sent."""

    at: float
    kind: Kind
    centre: str
    #: The process that dies, or the seconds by which a clock jumps, or nothing.
    what: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        words = (f"{self.at:4.0%}", self.kind, self.centre, self.what)
        span = f"for {self.seconds:.1f} s" if self.seconds else ""
        return " ".join(word for word in (*words, span) if word)


def make(
    seed: int,
    *,
    kills: int,
    others: int = 2,
    kinds: Sequence[Kind] = tuple(Kind),
    spared: Collection[tuple[str, str]] = (),
) -> tuple[Fault, ...]:
    """Return the faults in their order.

    Kills go round all processes of both centres but the `spared` in a shuffled order, so that with
    enough of them each dies. Each other kind comes `others` times, the centres in turn.
    """
    rng = random.Random(seed)  # noqa: S311 -- repeatable, not secret
    faults = _kills(rng, kills, spared) if Kind.KILL in kinds else []
    for kind in kinds:
        if kind is Kind.KILL:
            continue
        first = rng.randrange(2)
        faults += [_other(rng, kind, CENTRES[(first + turn) % 2], turn) for turn in range(others)]
    rng.shuffle(faults)
    return tuple(
        Fault(_place(rng, place, len(faults)), each.kind, each.centre, each.what, each.seconds)
        for place, each in enumerate(faults)
    )


def _kills(rng: random.Random, number: int, spared: Collection[tuple[str, str]]) -> list[Fault]:
    every = [(centre, target) for centre in CENTRES for target in TARGETS]
    victims = [each for each in every if each not in spared]
    rng.shuffle(victims)
    return [Fault(0, Kind.KILL, *victim) for victim in islice(cycle(victims), number)]


def _other(rng: random.Random, kind: Kind, centre: str, turn: int) -> Fault:
    low, high = _SPANS[kind]
    # Fast, slow, slow, fast: each centre has both.
    fast = (turn + turn // 2) % 2 == 0
    what = str(_HOUR if fast else -_HOUR) if kind is Kind.SKEW else ""
    return Fault(0, kind, centre, what, round(rng.uniform(low, high), 1))


def _place(rng: random.Random, place: int, of: int) -> float:
    """Spread faults between 5 and 95 percent of the traffic, each somewhere in its part."""
    return round(0.05 + 0.9 * (place + rng.random()) / of, 4)
