"""The outbox: what our authorities send to others."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "federation.outbox"
    label = "outbox"
    verbose_name = "Outbox"
