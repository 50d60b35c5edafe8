"""The trail, in the schema `public`: written once, never changed, each entry bound to the last."""

import json
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from centre.tenancy.fields import TenantRoleField


class TrailEntry(models.Model):
    """One event. Only `body` is given (and `tenant_role` by the database); a trigger does the rest.

    `tenant_role` names the chain: the role of a municipality, or `centre`. No foreign keys: the
    trail must never be in the way of what it tells about, nor vanish with it.
    """

    pk = models.CompositePrimaryKey("tenant_role", "number")
    tenant_role = TenantRoleField(kept=True)
    number = models.BigIntegerField()
    at = models.DateTimeField()
    event = models.TextField()
    subject = models.TextField()
    body = models.TextField()
    digest = models.BinaryField()

    class Meta:
        db_table = "audit_auditevent"
        verbose_name = _("Protokolleintrag")
        verbose_name_plural = _("Protokolleinträge")
        indexes = [
            models.Index(fields=["tenant_role", "subject", "number"], name="audit_by_subject"),
        ]

    @property
    def content(self) -> dict[str, Any]:
        """What the body says."""
        content: dict[str, Any] = json.loads(self.body)
        return content


class TrailHead(models.Model):
    """The centre's signature under a chain up to an entry: from here on nobody can rewrite it."""

    pk = models.CompositePrimaryKey("tenant_role", "number")
    tenant_role = TenantRoleField(kept=True)
    number = models.BigIntegerField()
    digest = models.BinaryField()
    at = models.DateTimeField()
    kid = models.CharField(max_length=16)
    signature = models.BinaryField()

    class Meta:
        db_table = "audit_head"
