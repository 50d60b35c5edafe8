"""What stands in a municipality's schema, to be compared before and after."""

from django.db import connection

from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope


def rows_of(municipality: Municipality) -> dict[str, str]:
    """Return a digest of each table of the municipality's schema."""
    found = {}
    with tenant_scope(municipality), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace"
            " AND has_table_privilege(oid, 'SELECT')",
            [municipality.schema_name],
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t'
            )
            found[table] = cursor.fetchone()[0]
    assert {"cases_case", "documents_document", "clerks_clerk", "importers_importrun"} <= set(found)
    return found
