"""The web process makes its style sheets ready by itself, whatever lies there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import storages
from django.utils.functional import empty
from pytest_django import Settings

from console.web import files


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    settings.STATIC_ROOT = tmp_path / "static"
    _forget()
    yield tmp_path / "static"
    _forget()


def _forget() -> None:
    """Let the next who asks for the storage get one for the folder of then."""
    storages._storages.clear()
    staticfiles_storage._wrapped = empty


@pytest.mark.parametrize("broken", [None, b"", b'{"paths": {', b"[]", b"\xff\xfe", b'{"paths": 1}'])
def test_a_broken_list_is_made_anew(folder: Path, broken: bytes | None) -> None:
    manifest = folder / "staticfiles.json"
    if broken is not None:
        folder.mkdir()
        manifest.write_bytes(broken)
    files.collect()
    named = json.loads(manifest.read_bytes())["paths"]
    assert (folder / named["web/amt.css"]).exists()


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    folder.write_text("a file in its place")
    with pytest.raises(files.FilesMissing, match="cannot be written"):
        files.collect()
