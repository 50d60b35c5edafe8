from django.db import migrations, models

from centre.tenancy.operations import ShareAmongTenants


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="DirectorySnapshot",
            fields=[
                ("version", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("signed", models.BinaryField()),
                ("digest", models.CharField(max_length=64)),
                ("published_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("applied_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="CentreEntry",
            fields=[
                ("centre", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("signed", models.BinaryField()),
                ("suspended", models.BooleanField(default=False)),
                ("registered_at", models.DateTimeField()),
            ],
        ),
        # The directory is public among those who take part; nobody changes a version.
        ShareAmongTenants(
            "DirectorySnapshot",
            tenant=("SELECT",),
            web=("SELECT",),
            worker=("SELECT", "INSERT"),
            federation=("SELECT",),
            row_level=False,
        ),
        ShareAmongTenants("CentreEntry", tenant=(), worker=("SELECT",), row_level=False),
    ]
