"""What the databases hold. Nothing here knows what was meant to happen, but for the journals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql

from benchmarks.faults.plan import CENTRES
from benchmarks.faults.world import World
from console import effects

_SENT: Final = """
SELECT letter.id, letter.link, letter.kind, letter.lseq > 0 AND letter.lseq <= link.acked_lseq,
       dead.resolution
  FROM outbox_letter letter
  LEFT JOIN outbox_link link ON link.name = letter.link
  LEFT JOIN LATERAL (SELECT resolution FROM outbox_deadletter
                      WHERE message_id = letter.id ORDER BY died_at DESC LIMIT 1) dead ON true
"""
_RECEIVED: Final = "SELECT id, origin, state FROM inbox_inboundmessage"
_APPLIED: Final = """
SELECT id FROM {0}.cases_casemessage WHERE direction = 'in'
"""
_CASES: Final = "SELECT id FROM {}.cases_case WHERE side = 'requesting'"
#: Messages of one sender in one case that took effect before an earlier one.
_DISORDER: Final = """
SELECT id FROM (
  SELECT id, sequence, lag(sequence) OVER (
           PARTITION BY case_id, other_authority ORDER BY number) AS before
    FROM {}.cases_casemessage WHERE direction = 'in'
) AS log WHERE sequence <= before
"""
_UNSETTLED: Final = """
SELECT (SELECT count(*) FROM outbox_letter letter JOIN outbox_link link ON link.name = letter.link
         WHERE letter.lseq IS NULL OR letter.lseq > 0 AND letter.lseq > link.acked_lseq),
       (SELECT count(*) FROM inbox_inboundmessage WHERE state IN ('pending', 'held')),
       (SELECT count(*) FROM outbox_letter)
"""
#: Notes between centres that change nothing in a case.
_WITHOUT_EFFECT: Final = frozenset({"void", "processing_failure"})


@dataclass(slots=True)
class Count:
    """The federation after the run."""

    messages: int = 0
    relayed: int = 0
    cancelled: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: int = 0
    out_of_order: list[str] = field(default_factory=list)
    #: Cases that a service had returned and that are not there.
    broken_promises: list[str] = field(default_factory=list)


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


def sent(world: World) -> int:
    """Return how many letters there are; raise `psycopg.Error` when a database is away."""
    total = 0
    for centre in CENTRES:
        with world.connect(centre) as connection:
            row = connection.execute("SELECT count(*) FROM outbox_letter").fetchone()
            total += row[0] if row else 0
    return total


def count(world: World, *, forsaken: Sequence[str]) -> Count:
    """Compare what was sent with what arrived and had its effect.

    `forsaken` are messages that an operator has discarded at the receiver.
    """
    found = Count()
    arrived = _Arrived(forsaken=frozenset(forsaken))
    rows = 0
    for centre in CENTRES:
        with world.connect(centre) as connection:
            for identifier, origin, state in connection.execute(_RECEIVED):
                rows += 1
                arrived.inbox[origin, identifier] = (centre, state)
            arrived.applied[centre] = _everywhere(connection, _APPLIED)
            found.duplicates += effects.count(connection).duplicates
            disorder = _everywhere(connection, _DISORDER)
            cases = _everywhere(connection, _CASES)
        found.out_of_order += [f"{centre} {each}" for each in disorder]
        found.broken_promises += [
            f"{centre} {each}" for each in _promised(world, centre) if UUID(each) not in cases
        ]
    found.duplicates += rows - len(arrived.inbox)
    for centre in CENTRES:
        for row in world.rows(centre, _SENT):
            _judge(found, arrived, centre, row)
    return found


@dataclass(slots=True)
class _Arrived:
    """What both centres have: where a letter lies and in which state, and whose effects."""

    forsaken: frozenset[str]
    inbox: dict[tuple[str, UUID], tuple[str, str]] = field(default_factory=dict)
    applied: dict[str, set[UUID]] = field(default_factory=dict)


def _judge(found: Count, arrived: _Arrived, centre: str, row: tuple[Any, ...]) -> None:
    identifier, link, kind, relayed, resolution = row
    found.messages += 1
    if resolution == "cancelled":
        found.cancelled += 1
        return
    where, state = arrived.inbox.get((centre, identifier), ("", "absent"))
    words = f"{centre} to {link}: {kind} {identifier} relayed={relayed} there={state}"
    forsaken = str(identifier) in arrived.forsaken
    effective = state == "applied" and (
        kind in _WITHOUT_EFFECT or identifier in arrived.applied[link]
    )
    if not relayed or where != link:
        found.lost.append(words)
    elif not (effective or forsaken):
        found.lost.append(f"{words} without effect")
    else:
        found.relayed += 1


def _everywhere(connection: psycopg.Connection[Any], query: str) -> set[UUID]:
    """Return the ids that a query finds in all municipalities' schemas."""
    schemas = connection.execute("SELECT schema_name FROM registry_municipality").fetchall()
    return {
        row[0]
        for (schema,) in schemas
        for row in connection.execute(sql.SQL(query).format(sql.Identifier(schema)))
    }


def _promised(world: World, centre: str) -> list[str]:
    journal = world.journal(centre)
    return journal.read_text(encoding="ascii").split() if journal.exists() else []
