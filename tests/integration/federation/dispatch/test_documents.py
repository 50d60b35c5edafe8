"""Documents go ahead of their letter, piece by piece, and never hold up other letters."""

import hashlib
import os

import pytest

from centre.kernel.ids import new_id
from centre.keys.blobs import BlobSealer, new_key, sealed_size
from federation.protocol.messages import BlobRef
from tests.factories.letters import letter
from tests.integration.federation.dispatch.conftest import Road, eventually
from tests.plugins.gateway import RECEIVER

CHUNK = 256 * 1024


@pytest.fixture
def document(road: Road) -> BlobRef:
    """A sealed document of five chunks that alpha has stored."""
    sealer = BlobSealer(new_key())
    chunks = [sealer.seal_chunk(os.urandom(CHUNK), final=False) for _ in range(4)]
    chunks.append(sealer.seal_chunk(os.urandom(1000), final=True))
    whole = b"".join(chunks)
    assert len(whole) == sealed_size(4 * CHUNK + 1000)
    digest = hashlib.sha256(whole).digest()
    blob_id = new_id()
    road.do(
        "INSERT INTO blobs_blob (id, tenant_role, digest, size, received, chunk_count, complete,"
        " origin, touched_at, referenced_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, true, '', now(), now())",
        blob_id,
        road.alpha.tenant_role,
        digest,
        len(whole),
        len(whole),
        len(chunks),
    )
    for number, chunk in enumerate(chunks):
        road.do(
            "INSERT INTO blobs_blobchunk (blob_id, number, tenant_role, data)"
            " VALUES (%s, %s, %s, %s)",
            blob_id,
            number,
            road.alpha.tenant_role,
            chunk,
        )
    return BlobRef(digest.hex(), len(whole))


def post(road: Road, document: BlobRef) -> None:
    """Queue a letter with a document, as `post` does: held."""
    offices = road.gateway.world.offices
    (message_id,) = road.queue([letter(offices["alpha"], offices["beta"], blobs=(document,))])
    road.do("UPDATE outbox_letter SET held = true WHERE id = %s", message_id)
    road.do(
        "INSERT INTO outbox_upload (message_id, tenant_role, link, sender, recipient, digest, size)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        message_id,
        road.alpha.tenant_role,
        RECEIVER,
        road.alpha.authority_id,
        road.beta.authority_id,
        bytes.fromhex(document.digest),
        document.size,
    )


async def test_letter_follows_its_document(road: Road, document: BlobRef) -> None:
    post(road, document)
    async with road.dispatch():
        await road.acknowledged(1)
    (blob,) = road.rows(
        "SELECT complete, size FROM blobs_blob WHERE tenant_role = %s", road.beta.tenant_role
    )
    assert blob == {"complete": True, "size": document.size}
    assert len(road.gateway.stored()) == 1
    assert not road.dead()


async def test_missing_document_holds_up_its_own_letter_only(road: Road, document: BlobRef) -> None:
    road.do("DELETE FROM blobs_blobchunk WHERE number = 4")
    post(road, document)
    async with road.dispatch():
        road.post(3)
        await road.acknowledged(3)
        await eventually(
            lambda: road.rows("SELECT FROM blobs_blob WHERE NOT complete AND received > 0")
        )
    assert road.rows("SELECT held FROM outbox_letter WHERE lseq IS NULL") == [{"held": True}]
