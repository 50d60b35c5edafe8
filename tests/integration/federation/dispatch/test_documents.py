"""Documents go ahead of their letter, piece by piece, and never hold up other letters."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from mmap import mmap
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
import structlog

from centre.config.databases import streaming
from centre.kernel.ids import new_id
from centre.keys.blobs import BlobSealer, new_key, sealed_size
from federation.dispatch import reading, sql
from federation.dispatch.process import Dispatch
from federation.dispatch.sql import Document, Upload
from federation.dispatch.tools import Tools
from federation.dispatch.uploads import UploadWorker
from federation.gateway import commits
from federation.gateway import sql as gateway_sql
from federation.inbox.admission import Host
from federation.protocol.messages import BlobRef
from federation.protocol.reasons import Reason
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
    files = road.gateway.documents
    road.do(
        "INSERT INTO blobs_blob (id, tenant_role, digest, size, received, chunk_count, complete,"
        " origin, touched_at, referenced_at, in_file)"
        " VALUES (%s, %s, %s, %s, %s, %s, true, '', now(), now(), %s)",
        blob_id,
        road.alpha.tenant_role,
        digest,
        len(whole),
        len(whole),
        len(chunks),
        files is not None,
    )
    if files is not None:
        with files.new(road.alpha.tenant_role, blob_id) as file:
            page = memoryview(mmap(-1, len(whole)))
            page[:] = whole
            file.add(page)
        return BlobRef(digest.hex(), len(whole))
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


both = pytest.mark.parametrize("documents", ["rows", "files"], indirect=True)
in_files = pytest.mark.parametrize("documents", ["files"], indirect=True)


@both
async def test_letter_follows_its_document(road: Road, document: BlobRef) -> None:
    post(road, document)
    async with road.dispatch():
        await road.acknowledged(1)
    (blob,) = road.rows(
        "SELECT complete, size FROM blobs_blob WHERE tenant_role = %s", road.beta.tenant_role
    )
    assert blob == {"complete": True, "size": document.size}
    sealed = road.gateway.sealed(road.beta.tenant_role, bytes.fromhex(document.digest))
    assert hashlib.sha256(sealed).hexdigest() == document.digest
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


@in_files
async def test_missing_file_holds_up_its_own_letter_until_it_is_back(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("federation.protocol.backoff.FIRST_MS", 50)
    assert road.gateway.documents is not None
    (blob,) = road.rows("SELECT id FROM blobs_blob")
    path = road.gateway.documents.path(road.alpha.tenant_role, blob["id"])
    kept = path.rename(path.with_name("kept"))
    post(road, document)
    with structlog.testing.capture_logs() as logs:
        async with road.dispatch():
            road.post(3)
            await road.acknowledged(3)
            await eventually(lambda: "document unreadable" in [each["event"] for each in logs])
            assert road.rows("SELECT held FROM outbox_letter WHERE lseq IS NULL") == [
                {"held": True}
            ]
            kept.rename(path)
            await road.acknowledged(4)
    assert not road.dead()


@pytest.mark.parametrize("documents", ["files"], indirect=True)
async def test_upload_goes_on_in_the_middle_of_a_file(road: Road, document: BlobRef) -> None:
    (blob,) = road.rows("SELECT * FROM blobs_blob")
    found = Document(blob["id"], road.alpha.tenant_role, blob["size"], in_file=True)
    tools = cast("Tools", SimpleNamespace(documents=road.gateway.documents))
    offset = 3 * (CHUNK + 16)
    rest = [piece async for piece in reading.pieces(found, tools, offset=offset)]
    sealed = road.gateway.sealed(road.alpha.tenant_role, bytes.fromhex(document.digest))
    assert b"".join(rest) == sealed[offset:]


async def test_posted_document_is_looked_for_at_once(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poke brings the upload and its end the letter: nobody waits for the next look around."""
    monkeypatch.setattr(Dispatch, "_radar", lambda _: asyncio.sleep(0))
    async with road.dispatch():
        road.post()
        await road.acknowledged(1)
        post(road, document)
        road.do("SELECT pg_notify('amtsbruecke_documents', %s)", RECEIVER)
        await road.acknowledged(2)


async def test_document_for_a_deleted_municipality_ends_its_letter(
    road: Road, document: BlobRef
) -> None:
    """At once and visibly, instead of uploads that are tried until the letter expires."""
    world, beta = road.gateway.world, road.beta
    gone = Host(beta.tenant_role, active=False, deleted=True)
    world.hosts = {**world.hosts, beta.authority_id: gone}
    await road.gateway.lookout.refresh()
    post(road, document)
    async with road.dispatch():
        await eventually(road.dead)
    (dead,) = road.dead()
    assert (dead["state"], dead["reason"]) == ("refused", Reason.RECIPIENT_DELETED)
    assert road.gateway.stored() == []


async def test_sender_learns_why_a_document_is_not_taken_now(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("federation.protocol.backoff.FIRST_MS", 50)
    world, beta = road.gateway.world, road.beta
    hosted = world.hosts
    world.hosts = {**hosted, beta.authority_id: Host(beta.tenant_role, active=False)}
    await road.gateway.lookout.refresh()
    post(road, document)
    why = "SELECT deferred_for FROM outbox_letter"
    async with road.dispatch():
        suspended = [{"deferred_for": Reason.RECIPIENT_SUSPENDED.value}]
        await eventually(lambda: road.rows(why) == suspended)
        world.hosts = hosted
        await road.gateway.lookout.refresh()
        await road.acknowledged(1)
    assert road.rows(why) == [{"deferred_for": ""}]


async def test_document_that_the_peer_has_lost_is_brought_again(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a refused document whose letter is sent again: its upload counts as done."""
    monkeypatch.setattr(commits, "_BLOB_DELAY", timedelta(milliseconds=100))
    post(road, document)
    road.do("UPDATE outbox_upload SET done_at = now()")
    road.do("UPDATE outbox_letter SET held = false")
    async with road.dispatch():
        await eventually(lambda: len(road.gateway.stored()) == 1)
    assert not road.dead()


async def test_peer_that_never_finds_a_document_is_asked_no_oftener_than_it_said(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(*_: Any) -> set[tuple[str, bytes]]:
        return set()

    monkeypatch.setattr(commits, "_complete_blobs", blind)
    post(road, document)
    open_uploads = "SELECT FROM outbox_upload WHERE done_at IS NULL"
    async with road.dispatch() as dispatch:
        await road.acknowledged(1)  # uploaded, sent, deferred, so the upload is open again
        await eventually(lambda: not road.rows(open_uploads))
        (letter_,) = road.rows("SELECT held, lseq, not_before - now() AS wait FROM outbox_letter")
        assert (letter_["held"], letter_["lseq"]) == (True, None)
        assert timedelta() < letter_["wait"] <= timedelta(seconds=5)
        monkeypatch.undo()
        road.do("UPDATE outbox_letter SET not_before = now()")
        dispatch.crew.poke(RECEIVER)
        await eventually(lambda: len(road.gateway.stored()) == 1)


async def test_letter_waits_for_its_document_also_when_its_time_has_come(
    road: Road, document: BlobRef
) -> None:
    post(road, document)
    road.do("UPDATE outbox_letter SET not_before = now() - interval '1 hour'")
    async with connection(road) as federation:
        await sql.release_deferred(federation, [RECEIVER])
        assert road.rows("SELECT held FROM outbox_letter") == [{"held": True}]
        (upload,) = await sql.pending_uploads(federation, RECEIVER, without=[])
        await sql.finish_upload(federation, upload)
    assert road.rows("SELECT held, not_before FROM outbox_letter") == [
        {"held": False, "not_before": None}
    ]


async def test_expired_letter_leaves_no_upload_behind(road: Road, document: BlobRef) -> None:
    post(road, document)
    road.do("UPDATE outbox_letter SET expires_at = now()")
    async with connection(road) as federation:
        assert await sql.expire(federation, [RECEIVER], grace=0, most=10) == 1
    assert road.rows("SELECT done_at IS NULL AS open FROM outbox_upload") == [{"open": False}]


@asynccontextmanager
async def connection(road: Road) -> AsyncIterator[sql.Connection]:
    """A session like those of dispatch."""
    url = road.gateway.dsn("federation")
    async with await psycopg.AsyncConnection.connect(url, **streaming("tests")) as opened:
        yield opened


async def test_documents_of_letters_that_have_ended_are_not_uploaded(
    road: Road, document: BlobRef
) -> None:
    post(road, document)
    road.do("UPDATE outbox_letter SET lseq = 0")  # cancelled, or expired before it was numbered
    async with road.dispatch() as dispatch:
        await eventually(lambda: dispatch.crew.held)  # its uploader looks at once
        road.post()
        await road.acknowledged(1)
    mine = "SELECT FROM blobs_blob WHERE tenant_role = %s"
    assert not road.rows(mine, road.beta.tenant_role)


async def test_tenants_take_turns_with_their_documents(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        post(road, document)
    road.do(  # the youngest is a neighbour's
        "UPDATE outbox_upload SET tenant_role = %s"
        " WHERE message_id = (SELECT message_id FROM outbox_upload ORDER BY 1 DESC LIMIT 1)",
        road.beta.tenant_role,
    )
    tried: list[str] = []

    async def note(_: UploadWorker, upload: Upload) -> None:
        tried.append(upload.tenant_role)
        road.do("UPDATE outbox_upload SET done_at = now() WHERE message_id = %s", upload.message_id)

    monkeypatch.setattr(UploadWorker, "_attempt", note)
    async with road.dispatch():
        await eventually(lambda: len(tried) == 3)
    alpha, beta = road.alpha.tenant_role, road.beta.tenant_role
    assert tried == [alpha, beta, alpha]


# -- uploads that break ----------------------------------------------------------------------


class Pause:
    """Holds the first caller at a point until it is let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.over = asyncio.Event()

    async def here(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            await self.over.wait()


@pytest.fixture(params=["question", "data"])
def pause(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pause:
    """The first upload stands still: at the question how far it is, or with half its data sent."""
    pause, parts, upload = Pause(), UploadWorker._parts, gateway_sql.upload

    async def slow_parts(*arguments: Any) -> AsyncIterator[Any]:
        number = 0
        async for part in parts(*arguments):
            yield part
            if (number := number + 1) == 2:
                await pause.here()

    async def slow_answer(*arguments: Any, **named: Any) -> Any:
        await pause.here()
        return await upload(*arguments, **named)

    if request.param == "data":
        monkeypatch.setattr(UploadWorker, "_parts", slow_parts)
    else:
        monkeypatch.setattr(gateway_sql, "upload", slow_answer)
    return pause


async def lose_the_channel(_road: Road, dispatch: Dispatch) -> None:
    await dispatch._channels.drop(RECEIVER)


async def end_the_session(road: Road, _dispatch: Dispatch) -> None:
    """What a draining peer does to the stream; the link then drops the channel."""
    await road.gateway.desk.drain()
    road.gateway.desk._draining = False
    await eventually(lambda: not road.gateway.desk.peers_with_streams)
    road.post()
    await road.acknowledged(2)


async def renew_the_certificate(road: Road, dispatch: Dispatch) -> None:
    world = road.gateway.world
    world.certificates[RECEIVER].write(road.tls, world.authority)
    await dispatch.crew.check()
    road.post()
    await road.acknowledged(2)


@both
@pytest.mark.parametrize("close", [lose_the_channel, end_the_session, renew_the_certificate])
async def test_upload_whose_channel_is_closed_is_tried_again(
    road: Road, document: BlobRef, pause: Pause, close: Any
) -> None:
    async with road.dispatch() as dispatch:
        road.post()
        await road.acknowledged(1)
        post(road, document)
        await pause.reached.wait()
        await close(road, dispatch)
        pause.over.set()
        await eventually(
            lambda: road.rows("SELECT FROM outbox_upload WHERE done_at IS NOT NULL"), seconds=10
        )
        await eventually(lambda: not road.rows("SELECT FROM outbox_letter WHERE lseq IS NULL"))
    assert not road.dead()


@pytest.mark.parametrize("end", [asyncio.CancelledError, LookupError])
async def test_uploader_that_ends_by_itself_is_followed_by_another(
    road: Road, document: BlobRef, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    pending, ends = UploadWorker._pending, [end]

    async def fragile(worker: UploadWorker) -> Any:
        if ends:
            raise ends.pop()
        return await pending(worker)

    monkeypatch.setattr(UploadWorker, "_pending", fragile)
    post(road, document)
    async with road.dispatch():
        await road.acknowledged(1)
    assert not ends
