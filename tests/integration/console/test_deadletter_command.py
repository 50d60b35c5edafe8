"""`amtsbruecke deadletter list`: what was not delivered, for people and for machines."""

import json
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result

from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from console.commands import deadletter as deadletter_command
from console.errors import ConsoleError

type Run = Callable[..., Result]

CASE, LETTER, ENTRY = new_id(), new_id(), new_id()


@pytest.fixture
def run(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(deadletter_command, "become", lambda *_, **__: None)
    return lambda *said: CliRunner().invoke(deadletter_command.command, ("list", *said))


@pytest.fixture
def decide(run: Run) -> Run:
    """The commands that decide about a letter."""
    return lambda *said: CliRunner().invoke(deadletter_command.command, said)


@pytest.fixture
def dead(committed_db: None, alpha: Municipality, dsn: Callable[[str], str]) -> None:
    """A letter that the peer has refused."""
    with psycopg.connect(dsn("owner")) as owner:
        owner.execute(
            "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, case_id, kind,"
            " state, reason, died_at) VALUES (%s, %s, %s, 'nord', %s, 'query', 'refused',"
            " 'KIND_UNKNOWN', '2026-11-27 12:00:00+00')",
            (ENTRY, LETTER, alpha.tenant_role, CASE),
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


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize("identifier", [ENTRY, LETTER])
def test_either_id_of_the_list_names_the_letter(
    decide: Run, alpha: Municipality, dsn: Callable[[str], str], identifier: UUID
) -> None:
    with psycopg.connect(dsn("owner")) as owner:
        owner.execute(
            "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence,"
            " kind, size, envelope, digest, lseq, expires_at, accepted_at) VALUES (%s, %s, 'nord',"
            " %s, %s, 1, 'query', 1, '', '', 0, now() + interval '1 day', now())",
            (LETTER, alpha.tenant_role, new_id(), CASE),
        )
    done = decide("resend", str(identifier))
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert done.output == f"{LETTER}: queued again\n"
    refused = decide("resend", str(identifier)).exception
    assert isinstance(refused, ConsoleError)
    assert refused.message.startswith(f"Letter {LETTER} is not dead any more: resent by ")


@pytest.mark.usefixtures("dead")
def test_an_id_that_is_neither_is_said_to_be_none(decide: Run) -> None:
    refused = decide("cancel", "--yes", str(CASE)).exception
    assert isinstance(refused, ConsoleError)
    assert refused.message == f"There is no dead letter {CASE}."


def test_a_link_that_is_not_there_is_refused(run: Run, dsn: Callable[[str], str]) -> None:
    refused = run("--link", "nord").exception
    assert isinstance(refused, ConsoleError)
    assert refused.message == "There is no link 'nord'."
    with psycopg.connect(dsn("owner")) as owner:
        owner.execute("INSERT INTO outbox_link (name) VALUES ('nord')")
    assert run("--link", "nord").output == "There are no dead letters.\n"


def test_without_any_people_read_so_and_machines_get_nothing(run: Run) -> None:
    assert run().output == "There are no dead letters.\n"
    assert run("--json").output == ""
