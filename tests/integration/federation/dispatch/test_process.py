"""The process itself, apart from any peer."""

import asyncio

import psycopg
import pytest

from centre.config.databases import streaming
from federation.dispatch.tools import DATABASE_TROUBLE
from tests.integration.federation.dispatch.conftest import Road


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
