from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("importers", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="importrow",
            name="fingerprint",
            field=models.CharField(blank=True, db_default="", default="", max_length=32),
        ),
        migrations.AddField(
            model_name="importrun",
            name="remark",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="importrun",
            name="waiting",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
    ]
