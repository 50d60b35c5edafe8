"""What the databases hold. Nothing here knows what was meant to happen, but for the journals."""

from collections.abc import Collection, Iterable, Mapping
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
_CASES: Final = "SELECT id, state FROM {}.cases_case"
_POSTED: Final = "SELECT case_id, kind FROM outbox_letter"
#: Messages of one sender in one case that took effect before an earlier one.
_DISORDER: Final = """
SELECT id FROM (
  SELECT id, sequence, lag(sequence) OVER (
           PARTITION BY case_id, other_authority ORDER BY number) AS before
    FROM {}.cases_casemessage WHERE direction = 'in'
) AS log WHERE sequence <= before
"""
#: Notes between centres that change nothing in a case.
_WITHOUT_EFFECT: Final = frozenset({"void", "processing_failure"})
#: How far a case has come; an answer leads from a query back to where it was.
_REACHED: Final = {
    "undeliverable": 0,
    "submitted": 0,
    "delivered": 1,
    "registered": 2,
    "queried": 2,
    "accepted": 3,
    "refused": 4,
    "completed": 4,
    "closed": 5,
}


@dataclass(slots=True)
class Count:
    """The federation after the run."""

    messages: int = 0
    relayed: int = 0
    cancelled: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: int = 0
    out_of_order: list[str] = field(default_factory=list)
    #: Letters that arrived or had an effect though they were given up.
    astray: list[str] = field(default_factory=list)
    #: What a service had returned and is not there: a case, its message, its state.
    broken_promises: list[str] = field(default_factory=list)


def sent(world: World) -> int:
    """Return how many letters there are; raise `psycopg.Error` when a database is away."""
    total = 0
    for centre in CENTRES:
        with world.connect(centre) as connection:
            row = connection.execute("SELECT count(*) FROM outbox_letter").fetchone()
            total += row[0] if row else 0
    return total


def count(world: World, *, forsaken: Collection[str], cancelled: Collection[str]) -> Count:
    """Compare what was sent with what arrived and had its effect.

    `forsaken` are messages that an operator has discarded at the receiver, `cancelled` are letters
    that an operator of the sender has given up.
    """
    found = Count()
    arrived = Arrived(forsaken=frozenset(forsaken), cancelled=frozenset(cancelled))
    rows = 0
    for centre in CENTRES:
        with world.connect(centre) as connection:
            for identifier, origin, state in connection.execute(_RECEIVED):
                rows += 1
                arrived.inbox[origin, identifier] = (centre, state)
            applied = _everywhere(connection, _APPLIED)
            arrived.applied[centre] = {identifier for (identifier,) in applied}
            found.duplicates += effects.count(connection).duplicates
            disorder = _everywhere(connection, _DISORDER)
            states = dict(_everywhere(connection, _CASES))
            posted = set(connection.execute(_POSTED).fetchall())
        found.out_of_order += [f"{centre} {identifier}" for (identifier,) in disorder]
        broken = broken_promises(_journal(world, centre), states, posted)
        found.broken_promises += [f"{centre} {each}" for each in broken]
    # The key of an inbox is the id with the origin: one id has two rows if it came under another
    # name, or to another centre than the one that it was sent to.
    found.duplicates += rows - len({identifier for _, identifier in arrived.inbox})
    for centre in CENTRES:
        for row in world.rows(centre, _SENT):
            judge(found, arrived, centre, row)
    return found


def broken_promises(
    lines: Iterable[str], states: Mapping[UUID, str], posted: Collection[tuple[UUID, str]]
) -> list[str]:
    """Return the promises that a centre has not kept. Pure.

    A line names a case, a message of it and the state that the step led to. The message must be in
    the outbox (whether it arrived is judged like every letter), the case at least so far.
    """
    broken = []
    for line in lines:
        name, kind, state = line.split()
        case = UUID(name)
        now = states.get(case, "absent")
        if (case, kind) not in posted or _REACHED.get(now, -1) < _REACHED[state]:
            broken.append(f"{line} (case is {now}, letter {(case, kind) in posted})")
    return broken


@dataclass(slots=True)
class Arrived:
    """What both centres have: where a letter lies and in which state, and whose effects."""

    forsaken: frozenset[str]
    cancelled: frozenset[str]
    inbox: dict[tuple[str, UUID], tuple[str, str]] = field(default_factory=dict)
    applied: dict[str, set[UUID]] = field(default_factory=dict)


def judge(found: Count, arrived: Arrived, centre: str, row: tuple[Any, ...]) -> None:
    """Note what became of one letter."""
    identifier, link, kind, relayed, resolution = row
    found.messages += 1
    where, state = arrived.inbox.get((centre, identifier), ("", "absent"))
    words = f"{centre} to {link}: {kind} {identifier} relayed={relayed} there={state}"
    if resolution == "cancelled":
        found.cancelled += 1
        if str(identifier) not in arrived.cancelled:
            found.lost.append(f"{words} cancelled by nobody")
        elif where or identifier in arrived.applied[link]:
            found.astray.append(f"{words} though it was cancelled")
        return
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


def _everywhere(connection: psycopg.Connection[Any], query: str) -> set[tuple[Any, ...]]:
    """Return the rows that a query finds in all municipalities' schemas."""
    return {
        row
        for schema in effects.schemas(connection)
        for row in connection.execute(sql.SQL(query).format(sql.Identifier(schema)))
    }


def _journal(world: World, centre: str) -> list[str]:
    journal = world.journal(centre)
    return journal.read_text(encoding="ascii").splitlines() if journal.exists() else []
