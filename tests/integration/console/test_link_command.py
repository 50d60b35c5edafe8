"""`amtsbruecke link status`: what the database says of each link, for people and for machines."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from click.testing import CliRunner, Result

from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from console.commands import link as link_command

type Run = Callable[..., Result]


@pytest.fixture
def run(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the function that runs the command with the login `web`, which it chooses."""
    chosen: list[str] = []
    monkeypatch.setattr(link_command, "become", lambda process, **_: chosen.append(process))

    def run(*said: str) -> Result:
        done = CliRunner().invoke(link_command.command, ("status", *said))
        assert chosen.pop() == "web"
        return done

    return run


@pytest.fixture
def links(committed_db: None, alpha: Municipality, dsn: Callable[[str], str]) -> None:
    """A link that works, and one that has failed for an hour; of each letter one state."""
    with psycopg.connect(dsn("owner")) as owner:
        owner.execute(
            "INSERT INTO outbox_link (name, next_lseq, acked_lseq, last_contact_at, lease_until,"
            " failing_since, next_try_at, last_error) VALUES"
            " ('nord', 3, 1, now(), now() + interval '1 day', NULL, NULL, ''),"
            " ('sachsen', 1, 0, NULL, NULL, now() - interval '1 hour', now(), 'UNAVAILABLE')"
        )
        for lseq in (0, 1, 2, None):
            identifier = new_id()
            owner.execute(
                "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id,"
                " case_sequence, kind, size, envelope, digest, lseq, expires_at, accepted_at)"
                " VALUES (%s, %s, 'nord', %s, %s, 1, 'query', 1, '', '', %s, now(), now())",
                (identifier, alpha.tenant_role, new_id(), new_id(), lseq),
            )
            if lseq == 0:
                owner.execute(
                    "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, case_id,"
                    " kind, state, reason, died_at) SELECT %s, id, tenant_role, link, case_id,"
                    " kind, 'refused', 'TEST', now() FROM outbox_letter WHERE id = %s",
                    (new_id(), identifier),
                )


@pytest.mark.usefixtures("links")
def test_each_link_has_a_line(run: Run) -> None:
    done = run()
    assert done.exit_code == 0, done.output
    nord, sachsen = done.output.splitlines()
    assert nord.startswith("nord             active   backlog 2  oldest ")
    assert "  dead 1  last contact " in nord
    assert "no dispatch process" not in nord
    assert sachsen.startswith("sachsen          failing  backlog 0")
    assert "no dispatch process works on it" in sachsen
    assert "(UNAVAILABLE)" in sachsen


@pytest.mark.usefixtures("links")
def test_machines_get_an_object_for_each_link(run: Run) -> None:
    nord, sachsen = map(json.loads, run("--json").output.splitlines())
    assert [nord[each] for each in ("name", "under_way", "waiting", "dead", "owned")] == [
        "nord",
        1,
        1,
        1,
        True,
    ]
    assert 0 <= nord["oldest_age"] < 60
    assert [sachsen[each] for each in ("name", "last_error", "owned")] == [
        "sachsen",
        "UNAVAILABLE",
        False,
    ]


@pytest.mark.usefixtures("links")
def test_letters_that_the_peer_wants_later_are_told_with_their_time(
    run: Run, dsn: Callable[[str], str]
) -> None:
    with psycopg.connect(dsn("owner")) as owner:
        owner.execute(
            "UPDATE outbox_letter SET held = true, not_before = '2099-01-01 12:00:00+00'"
            " WHERE lseq IS NULL"
        )
    nord, _ = run().output.splitlines()
    assert "backlog 2" in nord
    assert "1 wanted later by the peer, until 2099-01-01 12:00:00 UTC" in nord
    nord, sachsen = map(json.loads, run("--json").output.splitlines())
    assert (nord["held"], nord["deferred"]) == (1, 1)
    assert datetime.fromisoformat(nord["deferred_until"]) == datetime(2099, 1, 1, 12, tzinfo=UTC)
    assert "T" in nord["deferred_until"]
    assert (sachsen["deferred"], sachsen["deferred_until"]) == (0, None)


def test_without_any_link_people_read_so_and_machines_get_nothing(run: Run) -> None:
    assert "There is no link yet" in run().output
    assert run("--json").output == ""
