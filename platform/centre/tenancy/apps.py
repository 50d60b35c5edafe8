"""Registers the checks of tenancy."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "centre.tenancy"
    verbose_name = "Tenancy"

    def ready(self) -> None:
        from centre.tenancy import checks  # noqa: F401 -- imported for its registration
