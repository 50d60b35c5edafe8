from pathlib import Path

from tenants.cases import diagram

PAGE = Path(__file__).resolve().parents[4] / "tenants" / "README.md"


def test_the_page_shows_the_table_as_it_is() -> None:
    """Renew it with `python -m tenants.cases.diagram tenants/README.md`."""
    text = PAGE.read_text(encoding="utf-8")
    assert diagram.inserted(text) == text
