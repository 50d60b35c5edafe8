"""A schema of everything that is easily lost on the way into a copy."""

from typing import Any, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models.functions import Lower

HAND_MADE = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN cents AS bigint CHECK (VALUE >= 0);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := upper(NEW.name); -- a semicolon; and a 100 % sign
    RETURN NEW;
END $$;
CREATE TRIGGER shout BEFORE INSERT ON tricky_thing FOR EACH ROW EXECUTE FUNCTION shout();
CREATE VIEW loud_things AS SELECT id, name FROM tricky_thing WHERE name = upper(name);
CREATE TABLE parted (id int GENERATED ALWAYS AS IDENTITY, day date, how mood DEFAULT 'glad')
    PARTITION BY RANGE (day);
CREATE TABLE parted_2026 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE tricky_thing ENABLE ROW LEVEL SECURITY;
ALTER TABLE tricky_thing FORCE ROW LEVEL SECURITY;
CREATE POLICY all_of_it ON tricky_thing USING (price >= 0);
CREATE SEQUENCE numbers AS int INCREMENT 5 CYCLE;
SELECT nextval('numbers');
COMMENT ON TABLE parted IS 'with a comment';
-- The last line of a script may be a comment.
"""


def write_rows(apps: Any, schema_editor: Any) -> None:
    thing = apps.get_model("importers", "Thing")
    thing.objects.create(name="it's \\ 100 %", price=1, blob=b"\0\xff", kind="a")
    thing.objects.create(name="zwei", price=2, blob=b"", kind="b")


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list[Any]] = [("contenttypes", "0002_remove_content_type_name")]
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="Thing",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=40, db_default="x", db_comment="its name")),
                ("kind", models.CharField(max_length=2, default="z")),
                ("price", models.IntegerField()),
                ("dropped", models.IntegerField(null=True)),
                ("blob", models.BinaryField(default=b"")),
                ("during", DateRangeField(null=True)),
                ("tags", models.JSONField(default=dict)),
                (
                    "double",
                    models.GeneratedField(
                        expression=models.F("price") * 2,
                        output_field=models.IntegerField(),
                        db_persist=True,
                    ),
                ),
                (
                    "of",
                    models.ForeignKey(
                        "contenttypes.ContentType", null=True, on_delete=models.CASCADE
                    ),
                ),
            ],
            options={
                "db_table": "tricky_thing",
                "unique_together": {("name", "kind")},
                "indexes": [
                    models.Index(Lower("name"), name="thing_lower"),
                    models.Index(
                        fields=["-price"], name="thing_dear", condition=models.Q(price__gt=9)
                    ),
                    GinIndex(fields=["tags"], name="thing_tags", fastupdate=False),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["price", "kind"],
                        name="thing_once",
                        deferrable=models.Deferrable.DEFERRED,
                    ),
                    models.CheckConstraint(condition=models.Q(price__gte=0), name="thing_costs"),
                    ExclusionConstraint(
                        name="thing_alone", expressions=[("during", RangeOperators.OVERLAPS)]
                    ),
                ],
            },
        ),
        migrations.RunPython(write_rows),
        migrations.RunSQL("UPDATE tricky_thing SET price = price + 10"),
        migrations.RemoveField("Thing", "dropped"),
        migrations.AddField("Thing", "late", models.SmallIntegerField(default=3)),
        migrations.AlterField(
            "Thing", "name", models.CharField(max_length=50, unique=True, db_comment="its name")
        ),
        migrations.RunSQL(HAND_MADE),
    ]
