"""Storing documents sealed, and clearing away what was never finished."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys.blobs import CHUNK_SIZE, TAG_SIZE, BlobSealer, new_key
from centre.registry.models import Municipality
from centre.tenancy.context import public_scope, require_tenant
from centre.tenancy.operations import role_names
from federation.blobs import selectors, stores
from federation.blobs.errors import BlobError, BlobQuotaExceeded, BlobTooLarge
from federation.blobs.models import Blob, BlobChunk
from federation.blobs.sizes import MAX_DOCUMENT_BYTES

log = structlog.get_logger(__name__)

_CLEARED_AT_ONCE: Final = 1_000
#: How many missing files one look tells of.
_TOLD_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """How to find a document again, and the key without which nobody can read it."""

    digest: bytes
    #: Bytes of the document itself.
    size: int
    #: Bytes as sealed: what travels and what `BlobRef` names.
    sealed_size: int
    key: bytes


def store(*, chunks: Iterable[bytes], name: str) -> StoredBlob:
    """Seal a document under a fresh key and store it for the current tenant.

    Takes pieces of any size and holds a few of its chunks in memory. Part of the caller's
    transaction: an error, also one raised by `chunks`, leaves nothing, and what the caller rolls
    back later is swept away if it lies in a file. `name` stands in messages to people only. Raises
    `BlobTooLarge`, `BlobQuotaExceeded` and `FilesUnusable`.
    """
    role = require_tenant().role
    _check_quota(role, name)
    key = new_key()
    sealer = BlobSealer(key)
    blob_id, size = new_id(), 0
    with transaction.atomic():
        with stores.new(role, blob_id) as sink:
            for chunk, final in _regular(chunks):
                size += len(chunk)
                if size > MAX_DOCUMENT_BYTES:
                    raise BlobTooLarge(
                        f"{name} is larger than {MAX_DOCUMENT_BYTES // 1_000_000} MB, "
                        "the most that can be sent as one document."
                    )
                place = sink.place(len(chunk) + TAG_SIZE)
                sealer.seal_into(place, chunk, final=final)
        now = clock.now()
        Blob.objects.create(
            id=blob_id,
            digest=sealer.digest,
            size=sealer.size,
            received=sealer.size,
            chunk_count=sealer.chunk_count,
            complete=True,
            in_file=stores.folder() is not None,
            origin="",
            touched_at=now,
            referenced_at=now,
        )
    return StoredBlob(digest=sealer.digest, size=size, sealed_size=sealer.size, key=key)


def delete(*, digests: Collection[bytes]) -> None:
    """Delete documents that the current tenant has stored itself, in the caller's transaction.

    The caller knows that nothing names them. What a peer has uploaded stays.
    """
    require_tenant()
    own = Blob.objects.filter(digest__in=list(digests), origin="")
    rows = list(own.values_list("id", "tenant_role", "in_file"))
    own.delete()
    _forget(rows)


def clear_abandoned(*, older_than: timedelta) -> int:
    """Delete uploads that stood still, or that no message named, for so long; return how many.

    For the worker, outside any tenant. The sender of a message that comes after all finds the
    document missing and uploads it again.
    """
    abandoned = Blob.objects.filter(
        referenced_at__isnull=True, touched_at__lt=clock.now() - older_than
    )
    found = abandoned.order_by("touched_at").values_list("id", "tenant_role", "in_file")
    cleared = 0
    for row in list(found[:_CLEARED_AT_ONCE]):
        with transaction.atomic():
            # Only if nothing has happened to it in the meantime.
            deleted, _ = abandoned.filter(id=row[0]).delete()
            if deleted:
                _forget([row])
                cleared += 1
    return cleared


def _forget(rows: Collection[tuple[UUID, str, bool]]) -> None:
    """Delete the bytes of rows that the caller's transaction deletes; files once it has."""
    BlobChunk.objects.filter(blob_id__in=[blob_id for blob_id, *_ in rows]).delete()
    if files := [(role, blob_id) for blob_id, role, in_file in rows if in_file]:
        transaction.on_commit(partial(stores.remove_files, files), robust=True)


def remove_files_of(*, municipality: Municipality) -> None:
    """Delete the files of a municipality that has been deleted, and with it their rows.

    What cannot be deleted now the sweep takes, or the next call.
    """
    try:
        if (files := stores.folder()) is not None:
            files.remove_all(municipality.tenant_role)
    except BlobError as error:
        log.warning("files not removed", tenant=municipality.slug, error=error.message)


def sweep_files(*, older_than: timedelta) -> int:
    """Delete files that have no row and were not written to for so long; return how many.

    Left by transactions that were rolled back, and by processes that died between a commit and the
    deletion of a file. `older_than` is longer than any transaction: a row may still be to come.
    """
    if (files := stores.folder()) is None:
        return 0
    moment = (clock.now() - older_than).timestamp()
    ours = role_names().tenant_prefix
    swept = 0
    # In nobody's name: what a tenant may not see must not look as if it were not there.
    with public_scope():
        for found in batched(files.untouched_since(moment, prefix=ours), _CLEARED_AT_ONCE):
            ids = [blob_id for _, blob_id in found]
            known = set(Blob.objects.filter(id__in=ids).values_list("id", flat=True))
            for role, blob_id in found:
                if blob_id not in known:
                    files.remove(role, blob_id)
                    swept += 1
    return swept


def count_missing_files() -> int:
    """Return how many documents have lost their file, and log the first of them."""
    missing = 0
    with public_scope():
        for missing, blob in enumerate(selectors.without_file(), start=1):
            if missing <= _TOLD_AT_ONCE:
                log.error("document's file missing", file=str(stores.path(blob)))
    return missing


def _check_quota(role: str, name: str) -> None:
    used: int = Blob.objects.aggregate(total=Sum("size"))["total"] or 0
    quota: int = settings.BLOB_QUOTA_BYTES
    if used >= quota:
        # Without the name, which is content.
        log.warning(
            "document not stored",
            tenant_role=role,
            error=f"its documents fill their {quota // 10**9} GB: AMTSBRUECKE_DOCUMENTS_QUOTA_GB",
        )
        raise BlobQuotaExceeded(
            f"{name} was not stored: the municipality's documents fill their {quota // 10**9} GB. "
            "The operator of the centre can raise the limit: AMTSBRUECKE_DOCUMENTS_QUOTA_GB."
        )


def _regular(pieces: Iterable[bytes]) -> Iterator[tuple[bytes | bytearray | memoryview, bool]]:
    """Cut pieces of any size into whole chunks; say of each whether it is the last.

    Only what lies across the border of two pieces is copied.
    """
    chunk: bytearray | memoryview = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if len(chunk) == CHUNK_SIZE:
                # More follows, so this chunk is not the last.
                yield chunk, False
                chunk = bytearray()
            if not chunk and len(view) >= CHUNK_SIZE:
                chunk, view = view[:CHUNK_SIZE], view[CHUNK_SIZE:]
            else:
                taken = min(len(view), CHUNK_SIZE - len(chunk))
                if isinstance(chunk, memoryview):
                    chunk = bytearray(chunk)
                chunk += view[:taken]
                view = view[taken:]
    yield chunk, True
