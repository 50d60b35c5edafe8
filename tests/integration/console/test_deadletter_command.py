"""`amtsbruecke deadletter list`: what was not delivered, for people and for machines."""

import json
from collections.abc import Callable

import psycopg
import pytest
from click.testing import CliRunner, Result

from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from console.commands import deadletter as deadletter_command

type Run = Callable[..., Result]

CASE, LETTER = new_id(), new_id()


@pytest.fixture
def run(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(deadletter_command, "become", lambda *_, **__: None)
    return lambda *said: CliRunner().invoke(deadletter_command.command, ("list", *said))


@pytest.fixture
def dead(committed_db: None, alpha: Municipality, dsn: Callable[[str], str]) -> None:
    """A letter that the peer has refused."""
    with psycopg.connect(dsn("owner")) as owner:
        owner.execute(
            "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, case_id, kind,"
            " state, reason, died_at) VALUES (%s, %s, %s, 'nord', %s, 'query', 'refused',"
            " 'KIND_UNKNOWN', '2026-11-27 12:00:00+00')",
            (new_id(), LETTER, alpha.tenant_role, CASE),
        )


@pytest.mark.usefixtures("dead")
def test_each_letter_has_a_line_with_its_case(run: Run) -> None:
    done = run()
    assert done.exit_code == 0, done.output
    assert done.output == (
        f"2026-11-27 12:00:00 UTC alpha            {LETTER} case {CASE} nord query refused"
        " KIND_UNKNOWN\n"
    )


@pytest.mark.usefixtures("dead")
def test_machines_get_an_object_for_each_letter(run: Run) -> None:
    (letter,) = map(json.loads, run("--json", "--tenant", "alpha").output.splitlines())
    assert (letter["municipality"], letter["case_id"]) == ("alpha", str(CASE))
    assert (letter["message_id"], letter["reason"]) == (str(LETTER), "KIND_UNKNOWN")
    assert letter["died_at"] == "2026-11-27T12:00:00+00:00"
    assert "tenant_role" not in letter


def test_without_any_people_read_so_and_machines_get_nothing(run: Run) -> None:
    assert run().output == "There are no dead letters.\n"
    assert run("--json").output == ""
