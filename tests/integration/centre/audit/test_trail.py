"""A trail is only worth something if a change shows. Each test changes it in another way."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from django.db import ProgrammingError, connection, connections, transaction

from centre.audit import heads, selectors, services
from centre.audit.chain import CENTRE, Entry
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.actors import system
from centre.keys import keystore
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from console.commands import audit as audit_module
from console.commands.audit import command as audit_command

AsProcess = Callable[[str], AbstractContextManager[None]]
ME = system("tests")


def _entries(*subjects: str) -> Sequence[Entry]:
    return [
        Entry(event=AuditEvent.CASE_REQUEST_READ, by=ME, subject=subject, detail={"page": "1"})
        for subject in subjects
    ]


def _record(municipality: Municipality, *subjects: str) -> None:
    with tenant_scope(municipality), transaction.atomic():
        services.record(events=_entries(*subjects))


def test_entries_are_numbered_and_chained(db: None, alpha: Municipality) -> None:
    _record(alpha, "A-1", "A-2")
    _record(alpha, "A-1\0 with \ud800 odd text")
    with tenant_scope(alpha):
        trail = list(TrailEntry.objects.order_by("number"))
        assert [entry.number for entry in trail] == [1, 2, 3, 4]
        assert trail[0].event == AuditEvent.TENANT_MUNICIPALITY_CREATED
        assert trail[1].content["actor"] == {"id": "tests", "kind": "system", "name": "tests"}
        found = selectors.verify(alpha.tenant_role)
        assert found.intact, found.problems
        assert found.entries == 4
        assert [entry.number for entry in selectors.trail(subject="A-2")] == [3]


def test_each_tenant_has_a_chain_and_sees_no_other(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    _record(alpha, "A-1", "A-2")
    _record(beta, "B-1")
    with transaction.atomic():
        services.record(events=_entries("operator"))
    assert {entry.tenant_role for entry in TrailEntry.objects.all()} == {CENTRE}
    with tenant_scope(beta):
        assert [entry.subject for entry in TrailEntry.objects.all()] == ["beta", "B-1"]
        assert selectors.verify(alpha.tenant_role).entries == 0


def test_entry_in_another_tenants_chain_is_refused(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    forged = "INSERT INTO audit_auditevent (tenant_role, body) VALUES (%s, %s)"
    body = '{"event": "x", "at": "2026-01-01", "subject": "s"}'
    with (
        tenant_scope(alpha),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(forged, [beta.tenant_role, body])


@pytest.mark.django_db(transaction=True)
def test_record_outside_a_transaction_is_refused(alpha: Municipality) -> None:
    with tenant_scope(alpha), pytest.raises(services.AuditOutsideTransaction):
        services.record(events=_entries("A-1"))


@pytest.mark.parametrize(
    "verb", ["UPDATE audit_auditevent SET body = ''", "DELETE FROM audit_head"]
)
def test_nobody_may_change_the_trail(db: None, alpha: Municipality, verb: str) -> None:
    _record(alpha, "A-1")
    with (
        tenant_scope(alpha),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(verb)


def test_not_even_the_owner_may(as_process: AsProcess, alpha: Municipality) -> None:
    _record(alpha, "A-1")
    for table in ("audit_auditevent", "audit_head"):
        for verb in ("UPDATE {} SET tenant_role = ''", "DELETE FROM {}", "TRUNCATE {}"):
            with (
                as_process("owner"),
                pytest.raises(ProgrammingError, match="append-only"),
                connection.cursor() as cursor,
            ):
                cursor.execute(verb.format(table))


TAMPERINGS = {
    "body changed": (
        "UPDATE audit_auditevent SET body = replace(body, 'A-2', 'A-9') WHERE number = 2",
        "Entry 2 does not fit its digest",
    ),
    "column changed": (
        "UPDATE audit_auditevent SET subject = 'A-9' WHERE number = 2",
        "Entry 2 has columns that its body does not say",
    ),
    "entry removed": ("DELETE FROM audit_auditevent WHERE number = 2", "Entry 2 is missing"),
    "order changed": (
        "UPDATE audit_auditevent SET number = 5 - number WHERE number IN (2, 3)",
        "Entry 2 does not fit its digest",
    ),
    "end cut off after it was signed": (
        "DELETE FROM audit_auditevent WHERE number > 2",
        "The centre signed entry 4, which is gone",
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_shows(
    as_process: AsProcess, alpha: Municipality, tampering: str, dsn: Callable[[str], str]
) -> None:
    """Whoever owns the database can switch the trigger off. The chain tells it."""
    statement, problem = TAMPERINGS[tampering]
    _record(alpha, "A-2", "A-3", "A-4")  # after the founding, which is entry 1
    with psycopg.connect(dsn("owner"), autocommit=True) as owner:
        owner.execute(
            "INSERT INTO audit_head (tenant_role, number, digest, at, kid, signature) SELECT "
            "tenant_role, number, digest, now(), '', '' FROM audit_auditevent WHERE number = 4"
        )
        owner.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
        owner.execute("ALTER TABLE audit_auditevent DROP CONSTRAINT audit_auditevent_pkey")
        owner.execute(statement)
    with tenant_scope(alpha):
        found = selectors.verify(alpha.tenant_role)
    assert not found.intact
    assert problem in found.problems[0]


def test_many_writers_make_one_chain(committed_db: None, alpha: Municipality) -> None:
    together = threading.Barrier(8)

    def write(writer: int) -> None:
        together.wait()
        try:
            for turn in range(5):
                _record(alpha, f"{writer}-{turn}", f"{writer}-{turn}b")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with tenant_scope(alpha):
        found = selectors.verify(alpha.tenant_role)
    assert found.intact, found.problems
    assert found.entries == 1 + 80


def test_signed_head_vouches_for_the_chain(as_process: AsProcess, alpha: Municipality) -> None:
    with as_process("owner"):
        keystore.create_centre_keys()
    _record(alpha, "A-1", "A-2")
    with transaction.atomic():
        services.record(events=_entries("operator"))
    towns = Municipality.objects.values_list("tenant_role", flat=True)
    with as_process("worker"):
        assert heads.sign() == 1 + len(towns)
        assert heads.sign() == 0
    _record(alpha, "A-3")
    with as_process("owner"):
        check = heads.signature_check()
        found = selectors.verify(alpha.tenant_role, check_signature=check)
        assert found.intact, found.problems
        assert (found.entries, found.signed_up_to) == (4, 3)
        of_centre = selectors.verify(CENTRE, check_signature=check)
        assert of_centre.intact
        assert of_centre.signed_up_to == of_centre.entries
        assert selectors.chains() == sorted([CENTRE, *towns])


def test_head_signed_by_a_stranger_shows(
    as_process: AsProcess, alpha: Municipality, dsn: Callable[[str], str]
) -> None:
    """Whoever can write into the database still lacks the centre's key."""
    with as_process("owner"):
        keystore.create_centre_keys()
    _record(alpha, "A-1")
    with as_process("worker"):
        heads.sign()
    forgeries = {
        "signature": "signature = '\\x00'",
        "time": "at = at + interval '1 day'",
        "kid": "kid = '0011223344556677'",
    }
    for forgery in forgeries.values():
        with psycopg.connect(dsn("owner")) as owner:
            owner.execute("ALTER TABLE audit_head DISABLE TRIGGER USER")
            owner.execute(f"UPDATE audit_head SET {forgery}")
            owner.commit()
            with as_process("owner"):
                found = selectors.verify(alpha.tenant_role, check_signature=heads.signature_check())
        assert "is not the centre's" in found.problems[0]


def _tamper(dsn: Callable[[str], str], *statements: str) -> None:
    """Do what only the owner of the database can, past the triggers."""
    with psycopg.connect(dsn("owner"), autocommit=True) as owner:
        for table in ("audit_auditevent", "audit_head"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            owner.execute(statement)


@pytest.fixture
def signed(as_process: AsProcess, alpha: Municipality) -> None:
    """Let the centre vouch for three entries of alpha."""
    with as_process("owner"):
        keystore.create_centre_keys()
    _record(alpha, "A-2", "A-3")
    with as_process("worker"):
        heads.sign()


def _audit(as_process: AsProcess, *arguments: str) -> Result:
    with as_process("owner"):
        return CliRunner().invoke(audit_command, arguments)


@pytest.fixture(autouse=True)
def no_second_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are a process of the centre already."""
    monkeypatch.setattr(audit_module, "become", lambda *_, **__: None)


CUTS = {
    "entries and heads together": [
        "DELETE FROM audit_auditevent WHERE tenant_role LIKE '%alpha' AND number > 1",
        "DELETE FROM audit_head WHERE tenant_role LIKE '%alpha'",
    ],
    "rewritten": [
        "DELETE FROM audit_head WHERE tenant_role LIKE '%alpha'",
        "DELETE FROM audit_auditevent WHERE tenant_role LIKE '%alpha' AND number > 1",
        "ALTER TABLE audit_auditevent ENABLE TRIGGER audit_chain",
        *[
            (
                "INSERT INTO audit_auditevent (tenant_role, body) SELECT tenant_role, body"
                " FROM audit_auditevent WHERE tenant_role LIKE '%alpha' AND number = 1"
            )
        ]
        * 2,
    ],
    "the chain with its municipality": [
        "DELETE FROM audit_auditevent WHERE tenant_role LIKE '%alpha'",
        "DELETE FROM audit_head WHERE tenant_role LIKE '%alpha'",
        (
            "DELETE FROM registry_domain WHERE tenant_id IN"
            " (SELECT id FROM registry_municipality WHERE slug = 'alpha')"
        ),
        "DELETE FROM registry_municipality WHERE slug = 'alpha'",
    ],
}


@pytest.mark.parametrize("cut", CUTS)
def test_what_the_owner_hides_shows_against_heads_that_were_kept_elsewhere(
    as_process: AsProcess, signed: None, dsn: Callable[[str], str], tmp_path: Path, cut: str
) -> None:
    kept = tmp_path / "heads.jsonl"
    kept.write_text(_audit(as_process, "heads", "--json").output)
    assert _audit(as_process, "verify", "--against", str(kept)).exit_code == 0
    _tamper(dsn, *CUTS[cut])
    assert _audit(as_process, "verify").exit_code == 0  # nothing inside tells it
    done = _audit(as_process, "verify", "--against", str(kept))
    assert done.exit_code == 1
    assert "alpha: NOT INTACT" in done.output


def test_a_chain_that_is_gone_is_missed(
    as_process: AsProcess, signed: None, alpha: Municipality, dsn: Callable[[str], str]
) -> None:
    _tamper(dsn, f"DELETE FROM audit_auditevent WHERE tenant_role = '{alpha.tenant_role}'")
    with as_process("owner"):
        assert alpha.tenant_role in selectors.chains()  # by its heads
    _tamper(dsn, f"DELETE FROM audit_head WHERE tenant_role = '{alpha.tenant_role}'")
    done = _audit(as_process, "verify")
    assert done.exit_code == 1
    assert f"{alpha.tenant_role}: NOT INTACT, 0 entries" in done.output
    assert "whole chain was deleted" in done.output
    _tamper(dsn, "DELETE FROM audit_auditevent", "DELETE FROM audit_head")
    assert f"{CENTRE}: NOT INTACT" in _audit(as_process, "verify").output


def test_kept_heads_are_the_centres_or_nothing(
    as_process: AsProcess, signed: None, alpha: Municipality, tmp_path: Path
) -> None:
    kept = tmp_path / "heads.jsonl"
    lines = _audit(as_process, "heads", "--json").output
    [line] = [line for line in lines.splitlines() if alpha.tenant_role in line]
    kept.write_text(json.dumps(json.loads(line) | {"signature": "00" * 64}))
    done = _audit(as_process, "verify", "--against", str(kept))
    assert done.exit_code == 1
    assert "is not the centre's" in done.output
    for junk in ("{}", "[]", "no json", '{"chain": "centre", "number": "x"}'):
        kept.write_text(junk)
        done = _audit(as_process, "verify", "--against", str(kept))
        assert isinstance(done.exception, heads.KeptHeadMalformed), junk
