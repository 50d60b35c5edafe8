"""Which messages of a case may be applied now. Pure.

Messages of one case and sender count from 1 and are applied in that order. Number 0 stands outside
the order (a notice about a message that could not be processed) and never waits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

#: A case and one of its two senders.
type Thread = tuple[UUID, UUID]

FIRST_SEQUENCE = 1
UNORDERED = 0


class Sequenced(Protocol):
    """A message as far as its order matters."""

    @property
    def case_id(self) -> UUID: ...
    @property
    def sender(self) -> UUID: ...
    @property
    def case_sequence(self) -> int: ...


@dataclass(slots=True)
class Plan[M: Sequenced]:
    """What to do with messages at hand."""

    #: May be applied, in this order.
    ready: list[M] = field(default_factory=list)
    #: Wait for an earlier one.
    held: list[M] = field(default_factory=list)
    #: Bear a number that was already applied under another message id.
    repeated: list[M] = field(default_factory=list)
    #: The next number of each thread once all of `ready` has been applied.
    positions: dict[Thread, int] = field(default_factory=dict)


def thread_of(message: Sequenced) -> Thread:
    """Return the thread in which a message is ordered."""
    return message.case_id, message.sender


def plan[M: Sequenced](messages: Iterable[M], *, positions: Mapping[Thread, int]) -> Plan[M]:
    """Sort `messages` into ready, held and repeated.

    `positions` holds the next number of each thread that has one. Threads keep the order in which
    their first message stands in `messages`, so that no case overtakes by accident.
    """
    threads: dict[Thread, list[M]] = {}
    result: Plan[M] = Plan()
    for message in messages:
        if message.case_sequence == UNORDERED:
            result.ready.append(message)
        else:
            threads.setdefault(thread_of(message), []).append(message)
    for thread, waiting in threads.items():
        position = positions.get(thread, FIRST_SEQUENCE)
        for message in sorted(waiting, key=lambda each: each.case_sequence):
            if message.case_sequence == position:
                result.ready.append(message)
                position += 1
            elif message.case_sequence > position:
                result.held.append(message)
            else:
                result.repeated.append(message)
        if position != positions.get(thread, FIRST_SEQUENCE):
            result.positions[thread] = position
    return result
