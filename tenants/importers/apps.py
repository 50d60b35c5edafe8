from django.apps import AppConfig


class ImportersConfig(AppConfig):
    name = "tenants.importers"
    label = "importers"
    verbose_name = "Importers"
