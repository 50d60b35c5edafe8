from pathlib import Path

from centre.audit import events

PAGE = Path(__file__).resolve().parents[4] / "docs" / "audit-events.md"


def test_page_in_docs_is_up_to_date() -> None:
    assert PAGE.read_text() == events.page(), (
        "run: python -m centre.audit.events > docs/audit-events.md"
    )
