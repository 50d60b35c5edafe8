from django.db import migrations, models

import centre.tenancy.fields
from centre.tenancy.operations import ShareAmongTenants

PURPOSES = [("sign", "Sign"), ("seal", "Seal")]


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuthorityKey",
            fields=[
                ("kid", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("purpose", models.CharField(choices=PURPOSES, max_length=8)),
                ("suite", models.CharField(max_length=63)),
                ("public", models.BinaryField()),
                ("wrapped", models.BinaryField()),
                ("not_before", models.DateTimeField()),
                ("tenant_role", centre.tenancy.fields.TenantRoleField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["tenant_role", "purpose", "not_before"], name="keys_of_authority"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CentreKey",
            fields=[
                ("kid", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("purpose", models.CharField(choices=PURPOSES, max_length=8)),
                ("suite", models.CharField(max_length=63)),
                ("public", models.BinaryField()),
                ("wrapped", models.BinaryField()),
                ("not_before", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
        # A municipality's keys are its own: no process reads them but in its scope.
        ShareAmongTenants("AuthorityKey", tenant=("SELECT", "INSERT")),
        # Web processes sign nothing for the centre.
        ShareAmongTenants(
            "CentreKey", tenant=(), worker=("SELECT",), federation=("SELECT",), row_level=False
        ),
    ]
