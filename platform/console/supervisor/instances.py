"""How many of each process a centre runs, and what tells one from another.

`AMTSBRUECKE_GATEWAYS`, `_DISPATCHERS`, `_WORKERS` and `_WEBS` in centre.env say how many. The first
has the plain name and the ports of the settings; the others are called `worker-2`, ... The door of
the second for health and figures lies `DOORS` ports further on, those of the others `FAR` ports
more for each: a centre has ten ports in a row, and the next ten may be a neighbour's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from console.errors import SettingMissing

#: Ports of health and figures in the block of a centre, so the step from one process to the next.
DOORS = 4
FAR = 500
MOST = 16
COUNTS = {
    "gateway": "AMTSBRUECKE_GATEWAYS",
    "dispatch": "AMTSBRUECKE_DISPATCHERS",
    "worker": "AMTSBRUECKE_WORKERS",
    "web": "AMTSBRUECKE_WEBS",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One of several processes of a kind."""

    kind: str
    number: int
    #: Host and port of its door for health and figures, if it has one.
    door: tuple[str, int] | None

    @property
    def name(self) -> str:
        return self.kind if self.number == 1 else f"{self.kind}-{self.number}"

    @property
    def environment(self) -> dict[str, str]:
        """What its environment has beyond that of the centre."""
        if self.door is None:
            return {}
        host, port = self.door
        return {_door_setting(self.kind): f"{host}:{port}"}


def instances(kind: str, settings: Mapping[str, str]) -> Iterator[Instance]:
    """Yield the processes of a kind that these settings ask for."""
    for number in range(1, count(kind, settings) + 1):
        yield Instance(kind, number, _door(kind, settings, number))


def all_doors(
    kinds: Sequence[str], settings: Mapping[str, str]
) -> Iterator[tuple[Instance, tuple[str, int]]]:
    """Yield the processes that have a door, with it."""
    for kind in kinds:
        for each in instances(kind, settings):
            if each.door is not None:
                yield each, each.door


def count(kind: str, settings: Mapping[str, str]) -> int:
    """Return how many processes of a kind are asked for."""
    name = COUNTS.get(kind)
    text = settings.get(name, "") if name else ""
    if not text:
        return 1
    if not (text.isdecimal() and 0 < int(text) <= MOST):
        raise SettingMissing(
            f"{name}={text!r} is no number of processes.", hint=f"Use 1 to {MOST}."
        )
    return int(text)


def _door(kind: str, settings: Mapping[str, str], number: int) -> tuple[str, int] | None:
    host, _, port = settings.get(_door_setting(kind), "").rpartition(":")
    if not port:
        return None
    step = DOORS + FAR * (number - 2) if number > 1 else 0
    return host.strip("[]"), int(port) + step


def _door_setting(kind: str) -> str:
    return f"AMTSBRUECKE_METRICS_BIND_{'GATEWAY' if kind == 'umbrella' else kind.upper()}"
