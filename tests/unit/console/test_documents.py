"""The folder of documents: made with its centre, and looked at before a process serves."""

from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from console import preparing
from console.home import Home
from console.preparing import Ports
from console.soundness import Unsound, _require_documents


@pytest.mark.parametrize(("role", "has"), [("centre", True), ("umbrella", False)])
def test_a_new_centre_keeps_its_documents_in_a_folder_of_its_own(
    tmp_path: Path, role: str, *, has: bool
) -> None:
    folder = Home(tmp_path).centre("krz")
    folder.create()
    settings = preparing.settings_for(
        folder, role=role, ports=Ports(8400), gateway="g:1", umbrella="u:1", domain="d"
    )
    folder.write_settings(settings)
    folder.create_documents()
    assert ("AMTSBRUECKE_DOCUMENTS" in settings) == has
    assert folder.documents.exists() == has
    assert not has or folder.documents.stat().st_mode & 0o777 == 0o700


def test_no_process_starts_without_the_folder_that_is_named(
    tmp_path: Path, settings: Settings
) -> None:
    _require_documents()  # none is named
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, documents=tmp_path)
    _require_documents()
    assert list(tmp_path.iterdir()) == []
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, documents=tmp_path / "unmounted")
    with pytest.raises(Unsound, match="Is its disk mounted") as refused:
        _require_documents()
    assert "AMTSBRUECKE_DOCUMENTS" in refused.value.hint
    assert not (tmp_path / "unmounted").exists()
