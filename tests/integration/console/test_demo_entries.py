"""What the demo registers for its centres."""

from types import SimpleNamespace
from uuid import uuid4

import pytest

from centre.directory import selectors as directory
from centre.directory.records import AuthorityRecord
from centre.registry.models import Municipality
from console.demo import entries

pytestmark = [pytest.mark.slow, pytest.mark.process("owner")]


def test_towns_that_an_operator_has_added_stay_registered(
    alpha: Municipality, beta: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [
        AuthorityRecord(id=identifier, name="", home_centre="krz")
        for identifier in (alpha.authority_id, beta.authority_id, uuid4())
    ]
    known = SimpleNamespace(snapshot=SimpleNamespace(authorities=listed))
    monkeypatch.setattr(directory, "present", lambda: known)
    planned = SimpleNamespace(slug="alpha")
    assert entries._founded_by_others([planned]) == [listed[1]]
    monkeypatch.setattr(directory, "present", lambda: None)
    assert entries._founded_by_others([planned]) == []
