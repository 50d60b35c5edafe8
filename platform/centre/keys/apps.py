from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "centre.keys"
    verbose_name = "Keys"
