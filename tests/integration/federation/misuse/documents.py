"""Documents: uploads that lie about themselves."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.links.endings import answer
from federation.protocol import limits
from federation.protocol.reasons import Reason
from tests.factories.letters import Centre
from tests.integration.federation.misuse.hands import (
    NEIGHBOUR,
    PUT_BLOB,
    delete_alpha,
    refusal,
)
from tests.integration.federation.misuse.table import Misuse, group
from tests.plugins.gateway import PEER, Gateway

_GROUP = group("Documents")

_CONTENT: Final = os.urandom(3 * SEALED_CHUNK_SIZE)
_DIGEST: Final = sha256(_CONTENT).digest()


def _header(gateway: Gateway, **changes: Any) -> pb.PutBlobRequest:
    offices = gateway.world.offices
    fields = {
        "sender": offices["kiel"].id.bytes,
        "recipient": offices["alpha"].id.bytes,
        "digest": _DIGEST,
        "size": len(_CONTENT),
        "offset": 0,
    }
    return pb.PutBlobRequest(header=pb.BlobHeader(**{**fields, **changes}))


def _of(gateway: Gateway, office: str) -> bytes:
    return gateway.world.offices[office].id.bytes


async def _list_alpha(gateway: Gateway, **changes: Any) -> None:
    """Let the directory say something else of the recipient, who is hosted here all the same."""
    world = gateway.world
    alpha = replace(world.offices["alpha"], **changes)
    world.directory = world.directory.with_office(alpha)
    await gateway.lookout.refresh()


def _data(content: bytes = _CONTENT, size: int = 256 * limits.KIB) -> list[pb.PutBlobRequest]:
    return [
        pb.PutBlobRequest(data=content[start : start + size])
        for start in range(0, len(content), size)
    ]


async def _put(gateway: Gateway, *parts: pb.PutBlobRequest | bytes) -> str:
    async def stream() -> AsyncIterator[bytes]:
        for part in parts:
            yield part if isinstance(part, bytes) else part.SerializeToString()

    async with gateway.channel() as channel:
        call: Any = channel.stream_unary(PUT_BLOB)
        reason = await refusal(answer(call(stream())))
    assert gateway.rows("SELECT 1 FROM blobs_blob WHERE complete") == []
    return reason


def _with_header(**changes: Any) -> Misuse:
    async def misuse(gateway: Gateway) -> str:
        return await _put(gateway, _header(gateway, **changes), *_data())

    return misuse


for _name, _changes, _reason in (
    ("document_that_is_too_large", {"size": limits.MAX_BLOB_BYTES + 1}, Reason.BLOB_TOO_LARGE),
    ("document_of_nothing", {"size": 0}, Reason.BLOB_MALFORMED),
    ("document_with_half_a_digest", {"digest": bytes(16)}, Reason.BLOB_MALFORMED),
    ("document_without_a_sender", {"sender": b""}, Reason.BLOB_MALFORMED),
    ("document_that_begins_in_the_middle", {"offset": 5}, Reason.BLOB_OFFSET_WRONG),
    ("document_that_begins_behind_its_end", {"offset": 2**40}, Reason.BLOB_MALFORMED),
    ("document_for_a_stranger", {"recipient": bytes(16)}, Reason.RECIPIENT_UNKNOWN),
    ("document_of_an_unknown_authority", {"sender": bytes(16)}, Reason.SIGNER_UNKNOWN),
):
    _GROUP.add(_name, _with_header(**_changes), _reason)


@_GROUP.case(Reason.RECIPIENT_DELETED)
async def document_for_an_authority_that_was_deleted_here(gateway: Gateway) -> str:
    await delete_alpha(gateway, home=None)
    return await _put(gateway, _header(gateway), *_data())


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def document_for_an_authority_of_another_centre(gateway: Gateway) -> str:
    return await _put(gateway, _header(gateway, recipient=_of(gateway, "dresden")), *_data())


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def document_for_an_authority_that_has_moved_to_another_centre(gateway: Gateway) -> str:
    await _list_alpha(gateway, home_centre=NEIGHBOUR)
    return await _put(gateway, _header(gateway), *_data())


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def document_for_an_authority_that_was_deleted_here_and_lives_elsewhere(
    gateway: Gateway,
) -> str:
    await delete_alpha(gateway, home=NEIGHBOUR)
    return await _put(gateway, _header(gateway), *_data())


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def document_for_an_authority_that_has_left_the_directory(gateway: Gateway) -> str:
    world = gateway.world
    world.directory = world.directory.without_office(world.offices["alpha"])
    await gateway.lookout.refresh()
    return await _put(gateway, _header(gateway), *_data())


@_GROUP.case(Reason.RECIPIENT_SUSPENDED)
async def document_for_a_suspended_authority(gateway: Gateway) -> str:
    await _list_alpha(gateway, state="suspended")
    return await _put(gateway, _header(gateway), *_data())


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def document_in_the_name_of_another_centres_authority(gateway: Gateway) -> str:
    sender = gateway.world.offices["dresden"].id.bytes
    return await _put(gateway, _header(gateway, sender=sender), *_data())


@_GROUP.case(Reason.BLOB_DIGEST_MISMATCH)
async def document_with_a_flipped_bit(gateway: Gateway) -> str:
    wrong = _CONTENT[:-1] + bytes((_CONTENT[-1] ^ 1,))
    return await _put(gateway, _header(gateway), *_data(wrong))


@_GROUP.case(Reason.BLOB_MALFORMED)
async def upload_without_a_header(gateway: Gateway) -> str:
    return await _put(gateway, *_data())


@_GROUP.case(Reason.BLOB_MALFORMED)
async def upload_of_nothing(gateway: Gateway) -> str:
    return await _put(gateway)


@_GROUP.case(Reason.BLOB_MALFORMED)
async def upload_with_two_headers(gateway: Gateway) -> str:
    return await _put(gateway, _header(gateway), _header(gateway))


@_GROUP.case(Reason.BLOB_MALFORMED)
async def upload_of_more_than_was_announced(gateway: Gateway) -> str:
    return await _put(gateway, _header(gateway), *_data(_CONTENT + b"x"))


@_GROUP.case(Reason.BLOB_MALFORMED)
async def upload_in_parts_that_are_too_large(gateway: Gateway) -> str:
    parts = _data(_CONTENT, limits.MAX_BLOB_FRAME_BYTES + 1)
    return await _put(gateway, _header(gateway), *parts)


@_GROUP.case(Reason.FRAME_MALFORMED)
async def upload_of_garbage(gateway: Gateway) -> str:
    return await _put(gateway, _header(gateway), b"\xff\xff\xff")


@_GROUP.case(Reason.CENTRE_SUSPENDED, alarm=True)
async def upload_of_a_centre_that_is_suspended_meanwhile(gateway: Gateway) -> str:
    async def stream() -> AsyncIterator[bytes]:
        first, second, *_ = _data()
        yield _header(gateway).SerializeToString()
        yield first.SerializeToString()
        known = gateway.world.directory.centres[PEER]
        suspended = Centre(PEER, known.fingerprints, state="suspended")
        gateway.world.directory = gateway.world.directory.with_centre(suspended)
        await gateway.lookout.refresh()
        yield second.SerializeToString()

    async with gateway.channel() as channel:
        call: Any = channel.stream_unary(PUT_BLOB)
        return await refusal(answer(call(stream())))


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def question_about_a_document_in_a_strange_name(gateway: Gateway) -> str:
    request = pb.GetBlobOffsetRequest(
        sender=gateway.world.offices["dresden"].id.bytes,
        recipient=gateway.world.offices["alpha"].id.bytes,
        digest=_DIGEST,
    )
    async with gateway.blobs() as stub:
        return await refusal(stub.GetBlobOffset(request))


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def question_about_a_document_of_an_authority_that_has_moved_away(gateway: Gateway) -> str:
    await _list_alpha(gateway, home_centre=NEIGHBOUR)
    request = pb.GetBlobOffsetRequest(
        sender=_of(gateway, "kiel"), recipient=_of(gateway, "alpha"), digest=_DIGEST
    )
    async with gateway.blobs() as stub:
        return await refusal(stub.GetBlobOffset(request))


@_GROUP.case(Reason.BLOB_MALFORMED)
async def question_about_no_document(gateway: Gateway) -> str:
    async with gateway.blobs() as stub:
        return await refusal(stub.GetBlobOffset(pb.GetBlobOffsetRequest()))
