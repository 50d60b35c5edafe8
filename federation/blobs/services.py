"""Storing documents sealed, and clearing away what was never finished."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys.blobs import CHUNK_SIZE, BlobSealer, new_key
from centre.tenancy import binary
from centre.tenancy.context import require_tenant
from federation.blobs.errors import BlobQuotaExceeded, BlobTooLarge
from federation.blobs.models import Blob, BlobChunk
from federation.blobs.sizes import DEFAULT_QUOTA_BYTES, MAX_DOCUMENT_BYTES


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

    Takes pieces of any size and holds no more than two chunks in memory. Part of the caller's
    transaction: an error, also one raised by `chunks`, leaves nothing. `name` stands in messages
    to people only. Raises `BlobTooLarge` and `BlobQuotaExceeded`.
    """
    role = require_tenant().role
    _check_quota(name)
    key = new_key()
    sealer = BlobSealer(key)
    blob_id, size = new_id(), 0
    with transaction.atomic():
        for chunk, final in _regular(chunks):
            size += len(chunk)
            if size > MAX_DOCUMENT_BYTES:
                raise BlobTooLarge(
                    f"{name} is larger than {MAX_DOCUMENT_BYTES // 1_000_000} MB, "
                    "the most that can be sent as one document."
                )
            number = sealer.chunk_count
            data = sealer.seal_chunk(chunk, final=final)
            # In binary form: as text, each byte would travel as two digits.
            binary.insert(
                BlobChunk,
                [BlobChunk(blob_id=blob_id, number=number, tenant_role=role, data=data)],
            )
        now = clock.now()
        Blob.objects.create(
            id=blob_id,
            digest=sealer.digest,
            size=sealer.size,
            received=sealer.size,
            chunk_count=sealer.chunk_count,
            complete=True,
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
    ids = list(own.values_list("id", flat=True))
    own.delete()
    BlobChunk.objects.filter(blob_id__in=ids).delete()


def clear_abandoned(*, older_than: timedelta) -> int:
    """Delete uploads that stood still, or that no message named, for so long; return how many.

    For the worker, outside any tenant. The sender of a message that comes after all finds the
    document missing and uploads it again.
    """
    abandoned = Blob.objects.filter(
        referenced_at__isnull=True, touched_at__lt=clock.now() - older_than
    )
    cleared = 0
    for blob in abandoned.order_by("touched_at").only("id")[:_CLEARED_AT_ONCE]:
        with transaction.atomic():
            # Only if nothing has happened to it in the meantime.
            deleted, _ = abandoned.filter(id=blob.id).delete()
            if deleted:
                BlobChunk.objects.filter(blob_id=blob.id).delete()
                cleared += 1
    return cleared


_CLEARED_AT_ONCE = 1_000


def _check_quota(name: str) -> None:
    used: int = Blob.objects.aggregate(total=Sum("size"))["total"] or 0
    quota: int = getattr(settings, "BLOB_QUOTA_BYTES", DEFAULT_QUOTA_BYTES)
    if used >= quota:
        raise BlobQuotaExceeded(
            f"{name} was not stored: the municipality's documents fill their {quota // 10**9} GB. "
            "The operator of the centre can raise the limit."
        )


def _regular(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut pieces of any size into whole chunks; say of each whether it is the last."""
    buffer = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if len(buffer) == CHUNK_SIZE:
                # More follows, so this chunk is not the last.
                yield bytes(buffer), False
                buffer.clear()
            taken = min(len(view), CHUNK_SIZE - len(buffer))
            buffer += view[:taken]
            view = view[taken:]
    yield bytes(buffer), True
