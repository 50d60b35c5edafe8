from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages for clerks. No models: a page parses, calls one service and answers."""

    name = "tenants.web"
    label = "web"
