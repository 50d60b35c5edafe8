"""Documents are stored sealed, read back in pieces, and never by a stranger."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from math import inf
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django import Settings
from structlog.testing import capture_logs

from centre.kernel import clock
from centre.keys.blobs import CHUNK_SIZE, SEALED_CHUNK_SIZE, sealed_size
from centre.keys.errors import BlobBroken
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from centre.tenancy.errors import TenantRequired
from federation.blobs import selectors, services
from federation.blobs.errors import (
    BlobMissing,
    BlobQuotaExceeded,
    BlobTooLarge,
    FilesUnusable,
)
from federation.blobs.files import Files
from federation.blobs.models import Blob, BlobChunk
from federation.blobs.services import StoredBlob
from tests.factories.damage import overwrite


def _store(*pieces: bytes) -> StoredBlob:
    return services.store(chunks=pieces, name="report.pdf")


both = pytest.mark.parametrize("documents", ["rows", "files"], indirect=True)
in_files = pytest.mark.parametrize("documents", ["files"], indirect=True)


def _sealed(documents: Files | None) -> bytes:
    """What the only document of the tenant looks like from outside."""
    if documents is None:
        return b"".join(bytes(each.data) for each in BlobChunk.objects.order_by("number"))
    assert not BlobChunk.objects.exists()
    blob = Blob.objects.get()
    assert blob.in_file
    return documents.path(blob.tenant_role, blob.id).read_bytes()


@both
@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
@pytest.mark.parametrize("piece", [70_001, 2 * CHUNK_SIZE + 1])
def test_read_returns_what_was_stored(
    alpha: Municipality, documents: Files | None, size: int, piece: int
) -> None:
    content = bytes(number % 251 for number in range(size))
    pieces = [content[start : start + piece] for start in range(0, size, piece)]
    with tenant_scope(alpha):
        stored = _store(*pieces)
        assert b"".join(selectors.read(digest=stored.digest, key=stored.key)) == content
        assert stored.size == size
        assert stored.sealed_size == sealed_size(size)
        sealed = _sealed(documents)
        assert hashlib.sha256(sealed).digest() == stored.digest
        assert content[:100] not in sealed or size < 100


def test_store_holds_no_more_than_two_chunks_at_a_time(alpha: Municipality) -> None:
    rows_seen: list[int] = []

    def pieces() -> Iterator[bytes]:
        for _ in range(4):
            yield bytes(CHUNK_SIZE)
            rows_seen.append(BlobChunk.objects.count())

    with tenant_scope(alpha):
        services.store(chunks=pieces(), name="report.pdf")
    assert rows_seen == [0, 0, 1, 2]


@both
def test_store_of_an_interrupted_upload_leaves_nothing(
    alpha: Municipality, documents: Files | None
) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(2 * CHUNK_SIZE)
        raise ConnectionResetError

    with tenant_scope(alpha):
        with pytest.raises(ConnectionResetError):
            services.store(chunks=pieces(), name="report.pdf")
        assert not BlobChunk.objects.exists()
        assert not Blob.objects.exists()
    if documents is not None:
        assert list(documents.untouched_since(inf, prefix="krz_t_")) == []


def test_store_too_large_document_is_refused_early(
    alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_DOCUMENT_BYTES", CHUNK_SIZE)
    with tenant_scope(alpha), pytest.raises(BlobTooLarge, match=r"report\.pdf"):
        _store(bytes(CHUNK_SIZE), b"x")


def test_store_beyond_the_quota_is_refused(alpha: Municipality, settings: Settings) -> None:
    settings.BLOB_QUOTA_BYTES = 1
    with tenant_scope(alpha), capture_logs() as logs:
        _store(b"fits")
        with pytest.raises(BlobQuotaExceeded, match="AMTSBRUECKE_DOCUMENTS_QUOTA_GB"):
            _store(b"does not")
    (told,) = logs
    assert told["tenant_role"] == alpha.tenant_role
    assert "AMTSBRUECKE_DOCUMENTS_QUOTA_GB" in told["error"]
    assert "report.pdf" not in str(told)


def test_the_operator_sets_the_quota(dsn: Callable[[str], str]) -> None:
    program = (
        "import django; django.setup()\n"
        "from django.conf import settings; print(settings.BLOB_QUOTA_BYTES)"
    )
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "centre.config.settings",
        "AMTSBRUECKE_PROCESS": "web",
        "AMTSBRUECKE_WEB_DATABASE_URL": dsn("web"),
        "AMTSBRUECKE_DOCUMENTS_QUOTA_GB": "200",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{200 * 1000**3}\n"


@pytest.mark.usefixtures("db")
def test_store_needs_a_tenant() -> None:
    with pytest.raises(TenantRequired):
        _store(b"whose?")


@pytest.mark.usefixtures("committed_db")
@both
def test_documents_of_another_tenant_are_out_of_reach(
    alpha: Municipality, beta: Municipality, documents: Files | None
) -> None:
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
            selectors.read(digest=stored.digest, key=bytes(32))


@in_files
@pytest.mark.parametrize("chunk", [0, 2])
def test_a_changed_document_is_told_with_the_chunk_and_never_given_whole(
    alpha: Municipality, documents: Files, chunk: int
) -> None:
    content = os.urandom(3 * CHUNK_SIZE)
    with tenant_scope(alpha):
        stored = _store(content)
        blob = Blob.objects.get()
        overwrite(documents.path(blob.tenant_role, blob.id), at=chunk * SEALED_CHUNK_SIZE + 100)
        given: list[bytes] = []
        with capture_logs() as logs, pytest.raises(BlobBroken):
            given.extend(selectors.read(digest=stored.digest, key=stored.key))
    assert b"".join(given) == content[: chunk * CHUNK_SIZE]
    (told,) = logs
    where = (told["tenant_role"], told["blob"], told["chunk"])
    assert where == (alpha.tenant_role, str(blob.id), chunk)


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


# -- files -------------------------------------------------------------------------------------


def _age(documents: Files, *, days: float) -> None:
    moment = (clock.now() - timedelta(days=days)).timestamp()
    for role, blob_id in documents.untouched_since(inf, prefix="krz_t_"):
        os.utime(documents.path(role, blob_id), (moment, moment))


def _ids(documents: Files) -> set[object]:
    return {blob_id for _, blob_id in documents.untouched_since(inf, prefix="krz_t_")}


@in_files
def test_documents_stored_before_the_setting_are_read_after_it(
    alpha: Municipality, documents: Files, settings: Settings
) -> None:
    with_files = settings.AMTSBRUECKE
    settings.AMTSBRUECKE = replace(with_files, documents=None)
    with tenant_scope(alpha):
        in_rows = _store(b"rows")
        settings.AMTSBRUECKE = with_files
        in_file = _store(b"file")
        for stored, content in ((in_rows, b"rows"), (in_file, b"file")):
            pieces = selectors.read(digest=stored.digest, key=stored.key)
            assert b"".join(pieces) == content
        settings.AMTSBRUECKE = replace(with_files, documents=None)
        with pytest.raises(FilesUnusable, match="AMTSBRUECKE_DOCUMENTS"):
            selectors.read(digest=in_file.digest, key=in_file.key)


@in_files
def test_a_document_whose_file_is_gone_or_short_is_missing(
    alpha: Municipality, documents: Files
) -> None:
    with tenant_scope(alpha):
        stored = _store(b"short")
        blob = Blob.objects.get()
        os.truncate(documents.path(blob.tenant_role, blob.id), 3)
        with pytest.raises(BlobMissing):
            selectors.read(digest=stored.digest, key=stored.key)


@in_files
def test_nothing_is_stored_where_the_folder_is_gone(
    alpha: Municipality, documents: Files, tmp_path: Path
) -> None:
    (tmp_path / "documents").rmdir()
    with tenant_scope(alpha):
        with pytest.raises(FilesUnusable):
            _store(b"where to?")
        assert not Blob.objects.exists()


@in_files
@pytest.mark.usefixtures("committed_db")
def test_a_file_goes_when_its_row_has_gone(alpha: Municipality, documents: Files) -> None:
    with tenant_scope(alpha):
        stored = _store(b"draft")
        with transaction.atomic():
            services.delete(digests=[stored.digest])
            transaction.set_rollback(True)
        assert b"".join(selectors.read(digest=stored.digest, key=stored.key)) == b"draft"
        services.delete(digests=[stored.digest])
    assert _ids(documents) == set()


@in_files
@pytest.mark.usefixtures("committed_db")
@pytest.mark.process("worker")
def test_files_of_abandoned_uploads_are_cleared(alpha: Municipality, documents: Files) -> None:
    with tenant_scope(alpha):
        blob = Blob.objects.create(
            digest=b"o" * 32,
            size=10,
            received=5,
            chunk_count=1,
            complete=False,
            in_file=True,
            origin="nord",
            touched_at=clock.now() - timedelta(days=20),
        )
        with documents.new(alpha.tenant_role, blob.id) as file:
            file.add(memoryview(b"five."))
    assert services.clear_abandoned(older_than=timedelta(days=14)) == 1
    assert _ids(documents) == set()


@in_files
@pytest.mark.usefixtures("committed_db")
@pytest.mark.process("worker")
def test_the_sweep_takes_what_is_old_and_has_no_row(
    alpha: Municipality, beta: Municipality, documents: Files
) -> None:
    """And looks at the rows of all tenants, whoever asks."""
    kept = set()
    for tenant in (alpha, beta):
        with tenant_scope(tenant):
            _store(b"kept")
            kept.add(Blob.objects.get().id)
    with tenant_scope(alpha), transaction.atomic():
        _store(b"rolled back")
        transaction.set_rollback(True)
    assert len(_ids(documents)) == 3
    assert services.sweep_files(older_than=timedelta(days=1)) == 0
    _age(documents, days=2)
    with tenant_scope(beta):
        assert services.sweep_files(older_than=timedelta(days=1)) == 1
    assert _ids(documents) == kept


@in_files
@pytest.mark.usefixtures("committed_db")
@pytest.mark.process("worker")
def test_lost_files_are_counted(alpha: Municipality, documents: Files) -> None:
    with tenant_scope(alpha):
        _store(b"lost")
        _store(b"kept")
        blob = Blob.objects.order_by("id")[0]
    assert services.count_missing_files() == 0
    path = documents.path(blob.tenant_role, blob.id)
    path.unlink()
    with capture_logs() as logs:
        assert services.count_missing_files() == 1
    assert [each["file"] for each in logs] == [str(path)]


def _files_of(town: Municipality) -> list[tuple[str, Path, str]]:
    with tenant_scope(town):
        return list(selectors.files_of(tenant_role=town.tenant_role))


@in_files
def test_a_disk_that_is_away_is_no_loss(alpha: Municipality, documents: Files) -> None:
    """Else a municipality would be deleted without its documents, and these with the next sweep."""
    with tenant_scope(alpha):
        _store(b"a document")
    ((name, path, digest),) = _files_of(alpha)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert name == f"documents/{path.name}"
    away = path.parent.rename(path.parent.with_name("away"))
    with pytest.raises(FilesUnusable, match="Is its disk mounted"):
        _files_of(alpha)
    # Lost for good, and somebody says so.
    path.parent.mkdir()
    assert [each for each, *_ in _files_of(alpha)] == [name]
    path.parent.rmdir()
    away.rename(path.parent)


@in_files
def test_who_deletes_is_told_of_documents_without_their_file(
    alpha: Municipality, documents: Files
) -> None:
    with tenant_scope(alpha):
        for content in (b"one", b"two"):
            _store(content)
        assert selectors.what_has_lost_its_file() == ""
        (_, first), _ = documents.untouched_since(inf, prefix="krz_t_")
        documents.empty(alpha.tenant_role, first)
        assert selectors.what_has_lost_its_file().startswith("1 document has lost its file")


@pytest.mark.parametrize("documents", ["rows"], indirect=True)
def test_documents_in_rows_need_no_folder(alpha: Municipality, documents: None) -> None:
    with tenant_scope(alpha):
        _store(b"rows")
        assert selectors.what_has_lost_its_file() == ""
    assert _files_of(alpha) == []
