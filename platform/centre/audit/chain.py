"""How entries hang together. Pure, so that a trail can be checked anywhere.

An entry's body is stored as exactly the bytes that were hashed:

    digest(n) = SHA-256("amtsbruecke audit v1" ‖ 0 ‖ n as 8 bytes ‖ digest(n-1) ‖ body)

with 32 zero bytes before the first. The database computes it on insertion (see the migration), so
no writer can leave the chain; this module computes it again to check.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor

CENTRE = "centre"
"""The chain of what operators and processes do outside any municipality."""

PREFIX = b"amtsbruecke audit v1\0"
START = bytes(32)
SUBJECT_MAX_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened, still without a place in a chain.

    `subject` names the thing (a case reference, a login), `detail` what else must be known. Neither
    carries content of a case.
    """

    event: AuditEvent
    by: Actor
    subject: str
    detail: Mapping[str, str]


_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def body(entry: Entry, at: datetime) -> str:
    """Return the canonical text of an entry: JSON, keys sorted, no blanks, UTF-8."""
    return bodies([entry], at)[0]


def bodies(entries: Iterable[Entry], at: datetime) -> list[str]:
    """Return the texts of entries of one moment."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return [
        _JSON.encode(
            {
                "event": entry.event.value,
                "at": moment,
                "actor": {
                    "kind": entry.by.kind.value,
                    "id": _storable(entry.by.id),
                    "name": _storable(entry.by.name),
                },
                "subject": _storable(entry.subject)[:SUBJECT_MAX_LENGTH],
                "detail": {_storable(key): _storable(text) for key, text in entry.detail.items()},
            }
        )
        for entry in entries
    ]


def _storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold, so that odd input never stops the trail."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def digest(*, number: int, previous: bytes, body: str) -> bytes:
    """Return the digest of the entry with this number."""
    return hashlib.sha256(PREFIX + number.to_bytes(8, "big") + previous + body.encode()).digest()


def head_message(*, chain: str, number: int, digest: bytes, at: datetime) -> bytes:
    """Return the bytes that the centre signs to vouch for a chain up to an entry."""
    content: dict[str, Any] = {
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "chain": chain,
        "digest": digest.hex(),
        "number": number,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
