from typing import Any

import django.db.models.functions.datetime
from django.db import migrations, models

import centre.kernel.ids
import centre.tenancy.fields
from centre.tenancy.operations import ShareAmongTenants, role_names


def narrow_rights(_apps: Any, schema_editor: Any) -> None:
    """Let tenants and web queue letters anew or take them out, and never number them."""
    names = role_names()
    queue, resolve = "lseq, held, not_before", "resolution, resolved_at, resolved_by, told"
    readable = (
        "id, tenant_role, link, recipient, case_id, case_sequence, kind, size, digest, held, "
        "not_before, lseq, expires_at, accepted_at"
    )
    narrow, new = "ON outbox_letter AS RESTRICTIVE FOR", "lseq IS NULL"
    moved = "USING (true) WITH CHECK (lseq IS NULL OR lseq = 0)"
    for statement in (
        f"GRANT UPDATE ({queue}) ON outbox_letter TO {names.tenants}",
        f"REVOKE ALL ON outbox_letter FROM {names.web}, {names.worker}",
        f"GRANT SELECT ({readable}), UPDATE ({queue}) ON outbox_letter TO {names.web}",
        f"GRANT SELECT ({readable}) ON outbox_letter TO {names.worker}",
        f"GRANT UPDATE ({resolve}) ON outbox_deadletter TO {names.tenants}",
        f"CREATE POLICY unnumbered_insert {narrow} INSERT TO {names.tenants} WITH CHECK ({new})",
        f"CREATE POLICY unnumbered_update {narrow} UPDATE TO {names.tenants} {moved}",
        f"CREATE POLICY unnumbered_by_web {narrow} UPDATE TO {names.web} {moved}",
    ):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Dispatcher",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("alive_until", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Link",
            fields=[
                ("name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused")],
                        db_default="active",
                        max_length=6,
                    ),
                ),
                ("next_lseq", models.BigIntegerField(db_default=1)),
                ("acked_lseq", models.BigIntegerField(db_default=0)),
                ("receipt_hash", models.BinaryField(db_default=b"")),
                ("owner", models.CharField(blank=True, db_default="", max_length=100)),
                ("fence", models.BigIntegerField(db_default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("backoff_ms", models.IntegerField(db_default=0)),
                ("last_error", models.CharField(blank=True, db_default="", max_length=60)),
                ("last_error_detail", models.CharField(blank=True, db_default="", max_length=500)),
                ("last_contact_at", models.DateTimeField(null=True)),
                ("suspect_lseq", models.BigIntegerField(db_default=0)),
                ("suspect_kills", models.SmallIntegerField(db_default=0)),
                ("frame_limit", models.SmallIntegerField(db_default=0)),
            ],
        ),
        migrations.CreateModel(
            name="OutcomePosition",
            fields=[
                ("link", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("lseq", models.BigIntegerField(db_default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "link",
                        "last_lseq",
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
                ("received_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Alarm",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=centre.kernel.ids.new_id, primary_key=True, serialize=False
                    ),
                ),
                ("code", models.CharField(max_length=60)),
                ("link", models.CharField(blank=True, max_length=63)),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True, null=True)),
                ("message_id", models.UUIDField(null=True)),
                ("detail", models.CharField(blank=True, max_length=500)),
                ("raised_at", models.DateTimeField()),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("acknowledged_by", models.CharField(blank=True, db_default="", max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("raised_at"),
                        condition=models.Q(("acknowledged_at__isnull", True)),
                        name="outbox_alarms_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=centre.kernel.ids.new_id, primary_key=True, serialize=False
                    ),
                ),
                ("link", models.CharField(max_length=63)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("first_lseq", models.BigIntegerField(null=True)),
                ("last_lseq", models.BigIntegerField(null=True)),
                ("code", models.CharField(max_length=60)),
                ("detail", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "indexes": [
                    models.Index(models.F("link"), models.F("ended_at"), name="outbox_attempts")
                ],
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=centre.kernel.ids.new_id, primary_key=True, serialize=False
                    ),
                ),
                ("message_id", models.UUIDField()),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("link", models.CharField(max_length=63)),
                ("lseq", models.BigIntegerField(null=True)),
                ("case_id", models.UUIDField()),
                ("kind", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("refused", "Refused"),
                            ("expired", "Expired"),
                            ("parked", "Parked"),
                        ],
                        max_length=7,
                    ),
                ),
                ("reason", models.CharField(max_length=60)),
                ("detail", models.CharField(blank=True, db_default="", max_length=500)),
                ("died_at", models.DateTimeField()),
                (
                    "resolution",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("resent", "Resent"),
                            ("cancelled", "Cancelled"),
                            ("relayed", "Relayed"),
                        ],
                        db_default="",
                        max_length=9,
                    ),
                ),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by", models.CharField(blank=True, db_default="", max_length=200)),
                ("told", models.BooleanField(db_default=False)),
                (
                    "told_after",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "indexes": [
                    models.Index(models.F("message_id"), name="outbox_dead_message"),
                    models.Index(models.F("link"), models.F("lseq"), name="outbox_dead_position"),
                    models.Index(
                        models.F("died_at"),
                        condition=models.Q(("resolution", "")),
                        name="outbox_dead_open",
                    ),
                    models.Index(
                        models.F("tenant_role"),
                        condition=models.Q(("told", False)),
                        name="outbox_dead_untold",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("resolution", "")),
                        fields=("message_id",),
                        name="outbox_dies_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Letter",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("link", models.CharField(max_length=63)),
                ("recipient", models.UUIDField()),
                ("case_id", models.UUIDField()),
                ("case_sequence", models.IntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("size", models.IntegerField()),
                ("envelope", models.BinaryField()),
                ("digest", models.BinaryField()),
                ("held", models.BooleanField(db_default=False)),
                ("not_before", models.DateTimeField(null=True)),
                ("lseq", models.BigIntegerField(null=True)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("link"),
                        models.F("tenant_role"),
                        models.F("id"),
                        condition=models.Q(("held", False), ("lseq__isnull", True)),
                        name="outbox_queue",
                    ),
                    models.Index(
                        models.F("link"),
                        models.F("not_before"),
                        condition=models.Q(("held", True), ("lseq__isnull", True)),
                        name="outbox_held",
                    ),
                    models.Index(
                        models.F("link"),
                        models.F("expires_at"),
                        condition=models.Q(("lseq__isnull", True)),
                        name="outbox_expiry",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lseq__gt", 0)),
                        fields=("link", "lseq"),
                        name="outbox_position_is_unique",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutcomeDebt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=centre.kernel.ids.new_id, primary_key=True, serialize=False
                    ),
                ),
                ("link", models.CharField(max_length=63)),
                ("debtor", models.CharField(max_length=63)),
                ("first_lseq", models.BigIntegerField()),
                ("last_lseq", models.BigIntegerField()),
                ("attempts", models.SmallIntegerField(db_default=0)),
                ("next_try_at", models.DateTimeField()),
                ("error", models.CharField(blank=True, db_default="", max_length=500)),
            ],
            options={
                "indexes": [models.Index(models.F("next_try_at"), name="outbox_debts_due")],
            },
        ),
        migrations.CreateModel(
            name="Upload",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "message_id",
                        "digest",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("message_id", models.UUIDField()),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("link", models.CharField(max_length=63)),
                ("sender", models.UUIDField()),
                ("recipient", models.UUIDField()),
                ("digest", models.BinaryField()),
                ("size", models.BigIntegerField()),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("link"),
                        models.F("message_id"),
                        condition=models.Q(("done_at__isnull", True)),
                        name="outbox_uploads",
                    )
                ],
            },
        ),
        # Sealed envelopes and chains of hashes do not compress: keep them as they are.
        migrations.RunSQL(
            "ALTER TABLE outbox_letter ALTER COLUMN envelope SET STORAGE EXTERNAL; "
            "ALTER TABLE outbox_receipt ALTER COLUMN leaves SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
        # Written for each batch and never indexed there: leave room, so that no index is touched.
        migrations.RunSQL(
            "ALTER TABLE outbox_link SET (fillfactor = 20, autovacuum_vacuum_threshold = 200)",
            migrations.RunSQL.noop,
        ),
        ShareAmongTenants(
            "Letter",
            tenant=("SELECT", "INSERT"),
            web=("SELECT", "UPDATE"),
            worker=("SELECT",),
            federation=("SELECT", "UPDATE"),
        ),
        ShareAmongTenants(
            "DeadLetter",
            tenant=("SELECT",),
            web=("SELECT", "UPDATE"),
            worker=("SELECT", "UPDATE"),
            federation=("SELECT", "INSERT", "UPDATE"),
        ),
        ShareAmongTenants(
            "Upload",
            tenant=("SELECT", "INSERT"),
            web=("SELECT",),
            federation=("SELECT", "UPDATE"),
        ),
        ShareAmongTenants(
            "Alarm",
            tenant=("SELECT", "INSERT"),
            web=("SELECT", "UPDATE"),
            worker=("SELECT", "INSERT"),
            federation=("SELECT", "INSERT"),
        ),
        migrations.RunPython(narrow_rights, migrations.RunPython.noop),
        ShareAmongTenants(
            "Link",
            tenant=("SELECT",),
            web=("SELECT", "UPDATE"),
            worker=("SELECT",),
            federation=("SELECT", "INSERT", "UPDATE"),
            row_level=False,
        ),
        ShareAmongTenants(
            "Receipt",
            tenant=("SELECT",),
            web=("SELECT",),
            worker=("SELECT",),
            federation=("SELECT", "INSERT"),
            row_level=False,
        ),
        ShareAmongTenants(
            "Attempt",
            tenant=("SELECT",),
            web=("SELECT",),
            worker=("SELECT", "DELETE"),
            federation=("SELECT", "INSERT"),
            row_level=False,
        ),
        ShareAmongTenants(
            "Dispatcher",
            tenant=(),
            web=("SELECT",),
            federation=("SELECT", "INSERT", "UPDATE", "DELETE"),
            row_level=False,
        ),
        ShareAmongTenants(
            "OutcomePosition",
            tenant=(),
            web=("SELECT",),
            worker=("SELECT", "INSERT", "UPDATE"),
            row_level=False,
        ),
        ShareAmongTenants(
            "OutcomeDebt",
            tenant=(),
            web=("SELECT",),
            worker=("SELECT", "INSERT", "UPDATE", "DELETE"),
            row_level=False,
        ),
    ]
