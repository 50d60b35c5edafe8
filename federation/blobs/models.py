"""Sealed documents, in rows of chunks or in files: nobody but the two authorities can read them."""

from django.db import models

from centre.kernel.ids import new_id
from centre.tenancy.fields import TenantRoleField


class Blob(models.Model):
    """A sealed document of one tenant, addressed by the SHA-256 of its sealed bytes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_role = TenantRoleField()
    digest = models.BinaryField()
    #: Bytes in all, sealed.
    size = models.BigIntegerField()
    #: Bytes that are durable here: an upload goes on from here.
    received = models.BigIntegerField()
    chunk_count = models.IntegerField()
    #: All bytes are here and the digest was verified.
    complete = models.BooleanField()
    #: The bytes lie in a file (`files`) and not in chunks.
    in_file = models.BooleanField(default=False, db_default=False)
    #: The centre that uploads or uploaded it; empty if its owner stored it here.
    origin = models.CharField(max_length=63, blank=True)
    #: When it last grew: an upload that stands still is cleared away.
    touched_at = models.DateTimeField()
    #: When a message first named it, or its owner stored it. Without that, it belongs to nothing.
    referenced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("tenant_role", "digest"), name="blobs_address_is_unique"
            ),
        ]
        indexes = [
            models.Index(
                "touched_at",
                name="blobs_unreferenced",
                condition=models.Q(referenced_at__isnull=True),
            ),
        ]


class BlobChunk(models.Model):
    """One sealed chunk; all but the last have the same size."""

    pk = models.CompositePrimaryKey("blob_id", "number")
    #: No foreign key: chunks are written before the digest, and so the row above, is known.
    blob_id = models.UUIDField()
    number = models.IntegerField()
    tenant_role = TenantRoleField()
    data = models.BinaryField()
