"""The shape of the house: what a careless commit would bend without anybody noticing."""

import platform as standard_platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("platform/centre", "platform/console", "federation", "tenants")


def test_platform_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert hasattr(standard_platform, "system")
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_django_is_not_downgraded() -> None:
    """Some packages pull Django below 6.1 without a word."""
    assert django.VERSION >= (6, 1)


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_junk_drawers() -> None:
    forbidden = {"utils.py", "helpers.py", "misc.py", "common.py"}
    found = [
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if path.name in forbidden or "common" in path.parent.parts[len(ROOT.parts) :]
    ]
    assert found == []


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    tomllib.loads(text)
    listed = re.findall(r'^    "[a-z].*?[=><].*$', text, flags=re.MULTILINE)
    assert len(listed) > 10
    assert [line for line in listed if "#" not in line] == []


def test_all_dependencies_are_locked_with_hashes() -> None:
    for name in ("runtime.lock", "dev.lock"):
        text = (ROOT / "requirements" / name).read_text()
        pins = re.findall(r"^[a-z0-9][\w.-]*==\S+.*$", text, flags=re.MULTILINE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text, f"{name} names a host"


def test_no_machine_path_or_host_is_committed() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        return  # an unpacked release has no history to look at
    pattern = re.compile(r"/root/|/home/[a-z]+/|/work/[a-z]|/Users/")
    found = []
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if pattern.search(text):
            found.append(name)
    assert found == []


def test_fragments_of_the_changelog_are_named_as_contributing_says() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = ",".join(each["directory"] for each in settings["type"])
    assert f"<issue>.<word>.{{{kinds}}}.md" in (ROOT / "CONTRIBUTING.md").read_text()
    pattern = re.compile(rf"\d+\.[a-z]+\.({kinds.replace(',', '|')})\.md")
    fragments = list((ROOT / settings["directory"]).iterdir())
    assert fragments
    assert [each.name for each in fragments if not pattern.fullmatch(each.name)] == []
    assert [each.name for each in fragments if not each.read_text().strip()] == []


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)
    assert {"help", "demo", "test", "check", "setup"} <= set(targets)
    assert re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE) == targets
    # What needs the environment makes it first.
    alone = {"help", "setup", "clean", "check"}
    needy = re.findall(r"^([a-z-]+): setup ##", makefile, re.MULTILINE)
    assert set(needy) == set(targets) - alone


def test_ci_runs_all_that_must_be_green_and_the_tests_last() -> None:
    (rule,) = re.findall(r"^check: ([a-z ]+?) *##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rule.split() == ["lint", "types", "contracts", "proto", "test"]
    script = (ROOT / ".ci" / "run").read_text()
    assert "{ make check && make servers && echo 0" in script
    assert re.search(r"^CI=1\nexport CI$", script, re.MULTILINE)  # no skip counts as passed
