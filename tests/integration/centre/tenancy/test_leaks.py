"""Forty requests at once over three towns: nobody sees another's rows, in any way of serving."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connections
from pytest_django import Settings

from centre.config.databases import database
from centre.config.environment import Environment
from centre.registry.models import Municipality
from centre.tenancy.context import current_tenant, tenant_scope
from tests.integration.centre.tenancy import leak_urls

AT_ONCE = 40
TOWNS = ("alpha", "beta", "gamma")
POOL = {"min_size": 0, "max_size": 5, "timeout": 30}
CONNECTIONS: dict[str, dict[str, Any]] = {
    "a connection for each request": {},
    "connections that stay": {"CONN_MAX_AGE": 60},
    "a pool smaller than the crowd": {"OPTIONS": {"pool": POOL}},
}

pytestmark = [
    pytest.mark.slow,
    # A response that streams synchronously under ASGI is gathered first; Django says so.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"),
]


@pytest.fixture(params=CONNECTIONS)
def serving(
    request: pytest.FixtureRequest,
    committed_db: None,
    dsn: Callable[[str], str],
    settings: Settings,
) -> Iterator[str]:
    """Every town has one group of its own name; connections are handed out in the way asked for."""
    for slug in TOWNS:
        with tenant_scope(Municipality.objects.get(slug=slug)):
            Group.objects.create(name=slug)
    connections.close_all()
    settings.ROOT_URLCONF = leak_urls.__name__
    settings.MIDDLEWARE = ["centre.registry.middleware.municipality_middleware"]
    before = dict(connections.settings["default"])
    config = database(
        Environment.from_mapping(
            {"AMTSBRUECKE_PROCESS": "web", "AMTSBRUECKE_WEB_DATABASE_URL": dsn("web")}
        )
    )
    asked = CONNECTIONS[request.param]
    config["OPTIONS"]["pool"] = asked.get("OPTIONS", {}).get("pool")
    config["CONN_MAX_AGE"] = asked.get("CONN_MAX_AGE", 0)
    connections.settings["default"].update(config)
    yield request.param
    connections.close_all()
    connections["default"].close_pool()  # type: ignore[attr-defined]
    connections.settings["default"].clear()
    connections.settings["default"].update(before)


def _url(number: int, page: str) -> tuple[str, str]:
    slug = TOWNS[number % len(TOWNS)]
    return slug, f"http://{slug}.krz.localhost/{page}"


def _assert_own(slug: str, response: httpx.Response) -> None:
    assert response.status_code == 200, response.text
    lines = response.text.splitlines()
    assert len(lines) >= 2
    assert set(lines) == {f"{slug} krz_t_{slug} m_{slug} {slug}"}


@pytest.mark.parametrize("page", ["sync", "async", "sync-stream"])
def test_threads_of_wsgi(serving: str, page: str) -> None:
    application = get_wsgi_application()

    def ask(number: int) -> None:
        slug, url = _url(number, page)
        with httpx.Client(transport=httpx.WSGITransport(app=application)) as client:
            _assert_own(slug, client.get(url))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, range(AT_ONCE * 2)))
        everybody = threading.Barrier(AT_ONCE)

        def leave(_: int) -> None:
            everybody.wait()
            connections.close_all()

        list(pool.map(leave, range(AT_ONCE)))


# Under ASGI each request has a thread of its own, so connections cannot stay.
@pytest.mark.parametrize(
    "serving", [way for way in CONNECTIONS if "stay" not in way], indirect=True
)
@pytest.mark.parametrize("page", ["sync", "async", "sync-stream", "async-stream"])
async def test_tasks_of_asgi(serving: str, page: str) -> None:
    application: Any = get_asgi_application()

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        slug, url = _url(number, page)
        _assert_own(slug, await client.get(url))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application)) as client:
        await asyncio.gather(*(ask(client, number) for number in range(AT_ONCE * 2)))
    await sync_to_async(connections.close_all)()


async def test_plain_asyncio(serving: str) -> None:
    """Without Django's handler all tasks share one thread and one connection.

    Where the tenant is kept on the connection, three of four such tasks see somebody else's rows.
    """
    towns = {slug: await sync_to_async(Municipality.objects.get)(slug=slug) for slug in TOWNS}

    async def work(number: int) -> None:
        slug = TOWNS[number % len(TOWNS)]
        with tenant_scope(towns[slug]):
            for _ in range(3):
                assert [group.name async for group in Group.objects.all()] == [slug]
                await asyncio.sleep(0)
        assert current_tenant() is None

    await asyncio.gather(*(work(number) for number in range(AT_ONCE * 5)))
    await sync_to_async(connections.close_all)()


def test_threads_with_a_task_each(serving: str) -> None:
    """New threads are in nobody's scope, whoever started them."""
    alpha = Municipality.objects.get(slug="alpha")
    with tenant_scope(alpha), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: current_tenant(), range(2))) == [None, None]
