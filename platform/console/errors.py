"""What the operator's doors refuse: one sentence, and what to do next."""

from centre.kernel.errors import AmtsbrueckeError


class ConsoleError(AmtsbrueckeError):
    """The command cannot go on."""

    reason = "CONSOLE_ERROR"

    def __init__(self, message: str | None = None, *, hint: str, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


class EngineError(ConsoleError):
    """An embedded engine does not start or stop as it should."""

    reason = "ENGINE_FAILED"


class EngineInUse(EngineError):
    """Another process runs on the same data directory."""

    reason = "ENGINE_IN_USE"


class SupervisorAway(ConsoleError):
    """No supervisor runs for this home."""

    reason = "SUPERVISOR_AWAY"


class PortInUse(ConsoleError):
    """Another program listens on a port that a process of this centre needs."""

    reason = "PORT_IN_USE"


class SettingMissing(ConsoleError):
    """A setting that this command needs is not given."""

    reason = "SETTING_MISSING"


class DemoStuck(ConsoleError):
    """The demo does not get on."""

    reason = "DEMO_STUCK"
