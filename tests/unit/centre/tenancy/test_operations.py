import pytest
from django.db import models
from django.db.migrations.writer import MigrationWriter

from centre.tenancy.fields import TenantRoleField
from centre.tenancy.operations import ShareAmongTenants


def test_unknown_right_is_refused() -> None:
    with pytest.raises(ValueError, match="'TRUNCATE' is no right"):
        ShareAmongTenants("Letter", worker=("TRUNCATE",))


def test_operation_describes_itself() -> None:
    operation = ShareAmongTenants("Letter")
    assert operation.describe() == "Share Letter among tenants"
    assert operation.migration_name_fragment == "share_letter"


def test_statements_grant_what_was_asked_and_no_more() -> None:
    operation = ShareAmongTenants(
        "Letter", tenant=("SELECT",), web=("INSERT",), only={"web": "tenant_role = 'centre'"}
    )
    statements = list(operation._statements("outbox_letter"))
    assert [s for s in statements if s.startswith("GRANT")] == [
        'GRANT SELECT ON "outbox_letter" TO krz_tenants',
        'GRANT INSERT ON "outbox_letter" TO krz_web',
    ]
    policies = [s for s in statements if s.startswith("CREATE POLICY")]
    assert len(policies) == 3
    assert policies[-1].endswith("FOR INSERT TO krz_web WITH CHECK (tenant_role = 'centre')")
    assert 'ALTER TABLE "outbox_letter" FORCE ROW LEVEL SECURITY' in statements


def test_without_row_level_there_are_no_policies() -> None:
    statements = list(ShareAmongTenants("Area", row_level=False)._statements("directory_area"))
    assert not any("CREATE POLICY" in s or " ENABLE ROW" in s for s in statements)


def test_field_survives_a_migration_file() -> None:
    for field in (TenantRoleField(), TenantRoleField(kept=True), TenantRoleField(null=True)):
        written, _ = MigrationWriter.serialize(field)
        assert "db_default" not in written
        copy = field.clone()
        assert (copy.kept, copy.null) == (field.kept, field.null)
        assert copy.max_length == 63
        assert isinstance(copy, models.CharField)
