"""What a look at the queue finds, in which order, and how much it reads for that."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
import pytest

from centre.config import databases
from centre.kernel.ids import new_id
from federation.dispatch import queue as queues
from federation.dispatch import sql
from federation.dispatch.queue import Queue
from federation.dispatch.sql import numbering

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("db")]

_LINK = "INSERT INTO outbox_link (name, fence) VALUES ('nord', 1)"
_POST = """
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at)
SELECT id, %s, 'nord', gen_random_uuid(), gen_random_uuid(), 1, 'query', 1, '', '',
       now() + interval '14 days', now() FROM unnest(%s::uuid[]) AS id
"""
#: A few look-ups by index read so many pages at most.
_FEW = 40


@dataclass
class Office:
    """A link's queue, the towns that post there, and the clock of whoever looks."""

    looker: sql.Connection
    owner: psycopg.Connection[Any]
    url: str
    owner_url: str
    queue: Queue
    now: float = 1000.0
    #: What a look takes by that clock.
    takes: float = 0.02
    #: How the last look of `pages` went about it.
    plan: dict[str, Any] = field(default_factory=dict)

    def clock(self) -> float:
        self.now += self.takes
        return self.now

    def post(self, town: str, letters: int = 1, *, first: int | None = None) -> list[UUID]:
        """Post letters with new ids, or with such that follow a number."""
        numbers = count(first or 0)
        ids = [new_id() if first is None else UUID(int=next(numbers)) for _ in range(letters)]
        self.owner.execute(_POST, (town, ids))
        return ids

    async def look(self, most: int = 256) -> list[UUID]:
        """Return what a look numbers, in order."""
        found = await self.queue.number(self.looker, most=most, bytes_=1_000_000)
        return [letter.item.sent.message_id for letter in found.letters]

    async def served(self, most: int) -> list[str]:
        found = await self.look(most)
        rows = self.owner.execute("SELECT id, tenant_role FROM outbox_letter").fetchall()
        return [dict(rows)[each] for each in found]

    def pages(self, statement: str, **values: Any) -> int:
        """Return how many pages a look reads."""
        asked = {"link": "nord", "fence": 1, "most": 1, "bytes": 1_000_000, "served": ""} | values
        with psycopg.connect(self.url, **databases.streaming("test")) as connection:
            row = connection.execute(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", asked
            ).fetchone()
        assert row is not None
        self.plan = plan = row[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.fixture
async def office(
    cluster: Any, django_db_setup: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    url, owner_url = cluster.url("federation"), cluster.url("owner")
    async with await psycopg.AsyncConnection.connect(url, **databases.streaming("test")) as looker:
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute(_LINK)
            found = Office(looker, owner, url, owner_url, Queue(sql.Lease("nord", "test", 1)))
            monkeypatch.setattr(queues, "monotonic", found.clock)
            yield found
            owner.execute("TRUNCATE outbox_letter, outbox_link")


async def test_letters_get_their_numbers_in_turns(office: Office) -> None:
    a, b = office.post("a", 3), office.post("b", 1)
    assert await office.look() == [a[0], b[0], a[1], a[2]]
    assert await office.look() == []


async def test_a_paused_link_gives_no_numbers(office: Office) -> None:
    """From the moment the operator is answered, whatever the open stream knows by then."""
    office.takes = 0.0
    letters = office.post("a", 2)
    office.owner.execute("UPDATE outbox_link SET state = 'paused'")
    assert await office.look() == []
    office.owner.execute("UPDATE outbox_link SET state = 'active'")
    assert await office.look() == letters


async def test_each_look_begins_behind_the_town_that_was_served_last(office: Office) -> None:
    office.takes = 0.0
    for town in "abcde":
        office.post(town, 9)
    rounds = [await office.served(2) for _ in range(5)]
    assert rounds == [["a", "b"], ["c", "d"], ["e", "a"], ["b", "c"], ["d", "e"]]


async def test_short_looks_follow_a_full_one_for_a_while(office: Office) -> None:
    """And miss what came under an old id, and whom they do not know, until the next full one."""
    office.post("a", first=100)
    assert len(await office.look()) == 1
    known = office.post("a", first=200)
    under, unknown = office.post("a", first=50), office.post("b", first=10)
    assert await office.look() == known
    assert await office.look() == []
    # The full look took 20 ms: 380 ms later it is time for the next.
    office.now += 0.4
    assert await office.look() == unknown + under


async def test_full_looks_are_never_more_than_a_second_apart(office: Office) -> None:
    office.takes = 30.0
    office.post("a", first=100)
    assert len(await office.look()) == 1
    under = office.post("a", first=50)
    office.takes = 0.0
    assert await office.look() == []
    office.now += 1
    assert await office.look() == under


async def test_quick_full_looks_follow_each_other_at_once(office: Office) -> None:
    office.takes = 0.009
    office.post("a", first=100)
    assert len(await office.look()) == 1
    under = office.post("a", first=50)
    assert await office.look() == under


async def test_short_looks_go_on_where_the_last_one_ended(office: Office) -> None:
    ids = office.post("a", 10)
    assert [await office.look(4) for _ in range(3)] == [ids[:4], ids[4:8], ids[8:]]


async def test_short_look_passes_none_of_what_has_left_the_queue(office: Office) -> None:
    """A back-up is running, so no entry of a numbered letter may leave the queue's index."""
    with psycopg.connect(office.url, **databases.streaming("backup")) as backup:
        backup.autocommit = False
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM outbox_letter")
        ids = office.post("a", 10_000)
        office.owner.execute("UPDATE outbox_letter SET lseq = 0")
        office.post("a")

        full = office.pages(numbering.NUMBER_ANYBODYS)
        office.post("a")
        short = office.pages(numbering.NUMBER_KNOWN, roles=["a"], after=[ids[-1]])
    assert full > 5 * _FEW
    assert short < _FEW, office.plan


async def test_statistics_taken_amid_an_import_do_not_mislead(office: Office) -> None:
    """They say that the table is empty; once they did, and each look read all of it."""
    with (
        psycopg.connect(office.owner_url, autocommit=True) as statistician,
        office.owner.transaction(),
    ):
        ids = office.post("a", 10_000)
        statistician.execute("ANALYZE outbox_letter")
        believed = "SELECT reltuples FROM pg_class WHERE relname = 'outbox_letter'"
        assert statistician.execute(believed).fetchall() == [(0,)]
    office.owner.execute("UPDATE outbox_letter SET lseq = 0")
    office.post("a")
    short = office.pages(numbering.NUMBER_KNOWN, roles=["a"], after=[ids[-1]])
    assert short < _FEW, office.plan
