"""Who does something. Every write names its actor."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    CLERK = "clerk"
    OPERATOR = "operator"
    PEER = "peer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person or a machine that acts. `name` is what people read in the trail."""

    kind: ActorKind
    id: str
    name: str


def system(process: str) -> Actor:
    """Return the actor for work that no person asked for, named after its process."""
    return Actor(kind=ActorKind.SYSTEM, id=process, name=process)
