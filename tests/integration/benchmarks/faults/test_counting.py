"""What a fault run counts stands in the databases; each thing that may be wrong there is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from benchmarks.faults import counting
from benchmarks.faults.world import World
from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.tenancy.context import schema_scope
from tenants.cases.models import Case, CaseEvent, CaseMessage

pytestmark = [pytest.mark.process("owner")]

#: The centres, and the schema of the one municipality of each.
TOWNS: Final = {"krz": "m_alpha", "nord": "m_beta"}
TABLES: Final = (
    "outbox_letter",
    "outbox_link",
    "outbox_deadletter",
    "inbox_inboundmessage",
    "registry_municipality",
)
CASE, FIRST, SECOND, BACK = (UUID(int=number) for number in range(1, 5))
EVENT: Final = "case_id, at, side, by, what, label, text, message_id"


@dataclass
class Pair:
    """Two centres in one database: the tables of each lie in a schema with its name."""

    owner: psycopg.Connection[Any]
    folder: Path

    @contextmanager
    def connect(self, centre: str) -> Iterator[psycopg.Connection[Any]]:
        self.owner.execute(f"SET LOCAL search_path = {centre}, public")
        yield self.owner
        self.owner.execute("SET LOCAL search_path = public")

    def rows(self, centre: str, statement: str) -> list[tuple[Any, ...]]:
        with self.connect(centre) as connection:
            return connection.execute(statement).fetchall()

    def journal(self, centre: str) -> Path:
        return self.folder / centre

    def count(self, *, cancelled: tuple[UUID, ...] = ()) -> dict[str, Any]:
        """Return how many there are of each kind."""
        world = cast("World", self)
        found = counting.count(world, forsaken=(), cancelled=[str(each) for each in cancelled])
        return {
            name: len(value) if isinstance(value, list) else value
            for name, value in asdict(found).items()
        }


@pytest.fixture
def pair(db: None, tmp_path: Path) -> Pair:
    """Two letters of a case from krz to nord, and one back; all is well."""
    for town in TOWNS.values():
        with schema_scope(town):
            _case()
    _effects("m_beta", FIRST, SECOND)
    _effects("m_alpha", BACK)
    connection.ensure_connection()
    owner: psycopg.Connection[Any] = connection.connection
    for centre, town in TOWNS.items():
        owner.execute(f"CREATE SCHEMA {centre}")
        for table in TABLES:
            owner.execute(f"CREATE TABLE {centre}.{table} (LIKE public.{table} INCLUDING ALL)")
        owner.execute(
            f"INSERT INTO {centre}.registry_municipality"
            f" SELECT * FROM public.registry_municipality WHERE schema_name = '{town}'"
        )
    _send(owner, "krz", "nord", FIRST, SECOND)
    _send(owner, "nord", "krz", BACK)
    return Pair(owner, tmp_path)


def _case() -> None:
    now = clock.now()
    Case.objects.create(id=CASE, state="registered", state_since=now, created_at=now)


def _effects(town: str, *identifiers: UUID) -> None:
    sender = new_id()
    with schema_scope(town):
        for number, identifier in enumerate(identifiers, start=1):
            CaseMessage.objects.create(
                id=identifier,
                case_id=CASE,
                number=number,
                direction="in",
                kind="query",
                schema_version=1,
                sequence=number,
                other_authority=sender,
                payload=b"",
                created_at=clock.now(),
                outcome="received",
            )
            CaseEvent.objects.create(case_id=CASE, at=clock.now(), message_id=identifier)


def _send(owner: psycopg.Connection[Any], origin: str, receiver: str, *identifiers: UUID) -> None:
    for lseq, identifier in enumerate(identifiers, start=1):
        owner.execute(
            f"INSERT INTO {origin}.outbox_letter (id, tenant_role, link, recipient, case_id,"
            " case_sequence, kind, size, envelope, digest, lseq, expires_at, accepted_at)"
            " VALUES (%s, '', %s, %s, %s, %s, 'query', 1, '', '', %s, now(), now())",
            (identifier, receiver, new_id(), CASE, lseq, lseq),
        )
        owner.execute(
            f"INSERT INTO {receiver}.inbox_inboundmessage (origin, id, tenant_role, link, lseq,"
            " sender, case_id, case_sequence, kind, envelope, digest, received_at, state, due_at)"
            " VALUES (%s, %s, '', %s, %s, %s, %s, %s, 'query', '', '', now(), 'applied', now())",
            (origin, identifier, origin, lseq, new_id(), CASE, lseq),
        )
    owner.execute(
        f"INSERT INTO {origin}.outbox_link (name, next_lseq, acked_lseq) VALUES (%s, %s, %s)",
        (receiver, len(identifiers) + 1, len(identifiers)),
    )


WELL: Final = {
    "messages": 3,
    "relayed": 3,
    "cancelled": 0,
    "lost": 0,
    "duplicates": 0,
    "out_of_order": 0,
    "astray": 0,
    "broken_promises": 0,
}


def test_where_all_is_well_nothing_is_found(pair: Pair) -> None:
    pair.journal("krz").write_text(f"{CASE} query registered\n")
    assert pair.count() == WELL


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE krz.outbox_link SET acked_lseq = 1",
        "DELETE FROM krz.outbox_link",
        f"DELETE FROM nord.inbox_inboundmessage WHERE id = '{SECOND}'",
        f"UPDATE nord.inbox_inboundmessage SET state = 'parked' WHERE id = '{SECOND}'",
        f"DELETE FROM m_beta.cases_casemessage WHERE id = '{SECOND}'",
        """WITH gone AS (DELETE FROM nord.inbox_inboundmessage RETURNING *)
        INSERT INTO krz.inbox_inboundmessage SELECT * FROM gone""",
    ],
    ids=["no-receipt", "no-link", "not-there", "not-applied", "no-effect", "elsewhere"],
)
def test_a_letter_without_receipt_or_effect_is_lost(pair: Pair, damage: str) -> None:
    pair.owner.execute(damage)
    found = pair.count()
    assert found["lost"] == found["messages"] - found["relayed"] > 0
    assert found | {"lost": 0, "relayed": 3} == WELL


@pytest.mark.parametrize(
    "damage",
    [
        f"""INSERT INTO m_beta.cases_caseevent (id, {EVENT}) SELECT gen_random_uuid(), {EVENT}
        FROM m_beta.cases_caseevent WHERE message_id = '{SECOND}'""",
        f"""CREATE TABLE krz.twice AS SELECT * FROM nord.inbox_inboundmessage WHERE id = '{SECOND}';
        UPDATE krz.twice SET origin = 'sachsen';
        INSERT INTO nord.inbox_inboundmessage SELECT * FROM krz.twice""",
    ],
    ids=["two-effects", "two-names"],
)
def test_a_letter_that_counts_twice_is_a_duplicate(pair: Pair, damage: str) -> None:
    pair.owner.execute(damage)
    assert pair.count() == WELL | {"duplicates": 1}


def test_a_letter_that_took_effect_before_an_earlier_one_is_out_of_order(pair: Pair) -> None:
    pair.owner.execute("UPDATE m_beta.cases_casemessage SET number = 10 - number")
    assert pair.count() == WELL | {"out_of_order": 1}


def test_a_letter_that_was_given_up_is_astray_where_it_arrived_and_lost_if_nobody_did(
    pair: Pair,
) -> None:
    pair.owner.execute(
        "INSERT INTO krz.outbox_deadletter (id, message_id, tenant_role, link, case_id, kind,"
        " state, reason, died_at, resolution) VALUES (gen_random_uuid(), %s, '', 'nord', %s,"
        " 'query', 'parked', 'GONE', now(), 'cancelled')",
        (SECOND, CASE),
    )
    less = WELL | {"relayed": 2, "cancelled": 1}
    assert pair.count(cancelled=(SECOND,)) == less | {"astray": 1}
    assert pair.count() == less | {"lost": 1}


def test_a_promise_that_was_not_kept_is_found_in_the_journal(pair: Pair) -> None:
    pair.journal("krz").write_text(f"{CASE} query registered\n{CASE} query accepted\n")
    pair.journal("nord").write_text(f"{CASE} acceptance registered\n")
    assert pair.count() == WELL | {"broken_promises": 2}
