"""The table of misuses is complete, and the reference says what it says."""

from pathlib import Path

from tests.integration.federation.misuse.everything import (
    CASES,
    HOSTILE_RECEIVERS,
    STRANGE_RECEIVERS,
    STRANGERS,
    page,
)

PAGE = Path(__file__).parents[4] / "docs/reference/protocol-misuse.md"


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    names = [case.name for case in (*CASES, *STRANGERS, *HOSTILE_RECEIVERS, *STRANGE_RECEIVERS)]
    assert len(names) == len(set(names))
    assert len(names) >= 120


def test_the_reference_lists_the_table() -> None:
    command = "python -m tests.integration.federation.misuse.table > docs/reference/…"
    assert PAGE.read_text(encoding="utf-8") == page(), command
