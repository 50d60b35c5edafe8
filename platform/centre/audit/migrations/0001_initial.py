import centre.tenancy.fields
from django.db import migrations, models

from centre.tenancy.operations import ShareAmongTenants

# Numbers, digests and columns come from the database, so that no writer can leave the chain. A row
# sees the rows before it in the same statement, and the lock holds until the transaction ends.
CHAIN = """
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    content jsonb := NEW.body::jsonb;
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('amtsbruecke audit ' || NEW.tenant_role, 0));
    SELECT number, digest INTO last FROM public.audit_auditevent
        WHERE tenant_role = NEW.tenant_role ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.at := (content ->> 'at')::timestamptz;
    NEW.event := content ->> 'event';
    NEW.subject := content ->> 'subject';
    NEW.digest := sha256(
        convert_to('amtsbruecke audit v1', 'UTF8') || decode('00', 'hex') || int8send(NEW.number)
        || coalesce(last.digest, decode(repeat('00', 32), 'hex')) || convert_to(NEW.body, 'UTF8')
    );
    RETURN NEW;
END $$;
CREATE TRIGGER audit_chain BEFORE INSERT ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_chain();
"""

APPEND_ONLY = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
"""

DROP_CHAIN = """
DROP TRIGGER audit_chain ON audit_auditevent;
DROP FUNCTION audit_chain();
"""

DROP_APPEND_ONLY = """
DROP TRIGGER audit_append_only ON audit_auditevent;
DROP TRIGGER audit_append_only ON audit_head;
DROP FUNCTION audit_append_only();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="TrailHead",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_role",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("number", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                ("at", models.DateTimeField()),
                ("kid", models.CharField(max_length=16)),
                ("signature", models.BinaryField()),
            ],
            options={
                "db_table": "audit_head",
            },
        ),
        migrations.CreateModel(
            name="TrailEntry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_role",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant_role", centre.tenancy.fields.TenantRoleField(kept=True)),
                ("number", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("event", models.TextField()),
                ("subject", models.TextField()),
                ("body", models.TextField()),
                ("digest", models.BinaryField()),
            ],
            options={
                "verbose_name": "Protokolleintrag",
                "verbose_name_plural": "Protokolleinträge",
                "db_table": "audit_auditevent",
                "indexes": [
                    models.Index(
                        fields=["tenant_role", "subject", "number"], name="audit_by_subject"
                    )
                ],
            },
        ),
        migrations.RunSQL(CHAIN, DROP_CHAIN),
        migrations.RunSQL(APPEND_ONLY, DROP_APPEND_ONLY),
        # Web and federation write to the centre's own chain; the worker also vouches for all.
        ShareAmongTenants(
            "TrailEntry",
            tenant=("SELECT", "INSERT"),
            web=("SELECT", "INSERT"),
            worker=("SELECT", "INSERT"),
            federation=("SELECT", "INSERT"),
            only={"web": "tenant_role = 'centre'", "federation": "tenant_role = 'centre'"},
        ),
        ShareAmongTenants("TrailHead", tenant=("SELECT",), worker=("SELECT", "INSERT")),
    ]
