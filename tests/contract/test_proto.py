"""The protocol's files: well written, and the committed code is what they say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_code_is_up_to_date() -> None:
    _run(sys.executable, "scripts/generate_protos.py", "--check")


def test_buf_finds_no_fault() -> None:
    _run(str(Path(sys.executable).parent / "buf"), "lint", cwd=ROOT / "proto")
