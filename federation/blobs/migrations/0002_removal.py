"""A municipality may throw away what it has stored itself and not sent."""

from typing import Any

from django.db import migrations

from centre.tenancy.operations import role_names


def let_tenants_delete(_apps: Any, schema_editor: Any) -> None:
    """Let a tenant delete documents; that they are its own, the tables' policies see to."""
    schema_editor.execute(f"GRANT DELETE ON blobs_blob, blobs_blobchunk TO {role_names().tenants}")


class Migration(migrations.Migration):
    dependencies = [("blobs", "0001_initial")]

    operations = [migrations.RunPython(let_tenants_delete, migrations.RunPython.noop)]
