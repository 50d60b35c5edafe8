"""Where documents are kept in a test: in rows, or in the files of a folder.

@pytest.mark.parametrize("documents", ["rows", "files"], indirect=True)
"""

from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from federation.blobs.files import Files


@pytest.fixture
def documents(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Files | None:
    """The folder, or None for rows, as without a setting."""
    if getattr(request, "param", "rows") == "rows":
        return None
    folder = tmp_path / "documents"
    folder.mkdir(0o700)
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, documents=folder)
    return Files(folder)
