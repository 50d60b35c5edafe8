"""Documents arrive in pieces, go on where they were cut off, and are believed by their digest."""

import os
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.blobs.sizes import MAX_ANNOUNCED_BYTES
from federation.gateway import sql
from federation.protocol import limits
from federation.protocol.messages import BlobRef
from federation.protocol.reasons import Reason
from federation.protocol.receipts import Status
from federation.wire.errors import from_rpc_error
from tests.factories.letters import letter
from tests.plugins.gateway import Gateway

CONTENT = os.urandom(9 * SEALED_CHUNK_SIZE + 1000)
DIGEST = sha256(CONTENT).digest()


def _header(gateway: Gateway, **changes: Any) -> pb.PutBlobRequest:
    offices = gateway.world.offices
    fields = {
        "sender": offices["kiel"].id.bytes,
        "recipient": offices["alpha"].id.bytes,
        "digest": DIGEST,
        "size": len(CONTENT),
        "offset": 0,
    }
    return pb.PutBlobRequest(header=pb.BlobHeader(**{**fields, **changes}))


def _data(content: bytes, size: int = 300_000) -> list[pb.PutBlobRequest]:
    return [
        pb.PutBlobRequest(data=content[start : start + size])
        for start in range(0, len(content), size)
    ]


async def _put(gateway: Gateway, *parts: pb.PutBlobRequest) -> pb.PutBlobResponse:
    async def stream() -> AsyncIterator[pb.PutBlobRequest]:
        for part in parts:
            yield part

    async with gateway.blobs() as stub:
        response = await stub.PutBlob(stream())
        assert isinstance(response, pb.PutBlobResponse)
        return response


async def _offset(gateway: Gateway, **changes: Any) -> pb.GetBlobOffsetResponse:
    offices = gateway.world.offices
    fields = {
        "sender": offices["kiel"].id.bytes,
        "recipient": offices["alpha"].id.bytes,
        "digest": DIGEST,
    }
    async with gateway.blobs() as stub:
        response = await stub.GetBlobOffset(pb.GetBlobOffsetRequest(**{**fields, **changes}))
        assert isinstance(response, pb.GetBlobOffsetResponse)
        return response


async def _refused(gateway: Gateway, *parts: pb.PutBlobRequest) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _put(gateway, *parts)
    return str(from_rpc_error(caught.value).reason)


def _stored(gateway: Gateway) -> list[dict[str, Any]]:
    return gateway.rows("SELECT * FROM blobs_blob")


async def test_put_stores_the_document_in_whole_chunks(gateway: Gateway) -> None:
    response = await _put(gateway, _header(gateway), *_data(CONTENT))
    assert (response.offset, response.complete) == (len(CONTENT), True)
    rows = gateway.rows("SELECT * FROM blobs_blobchunk ORDER BY number")
    assert b"".join(bytes(row["data"]) for row in rows) == CONTENT
    assert {len(row["data"]) for row in rows[:-1]} == {SEALED_CHUNK_SIZE}
    assert {row["tenant_role"] for row in rows} == {"krz_t_alpha"}
    (blob,) = _stored(gateway)
    assert (blob["complete"], blob["chunk_count"], blob["origin"]) == (True, 10, "nord")


async def test_put_of_a_complete_document_is_answered_at_once(gateway: Gateway) -> None:
    await _put(gateway, _header(gateway), *_data(CONTENT))
    response = await _put(gateway, _header(gateway))
    assert (response.offset, response.complete) == (len(CONTENT), True)


async def test_put_goes_on_where_it_was_cut_off(gateway: Gateway) -> None:
    half = await _put(gateway, _header(gateway), *_data(CONTENT[: 5 * SEALED_CHUNK_SIZE + 99]))
    assert not half.complete
    assert half.offset == 5 * SEALED_CHUNK_SIZE
    asked = await _offset(gateway)
    assert (asked.offset, asked.complete) == (half.offset, False)
    rest = await _put(
        gateway, _header(gateway, offset=half.offset), *_data(CONTENT[half.offset :], 77_777)
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
        await _put(gateway, _header(gateway), *_data(CONTENT))
        assert (await stream.deliver(2, item)).verdict(2).status is Status.ACCEPTED
    (blob,) = _stored(gateway)
    assert blob["referenced_at"] is not None


async def test_the_document_of_another_recipient_does_not_count(gateway: Gateway) -> None:
    offices = gateway.world.offices
    await _put(gateway, _header(gateway, recipient=offices["beta"].id.bytes), *_data(CONTENT))
    item = letter(offices["kiel"], offices["alpha"], blobs=(BlobRef(DIGEST.hex(), len(CONTENT)),))
    async with gateway.stream() as stream:
        assert (await stream.deliver(1, item)).verdict(1).reason is Reason.BLOB_MISSING
    assert (await _offset(gateway)).offset == 0


async def test_a_wrong_digest_throws_the_upload_away(gateway: Gateway) -> None:
    wrong = CONTENT[:-1] + bytes((CONTENT[-1] ^ 1,))
    assert await _refused(gateway, _header(gateway), *_data(wrong)) == Reason.BLOB_DIGEST_MISMATCH
    assert gateway.rows("SELECT 1 FROM blobs_blobchunk") == []
    assert (await _put(gateway, _header(gateway), *_data(CONTENT))).complete


async def test_memory_holds_a_few_chunks_only(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored grows while the upload goes on."""
    seen: list[int] = []
    add = sql.add_chunks

    async def watch(connection: Any, upload: Any, *arguments: Any, **named: Any) -> Any:
        seen.append(len(arguments[1]))
        return await add(connection, upload, *arguments, **named)

    monkeypatch.setattr(sql, "add_chunks", watch)
    await _put(gateway, _header(gateway), *_data(CONTENT))
    assert sum(seen) == 10
    assert max(seen) <= 9
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
    assert await _refused(gateway, _header(gateway, **changes), *_data(CONTENT)) == reason
    assert gateway.rows("SELECT 1 FROM blobs_blobchunk") == []


async def test_a_document_in_the_name_of_a_strange_authority_is_refused(gateway: Gateway) -> None:
    header = _header(gateway, sender=gateway.world.offices["dresden"].id.bytes)
    assert await _refused(gateway, header) == Reason.AUTHORITY_NOT_REPRESENTED
    assert _stored(gateway) == []
    assert gateway.alarms() == [Reason.AUTHORITY_NOT_REPRESENTED]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(lambda _: [], id="nothing"),
        pytest.param(lambda _: _data(CONTENT), id="data first"),
        pytest.param(lambda g: [_header(g), _header(g)], id="two headers"),
        pytest.param(lambda g: [_header(g), pb.PutBlobRequest()], id="empty part"),
        pytest.param(lambda g: [_header(g), pb.PutBlobRequest(data=b"")], id="no data"),
        pytest.param(lambda g: [_header(g), *_data(CONTENT + b"x")], id="too much"),
        pytest.param(
            lambda g: [_header(g), *_data(CONTENT, limits.MAX_BLOB_FRAME_BYTES + 1)],
            id="part too large",
        ),
    ],
)
async def test_a_bad_sequence_of_parts_is_refused(gateway: Gateway, parts: Any) -> None:
    assert await _refused(gateway, *parts(gateway)) == Reason.BLOB_MALFORMED
    assert all(not blob["complete"] for blob in _stored(gateway))


async def test_a_document_announced_in_another_size_is_refused(gateway: Gateway) -> None:
    await _put(gateway, _header(gateway), *_data(CONTENT[:SEALED_CHUNK_SIZE]))
    again = _header(gateway, size=len(CONTENT) + 1, offset=SEALED_CHUNK_SIZE)
    assert await _refused(gateway, again) == Reason.BLOB_MALFORMED


async def test_a_peer_cannot_announce_without_end(gateway: Gateway) -> None:
    size = limits.MAX_BLOB_BYTES
    for number in range(MAX_ANNOUNCED_BYTES // size):
        await _put(gateway, _header(gateway, digest=number.to_bytes(32, "big"), size=size))
    assert await _refused(gateway, _header(gateway)) == Reason.QUOTA_EXCEEDED
