"""Ties what must be there in every process to Django's start."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "centre.config"
    verbose_name = "Configuration"

    def ready(self) -> None:
        # Tasks declared with `shared_task` bind to this application, in every process.
        from centre.config import celery  # noqa: F401 -- imported for its effect
