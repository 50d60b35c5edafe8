"""Documents arrive in pieces, go on where they were cut off, and are believed by their digest."""

import asyncio
import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.files import BLOCK, Files
from federation.blobs.sizes import MAX_ANNOUNCED_BYTES
from federation.gateway import sql, stores
from federation.gateway.stores import InFiles, Rows, Stores
from federation.protocol import limits
from federation.protocol.messages import BlobRef
from federation.protocol.reasons import Reason
from federation.protocol.receipts import Status
from tests.factories.letters import letter
from tests.integration.federation.gateway.uploads import (
    CONTENT,
    DIGEST,
    data,
    ended,
    header,
    offset_of,
    put,
    refused,
    uploads,
)
from tests.plugins.gateway import Gateway


def small_steps(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, *, chunks: int) -> int:
    """Let a step have so many chunks, or as many blocks, and be stated at once; return its size."""
    monkeypatch.setattr(Rows, "step", chunks * SEALED_CHUNK_SIZE)
    monkeypatch.setattr(InFiles, "step", chunks * 64 * BLOCK)
    monkeypatch.setattr(stores, "_STATED_EVERY_S", 0.0)
    return (Rows if gateway.documents is None else InFiles).step


pytestmark = pytest.mark.parametrize("documents", ["rows", "files"], indirect=True)


async def test_put_stores_the_document_in_whole_chunks(gateway: Gateway) -> None:
    response = await put(gateway, header(gateway), *data(CONTENT))
    assert (response.offset, response.complete) == (len(CONTENT), True)
    assert gateway.sealed("krz_t_alpha", DIGEST) == CONTENT
    rows = gateway.rows("SELECT * FROM blobs_blobchunk ORDER BY number")
    if gateway.documents is None:
        assert {len(row["data"]) for row in rows[:-1]} == {SEALED_CHUNK_SIZE}
        assert {row["tenant_role"] for row in rows} == {"krz_t_alpha"}
    (blob,) = uploads(gateway)
    assert blob["in_file"] is (gateway.documents is not None)
    assert (blob["complete"], blob["chunk_count"], blob["origin"]) == (True, 10, "nord")


async def test_put_of_a_complete_document_is_answered_at_once(gateway: Gateway) -> None:
    await put(gateway, header(gateway), *data(CONTENT))
    response = await put(gateway, header(gateway))
    assert (response.offset, response.complete) == (len(CONTENT), True)


async def test_put_goes_on_where_it_was_cut_off(gateway: Gateway) -> None:
    half = await put(gateway, header(gateway), *data(CONTENT[: 5 * SEALED_CHUNK_SIZE + 99]))
    assert not half.complete
    assert half.offset == 5 * (SEALED_CHUNK_SIZE if gateway.documents is None else 64 * BLOCK)
    asked = await offset_of(gateway)
    assert (asked.offset, asked.complete) == (half.offset, False)
    rest = await put(
        gateway, header(gateway, offset=half.offset), *data(CONTENT[half.offset :], 77_777)
    )
    assert rest.complete


async def test_a_letter_waits_for_its_document(gateway: Gateway) -> None:
    offices = gateway.world.offices
    reference = BlobRef(DIGEST.hex(), len(CONTENT))
    item = letter(offices["kiel"], offices["alpha"], blobs=(reference,))
    async with gateway.stream() as stream:
        early = await stream.deliver(1, item)
        assert (early.verdict(1).status, early.verdict(1).reason) == (
            Status.DEFERRED,
            Reason.BLOB_MISSING,
        )
        await put(gateway, header(gateway), *data(CONTENT))
        assert (await stream.deliver(2, item)).verdict(2).status is Status.ACCEPTED
    (blob,) = uploads(gateway)
    assert blob["referenced_at"] is not None


async def test_the_document_of_another_recipient_does_not_count(gateway: Gateway) -> None:
    offices = gateway.world.offices
    await put(gateway, header(gateway, recipient=offices["beta"].id.bytes), *data(CONTENT))
    item = letter(offices["kiel"], offices["alpha"], blobs=(BlobRef(DIGEST.hex(), len(CONTENT)),))
    async with gateway.stream() as stream:
        assert (await stream.deliver(1, item)).verdict(1).reason is Reason.BLOB_MISSING
    assert (await offset_of(gateway)).offset == 0


async def test_a_wrong_digest_throws_the_upload_away(gateway: Gateway) -> None:
    wrong = CONTENT[:-1] + bytes((CONTENT[-1] ^ 1,))
    assert await refused(gateway, header(gateway), *data(wrong)) == Reason.BLOB_DIGEST_MISMATCH
    assert gateway.sealed("krz_t_alpha", DIGEST) == b""
    assert (await put(gateway, header(gateway), *data(CONTENT))).complete


async def test_memory_holds_a_few_chunks_only(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored grows while the upload goes on."""
    seen: list[int] = []
    grow = sql.grow_upload

    async def watch(connection: Any, upload: Any, size: int, **named: Any) -> Any:
        seen.append(size)
        return await grow(connection, upload, size, **named)

    monkeypatch.setattr(sql, "grow_upload", watch)
    step = small_steps(gateway, monkeypatch, chunks=4)
    await put(gateway, header(gateway), *data(CONTENT))
    assert sum(seen) == len(CONTENT)
    assert max(seen) <= step
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": limits.MAX_BLOB_BYTES + 1}, Reason.BLOB_TOO_LARGE),
        ({"size": 0}, Reason.BLOB_MALFORMED),
        ({"digest": b"short"}, Reason.BLOB_MALFORMED),
        ({"sender": b""}, Reason.BLOB_MALFORMED),
        ({"recipient": b"x"}, Reason.BLOB_MALFORMED),
        ({"offset": 5}, Reason.BLOB_OFFSET_WRONG),
        ({"offset": len(CONTENT) + 1}, Reason.BLOB_MALFORMED),
        ({"recipient": bytes(16)}, Reason.RECIPIENT_UNKNOWN),
        ({"sender": bytes(16)}, Reason.SIGNER_UNKNOWN),
    ],
    ids=str,
)
async def test_a_bad_header_is_refused(
    gateway: Gateway, changes: dict[str, Any], reason: Reason
) -> None:
    assert await refused(gateway, header(gateway, **changes), *data(CONTENT)) == reason
    assert gateway.rows("SELECT 1 FROM blobs_blobchunk") == []
    assert all(not blob["received"] for blob in uploads(gateway))


async def test_a_document_in_the_name_of_a_strange_authority_is_refused(gateway: Gateway) -> None:
    strange = header(gateway, sender=gateway.world.offices["dresden"].id.bytes)
    assert await refused(gateway, strange) == Reason.AUTHORITY_NOT_REPRESENTED
    assert uploads(gateway) == []
    assert gateway.alarms() == [Reason.AUTHORITY_NOT_REPRESENTED]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(lambda _: [], id="nothing"),
        pytest.param(lambda _: data(CONTENT), id="data first"),
        pytest.param(lambda g: [header(g), header(g)], id="two headers"),
        pytest.param(lambda g: [header(g), pb.PutBlobRequest()], id="empty part"),
        pytest.param(lambda g: [header(g), pb.PutBlobRequest(data=b"")], id="no data"),
        pytest.param(lambda g: [header(g), *data(CONTENT + b"x")], id="too much"),
        pytest.param(
            lambda g: [header(g), *data(CONTENT, limits.MAX_BLOB_FRAME_BYTES + 1)],
            id="part too large",
        ),
    ],
)
async def test_a_bad_sequence_of_parts_is_refused(gateway: Gateway, parts: Any) -> None:
    assert await refused(gateway, *parts(gateway)) == Reason.BLOB_MALFORMED
    assert all(not blob["complete"] for blob in uploads(gateway))


async def test_a_document_announced_in_another_size_is_refused(gateway: Gateway) -> None:
    await put(gateway, header(gateway), *data(CONTENT[:SEALED_CHUNK_SIZE]))
    again = header(gateway, size=len(CONTENT) + 1, offset=SEALED_CHUNK_SIZE)
    assert await refused(gateway, again) == Reason.BLOB_MALFORMED


async def test_a_peer_cannot_announce_without_end(gateway: Gateway) -> None:
    size = limits.MAX_BLOB_BYTES
    for number in range(MAX_ANNOUNCED_BYTES // size):
        await put(gateway, header(gateway, digest=number.to_bytes(32, "big"), size=size))
    assert await refused(gateway, header(gateway)) == Reason.QUOTA_EXCEEDED


# -- steps that break --------------------------------------------------------------------------


async def test_a_step_that_was_not_committed_is_done_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a death between the disk and the commit: the row is what counts."""
    step = small_steps(gateway, monkeypatch, chunks=4)
    # What is in a file already is stated once more when the call ends.
    grow, fails = sql.grow_upload, [False, True] + [True] * (gateway.documents is not None)

    async def break_once(*arguments: Any, **named: Any) -> Any:
        if fails and fails.pop(0):
            raise psycopg.OperationalError("the server closed the connection")
        return await grow(*arguments, **named)

    monkeypatch.setattr(sql, "grow_upload", break_once)
    other = os.urandom(len(CONTENT))
    parts = data(CONTENT[:step] + other[step:])
    assert await refused(gateway, header(gateway), *parts) == Reason.UNAVAILABLE
    offset = (await offset_of(gateway)).offset
    assert offset == step
    rest = await put(gateway, header(gateway, offset=offset), *data(CONTENT[offset:]))
    assert rest.complete
    assert gateway.sealed("krz_t_alpha", DIGEST) == CONTENT


async def test_two_uploads_of_one_document_do_not_mix(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_steps(gateway, monkeypatch, chunks=2)
    wrong = os.urandom(len(CONTENT))
    async with asyncio.TaskGroup() as both:
        for content in (wrong, CONTENT):
            both.create_task(ended(gateway, content))
    # Whoever was first, and whatever became of the other: the next call finds the truth.
    offset = (await offset_of(gateway)).offset
    await ended(gateway, CONTENT, offset=offset)
    if not (await offset_of(gateway)).complete:  # the wrong one was first
        assert (await put(gateway, header(gateway), *data(CONTENT))).complete
    assert gateway.sealed("krz_t_alpha", DIGEST) == CONTENT


async def test_an_upload_stays_where_it_was_begun(gateway: Gateway) -> None:
    """Also when the setting changes under way."""
    half = await put(gateway, header(gateway), *data(CONTENT[: 5 * SEALED_CHUNK_SIZE]))
    as_before, folder = gateway.desk.stores, gateway.documents
    gateway.desk.stores = Stores(gateway.desk.pool, None if folder else Files(Path("/nowhere")))
    rest = [header(gateway, offset=half.offset), *data(CONTENT[half.offset :])]
    if folder is None:
        assert (await put(gateway, *rest)).complete
    else:  # nobody knows where
        assert await refused(gateway, *rest) == Reason.UNAVAILABLE
        gateway.desk.stores = as_before
        assert (await put(gateway, *rest)).complete
    assert gateway.sealed("krz_t_alpha", DIGEST) == CONTENT
