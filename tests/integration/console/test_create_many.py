"""Founding many municipalities from a list, as an operator does it: again and again."""

import csv
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.actors import system
from centre.registry import lists, selectors, services
from centre.registry.lists import ListUnreadable
from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy.context import tenant_scope
from console.commands import tenant as tenant_command
from console.founding import ListRefused
from tenants.clerks.models import Clerk

HEAD = "slug,name,ags,ars,administrator\n"
DELTA = "delta,Deltastadt,05770004,057700004004,e.mueller@delta.example\n"
EPSILON = "epsilon,Epsilondorf,05770005,057700005005,\n"


@pytest.fixture
def run(
    as_process: Callable[[str], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Callable[..., Result]]:
    monkeypatch.setattr(tenant_command, "become", lambda *_, **__: None)
    file = tmp_path / "list.csv"

    def run(text: str, *options: str) -> Result:
        file.write_text(text, encoding="utf-8")
        arguments = ["create-many", str(file), *options]
        return CliRunner().invoke(tenant_command.command, arguments)

    with as_process("owner"):
        yield run


def _passwords(path: Path) -> list[list[str]]:
    with path.open(newline="") as lines:
        return list(csv.reader(lines))


def test_list_becomes_municipalities_with_administrators(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.csv"
    done = run(HEAD + DELTA + EPSILON, "--passwords", str(secrets), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["created"], told["there"], told["failed"]) == (2, 0, [])
    assert "2/2 epsilon" in done.stderr

    assert secrets.stat().st_mode & 0o777 == 0o600
    [(slug, login, password)] = _passwords(secrets)
    assert (slug, login) == ("delta", "e.mueller")
    with tenant_scope(selectors.municipality(slug="delta")):
        clerk = Clerk.objects.get()
        assert clerk.check_password(password)
        assert clerk.must_change_password
        assert (clerk.login, clerk.name) == ("e.mueller", "e.mueller@delta.example")
    with tenant_scope(selectors.municipality(slug="epsilon")):
        assert not Clerk.objects.exists()


def test_again_it_changes_nothing(run: Callable[..., Result], tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.csv"
    run(HEAD + DELTA, "--passwords", str(secrets))
    before = _passwords(secrets)
    done = run(HEAD + DELTA + EPSILON, "--passwords", str(secrets), "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["created"], told["there"]) == (1, 1)
    assert _passwords(secrets) == before


def test_killed_in_the_middle_it_goes_on_with_the_same_password(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets.csv"
    with monkeypatch.context() as killed:

        def kill(*_: Any) -> None:
            raise KeyboardInterrupt

        killed.setattr(services, "enter", kill)  # all is done but the last word
        assert run(HEAD + DELTA, "--passwords", str(secrets)).exit_code != 0
    assert Municipality.objects.get(slug="delta").state == MunicipalityState.FOUNDING
    with secrets.open("a") as torn:
        torn.write("epsilon,some")
    done = run(HEAD + DELTA + EPSILON, "--passwords", str(secrets))
    assert done.exit_code == 0, done.output
    [(_, _, password)] = _passwords(secrets)
    with tenant_scope(selectors.municipality(slug="delta")):
        assert Clerk.objects.get().check_password(password)


def test_two_operators_with_the_same_list_found_each_once(
    run: Callable[..., Result], as_process: Callable[[str], AbstractContextManager[None]]
) -> None:
    new = [
        services.NewTenant(slug=slug, name=slug, ags=f"0577000{n}", ars=f"05770000{n}00{n}")
        for n, slug in enumerate(("delta", "epsilon", "zeta"), start=4)
    ]

    def found(name: str) -> list[str]:
        with as_process("owner"):
            founded = services.create_tenants(tenants=new, by=system(name))
            return [each.problem for each in founded]

    with ThreadPoolExecutor(2) as operators:
        assert list(operators.map(found, ("one", "other"))) == [[""] * 3] * 2
    created = TrailEntry.objects.filter(event=AuditEvent.TENANT_MUNICIPALITY_CREATED)
    trails = list(created.values_list("subject", "tenant_role"))
    for slug in ("delta", "epsilon", "zeta"):
        own = Municipality.objects.get(slug=slug).tenant_role
        assert sorted(trail for subject, trail in trails if subject == slug) == ["centre", own]
    assert len(trails) == len(set(trails))


def test_passwords_need_a_place(run: Callable[..., Result]) -> None:
    done = run(HEAD + DELTA)
    assert isinstance(done.exception, ListRefused)
    assert "--passwords" in done.exception.hint
    assert not Municipality.objects.filter(slug="delta").exists()


def test_dry_run_creates_nothing_and_tells_all(run: Callable[..., Result]) -> None:
    done = run(HEAD + DELTA + "Delta Stadt,,0577000,057700005005,\n", "--dry-run")
    assert isinstance(done.exception, ListRefused)
    assert "line 3 (Delta Stadt)" in done.stderr
    assert "2 lines: 1 to create, 0 there already, 1 faulty" in done.stderr
    assert not Municipality.objects.filter(slug="delta").exists()
    assert run(HEAD + EPSILON, "--dry-run").exit_code == 0


def test_faulty_lines_stop_all_or_are_left_out(run: Callable[..., Result]) -> None:
    text = HEAD + "delta,Deltastadt,05770004,057700004999,\n" + EPSILON
    assert isinstance(run(text).exception, ListRefused)
    assert not Municipality.objects.filter(slug="epsilon").exists()
    done = run(text, "--skip-faulty")
    assert "1 created" in done.stdout
    assert "1 line was left out" in str(done.exception)
    assert selectors.municipality(slug="epsilon").state == MunicipalityState.ACTIVE


def test_one_that_fails_stops_nobody(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = services._found_schema

    def refuse(municipality: Municipality) -> None:
        if municipality.slug == "delta":
            raise services.RegistryError("The disk is full.")
        found(municipality)

    monkeypatch.setattr(services, "_found_schema", refuse)
    done = run(HEAD + DELTA.replace("e.mueller@delta.example", "") + EPSILON, "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["failed"] == [{"slug": "delta", "problem": "The disk is full."}]
    assert told["created"] == 1
    assert "delta: The disk is full." in str(done.exception)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Delta,D,05770004,057700004004,", "cannot be a short name"),
        ("delta,,05770004,057700004004,", "A name has 1 to 200 printable characters"),
        ("delta,D,5770004,057700004004,", "ags '5770004' does not have 8 digits"),
        ("delta,D,05770004,05770000400x,", "does not have 12 digits"),
        ("delta,D,05770004,057700004005,", "not of the same municipality"),
        ("delta,D,05770004,057700004004,@x", "does not begin with a possible login"),
        ("delta,D,05770004,057700004004,a,b", "6 cells, but there are 5 columns"),
        ("alpha,D,05770004,057700004004,", "'alpha' is Alphastadt"),
        ("delta,D,05770001,057700001001,", "that of alpha, hosted here"),
        ("zeta,Z,05770009,057700009009,", "that of line 2, too"),
        ("zeta2,Z,05770009,057700009009,", "that of line 2, too"),
    ],
)
@pytest.mark.process("owner")
def test_faults_are_told_in_words(db: None, line: str, fault: str) -> None:
    first, second = lists.read(f"{HEAD}zeta,Z,05770009,057700009009,\n{line}\n")
    assert not first.faults
    assert fault in "; ".join(second.faults)
    assert (second.line, second.tenant) == (3, None)


@pytest.mark.process("owner")
def test_there_already_is_no_fault(db: None) -> None:
    (row,) = lists.read(
        '\ufeffslug;name;ags;ars\r\nalpha;"Alpha\nstadt";05770001;057700001001\r\n\r\n'
    )
    assert (row.faults, row.is_there) == ((), True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Missing: slug, name, ags, ars"),
        ("slug,name,ags\n", "Missing: ars"),
        ("slug,name,ags,ars,colour\n", "Unknown columns: colour"),
        ("slug,slug,name,ags,ars\n", "named twice"),
        ('slug,name,ags,ars\nx,"y"z,1,2\n', "Line 2"),
    ],
)
def test_what_is_no_list_is_refused(db: None, text: str, words: str) -> None:
    with pytest.raises(ListUnreadable, match=words):
        lists.read(text)
