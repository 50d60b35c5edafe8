"""Inbound messages as the worker takes them up: many at once, and never more than it can hold.

All of it is about the current tenant, whose inbox the caller has locked (`federation.inbox.locks`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from centre.kernel import clock
from centre.tenancy import binary
from centre.tenancy.context import require_tenant

#: Id and origin of a message.
type Key = tuple[UUID, str]

#: A batch ends before the first letter that begins beyond; the largest letters have a megabyte.
MAX_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that waits for its effect."""

    id: UUID
    origin: str
    tenant_role: str
    link: str
    sender: UUID
    case_id: UUID
    case_sequence: int
    kind: str
    received_at: datetime
    state: str
    attempts: int
    envelope: bytes

    @property
    def key(self) -> Key:
        return self.id, self.origin


_COLUMNS: Final = ", ".join(Claimed.__dataclass_fields__)

# A letter's size is known without reading it: it lies apart from its row, uncompressed.
_BOUNDED: Final = f"""
SELECT {{columns}} FROM (
    SELECT *, sum(octet_length(envelope)) OVER (ORDER BY {{order}}) - octet_length(envelope)
              AS before
      FROM (SELECT {_COLUMNS}, due_at, lseq FROM inbox_inboundmessage
             WHERE tenant_role = %(role)b AND {{condition}}
             ORDER BY {{order}} LIMIT %(limit)b) AS candidate
) AS sized WHERE before < %(bytes)b ORDER BY {{order}}
"""  # noqa: S608 -- names of our own columns
# What was never tried is due whatever its time: the clock may have been fast when it came. What was
# tried is due, too, if its time lies further ahead than any delay after so many attempts.
LONGEST_DELAY: Final = timedelta(hours=1)
FIRST_DELAY: Final = timedelta(seconds=2)
_IS_DUE: Final = f"""(due_at <= {{now}} OR attempts = 0 OR due_at > {{now}} + least(
    interval '{LONGEST_DELAY.total_seconds()} s',
    interval '{FIRST_DELAY.total_seconds()} s' * power(2, attempts)))"""
_DUE: Final = {
    "order": "due_at, lseq, id",
    "condition": f"state = 'pending' AND {_IS_DUE.format(now='%(now)b')}",
}
_DUE_LETTERS: Final = _BOUNDED.format(columns=_COLUMNS, **_DUE)
_DUE_KEYS: Final = _BOUNDED.format(columns="id, origin", **_DUE)
_HELD_LETTERS: Final = _BOUNDED.format(
    columns=_COLUMNS,
    order="case_sequence, id",
    condition="state = 'held' AND case_id = ANY(%(cases)b)",
)
_THESE_LETTERS: Final = f"""
SELECT {_COLUMNS} FROM unnest(%(ids)b::uuid[], %(origins)b::text[]) WITH ORDINALITY
       AS key (id, origin, place) JOIN inbox_inboundmessage USING (id, origin)
 WHERE tenant_role = %(role)b AND state = 'pending' ORDER BY place
"""  # noqa: S608


def is_due(now: str) -> str:
    """Return the condition for a pending message to be tried; `now` is a placeholder."""
    return _IS_DUE.format(now=now)


def due(*, limit: int) -> list[Claimed]:
    """Return messages that may be tried now, longest due first."""
    return _letters(_DUE_LETTERS, limit=limit, now=clock.now())


def due_keys(*, limit: int) -> list[Key]:
    """Return the keys of what `due` would return."""
    return [(key, origin) for key, origin in _rows(_DUE_KEYS, limit=limit, now=clock.now())]


def still_due(keys: Sequence[Key]) -> list[Claimed]:
    """Return those of the messages that still wait to be applied, in this order."""
    ids, origins = [key for key, _ in keys], [origin for _, origin in keys]
    return _letters(_THESE_LETTERS, ids=ids, origins=origins)


def held(cases: Collection[UUID], *, limit: int) -> list[Claimed]:
    """Return messages of these cases that wait for an earlier one, lowest number first."""
    return _letters(_HELD_LETTERS, limit=limit, cases=list(cases))


def _letters(statement: str, **parameters: Any) -> list[Claimed]:
    return [Claimed(*row) for row in _rows(statement, **parameters)]


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return binary.run(statement, {"role": require_tenant().role, "bytes": MAX_BYTES, **parameters})
