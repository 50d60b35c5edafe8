"""The parts of the worklist: which cases each shows. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tenants.cases.graph import Side, State
from tenants.cases.lifecycle import STEPS

_R, _E = Side.REQUESTING, Side.REQUESTED
type Place = tuple[Side, State]


@dataclass(frozen=True, slots=True)
class Part:
    """Cases at certain places; of those at `late_places` only the overdue ones."""

    places: frozenset[Place] = frozenset()
    late_places: frozenset[Place] = frozenset()
    #: Also every case that has a message which did not get through.
    trouble: bool = False
    #: Also every case that nobody but this side can end: the other authority is gone.
    alone: bool = False

    def holds(self, place: Place, *, late: bool, troubled: bool, gone: bool) -> bool:
        """Say whether a case is here: by its place, and by what else is the matter with it."""
        return (
            place in self.places
            or (late and place in self.late_places)
            or (troubled and self.trouble)
            or (gone and self.alone)
        )


def _at(side: Side, *states: State) -> frozenset[Place]:
    return frozenset((side, state) for state in states)


_UNDER_WAY: Final = (
    State.REGISTERED,
    State.QUERIED,
    State.ACCEPTED,
    State.ACCEPTED_QUERIED,
    State.WITHDRAWING,
    State.REFUSED,
    State.COMPLETED,
    State.WITHDRAWN,
)

#: Where a side can end a case alone once the other authority is gone.
ALONE: Final = frozenset(
    (row.side, state) for row in STEPS if row.alone for state in row.paths if state
)

PARTS: Final[Mapping[str, Part]] = MappingProxyType({
    "todo": Part(
        _at(
            _R, State.UNDELIVERABLE, State.QUERIED, State.ACCEPTED_QUERIED, State.REFUSED,
            State.COMPLETED, State.WITHDRAWN,
        )
        | _at(_E, State.REGISTERED, State.WITHDRAWING),
        late_places=_at(_E, State.ACCEPTED),
        trouble=True,
        alone=True,
    ),
    "inbox": Part(_at(_E, *_UNDER_WAY)),
    "sent": Part(
        _at(_R, State.SUBMITTED, State.UNDELIVERABLE, State.DELIVERED, *_UNDER_WAY)
    ),
    "drafts": Part(_at(_R, State.DRAFT)),
    "silent": Part(
        late_places=_at(
            _R, State.SUBMITTED, State.DELIVERED, State.REGISTERED, State.ACCEPTED,
            State.WITHDRAWING,
        )
        | _at(_E, State.QUERIED, State.ACCEPTED_QUERIED),
    ),
    "undeliverable": Part(_at(_R, State.UNDELIVERABLE), trouble=True),
    "closed": Part(_at(_R, State.CLOSED, State.GIVEN_UP) | _at(_E, State.CLOSED)),
    "all": Part(frozenset((side, state) for side in Side for state in State)),
})  # fmt: skip
