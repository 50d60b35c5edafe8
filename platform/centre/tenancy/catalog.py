"""Describes a schema so that two can be compared: as PostgreSQL's own catalog sees them.

`facts` has a line for everything in the schema and each of its properties, without the schema's
name; equal sets of lines mean equal schemas. Kinds of objects that have no line of their own are
still named by the last query, which lists whatever belongs to the schema.
"""

import re
from collections.abc import Mapping

from django.db import connection, transaction
from psycopg import sql

from centre.tenancy.context import schema_scope

# Each returns lines; `here` is the oid of the schema.
_QUESTIONS = (
    """
    SELECT format('relation %s kind=%s persistence=%s identity=%s rls=%s forced=%s options=%s'
                  ' method=%s partition=%s bound=%s rights=%s comment=%s',
                  relname, relkind, relpersistence, relreplident, relrowsecurity,
                  relforcerowsecurity, reloptions, (SELECT amname FROM pg_am WHERE oid = relam),
                  pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), relacl,
                  obj_description(oid, 'pg_class'))
    FROM pg_class WHERE relnamespace = {here} AND relkind NOT IN ('i', 'I')
    """,
    """
    SELECT format('column %s.%s #%s type=%s notnull=%s identity=%s generated=%s default=%s'
                  ' collation=%s storage=%s compression=%s statistics=%s options=%s rights=%s'
                  ' comment=%s',
                  relname, attname,
                  row_number() OVER (PARTITION BY attrelid ORDER BY attnum),
                  format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                  (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
                   WHERE adrelid = attrelid AND adnum = attnum),
                  (SELECT collname FROM pg_collation WHERE oid = attcollation), attstorage,
                  attcompression, attstattarget, attoptions, attacl,
                  col_description(attrelid, attnum))
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = {here} AND attnum > 0 AND NOT attisdropped AND relkind NOT IN ('i', 'I')
    """,
    """
    SELECT format('constraint %s on %s: %s deferrable=%s deferred=%s validated=%s', conname,
                  coalesce(conrelid::regclass::text, contypid::regtype::text),
                  pg_get_constraintdef(oid), condeferrable, condeferred, convalidated)
    FROM pg_constraint WHERE connamespace = {here}
    """,
    """
    SELECT format('index %s: %s valid=%s clustered=%s replica=%s options=%s', c.relname,
                  pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident,
                  c.reloptions)
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = {here}
    """,
    """
    SELECT format('sequence %s: %s start=%s by=%s min=%s max=%s cache=%s cycle=%s at=%s of=%s',
                  relname, format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax,
                  seqcache, seqcycle, pg_sequence_last_value(seqrelid),
                  (SELECT string_agg(format('%s.%s %s', refobjid::regclass, attname, deptype), ' ')
                   FROM pg_depend JOIN pg_attribute
                     ON attrelid = refobjid AND attnum = refobjsubid
                   WHERE classid = 'pg_class'::regclass AND objid = seqrelid
                     AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')))
    FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE relnamespace = {here}
    """,
    """
    SELECT format('trigger %s enabled=%s', pg_get_triggerdef(t.oid), tgenabled)
    FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = {here} AND NOT tgisinternal
    """,
    """
    SELECT format('function %s rights=%s', pg_get_functiondef(oid), proacl)
    FROM pg_proc WHERE pronamespace = {here} AND prokind IN ('f', 'p')
    """,
    """
    SELECT format('policy %s on %s: command=%s permissive=%s roles=%s using=%s check=%s', polname,
                  relname, polcmd, polpermissive,
                  (SELECT string_agg(CASE role WHEN 0 THEN 'public' ELSE role::regrole::text END,
                                     ',' ORDER BY role::regrole::text)
                   FROM unnest(polroles) role),
                  pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE relnamespace = {here}
    """,
    """
    SELECT format('view %s: %s', relname, pg_get_viewdef(oid))
    FROM pg_class WHERE relnamespace = {here} AND relkind IN ('v', 'm')
    """,
    """
    SELECT format('rule %s', pg_get_ruledef(r.oid)) FROM pg_rewrite r
    JOIN pg_class c ON c.oid = ev_class WHERE relnamespace = {here} AND rulename <> '_RETURN'
    """,
    """
    SELECT format('type %s kind=%s base=%s notnull=%s default=%s labels=%s', typname, typtype,
                  format_type(nullif(typbasetype, 0), typtypmod), typnotnull, typdefault,
                  (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum
                   WHERE enumtypid = t.oid))
    FROM pg_type t WHERE typnamespace = {here} AND typtype IN ('d', 'e', 'r', 'm')
    """,
    """
    SELECT format('child %s of %s', inhrelid::regclass, inhparent::regclass)
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE relnamespace = {here}
    """,
    """
    SELECT format('statistics %s', pg_get_statisticsobjdef(oid))
    FROM pg_statistic_ext WHERE stxnamespace = {here}
    """,
    """
    SELECT format('rights to come on %s: %s', defaclobjtype, defaclacl)
    FROM pg_default_acl WHERE defaclnamespace = {here}
    """,
    """
    SELECT format('schema rights=%s', nspacl) FROM pg_namespace WHERE oid = {here}
    """,
    """
    SELECT format('object %s', pg_describe_object(classid, objid, objsubid))
    FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = {here}
    """,
)

# When a migration was applied.
_MAY_DIFFER = {"django_migrations": "applied"}


def facts(schema: str, *, called: Mapping[str, str] | None = None) -> frozenset[str]:
    """Describe a schema and count its rows; `called` replaces further names, such as its role."""
    with schema_scope(schema), transaction.atomic(), connection.cursor() as cursor:
        lines = _lines(schema)
        for table in tables(schema):
            cursor.execute(
                sql.SQL(
                    "SELECT count(*), md5(string_agg(r::text, '' ORDER BY r::text))"
                    " FROM (SELECT to_jsonb(t) - {} FROM {} t) rows(r)"
                ).format(sql.Literal(_MAY_DIFFER.get(table, "")), sql.Identifier(schema, table))
            )
            count, digest = cursor.fetchone()
            lines.append(f"rows {table}: {count} {digest}")
    return frozenset(_anonymous(line, {schema: "", **(called or {})}) for line in lines)


def definitions(schema: str, *, called: Mapping[str, str] | None = None) -> frozenset[str]:
    """Describe a schema that is in use: what `facts` tells, without what every row changes."""
    with schema_scope(schema), transaction.atomic():
        lines = [_POSITION.sub(r"\1", line) for line in _lines(schema)]
    return frozenset(_anonymous(line, {schema: "", **(called or {})}) for line in lines)


_POSITION = re.compile(r"(?<=^sequence )(.*) at=\S*")


def _lines(schema: str) -> list[str]:
    here = sql.SQL("{}::regnamespace").format(sql.Literal(schema))
    questions = (sql.SQL(question).format(here=here) for question in _QUESTIONS)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join(questions))
        return [line for (line,) in cursor.fetchall()]


def tables(schema: str) -> list[str]:
    """Return the names of a schema's tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace"
            " AND relkind = 'r' ORDER BY relname",
            [schema],
        )
        return [name for (name,) in cursor.fetchall()]


def _anonymous(line: str, names: Mapping[str, str]) -> str:
    for name, instead in names.items():
        line = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])\.?", instead, line)
    return line
