"""A row says whether its bytes lie in a file. What was stored before lies in chunks."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("blobs", "0002_removal")]

    operations = [
        migrations.AddField(
            "Blob", "in_file", models.BooleanField(db_default=False, default=False)
        ),
    ]
