"""Every event of the trail is written by somebody, and a test looks for it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from centre.audit.events import AuditEvent

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("platform", "federation", "tenants")
DECLARED = ROOT / "platform" / "centre" / "audit" / "events.py"


def _named(*folders: str) -> set[str]:
    """Return the events that these folders name, as members or as they are written."""
    return {match for folder in folders for match in _names(ROOT / folder)}


def _names(folder: Path) -> Iterator[str]:
    values = {event.value: event.name for event in AuditEvent}
    for path in folder.rglob("*.py"):
        if path == DECLARED:
            continue
        text = path.read_text()
        yield from re.findall(r"\bAuditEvent\.([A-Z_]+)", text)
        yield from (
            values[each] for each in re.findall(r"[a-z]+:[a-z]+:[a-z_]+", text) if each in values
        )


@pytest.mark.parametrize("folders", [ROOMS, ("tests",)], ids=["written", "tested"])
def test_no_event_is_forgotten(folders: tuple[str, ...]) -> None:
    named = _named(*folders)
    assert [event.value for event in AuditEvent if event.name not in named] == []
