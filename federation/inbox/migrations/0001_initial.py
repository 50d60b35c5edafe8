from typing import Any

from django.db import migrations, models

import centre.tenancy.fields
from centre.tenancy.operations import ShareAmongTenants, role_names


def let_tenants_advance_messages(_apps: Any, schema_editor: Any) -> None:
    """Let tenants change a message's state, never the envelope and its addresses."""
    schema_editor.execute(
        "GRANT UPDATE (state, due_at, attempts, reason, detail, settled_at) "
        f"ON inbox_inboundmessage TO {role_names().tenants}"
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CasePosition",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_role",
                        "case_id",
                        "sender",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("case_id", models.UUIDField()),
                ("sender", models.UUIDField()),
                ("next_sequence", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="InboundLink",
            fields=[
                ("link", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("in_lseq", models.BigIntegerField(db_default=0)),
                ("receipt_hash", models.BinaryField(db_default=b"")),
                ("updated_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="IssuedReceipt",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "link",
                        "first_lseq",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("link", models.CharField(max_length=63)),
                ("first_lseq", models.BigIntegerField()),
                ("last_lseq", models.BigIntegerField()),
                ("body", models.BinaryField()),
                ("signature", models.BinaryField()),
                ("kid", models.CharField(max_length=16)),
                ("leaves", models.BinaryField()),
                ("issued_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="InboundMessage",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "id",
                        "origin",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("origin", models.CharField(max_length=63)),
                ("id", models.UUIDField()),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("link", models.CharField(max_length=63)),
                ("lseq", models.BigIntegerField(null=True)),
                ("sender", models.UUIDField()),
                ("case_id", models.UUIDField()),
                ("case_sequence", models.BigIntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("envelope", models.BinaryField()),
                ("digest", models.BinaryField()),
                ("received_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("held", "Held"),
                            ("applied", "Applied"),
                            ("parked", "Parked"),
                            ("discarded", "Discarded"),
                        ],
                        max_length=9,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("attempts", models.SmallIntegerField(db_default=0)),
                ("reason", models.CharField(blank=True, db_default="", max_length=60)),
                ("detail", models.CharField(blank=True, db_default="", max_length=500)),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("tenant_role"),
                        models.F("due_at"),
                        condition=models.Q(("state", "pending")),
                        name="inbox_pending",
                    ),
                    models.Index(
                        models.F("tenant_role"),
                        models.F("case_id"),
                        models.F("sender"),
                        models.F("case_sequence"),
                        condition=models.Q(("state__in", ("held", "parked"))),
                        name="inbox_waiting",
                    ),
                ],
            },
        ),
        # A sealed envelope does not compress: keep it out of line and as it is.
        migrations.RunSQL(
            "ALTER TABLE inbox_inboundmessage ALTER COLUMN envelope SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
        ShareAmongTenants(
            "InboundMessage",
            tenant=("SELECT",),
            worker=("SELECT",),
            federation=("SELECT", "INSERT"),
        ),
        migrations.RunPython(let_tenants_advance_messages, migrations.RunPython.noop),
        ShareAmongTenants(
            "CasePosition",
            tenant=("SELECT", "INSERT", "UPDATE"),
            worker=("SELECT",),
        ),
        ShareAmongTenants(
            "InboundLink",
            tenant=(),
            web=("SELECT",),
            worker=("SELECT",),
            federation=("SELECT", "INSERT", "UPDATE"),
            row_level=False,
        ),
        ShareAmongTenants(
            "IssuedReceipt",
            tenant=("SELECT",),
            worker=("SELECT",),
            federation=("SELECT", "INSERT"),
            row_level=False,
        ),
    ]
