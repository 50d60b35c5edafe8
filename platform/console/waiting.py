"""What waits for a person at this centre, in one place for the doctor and for Prometheus.

Queries over partial indexes: they cost nothing however many letters are kept. The owner's and the
worker's login may ask. What only the doctor tells is asked apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from centre.kernel.counting import counted, times
from console.moments import moment

_COUNTED = 10_000
_QUERY = f"""
SELECT (SELECT count(*) FROM (SELECT FROM inbox_inboundmessage WHERE state = 'pending'
                               LIMIT {_COUNTED}) AS first),
       (SELECT count(*) FROM (SELECT FROM inbox_inboundmessage WHERE state = 'held'
                               LIMIT {_COUNTED}) AS first),
       (SELECT count(*) FROM (SELECT FROM inbox_inboundmessage WHERE state = 'parked'
                               LIMIT {_COUNTED}) AS first),
       (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)
          FROM inbox_inboundmessage WHERE state = 'pending'),
       (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)
          FROM inbox_inboundmessage WHERE state = 'held'),
       (SELECT count(*) FROM outbox_deadletter WHERE resolution = ''),
       (SELECT count(*) FROM outbox_alarm WHERE acknowledged_at IS NULL),
       (SELECT count(*) FROM outbox_outcomedebt),
       ARRAY(SELECT name || ' (' || last_error || ')' FROM outbox_link
              WHERE failing_since < now() - interval '5 minutes' ORDER BY name)
"""  # noqa: S608 -- nothing but a number of our own
_PAUSED = f"""
SELECT link.name, queue.length, queue.first_end FROM outbox_link AS link
  CROSS JOIN LATERAL (
       SELECT count(*) AS length, min(expires_at) AS first_end
         FROM (SELECT expires_at FROM outbox_letter
                WHERE outbox_letter.link = link.name AND lseq IS NULL
                ORDER BY expires_at LIMIT {_COUNTED}) AS first) AS queue
 WHERE link.state = 'paused' AND queue.length > 0 ORDER BY link.name
"""  # noqa: S608 -- nothing but a number of our own
_HELD_LONG = 3600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Counts up to 10 000; ages in seconds."""

    pending: int
    held: int
    parked: int
    oldest_pending: float
    oldest_held: float
    dead: int
    alarms: int
    debts: int
    failing_links: tuple[str, ...]

    def problems(self) -> Iterator[str]:
        """Yield what a person has to look at, each with the next step."""
        if self.parked:
            words = counted(self.parked, "message waits", "messages wait")
            yield f"{words} for a decision: amtsbruecke inbox list"
        if self.held and self.oldest_held > _HELD_LONG:
            words = counted(
                self.held,
                "message waits for an earlier one of its case",
                "messages wait for an earlier one of their case, the oldest",
            )
            yield f"{words} for {self.oldest_held / 3600:.1f} h: amtsbruecke inbox list"
        if self.dead:
            words = counted(self.dead, "letter", "letters")
            yield f"{words} could not be delivered: amtsbruecke deadletter list"
        if self.alarms:
            words = counted(self.alarms, "alarm is", "alarms are")
            yield f"{words} open: amtsbruecke alarm list"
        if self.debts:
            yield (
                f"{times(self.debts)} a municipality could not be told what became of its letters:"
                " see the worker's log; it is tried again by itself"
            )
        if self.oldest_pending > _HELD_LONG:
            yield (
                f"a message that has arrived is {self.oldest_pending / 3600:.1f} h old and not"
                " applied: is a worker running? amtsbruecke inbox list --failing"
            )
        for link in self.failing_links:
            yield f"the link to {link} has been failing for minutes: amtsbruecke link status"


def count(database_url: str) -> Waiting:
    """Ask the database."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        row = connection.execute(_QUERY).fetchone()
    assert row is not None
    pending, held, parked, oldest_pending, oldest_held, dead, alarms, debts, links = row
    return Waiting(
        pending=pending,
        held=held,
        parked=parked,
        oldest_pending=float(oldest_pending),
        oldest_held=float(oldest_held),
        dead=dead,
        alarms=alarms,
        debts=debts,
        failing_links=tuple(links),
    )


def forgotten_pauses(database_url: str) -> Iterator[str]:
    """Yield the paused links with letters that wait, each with the next step."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        paused = connection.execute(_PAUSED).fetchall()
    for link, letters, first_end in paused:
        words = counted(letters, "letter waits", "letters wait")
        yield (
            f"the link to {link} is paused, and {words} (the first expires at"
            f" {moment(first_end)}): amtsbruecke link resume {link}"
        )
