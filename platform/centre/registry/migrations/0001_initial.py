import centre.kernel.ids
import django.core.validators
import django.db.models.deletion
import django_tenants.postgresql_backend.base
from django.db import migrations, models

from centre.tenancy.operations import ShareAmongTenants


def everybody_reads(model_name: str) -> ShareAmongTenants:
    """Names of hosted municipalities are no secret; only the owner writes them."""
    read = ("SELECT",)
    return ShareAmongTenants(model_name, read, read, read, read, row_level=False)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Municipality",
            fields=[
                (
                    "schema_name",
                    models.CharField(
                        db_index=True,
                        max_length=63,
                        unique=True,
                        validators=[django_tenants.postgresql_backend.base._check_schema_name],
                    ),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=centre.kernel.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("slug", models.CharField(max_length=40, unique=True)),
                ("tenant_role", models.CharField(max_length=63, unique=True)),
                ("authority_id", models.UUIDField(unique=True)),
                ("name", models.CharField(max_length=200)),
                (
                    "ags",
                    models.CharField(
                        max_length=8, validators=[django.core.validators.RegexValidator("\\d{8}")]
                    ),
                ),
                (
                    "ars",
                    models.CharField(
                        max_length=12, validators=[django.core.validators.RegexValidator("\\d{12}")]
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("founding", "wird eingerichtet"),
                            ("active", "aktiv"),
                            ("suspended", "gesperrt"),
                            ("deleting", "wird gelöscht"),
                            ("deleted", "gelöscht"),
                        ],
                        default="founding",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "Kommune",
                "verbose_name_plural": "Kommunen",
                "ordering": ("slug",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["founding", "active", "suspended", "deleting", "deleted"],
                            )
                        ),
                        name="municipality_state_is_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Domain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("domain", models.CharField(db_index=True, max_length=253, unique=True)),
                ("is_primary", models.BooleanField(db_index=True, default=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="domains",
                        to="registry.municipality",
                    ),
                ),
            ],
            options={
                "ordering": ("domain",),
            },
        ),
        everybody_reads("Municipality"),
        everybody_reads("Domain"),
    ]
