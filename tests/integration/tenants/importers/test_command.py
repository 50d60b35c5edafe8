"""`amtsbruecke import`: what it prints, and with which code it ends."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result
from django.db import connections
from structlog.testing import capture_logs

from centre.registry import selectors
from centre.tenancy import roles
from centre.tenancy.operations import role_names
from console.cli import main
from console.commands import import_
from console.operator import operator
from federation.outbox.errors import BacklogFull
from tenants.cases import services as cases
from tenants.cases.models import Case
from tenants.importers import services
from tenants.importers.models import ImportRun
from tenants.importers.selectors import Remains, RunView
from tenants.importers.services import running
from tests.factories.import_files import file, row
from tests.integration.tenants.cases.conftest import Town
from tests.integration.tenants.importers.conftest import Desk, Row

pytestmark = pytest.mark.process("worker")

type ToB = Callable[..., Row]
type Call = Callable[..., Result]


@pytest.fixture
def call(a: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return the function that runs the command on a file, as a process that is set up already."""
    monkeypatch.setattr(import_, "become", lambda *_, **__: None)
    monkeypatch.setenv("AMTSBRUECKE_HOME", "")
    monkeypatch.setenv("AMTSBRUECKE_CENTRE", "")

    def call(content: bytes, *options: str, tenant: str = "alpha") -> Result:
        path = tmp_path / "ersuchen.csv"
        path.write_bytes(content)
        arguments = ["import", str(path), "--tenant", tenant, *options]
        return CliRunner().invoke(main, arguments)

    return call


def said(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cases_of(town: Town) -> list[str]:
    with town.scope():
        return [case.state for case in Case.objects.all()]


def test_file_is_imported_with_progress(call: Call, a: Town, to_b: ToB) -> None:
    done = call(file(to_b(1), to_b(2)))
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "2 rows, 625,00 €: 0 good, 2 imported, 0 imported before, 0 faulty, 0 to decide\n"
    )
    assert done.stderr == "2 of 2 rows imported\n"
    assert cases_of(a) == ["submitted", "submitted"]
    one = call(file(to_b(3)))
    assert one.stdout.startswith("1 row, 312,50 €: 0 good, 1 imported, ")
    assert one.stderr == "1 of 1 row imported\n"


def test_again_it_sends_nothing_twice(call: Call, a: Town, to_b: ToB) -> None:
    assert call(file(to_b(1))).exit_code == 0
    assert call(file(to_b(1))).exit_code == 0
    again = call(file(to_b(1), to_b(2)), "--json")
    assert (said(again)["repeated"], said(again)["imported"]) == (1, 1)
    assert len(cases_of(a)) == 2


def test_the_very_same_file_counts_as_repeated(call: Call, a: Town, to_b: ToB) -> None:
    content = file(to_b(1), to_b(2))
    assert call(content).exit_code == 0
    again = call(content)
    assert again.exit_code == 0
    assert "0 imported, 2 imported before" in again.stdout
    counts = said(call(content, "--json"))
    assert (counts["imported"], counts["repeated"], counts["state"]) == (0, 2, "finished")
    assert len(cases_of(a)) == 2


def test_what_goes_on_tells_what_was_there(
    call: Call, desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file(to_b(1), to_b(2), to_b(3))
    monkeypatch.setattr(running, "CHUNK", 1)
    run_id = desk.check(content).id
    with desk.town.scope():
        services.confirm(run_id=run_id, by=desk.town.by)
        services.run_import(run_id, until=0.0)  # its turn is over after the first row
    counts = said(call(content, "--json"))
    assert (counts["imported"], counts["repeated"]) == (2, 1)


@pytest.mark.usefixtures("committed_db")
def test_same_file_at_once_is_imported_by_one_and_repeated_for_the_other(
    call: Call, a: Town, to_b: ToB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file(to_b(1), to_b(2), to_b(3))
    check_run, confirm, there = services.check_run, services.confirm, threading.Event()
    seconds: list[Future[tuple[RunView, Remains]]] = []

    def second() -> tuple[RunView, Remains]:
        try:
            with a.scope():
                return import_._import(
                    tmp_path / "ersuchen.csv", operator(), submit=True, quiet=False
                )
        finally:
            connections.close_all()

    def met_by_another(**said: Any) -> None:
        confirm(**said)
        seconds.append(pool.submit(second))
        assert there.wait(30)

    def checked(run_id: UUID) -> RunView:
        view = check_run(run_id)
        if seconds:
            there.set()  # it did not wait
        return view

    monkeypatch.setattr(services, "check_run", checked)
    monkeypatch.setattr(services, "confirm", met_by_another)
    monkeypatch.setattr(import_, "_busy", there.set)
    with ThreadPoolExecutor(1) as pool:
        first = said(call(content, "--json"))
        view, _ = seconds[0].result(30)
    assert (first["imported"], first["repeated"]) == (3, 0)
    assert (view.imported, view.repeated, view.state) == (0, 3, "finished")
    assert len(cases_of(a)) == 3


@pytest.mark.usefixtures("committed_db")
def test_municipality_that_is_closed_meanwhile_is_said(
    call: Call, dsn: Callable[[str], str], to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its deletion does, while the import writes."""
    submit = cases.submit_requests

    def closed_meanwhile(**said: Any) -> Any:
        with psycopg.connect(dsn("owner")) as owner:
            owner.execute("UPDATE registry_municipality SET state = 'deleting' WHERE slug='alpha'")
            for statement in roles.close_schema(role_names(), "alpha"):
                owner.execute(statement)
        return submit(**said)

    monkeypatch.setattr(cases, "submit_requests", closed_meanwhile)
    with capture_logs() as told:
        done = call(file(to_b(1), to_b(2)))
    assert done.exit_code == 2
    assert "alpha is deleting: nothing can be imported there." in done.stderr
    assert [each for each in told if each["log_level"] in {"error", "critical"}] == []


def test_rows_that_are_left_over_are_named_and_give_code_1(call: Call, a: Town, to_b: ToB) -> None:
    done = call(file(to_b(1), to_b(2, IBAN="DE00"), row(3, PLZ="32423", Ort="Betadorf")))
    assert done.exit_code == 1
    assert "Line 3, IBAN: “DE00” is no valid IBAN. " in done.stdout
    assert "Line 4, PLZ: " in done.stdout
    assert len(cases_of(a)) == 1


def test_many_of_them_are_counted(call: Call, to_b: ToB) -> None:
    done = call(file(*(to_b(number, IBAN="") for number in range(23))), "--dry-run")
    assert done.stdout.count("The IBAN is missing.") == 20
    assert "… and 3 more rows; " in done.stdout
    done = call(file(*(to_b(number, IBAN="") for number in range(21))), "--dry-run")
    assert "… and 1 more row; " in done.stdout


@pytest.mark.parametrize("state", ["suspended", "deleting", "founding"])
def test_nothing_is_imported_where_the_doors_are_closed(
    call: Call, a: Town, to_b: ToB, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    closed = selectors.municipality(slug="alpha")
    closed.state = state
    monkeypatch.setattr(selectors, "municipality", lambda **_: closed)
    done = call(file(to_b(1)))
    assert done.exit_code == 2
    assert f"alpha is {state}" in done.output
    assert not cases_of(a)


def test_dry_run_tells_all_and_keeps_nothing(call: Call, a: Town, to_b: ToB) -> None:
    content = file(to_b(1), to_b(2, Hauptforderung="x")) + b"#SUMME;2;400,00\n"
    done = call(content, "--dry-run")
    assert done.exit_code == 1
    assert "2 rows, 312,50 €: 1 good, 0 imported" in done.stdout
    assert "ist nicht geprüft: Ohne lesbaren Betrag ist Zeile 3." in done.stdout
    assert "Line 3, Hauptforderung: “x” is not an amount." in done.stdout
    assert call(file(to_b(1)), "--dry-run").exit_code == 0
    assert said(call(file(to_b(1)), "--dry-run", "--json"))["run"] is None
    assert not cases_of(a)
    with a.scope():
        assert not ImportRun.objects.exists()


def test_dry_run_leaves_the_run_of_a_clerk(call: Call, desk: Desk, b: Town, to_b: ToB) -> None:
    content = file(row(1, PLZ="32423", Ort="Betadorf"), to_b(2))
    view = desk.check(content)
    with desk.town.scope():
        services.choose(run_id=view.id, line=2, authority_id=b.id, by=desk.town.by)
    assert call(content, "--dry-run").exit_code == 1
    assert (desk.run(view.id).state, desk.run(view.id).good) == ("checked", 2)


def test_drafts_stay_here(call: Call, a: Town, to_b: ToB) -> None:
    assert call(file(to_b(1)), "--drafts").exit_code == 0
    assert cases_of(a) == ["draft"]


def test_drafts_of_earlier_are_said_to_be_unsent(call: Call, a: Town, to_b: ToB) -> None:
    words = "Still drafts, not submitted: 2. Submit what is meant on the worklist"
    content = file(to_b(1), to_b(2))
    assert words not in call(content, "--drafts").stdout
    assert call(content, "--drafts").exit_code == 0
    for given in (content, file(to_b(1), to_b(2), to_b(3))):
        for options in (["--dry-run"], []):
            done = call(given, *options)
            assert done.exit_code == 1
            assert words in done.stdout
            assert said(call(given, "--json", *options))["drafts"] == 2
    assert sorted(cases_of(a)) == ["draft", "draft", "submitted"]


@pytest.mark.parametrize("options", [["--dry-run"], []], ids=["dry-run", "import"])
def test_row_that_has_changed_is_named(call: Call, to_b: ToB, options: list[str]) -> None:
    assert call(file(*(to_b(number) for number in range(1, 23)))).exit_code == 0
    rows = [to_b(number, Hauptforderung="4.332,50") for number in range(1, 23)]
    done = call(file(*rows), *options)
    assert done.exit_code == 0
    assert (
        "Line 2, 20.3-0001/26: The row has been imported already, but with other content "
        "(312,50 €, now 4.332,50 €). The request stays as it is." in done.stdout
    )
    assert done.stdout.count("with other content (") == 20
    assert "… and 2 more with other content; " in done.stdout
    assert said(call(file(*rows), "--json", *options))["changed"] == 22


def test_json_is_one_object(call: Call, to_b: ToB) -> None:
    done = call(file(to_b(1), to_b(2, IBAN="")), "--json")
    assert done.exit_code == 1
    assert done.stderr == ""
    counts = said(done)
    assert counts.pop("run")
    assert counts == {
        "rows": 2,
        "good": 0,
        "imported": 1,
        "repeated": 0,
        "changed": 0,
        "drafts": 0,
        "faulty": 1,
        "undecided": 0,
        "sum_cents": 62_500,
        "state": "finished",
        "problem": "",
        "remark": "",
    }


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Die Datei ist leer."),
        (b"a;b\n1;2\n", "In der Kopfzeile fehlen Spalten"),
        (file(row(1)) + b"#SUMME;7;1,00\n", "Die Kontrollsumme nennt 7 Zeilen, die Datei hat 1."),
        (
            file(row(1), row(2)) + b"#SUMME;1;1,00\n",
            "Die Kontrollsumme nennt 1 Zeile, die Datei hat 2.",
        ),
    ],
)
def test_file_that_is_refused_gives_code_2_and_words(
    call: Call, a: Town, content: bytes, words: str, *, dry: bool
) -> None:
    options = ["--dry-run"] if dry else []
    done = call(content, *options)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output
    quiet = call(content, "--json", *options)
    assert quiet.exit_code == 2
    assert said(quiet)["state"] == "failed"
    assert words in said(quiet)["problem"]
    assert not cases_of(a)


def test_congested_link_is_told_and_the_rest_follows(
    call: Call, desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise BacklogFull

    with monkeypatch.context() as patch:
        patch.setattr(cases, "submit_requests", full)
        done = call(file(to_b(1)))
    assert done.exit_code == 1
    assert "Sending waits" in done.stdout
    desk.work_off()
    assert call(file(to_b(1))).exit_code == 0
    assert len(cases_of(desk.town)) == 1


def test_town_and_file_that_are_not_there_are_said(call: Call, to_b: ToB, tmp_path: Path) -> None:
    done = call(file(to_b(1)), tenant="atlantis")
    assert done.exit_code == 2
    assert "atlantis" in done.stderr
    missing = CliRunner().invoke(main, ["import", str(tmp_path / "x.csv"), "--tenant", "alpha"])
    assert missing.exit_code == 2
    assert "does not exist" in missing.stderr
