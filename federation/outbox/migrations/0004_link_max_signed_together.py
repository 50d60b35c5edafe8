"""A link knows how many letters one signature may cover at its other end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outbox", "0003_letter_deferred_for")]

    operations = [
        migrations.AddField(
            model_name="link",
            name="max_signed_together",
            field=models.IntegerField(db_default=0),
        ),
    ]
