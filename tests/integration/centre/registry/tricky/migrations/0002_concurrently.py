"""An index that is built while others work."""

from typing import Any, ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar[list[Any]] = [("importers", "0001_initial")]
    operations: ClassVar[list[Operation]] = [
        AddIndexConcurrently("Thing", models.Index(fields=["kind"], name="thing_kind")),
    ]
