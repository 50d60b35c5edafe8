"""A row for each municipality hosted here, in the schema `public`. Only the owner writes them."""

from enum import StrEnum
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from centre.kernel.ids import new_id
from centre.tenancy.context import TenantIdentity


class MunicipalityState(models.TextChoices):
    FOUNDING = "founding", _("wird eingerichtet")
    ACTIVE = "active", _("aktiv")
    SUSPENDED = "suspended", _("gesperrt")
    DELETING = "deleting", _("wird gelöscht")
    DELETED = "deleted", _("gelöscht")


class Municipality(TenantMixin):  # type: ignore[misc]  # django-tenants has no types
    """A municipality and where it lives in the database.

    The row stays after deletion: its slug, schema and role are never given to another one, or
    kept evidence would become visible to a stranger of the same name.
    """

    objects: ClassVar[models.Manager["Municipality"]] = models.Manager()

    auto_create_schema = False  # services.create_tenant does it, with role and rights

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=40, unique=True)
    tenant_role = models.CharField(max_length=63, unique=True)
    authority_id = models.UUIDField(unique=True)
    name = models.CharField(max_length=200)
    ags = models.CharField(max_length=8, validators=[RegexValidator(r"\d{8}")])
    ars = models.CharField(max_length=12, validators=[RegexValidator(r"\d{12}")])
    state = models.CharField(
        max_length=12, choices=MunicipalityState, default=MunicipalityState.FOUNDING
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("slug",)
        verbose_name = _("Kommune")
        verbose_name_plural = _("Kommunen")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=MunicipalityState.values),
                name="municipality_state_is_known",
            ),
        ]

    @property
    def identity(self) -> TenantIdentity:
        return TenantIdentity(
            schema_name=self.schema_name,
            role=self.tenant_role,
            authority_id=self.authority_id,
            slug=self.slug,
        )


class Domain(DomainMixin):  # type: ignore[misc]  # django-tenants has no types
    """A host name that leads to a municipality."""

    objects: ClassVar[models.Manager["Domain"]] = models.Manager()

    class Meta:
        ordering = ("domain",)


class UpgradeOutcome(StrEnum):
    """How the migration of one municipality's schema ended."""

    REPLAYED = "replayed"  # by the statements that Django used for another one
    MIGRATED = "migrated"  # by Django itself
    FAILED = "failed"
    SKIPPED = "skipped"


class Upgrade(models.Model):
    """How the last migration of a municipality's schema ended.

    A report, not the truth: that is what the schema has recorded as applied.
    """

    objects: ClassVar[models.Manager["Upgrade"]] = models.Manager()

    municipality = models.OneToOneField(
        Municipality, primary_key=True, on_delete=models.CASCADE, related_name="upgrade"
    )
    outcome = models.CharField(max_length=8)
    problem = models.TextField(blank=True)
    milliseconds = models.IntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.municipality_id}: {self.outcome}"


class Blueprint(models.Model):
    """The script that makes a municipality's schema, see `registry.blueprints`. One row."""

    objects: ClassVar[models.Manager["Blueprint"]] = models.Manager()

    #: Of the migrations from which it was made.
    fingerprint = models.CharField(max_length=64, primary_key=True)
    script = models.TextField()
    #: Why it must not be used; empty if it is proven.
    problem = models.TextField(blank=True)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.fingerprint[:12]
