"""Documents are stored sealed, read back in pieces, and never by a stranger."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from centre.kernel import clock
from centre.keys.blobs import CHUNK_SIZE, sealed_size
from centre.keys.errors import BlobBroken
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from centre.tenancy.errors import TenantRequired
from federation.blobs import selectors, services
from federation.blobs.errors import BlobMissing, BlobQuotaExceeded, BlobTooLarge
from federation.blobs.models import Blob, BlobChunk
from federation.blobs.services import StoredBlob


def _store(*pieces: bytes) -> StoredBlob:
    return services.store(chunks=pieces, name="report.pdf")


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
def test_read_returns_what_was_stored(alpha: Municipality, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    pieces = [content[start : start + 70_001] for start in range(0, size, 70_001)]
    with tenant_scope(alpha):
        stored = _store(*pieces)
        assert b"".join(selectors.read(digest=stored.digest, key=stored.key)) == content
        assert stored.size == size
        assert stored.sealed_size == sealed_size(size)
        sealed = b"".join(bytes(each.data) for each in BlobChunk.objects.order_by("number"))
        assert hashlib.sha256(sealed).digest() == stored.digest
        assert content[:100] not in sealed or size < 100


def test_store_holds_no_more_than_a_chunk_at_a_time(alpha: Municipality) -> None:
    rows_seen: list[int] = []

    def pieces() -> Iterator[bytes]:
        for _ in range(4):
            yield bytes(CHUNK_SIZE)
            rows_seen.append(BlobChunk.objects.count())

    with tenant_scope(alpha):
        services.store(chunks=pieces(), name="report.pdf")
    assert rows_seen == [0, 1, 2, 3]


def test_store_of_an_interrupted_upload_leaves_nothing(alpha: Municipality) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(2 * CHUNK_SIZE)
        raise ConnectionResetError

    with tenant_scope(alpha):
        with pytest.raises(ConnectionResetError):
            services.store(chunks=pieces(), name="report.pdf")
        assert not BlobChunk.objects.exists()
        assert not Blob.objects.exists()


def test_store_too_large_document_is_refused_early(
    alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_DOCUMENT_BYTES", CHUNK_SIZE)
    with tenant_scope(alpha), pytest.raises(BlobTooLarge, match=r"report\.pdf"):
        _store(bytes(CHUNK_SIZE), b"x")


def test_store_beyond_the_quota_is_refused(alpha: Municipality, settings: Settings) -> None:
    settings.BLOB_QUOTA_BYTES = 1
    with tenant_scope(alpha):
        _store(b"fits")
        with pytest.raises(BlobQuotaExceeded):
            _store(b"does not")


@pytest.mark.usefixtures("db")
def test_store_needs_a_tenant() -> None:
    with pytest.raises(TenantRequired):
        _store(b"whose?")


@pytest.mark.usefixtures("committed_db")
def test_rows_of_another_tenant_are_out_of_reach(alpha: Municipality, beta: Municipality) -> None:
    with tenant_scope(alpha):
        stored = _store(b"alpha's")
    with tenant_scope(beta):
        assert not selectors.exists(digest=stored.digest)
        with pytest.raises(BlobMissing):
            selectors.read(digest=stored.digest, key=stored.key)
        assert not BlobChunk.objects.exists()


def test_read_with_another_key_is_refused(alpha: Municipality) -> None:
    with tenant_scope(alpha):
        stored = _store(b"secret")
        with pytest.raises(BlobBroken):
            list(selectors.read(digest=stored.digest, key=bytes(32)))


@pytest.mark.usefixtures("committed_db")
@pytest.mark.process("worker")
def test_abandoned_uploads_are_cleared_and_others_kept(alpha: Municipality) -> None:
    with tenant_scope(alpha):
        kept = _store(b"kept")
        for digest, age in ((b"o" * 32, 20), (b"y" * 32, 1)):
            blob = Blob.objects.create(
                digest=digest,
                size=10,
                received=5,
                chunk_count=1,
                complete=False,
                origin="nord",
                touched_at=clock.now() - timedelta(days=age),
            )
            BlobChunk.objects.create(blob_id=blob.id, number=0, data=b"five.")
    assert services.clear_abandoned(older_than=timedelta(days=14)) == 1
    with tenant_scope(alpha):
        assert {bytes(each.digest) for each in Blob.objects.all()} == {kept.digest, b"y" * 32}
        assert BlobChunk.objects.count() == 2


@pytest.mark.usefixtures("db")
def test_sealed_chunks_are_stored_as_they_are() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute"
            " WHERE attrelid = 'blobs_blobchunk'::regclass AND attname = 'data'"
        )
        assert cursor.fetchone() == ("e",)
