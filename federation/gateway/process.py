"""The gateway process: starts, serves, and stops without losing what it has taken in hand.

On SIGTERM it tells the health service, lets no stream begin, finishes and receipts what is at hand,
and only then closes connections.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import grpc
import structlog
from django.conf import settings
from django.db import connection as django_connection
from grpc_health.v1 import health, health_pb2
from psycopg_pool import AsyncConnectionPool

from centre.config.databases import streaming
from centre.config.environment import CentreRole, Environment
from centre.directory import store
from centre.directory.interface import Directory
from centre.kernel.pokes import Poke
from centre.keys import keystore
from centre.keys.sign import SigningKey
from federation.blobs.files import Files
from federation.gateway import sql
from federation.gateway.desk import Desk
from federation.gateway.errors import AddressOccupied
from federation.gateway.server import (
    BLOB_SERVICE,
    DIRECTORY_SERVICE,
    LINK_SERVICE,
    Register,
    build,
    exchange,
)
from federation.gateway.sql import Connection
from federation.gateway.tls import ServerCertificates
from federation.gateway.view import NOBODY, Lookout, View
from federation.inbox import tasks
from federation.sync import servicer

log = structlog.get_logger(__name__)

#: Commits wait for the disk, not for each other: a few connections carry many links.
_POOL_SIZE: Final = 8
_VIEW_INTERVAL_S: Final = 1.0
#: How often the worker is woken at most, and how long a poke is worth something.
_POKE_INTERVAL_S: Final = 0.05
_POKE_LIFETIME_S: Final = 30
_STOP_GRACE_S: Final = 10.0


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    environment: Environment = settings.AMTSBRUECKE
    environment.require("gateway_bind", "tls_dir")
    asyncio.run(_serve(environment))


async def _serve(environment: Environment) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(_pool(environment))
        services: list[Register] = [lambda server: servicer.register(server, pool)]
        desk: Desk | None = None
        if environment.role is CentreRole.CENTRE:
            desk = await stack.enter_async_context(_desk(environment, pool, stop))
            if desk is None:
                return
            services.append(exchange(desk))
        server, state = build(services, shared_port=environment.gateways > 1)
        await _listen(server, environment)
        names = ["", DIRECTORY_SERVICE, *((LINK_SERVICE, BLOB_SERVICE) if desk else ())]
        await _tell_health(state, names, health_pb2.HealthCheckResponse.SERVING)
        log.info("gateway started", bind=str(environment.gateway_bind), role=environment.role)
        await stop.wait()
        log.info("gateway stopping")
        await _tell_health(state, names, health_pb2.HealthCheckResponse.NOT_SERVING)
        if desk is not None:
            await desk.drain()
        await server.stop(_STOP_GRACE_S)
    log.info("gateway stopped")


@asynccontextmanager
async def _pool(environment: Environment) -> AsyncIterator[AsyncConnectionPool[Connection]]:
    async with AsyncConnectionPool(
        environment.database_url,
        min_size=1,
        max_size=_POOL_SIZE,
        max_idle=120,
        max_lifetime=600,
        timeout=5,
        kwargs=streaming("amtsbruecke-gateway"),
        open=False,
    ) as pool:
        yield pool


@asynccontextmanager
async def _desk(
    environment: Environment, pool: AsyncConnectionPool[Connection], stop: asyncio.Event
) -> AsyncIterator[Desk | None]:
    """Yield the desk with its background work; None if `stop` came before it could be set up."""

    async def look(before: View | None) -> View:
        known = before.directory if before and isinstance(before.directory, Directory) else None
        async with pool.connection() as connection:
            directory = await store.load(connection, known=known)
            hosts = await sql.hosts(connection)
        key = await asyncio.to_thread(_signing_key)
        return View(directory=directory or NOBODY, hosts=hosts, key=key)

    lookout = Lookout(look, interval=_VIEW_INTERVAL_S)
    if not await lookout.wait(stop):
        yield None
        return
    worker = Poke(_wake_worker, interval=_POKE_INTERVAL_S)
    with ThreadPoolExecutor(os.cpu_count() or 2, "verify") as threads:
        desk = Desk(
            centre=environment.centre,
            pool=pool,
            lookout=lookout,
            threads=threads,
            worker=worker,
            documents=Files(environment.documents) if environment.documents else None,
        )
        background = [asyncio.create_task(each) for each in (lookout.run(), worker.run())]
        try:
            yield desk
        finally:
            for task in background:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _listen(server: grpc.aio.Server, environment: Environment) -> None:
    if environment.tls_dir is None:
        raise LookupError("the environment was checked before")
    credentials = ServerCertificates(environment.tls_dir).credentials()
    try:
        server.add_secure_port(str(environment.gateway_bind), credentials)
    except RuntimeError as error:
        raise AddressOccupied(
            f"Cannot listen on {environment.gateway_bind}: another program has this address, or "
            "the machine does not have it. Stop the other one, or set AMTSBRUECKE_GATEWAY_BIND."
        ) from error
    await server.start()


async def _tell_health(state: health.aio.HealthServicer, names: Sequence[str], status: int) -> None:
    for name in names:
        await state.set(name, status)


def _signing_key() -> SigningKey:
    """Return the key for receipts; the keystore reads the database only now and then."""
    try:
        return keystore.centre_signing_key()
    finally:
        django_connection.close()


def _wake_worker() -> None:
    # A worker that is down must not find an hour of pokes when it comes back.
    tasks.apply_due_messages.apply_async(retry=False, expires=_POKE_LIFETIME_S)
