"""A document that a peer brings, and the calls that bring it."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from typing import Any

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.wire.errors import from_rpc_error
from tests.plugins.gateway import Gateway

CONTENT = os.urandom(9 * SEALED_CHUNK_SIZE + 1000)
DIGEST = sha256(CONTENT).digest()


def header(gateway: Gateway, **changes: Any) -> pb.PutBlobRequest:
    offices = gateway.world.offices
    fields = {
        "sender": offices["kiel"].id.bytes,
        "recipient": offices["alpha"].id.bytes,
        "digest": DIGEST,
        "size": len(CONTENT),
        "offset": 0,
    }
    return pb.PutBlobRequest(header=pb.BlobHeader(**{**fields, **changes}))


def data(content: bytes, size: int = 300_000) -> list[pb.PutBlobRequest]:
    return [
        pb.PutBlobRequest(data=content[start : start + size])
        for start in range(0, len(content), size)
    ]


async def put(gateway: Gateway, *parts: pb.PutBlobRequest) -> pb.PutBlobResponse:
    async def stream() -> AsyncIterator[pb.PutBlobRequest]:
        for part in parts:
            yield part

    async with gateway.blobs() as stub:
        response = await stub.PutBlob(stream())
        assert isinstance(response, pb.PutBlobResponse)
        return response


async def offset_of(gateway: Gateway, **changes: Any) -> pb.GetBlobOffsetResponse:
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


async def refused(gateway: Gateway, *parts: pb.PutBlobRequest) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put(gateway, *parts)
    return str(from_rpc_error(caught.value).reason)


def uploads(gateway: Gateway) -> list[dict[str, Any]]:
    return gateway.rows("SELECT * FROM blobs_blob")


async def ended(gateway: Gateway, content: bytes, *, offset: int = 0) -> None:
    with suppress(grpc.aio.AioRpcError):
        await put(gateway, header(gateway, offset=offset), *data(content[offset:]))
