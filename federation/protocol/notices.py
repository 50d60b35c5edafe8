"""The contents of the messages that the federation itself writes."""

from dataclasses import dataclass
from uuid import UUID

from federation.protocol import limits


@dataclass(frozen=True, slots=True)
class VoidNotice:
    """Takes the place of a cancelled message in the order of its case."""

    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingFailureNotice:
    """Tells the sender which of its messages had no effect, for machines and for people.

    Words that are too long are cut off.
    """

    message_id: UUID
    reason: str
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", self.reason[: limits.MAX_NOTICE_REASON])
        object.__setattr__(self, "text", self.text[: limits.MAX_NOTICE_TEXT])
