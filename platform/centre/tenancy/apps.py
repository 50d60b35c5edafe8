"""Registers the checks of tenancy, and lets Django remember nothing across tenants."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "centre.tenancy"
    verbose_name = "Tenancy"

    def ready(self) -> None:
        from centre.tenancy import (
            checks,  # noqa: F401 -- imported for its registration
            contenttypes,
        )

        contenttypes.keep_apart()
