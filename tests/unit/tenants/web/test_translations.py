"""The English pages are complete and up to date."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.translation import gettext, ngettext

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.slow
def test_every_phrase_has_its_translation() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/translations.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_english_is_taken_from_the_catalogue() -> None:
    with translation.override("en"):
        assert gettext("Arbeitsliste") == "Worklist"
        assert ngettext("%(days)s Tag", "%(days)s Tagen", 2) == "%(days)s days"
    with translation.override("de"):
        assert gettext("Arbeitsliste") == "Arbeitsliste"
        assert ngettext("%(days)s Tag", "%(days)s Tagen", 2) == "%(days)s Tagen"
