"""`amtsbruecke evidence verify`: what it says, its exit codes, and that it needs nothing else."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import main
from tenants.cases import wire
from tenants.cases.drafts import RequestDraft
from tenants.cases.payloads import AssistanceRequest
from tests.unit.federation.wire.test_evidence import (
    GOOD,
    REFERENCE,
    UMBRELLA,
    bundle,
    letter,
    manifest_with,
    rewrite,
)

KEY = UMBRELLA.verify_key.raw.hex()
ASKED = letter(
    content=wire.write(AssistanceRequest(case_reference=REFERENCE, request=RequestDraft()))
)


def run(tmp_path: Path, file: bytes, *arguments: str) -> tuple[int, str]:
    path = tmp_path / "nachweis.zip"
    path.write_bytes(file)
    done = CliRunner().invoke(main, ["evidence", "verify", str(path), *arguments])
    return done.exit_code, done.output


def test_everything_proven_is_said_of_that_only(tmp_path: Path) -> None:
    code, words = run(tmp_path, bundle(ASKED), "--umbrella-key", "ab" * 32, "--umbrella-key", KEY)
    assert code == 0, words
    assert "everything proven" in words
    assert "von / by Minden" in words
    assert "Vergleichen" not in words
    assert "Vergleichen" in run(tmp_path, bundle(ASKED))[1]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (bundle(replace(ASKED, receipt=None)), 3),
        (bundle(ASKED, letter(number=3)), 3),
        (bundle(GOOD), 3),
        (bundle(ASKED, reference="05770024-2026-2"), 1),
        (bundle(ASKED)[:-1] + b"x", 1),
        (b"PK", 2),
    ],
)
def test_other_verdicts_have_their_own_exit_codes(tmp_path: Path, file: bytes, code: int) -> None:
    got, words = run(tmp_path, file)
    assert got == code, words
    assert "everything proven" not in words.replace("not everything proven", "")


def test_no_words_of_the_file_pass_as_ours(tmp_path: Path) -> None:
    """Neither a line of their own, nor what moves the cursor, nor what cannot be printed at all."""
    forged = "1\n\x1b[32mAlles bewiesen / everything proven\x1b[0m\u202e\ud800"
    code, words = run(
        tmp_path,
        rewrite(**{"manifest.json": manifest_with(case_reference=forged)}),
        "--umbrella-key",
        KEY,
    )
    assert code == 1, words
    assert words.startswith("Vorgang / case 1\ufffd\ufffd[32mAlles bewiesen")
    assert "\ud800" not in words
    assert all(line.isprintable() for line in words.split("\n"))
    code, words = run(tmp_path, rewrite(**{"manifest.json": manifest_with(format="\x1b[2J\n")}))
    assert code == 2, words
    assert r"The format '\x1b[2J\n' of the file is not known" in words


def test_machines_get_the_ruling(tmp_path: Path) -> None:
    code, words = run(tmp_path, bundle(replace(ASKED, receipt=None)), "--json")
    assert code == 3
    assert json.loads(words)["ruling"] == "partly"


def test_it_runs_without_django(tmp_path: Path) -> None:
    path = tmp_path / "nachweis.zip"
    path.write_bytes(bundle(ASKED))
    program = (
        "import sys; from console.cli import main\n"
        "code = None\n"
        "try: main(['evidence', 'verify', sys.argv[1]])\n"
        "except SystemExit as end: code = end.code\n"
        "assert code == 0, code\n"
        "assert not {'django', 'psycopg'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "version", "content"),
    [
        ("assistance_request", 1, b"\xff\xff"),
        ("assistance_request", 2, b""),
        ("closure", 1, b""),
        ("void", 1, b""),
        ("never heard", 1, b""),
    ],
)
def test_where_no_reference_can_be_read_there_is_none(
    kind: str, version: int, content: bytes
) -> None:
    assert wire.reference_in(kind, version, content) is None
