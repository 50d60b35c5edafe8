from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "centre.registry"
    verbose_name = "Registry"
