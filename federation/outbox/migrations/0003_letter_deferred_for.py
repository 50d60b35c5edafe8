"""Senders see why a letter was deferred."""

from typing import Any

from django.db import migrations, models

from centre.tenancy.operations import role_names


def let_it_be_read(_apps: Any, schema_editor: Any) -> None:
    """Web and worker read a letter's columns one by one, as its envelope is none of theirs."""
    names = role_names()
    schema_editor.execute(
        f"GRANT SELECT (deferred_for) ON outbox_letter TO {names.web}, {names.worker}"
    )


class Migration(migrations.Migration):
    dependencies = [("outbox", "0002_tidy_queue")]

    operations = [
        migrations.AddField(
            model_name="letter",
            name="deferred_for",
            field=models.CharField(db_default="", max_length=40),
        ),
        migrations.RunPython(let_it_be_read, migrations.RunPython.noop),
    ]
