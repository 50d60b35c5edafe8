"""The process itself, apart from any peer."""

import asyncio

import psycopg
import pytest

from centre.config.databases import streaming
from federation.dispatch import sql
from federation.dispatch.tools import DATABASE_TROUBLE
from tests.integration.federation.dispatch.conftest import Road, eventually
from tests.plugins.gateway import RECEIVER


async def test_nothing_of_dispatch_can_hang_in_the_database_for_long(road: Road) -> None:
    road.post(1)
    async with road.dispatch() as dispatch:
        await road.acknowledged(1)
        async with dispatch.pool.connection() as connection:
            for limit in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            ):
                cursor = await connection.execute(
                    "SELECT setting::int FROM pg_settings WHERE name = %s", (limit,)
                )
                (milliseconds,) = await cursor.fetchone() or (0,)
                assert 0 < milliseconds <= 20_000, limit


async def test_a_transaction_that_hangs_lets_go_of_its_locks(road: Road) -> None:
    quick = streaming("tests") | {"options": "-c idle_in_transaction_session_timeout=50"}
    road.post(1)
    async with await psycopg.AsyncConnection.connect(road.gateway.dsn("owner"), **quick) as hanging:
        await hanging.set_autocommit(False)
        await hanging.execute("UPDATE outbox_letter SET held = false")
        await asyncio.to_thread(road.do, "UPDATE outbox_letter SET held = false")
        with pytest.raises(DATABASE_TROUBLE):
            await hanging.execute("SELECT 1")


_CONTACT_SECONDS_AGO = (
    "UPDATE outbox_link SET last_contact_at = now() - make_interval(secs => %s) WHERE name = %s"
)


async def test_an_idle_stream_is_a_contact_as_well(road: Road) -> None:
    """A peer that nothing is sent to would look as if it had been silent for all that time."""
    road.post(1)
    async with road.dispatch():
        await road.acknowledged(1)
        road.do(_CONTACT_SECONDS_AGO, 3600, RECEIVER)
        await eventually(
            lambda: road.rows(
                "SELECT FROM outbox_link WHERE last_contact_at > now() - interval '1 minute'"
            )
        )


async def test_a_contact_is_noted_now_and_then_and_by_the_owner_only(road: Road) -> None:
    async with road.dispatch() as dispatch:
        await eventually(lambda: road.link().get("fence"))
        fence = road.link()["fence"]
        for seconds, held, noted in (
            (3600, fence - 1, False),
            (5, fence, False),
            (60, fence, True),
        ):
            road.do(_CONTACT_SECONDS_AGO, seconds, RECEIVER)
            before = road.link()["last_contact_at"]
            async with dispatch.pool.connection() as connection:
                await sql.renew_contacts(connection, [sql.Lease(RECEIVER, "", held)])
            assert (road.link()["last_contact_at"] > before) == noted, seconds
