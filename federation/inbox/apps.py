"""The inbox: what other authorities have sent to ours."""

from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "federation.inbox"
    label = "inbox"
    verbose_name = "Inbox"

    def ready(self) -> None:
        from federation.inbox import checks  # noqa: F401 -- imported for its registration
