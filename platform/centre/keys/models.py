"""Keys, in the schema `public`: the public half in the open, the private half wrapped."""

from typing import ClassVar

from django.db import models

from centre.tenancy.fields import TenantRoleField


class Purpose(models.TextChoices):
    SIGN = "sign"
    SEAL = "seal"


class _Key(models.Model):
    """A key never changes. A newer one takes over at its `not_before`; old ones open old mail."""

    kid = models.CharField(max_length=16, primary_key=True)
    purpose = models.CharField(max_length=8, choices=Purpose)
    suite = models.CharField(max_length=63)
    public = models.BinaryField()
    wrapped = models.BinaryField()
    not_before = models.DateTimeField()

    class Meta:
        abstract = True


class AuthorityKey(_Key):
    """A key of a municipality hosted here. Goes with it: then its letters can never be opened."""

    objects: ClassVar[models.Manager["AuthorityKey"]] = models.Manager()

    tenant_role = TenantRoleField()

    class Meta:
        indexes = [
            models.Index(fields=["tenant_role", "purpose", "not_before"], name="keys_of_authority"),
        ]


class CentreKey(_Key):
    """A key of the centre itself: signs receipts and the heads of the audit trail."""

    objects: ClassVar[models.Manager["CentreKey"]] = models.Manager()
