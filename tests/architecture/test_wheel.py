"""The wheel, installed elsewhere, runs."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(out),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_carries_the_rooms_and_what_the_pages_need(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "centre/config/settings.py",
        "console/cli.py",
        "federation/protocol/merkle.py",
        "tenants/cases/lifecycle.py",
        "amtsbruecke/exchange/v1beta1/envelope_pb2.py",
    ):
        assert needed in names
    assert any(name.endswith("kern.min.css") for name in names)
    assert any("kern" in name and "licen" in name.lower() for name in names)
    assert not any(name.startswith(("tests/", "node_modules/")) for name in names)


@pytest.mark.slow
def test_wheel_runs_in_another_environment(wheel: Path, tmp_path: Path) -> None:
    """The other environment borrows this one's dependencies and nothing of this checkout."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    site = next((environment / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    packages = Path(pytest.__file__).resolve().parents[1]
    (site / "dependencies.pth").write_text(f"{packages}\n")
    program = (
        "import sys; sys.path = [p for p in sys.path if not p.startswith(sys.argv[1])]; "
        "import console.cli as cli; assert not cli.__file__.startswith(sys.argv[1]), cli.__file__; "
        "sys.argv = ['amtsbruecke', '--help']; cli.main()"
    )
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-I", "-c", program, str(ROOT / "platform")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "evidence" in done.stdout
