"""What the databases of the demo say afterwards. Nothing here knows what was meant to happen."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg

from centre.kernel.counting import counted
from console import effects
from console.demo.plan import Centre, Plan
from console.home import Home

REQUEST = "assistance_request"

_SENT = """
SELECT letter.id, letter.case_id, letter.link, letter.kind,
       letter.lseq > 0 AND letter.lseq <= link.acked_lseq AND dead.id IS NULL AS delivered,
       dead.id IS NOT NULL AS dead, sender.state <> 'deleted' AS hosted,
       extract(epoch FROM receipt.received_at - letter.accepted_at) * 1000 AS ms
  FROM outbox_letter letter
  LEFT JOIN outbox_link link ON link.name = letter.link
  LEFT JOIN registry_municipality sender ON sender.tenant_role = letter.tenant_role
  LEFT JOIN outbox_deadletter dead
         ON dead.message_id = letter.id AND dead.resolution IN ('', 'cancelled')
  LEFT JOIN LATERAL (
         SELECT received_at FROM outbox_receipt
          WHERE link = letter.link AND last_lseq >= letter.lseq AND letter.lseq > 0
          ORDER BY last_lseq LIMIT 1
       ) receipt ON true
"""
_HOSTED = "SELECT slug FROM registry_municipality WHERE state NOT IN ('deleting', 'deleted')"
_RECEIVED = "SELECT id, origin, kind, state FROM inbox_inboundmessage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of the sample file: its rows, and the cases that were made from them."""

    rows: int
    cases: frozenset[UUID]


@dataclass(slots=True)
class Pair:
    """Requests from one centre to another."""

    sent: int = 0
    delivered: int = 0
    registered: int = 0
    dead: int = 0
    milliseconds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Count:
    """The whole federation at one moment."""

    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    #: Cases whose request was delivered and whose registration has come back.
    arrived: set[UUID] = field(default_factory=set)
    #: Letters of every kind that count as delivered.
    acknowledged: int = 0
    #: Letters of every kind that have a receipt but are not in the receiver's inbox.
    lost: int = 0
    #: Letters of every kind that are neither delivered nor dead.
    under_way: int = 0
    #: Letters that arrived and whose effect has not been committed.
    unprocessed: int = 0
    #: Effects beyond the one that each message may have, at whichever municipality.
    duplicates: int = 0

    @property
    def sent(self) -> int:
        return sum(pair.sent for pair in self.pairs.values())

    @property
    def delivered(self) -> int:
        return sum(pair.delivered for pair in self.pairs.values())

    @property
    def registered(self) -> int:
        return sum(pair.registered for pair in self.pairs.values())

    @property
    def milliseconds(self) -> list[float]:
        return [value for pair in self.pairs.values() for value in pair.milliseconds]

    @property
    def settled(self) -> bool:
        """Whether everything that was sent has arrived and has had its effect."""
        return not (self.under_way or self.unprocessed) and self.registered == self.sent


def without_deleted(home: Home, plan: Plan) -> Plan:
    """Return the plan with those towns alone that the centres still have."""
    return replace(plan, centres=tuple(_with_its_towns(home, centre) for centre in plan.centres))


def _with_its_towns(home: Home, centre: Centre) -> Centre:
    with _connect(home, centre) as connection:
        hosted = {slug for (slug,) in connection.execute(_HOSTED)}
    return replace(centre, towns=tuple(town for town in centre.towns if town.slug in hosted))


def count(home: Home, plan: Plan) -> Count:
    """Read every centre's database and put both sides together."""
    result = Count()
    inboxes = {centre.name: _received(home, centre) for centre in plan.centres}
    everywhere = [key for inbox in inboxes.values() for key in inbox]
    result.duplicates = len(everywhere) - len(set(everywhere))
    for centre in plan.centres:
        with _connect(home, centre) as connection:
            sent = connection.execute(_SENT).fetchall()
            had = effects.count(connection)
        result.duplicates += had.duplicates
        for identifier, case_id, link, kind, delivered, dead, hosted, milliseconds in sent:
            arrived = inboxes.get(link, {}).get((centre.name, identifier))
            result.lost += bool(delivered) and arrived is None
            result.under_way += not delivered and not dead
            result.acknowledged += bool(delivered)
            if kind != REQUEST or not hosted:  # whose registration came back went with the sender
                continue
            pair = result.pairs.setdefault((centre.name, link), Pair())
            pair.sent += 1
            pair.delivered += bool(delivered)
            pair.registered += case_id in had.registered
            pair.dead += bool(dead)
            if delivered and case_id in had.registered:
                result.arrived.add(case_id)
            if delivered and milliseconds is not None:
                pair.milliseconds.append(float(milliseconds))
    result.unprocessed = sum(
        state in {"pending", "held"} for inbox in inboxes.values() for state in inbox.values()
    )
    return result


def _received(home: Home, centre: Centre) -> dict[tuple[str, UUID], str]:
    with _connect(home, centre) as connection:
        rows = connection.execute(_RECEIVED).fetchall()
    return {(origin, identifier): state for identifier, origin, _, state in rows}


def _connect(home: Home, centre: Centre) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(home.centre(centre.name).settings()["AMTSBRUECKE_OWNER_DATABASE_URL"])


def shortcomings(posted: Posted, found: Count, checked: Mapping[str, int]) -> Iterator[str]:
    """Yield in words what keeps the demo from being a success; nothing: all of it was one.

    Every row of the sample must be a request that was delivered and registered, nothing else may
    be under way, and each letter that counts as delivered must have a receipt that verifies.
    """
    unmade = posted.rows - len(posted.cases)
    if unmade or not posted.rows:
        rows = counted(posted.rows, "row", "rows")
        yield f"{unmade} of {rows} of the sample file became no request"
    if missing := len(posted.cases - found.arrived):
        words = counted(missing, "request of the sample file is", "requests of the sample file are")
        yield f"{words} not delivered and registered"
    if not found.settled or found.delivered != found.sent:
        yield (
            f"of {counted(found.sent, 'request', 'requests')} "
            f"{counted(found.delivered, 'is', 'are')} delivered and {found.registered} registered; "
            f"{counted(found.under_way, 'letter is', 'letters are')} under way"
        )
    if found.lost or found.duplicates:
        lost = counted(found.lost, "letter is", "letters are")
        twice = counted(found.duplicates, "had its", "had their")
        yield f"{lost} lost, {twice} effect twice"
    if unproven := checked["letters"] - checked["verified"]:
        yield f"no receipt proves the delivery of {counted(unproven, 'letter', 'letters')}"
    if broken := checked["problems"]:
        words = counted(broken, "thing is", "things are")
        yield f"{words} wrong with the receipts or their chains"
    if (without := found.acknowledged - checked["letters"]) > 0:
        yield f"{counted(without, 'delivered letter has', 'delivered letters have')} no receipt"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def table(result: Count) -> str:
    """Return the table for people: a line for each pair of centres and one for all."""
    head = ("from", "to", "sent", "delivered", "registered", "p50 ms", "p99 ms")
    lines: list[tuple[str, ...]] = [head]
    for (source, target), pair in sorted(result.pairs.items()):
        lines.append((source, target, *_figures(pair)))
    total = Pair(result.sent, result.delivered, result.registered, milliseconds=result.milliseconds)
    lines.append(("all", "", *_figures(total)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)  # noqa: PLR2004 -- names, then figures
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _figures(pair: Pair) -> tuple[str, ...]:
    return (
        str(pair.sent),
        str(pair.delivered),
        str(pair.registered),
        f"{percentile(pair.milliseconds, 0.5):.0f}",
        f"{percentile(pair.milliseconds, 0.99):.0f}",
    )
