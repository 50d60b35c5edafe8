"""The column that says whose a row of a shared table is."""

from typing import Any

from django.db import models
from django.db.models import Func


class CurrentUser(Func):
    """SQL's `CURRENT_USER`: in a tenant's scope the tenant's role."""

    template = "CURRENT_USER"
    output_field = models.CharField()


class TenantRoleField(models.CharField):  # type: ignore[type-arg]  # no parameters at run time
    """Names the database role of the tenant that owns the row; row-level security compares it.

    The database fills it. Only a process that may write for others (federation, worker) sets it.
    With `kept=True` the rows outlive the tenant, as evidence.
    """

    def __init__(self, *, kept: bool = False, **kwargs: Any) -> None:
        self.kept = kept
        fixed = {"max_length": 63, "db_default": CurrentUser(), "editable": False}
        super().__init__(**{**kwargs, **fixed})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_length", "db_default", "editable"):
            kwargs.pop(fixed, None)
        if self.kept:
            kwargs["kept"] = True
        return name, path, args, kwargs
