"""Rows that are only ever written, with the columns of their models and nothing else.

A model instance costs ten times as much to make, and a batch of messages makes thousands.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from centre.kernel.ids import new_id


@dataclass(slots=True, kw_only=True)
class LogRow:
    """A `CaseMessage`."""

    id: UUID
    case_id: UUID
    number: int
    direction: str
    kind: str
    schema_version: int
    sequence: int
    other_authority: UUID
    payload: bytes
    created_at: datetime
    outcome: str
    reason: str = ""
    outcome_at: datetime | None = None
    repeats: UUID | None = None


@dataclass(slots=True, kw_only=True)
class EventRow:
    """A `CaseEvent`."""

    id: UUID = field(default_factory=new_id)
    case_id: UUID
    at: datetime
    side: str
    by: str
    what: str
    label: str
    text: str = ""
    message_id: UUID | None = None


@dataclass(slots=True)
class ContentRow:
    """A `RequestContent`."""

    case_id: UUID
    record: bytes
