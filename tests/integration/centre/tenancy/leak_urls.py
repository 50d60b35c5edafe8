"""Pages that tell whose data they see, before and after letting others run."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from centre.tenancy.context import require_tenant


def _seen() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_schema()")
        role, schema = cursor.fetchone()
    groups = ",".join(Group.objects.values_list("name", flat=True))
    return f"{require_tenant().slug} {role} {schema} {groups}\n"


def sync_page(request: HttpRequest) -> HttpResponse:
    first = _seen()
    with transaction.atomic():
        second = _seen()
    return HttpResponse(first + second)


async def async_page(request: HttpRequest) -> HttpResponse:
    first = await sync_to_async(_seen)()
    await asyncio.sleep(0)
    names = [group.name async for group in Group.objects.all()]
    second, third = await asyncio.gather(sync_to_async(_seen)(), sync_to_async(_seen)())
    assert names == [require_tenant().slug]
    return HttpResponse(first + second + third)


def sync_stream(request: HttpRequest) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for _ in range(3):
            yield _seen()

    return StreamingHttpResponse(lines())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def lines() -> AsyncIterator[str]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield await sync_to_async(_seen)()

    return StreamingHttpResponse(lines())


urlpatterns = [
    path("sync", sync_page),
    path("async", async_page),
    path("sync-stream", sync_stream),
    path("async-stream", async_stream),
]
