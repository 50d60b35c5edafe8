"""The protocol's files: well written, and the committed code is what they say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUF = str(Path(sys.executable).parent / "buf")


def _run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_code_is_up_to_date() -> None:
    _run(sys.executable, "scripts/generate_protos.py", "--check")


def test_buf_finds_no_fault() -> None:
    _run(BUF, "lint", cwd=ROOT / "proto")


def test_peers_of_yesterday_understand_us() -> None:
    _run(BUF, "breaking", "--against", "published.binpb", cwd=ROOT / "proto")


def test_a_field_with_another_number_is_found(tmp_path: Path) -> None:
    changed = tmp_path / "proto"
    shutil.copytree(ROOT / "proto", changed, ignore=shutil.ignore_patterns("gen"))
    file = changed / "amtsbruecke" / "exchange" / "v1beta1" / "blob_service.proto"
    text = file.read_text()
    assert "bytes digest = 3;" in text
    file.write_text(text.replace("bytes digest = 3;", "bytes digest = 9;"))
    with pytest.raises(AssertionError, match="digest"):
        _run(BUF, "breaking", "--against", "published.binpb", cwd=changed)
