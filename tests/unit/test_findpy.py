"""`scripts/findpy.sh`, with interpreters that only pretend, on a PATH of their own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "findpy.sh"
#: What the script itself calls, and nothing else.
TOOLS = ("cat", "tail")
RUNS = """#!/bin/sh
# The check is judged by a real Python that believes to be this version.
exec {real} -I -c "import sys; sys.executable = '$0'; sys.version_info = {version}
exec(sys.argv[1])" "$3"
"""
SHIM = """#!/bin/sh
echo "pyenv: this version is not switched on" >&2
exit 127
"""
#: Where the script looks besides: in the tests, below the computer's own folder.
OUTSIDE = ("/opt/", "/usr/local/")


class Computer:
    """A computer with the interpreters that a test gives it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.pyenv = folder, folder / "bin", folder / "pyenv"
        self.bin.mkdir()
        text = SCRIPT.read_text()
        for each in OUTSIDE:
            assert f" {each}" in text
            text = text.replace(f" {each}", f" {folder}{each}")
        self.script = self.write(folder / "findpy.sh", text)
        for name in TOOLS:
            (self.bin / name).symlink_to(str(shutil.which(name)))

    def put(self, path: Path, version: tuple[int, int], *, lacks: str = "") -> Path:
        """Put an interpreter there that says to be of this version."""
        text = RUNS.format(real=sys.executable, version=(*version, 0))
        if lacks:
            text = text.replace("exec(sys", f"sys.modules['{lacks}'] = None\nexec(sys")
        return self.write(path, text)

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def find(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(self.script)],
            env={"PATH": str(self.bin), "PYENV_ROOT": str(self.pyenv), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def found(self, **variables: str) -> Path:
        done = self.find(**variables)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.rstrip("\n"))


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_python_of_the_path_that_is_new_enough_is_taken(computer: Computer) -> None:
    computer.put(computer.bin / "python3", (3, 11))
    new = computer.put(computer.bin / "python3.12", (3, 12))
    computer.put(computer.pyenv / "versions/3.13.1/bin/python3", (3, 13))
    assert computer.found() == new
    preferred = computer.put(computer.bin / "python3.13", (3, 13))
    assert computer.found() == preferred


def test_python_that_was_named_goes_first(computer: Computer) -> None:
    computer.put(computer.bin / "python3.13", (3, 13))
    named = computer.put(computer.bin.parent / "mine", (3, 12))
    assert computer.found(AMTSBRUECKE_PYTHON=str(named)) == named


def test_python_of_pyenv_is_found_behind_a_shim_that_does_not_run(computer: Computer) -> None:
    computer.write(computer.bin / "python3.13", SHIM)
    computer.put(computer.bin / "python3", (3, 10))
    installed = computer.put(computer.pyenv / "versions/3.13.1/bin/python3", (3, 13))
    assert computer.found() == installed


@pytest.mark.parametrize(
    "place",
    [
        "opt/pyenv/versions/3.12.4/bin/python3",
        "usr/local/pyenv/versions/3.13.0/bin/python3",
        "usr/local/bin/python3.14",
        "opt/homebrew/bin/python3.13",
    ],
)
def test_python_that_is_on_no_path_is_found_where_they_usually_lie(
    computer: Computer, place: str
) -> None:
    lying = computer.put(computer.folder / place, (3, 13))
    assert computer.found() == lying


def test_what_was_tried_and_what_is_missing_is_said(computer: Computer) -> None:
    shim = computer.write(computer.bin / "python3.13", SHIM)
    bare = computer.put(computer.bin / "python3.12", (3, 12), lacks="ensurepip")
    old = computer.put(computer.bin / "python3", (3, 11))
    done = computer.find()
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs Python 3.12 or newer with ssl, venv and ctypes, and found none" in done.stderr
    lines = [line.strip() for line in done.stderr.splitlines()]
    assert f"{shim} pyenv: this version is not switched on" in lines
    assert f"{bare} lacks the module ensurepip" in lines
    assert f"{old} is 3.11, older than 3.12" in lines
    assert "AMTSBRUECKE_PYTHON=/path/to/python3 make setup" in done.stderr


def test_computer_without_any_python_is_said_to_be_one(computer: Computer) -> None:
    done = computer.find()
    assert (done.returncode, done.stdout) == (1, "")
    assert "    no Python at all\n" in done.stderr
