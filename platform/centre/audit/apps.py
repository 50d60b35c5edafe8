from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "centre.audit"
    verbose_name = "Audit"
