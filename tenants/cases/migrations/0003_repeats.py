from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_worklist_filters")]

    operations = [
        migrations.AddField(
            model_name="casemessage", name="repeats", field=models.UUIDField(null=True)
        ),
    ]
