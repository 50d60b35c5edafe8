"""What is still on its way, and whether it only waits for a time of day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from benchmarks.faults.plan import CENTRES
from benchmarks.faults.world import World

_UNSETTLED: Final = """
SELECT (SELECT count(*) FROM outbox_letter letter JOIN outbox_link link ON link.name = letter.link
         WHERE letter.lseq IS NULL OR letter.lseq > 0 AND letter.lseq > link.acked_lseq),
       (SELECT count(*) FROM inbox_inboundmessage WHERE state IN ('pending', 'held')),
       (SELECT count(*) FROM outbox_letter)
"""
_LETTERS: Final = """
SELECT letter.id, letter.case_id, letter.case_sequence,
       letter.lseq IS NULL AND letter.held AND letter.not_before > clock_timestamp()
  FROM outbox_letter letter JOIN outbox_link link ON link.name = letter.link
 WHERE letter.lseq IS NULL OR letter.lseq > 0 AND letter.lseq > link.acked_lseq
"""
# What was never tried does not wait for `due_at`.
_ARRIVED: Final = """
SELECT origin, id, case_id, case_sequence,
       state = 'pending' AND attempts > 0 AND due_at > clock_timestamp(), state = 'held'
  FROM inbox_inboundmessage WHERE state IN ('pending', 'held')
"""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Letters without a receipt, arrived ones without an effect; and all letters sent."""

    under_way: int
    unprocessed: int
    sent: int

    @property
    def waiting(self) -> bool:
        return bool(self.under_way or self.unprocessed)


def unsettled(world: World) -> Unsettled:
    """Return what is still on its way, in both centres together."""
    found = [world.rows(centre, _UNSETTLED)[0] for centre in CENTRES]
    return Unsettled(*(sum(row[column] for row in found) for column in range(3)))


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that is not settled: in the outbox of its centre, or in the other's inbox."""

    origin: str
    id: UUID
    case_id: UUID
    sequence: int
    #: Its row says that it is to be tried later, and when.
    has_time: bool
    #: In the inbox, behind an earlier one of its case.
    held: bool = False


def without_a_time(messages: Iterable[Waiting]) -> list[Waiting]:
    """Return those that nothing keeps back until a time of day: they should have moved. Pure."""
    found = list(messages)
    first: dict[tuple[str, UUID], int] = {}
    for each in found:
        if each.has_time:
            thread = (each.origin, each.case_id)
            first[thread] = min(each.sequence, first.get(thread, each.sequence))

    def behind(each: Waiting) -> bool:
        return each.held and first.get((each.origin, each.case_id), each.sequence) < each.sequence

    return [each for each in found if not (each.has_time or behind(each))]


def stuck(world: World) -> Sequence[Waiting]:
    """Return what does not move and has no time of day to wait for."""
    found = []
    for centre in CENTRES:
        found += [Waiting(centre, *row) for row in world.rows(centre, _LETTERS)]
        found += [Waiting(*row) for row in world.rows(centre, _ARRIVED)]
    return without_a_time(found)
