"""Documents in files: one call at a time writes, and only to where the row stands."""

import asyncio
from dataclasses import replace
from mmap import mmap
from typing import Any

import pytest

from federation.blobs import files
from federation.blobs.files import BLOCK
from federation.gateway import sql, stores
from federation.gateway.stores import InFiles
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from tests.integration.federation.gateway.uploads import (
    CONTENT,
    DIGEST,
    data,
    header,
    offset_of,
    put,
    refused,
)
from tests.plugins.gateway import Gateway

pytestmark = pytest.mark.parametrize("documents", ["files"], indirect=True)


async def begun(gateway: Gateway) -> InFiles:
    """Begin an upload; return the store of a call that goes on with it."""
    await put(gateway, header(gateway))
    async with gateway.desk.pool.connection() as connection:
        upload = await sql.upload(connection, "krz_t_alpha", DIGEST)
    assert upload is not None
    store = gateway.desk.stores.of(upload, DIGEST)
    assert isinstance(store, InFiles)
    return store


async def let_go(store: InFiles) -> None:
    store.close()
    assert store._file is not None
    await asyncio.to_thread(store._file._thread.shutdown)


async def test_a_second_call_is_told_to_come_later(gateway: Gateway) -> None:
    store = await begun(gateway)
    await store.open()
    assert await refused(gateway, header(gateway), *data(CONTENT)) == Reason.TOO_MANY_STREAMS
    await let_go(store)
    assert (await put(gateway, header(gateway), *data(CONTENT))).complete


async def test_who_waited_for_the_file_finds_the_row_moved_on(gateway: Gateway) -> None:
    """Else he would write over what the row states."""
    late = await begun(gateway)
    half = await put(gateway, header(gateway), *data(CONTENT[: 100 * BLOCK]))
    with pytest.raises(CallRefused) as caught:
        await late.open()
    assert (caught.value.why, caught.value.metadata) == (
        Reason.BLOB_OFFSET_WRONG,
        {"offset": str(half.offset)},
    )
    await let_go(late)


async def test_a_row_of_somebody_else_is_not_moved(gateway: Gateway) -> None:
    """As when the document was deleted and begun again under our hands."""
    store = await begun(gateway)
    await store.open()
    store.upload = replace(store.upload, id=gateway.world.offices["alpha"].id)
    await store.put(page(CONTENT[:BLOCK]))
    with pytest.raises(CallRefused):
        await store.settle()
    await let_go(store)
    assert (await offset_of(gateway)).offset == 0


async def test_a_call_that_ends_badly_leaves_what_was_stored(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 64 * BLOCK
    monkeypatch.setattr(InFiles, "step", step)
    parts = data(CONTENT[: 3 * step + 5])
    assert await refused(gateway, header(gateway), *parts, header(gateway)) == Reason.BLOB_MALFORMED
    offset = (await offset_of(gateway)).offset
    assert offset == 3 * step
    assert (await put(gateway, header(gateway, offset=offset), *data(CONTENT[offset:]))).complete
    assert gateway.sealed("krz_t_alpha", DIGEST) == CONTENT


async def test_a_long_call_states_how_far_it_has_come(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await begun(gateway)
    await store.open()
    await store.put(page(CONTENT[:BLOCK]))
    assert (await offset_of(gateway)).offset == 0
    monkeypatch.setattr(stores, "_STATED_EVERY_S", 0.0)
    await store.put(page(CONTENT[BLOCK : 3 * BLOCK]))
    assert (await offset_of(gateway)).offset == 3 * BLOCK
    await let_go(store)


async def test_bytes_are_on_the_disk_before_the_row_states_them(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, grow = files._sync_data, sql.grow_upload

    def note_sync(descriptor: int) -> None:
        sync(descriptor)
        done.append("synced")

    async def note_grow(*arguments: Any, **named: Any) -> Any:
        done.append("stated")
        return await grow(*arguments, **named)

    monkeypatch.setattr(files, "_sync_data", note_sync)
    monkeypatch.setattr(sql, "grow_upload", note_grow)
    assert (await put(gateway, header(gateway), *data(CONTENT))).complete
    assert done == ["synced", "stated"]


def page(content: bytes) -> memoryview:
    """Return the content at the border of a page."""
    view = memoryview(mmap(-1, len(content)))
    view[:] = content
    return view
