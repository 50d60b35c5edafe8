from django.apps import AppConfig


class ClerksConfig(AppConfig):
    name = "tenants.clerks"
    label = "clerks"
    verbose_name = "Clerks"
