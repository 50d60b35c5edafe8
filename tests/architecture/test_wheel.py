"""The wheel, installed in another virtual environment, runs with nothing of this checkout."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORT_BASE = 21_700
#: What a stranger does with the installed package: a centre, its database, its pages.
PROGRAM = """
import json, re, sys, time
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import console, tenants
from console.demo.plan import Plan, make_plan
from console.demo.provisioning import Provisioning
from console.demo.traffic import await_ready
from console.home import Home
from console.supervisor.output import Output
from console.supervisor.supervisor import Supervisor

home, whole = Home(Path(sys.argv[1])), make_plan(int(sys.argv[2]))
first = whole.centres[0]
centre = replace(first, towns=first.towns[:1])
plan = Plan(umbrella=whole.umbrella, centres=(centre,))

def get(path):
    with closing(HTTPConnection("127.0.0.1", centre.ports.web, timeout=30)) as connection:
        host = f"{centre.towns[0].slug}.{centre.domain}"
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

Provisioning(home=home, plan=plan, report=lambda _: None).run()
with Supervisor(home, output=Output(None)) as supervisor:
    supervisor.start([home.centre(each.name) for each in plan.all])
    await_ready(home, plan, lambda seconds: bool(time.sleep(seconds)))
    ready, (status, page) = get("/readyz"), get("/anmelden/")
    style, licence = (
        get(re.search(f'href="(/static/vendor/kern/{name}[^"]*)"', page)[1])
        for name in ("kern", "LICENSE")
    )
print(json.dumps({
    "from": [console.__file__, tenants.__file__ or list(tenants.__path__)[0]],
    "ready": ready, "page": status, "style": style, "licence": licence,
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run(*build, str(ROOT), cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with pip; its dependencies are this environment's, this checkout is not."""
    there = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(there, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(there / "bin" / "python")]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel), cwd=there)
    # Only now: pip would take this checkout's own installation for an older version. A folder
    # that a .pth names has its own .pth files left alone, so the checkout stays out of sight.
    (site,) = (there / "lib").glob("python*/site-packages")
    packages = Path(pytest.__file__).resolve().parents[1]
    (site / "dependencies.pth").write_text(f"{packages}\n")
    return there


def run(*command: str, cwd: Path) -> str:
    """Run a command as somebody who has no checkout; return what it says."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AMTSBRUECKE", "DJANGO", "PYTHON"))
    }
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_wheel_carries_the_rooms_and_what_the_pages_need(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "centre/config/settings.py",
        "console/cli.py",
        "federation/protocol/merkle.py",
        "tenants/cases/lifecycle.py",
        "tenants/web/locale/en/LC_MESSAGES/django.mo",
        "tenants/web/static/vendor/kern/kern.min.css",
        "tenants/web/static/vendor/kern/LICENSE.md",
        "amtsbruecke/exchange/v1beta1/envelope_pb2.py",
    ):
        assert needed in names
    assert not any(name.startswith(("tests/", "node_modules/")) for name in names)


@pytest.mark.slow
def test_installed_command_runs(environment: Path, tmp_path: Path) -> None:
    said = run(str(environment / "bin" / "amtsbruecke"), "--help", cwd=tmp_path)
    assert "evidence" in said


@pytest.mark.slow
def test_installed_package_founds_a_centre_and_serves_its_pages(
    environment: Path, tmp_path: Path
) -> None:
    program, home = tmp_path / "program.py", tmp_path / "home"
    program.write_text(PROGRAM)
    python = str(environment / "bin" / "python")
    said = run(python, str(program), str(home), str(PORT_BASE), cwd=tmp_path)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert all(Path(each).is_relative_to(environment) for each in found["from"]), found["from"]
    assert found["ready"] == [200, "ready\n"]
    assert found["page"] == 200
    assert found["style"][0] == found["licence"][0] == 200
    assert ".kern-btn" in found["style"][1]
    assert "EUPL" in found["licence"][1]
