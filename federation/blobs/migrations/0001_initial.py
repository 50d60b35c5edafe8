from django.db import migrations, models

import centre.kernel.ids
import centre.tenancy.fields
from centre.tenancy.operations import ShareAmongTenants


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="BlobChunk",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "blob_id",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("blob_id", models.UUIDField()),
                ("number", models.IntegerField()),
                ("tenant_role", centre.tenancy.fields.TenantRoleField()),
                ("data", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="Blob",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=centre.kernel.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant_role", centre.tenancy.fields.TenantRoleField()),
                ("digest", models.BinaryField()),
                ("size", models.BigIntegerField()),
                ("received", models.BigIntegerField()),
                ("chunk_count", models.IntegerField()),
                ("complete", models.BooleanField()),
                ("origin", models.CharField(blank=True, max_length=63)),
                ("touched_at", models.DateTimeField()),
                ("referenced_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("touched_at"),
                        condition=models.Q(("referenced_at__isnull", True)),
                        name="blobs_unreferenced",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_role", "digest"), name="blobs_address_is_unique"
                    )
                ],
            },
        ),
        # Sealed bytes do not compress: keep them out of line and as they are.
        migrations.RunSQL(
            "ALTER TABLE blobs_blobchunk ALTER COLUMN data SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
        ShareAmongTenants(
            "Blob",
            tenant=("SELECT", "INSERT"),
            worker=("SELECT", "DELETE"),
            federation=("SELECT", "INSERT", "UPDATE"),
        ),
        ShareAmongTenants(
            "BlobChunk",
            tenant=("SELECT", "INSERT"),
            worker=("SELECT", "DELETE"),
            federation=("SELECT", "INSERT", "DELETE"),
        ),
    ]
