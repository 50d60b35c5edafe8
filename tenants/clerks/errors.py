"""What clerks and their accounts may be refused."""

from datetime import datetime
from enum import StrEnum

from centre.kernel.errors import AmtsbrueckeError


class ClerkError(AmtsbrueckeError):
    """Mit diesem Konto geht das nicht."""

    reason = "CLERK"


class ClerkNotFound(ClerkError):
    """Dieses Konto gibt es nicht."""

    reason = "CLERK_NOT_FOUND"


class LoginTaken(ClerkError):
    """Diese Anmeldekennung ist schon vergeben."""

    reason = "LOGIN_TAKEN"


class LoginInvalid(ClerkError):
    """Eine Anmeldekennung hat 2 bis 60 Zeichen: Kleinbuchstaben, Ziffern, Punkt, Binde- und Unterstrich."""  # noqa: E501

    reason = "LOGIN_INVALID"


class ClerkNotAllowed(ClerkError):
    """Das darf nur die Fachadministration."""

    reason = "CLERK_NOT_ALLOWED"


class LastAdministrator(ClerkError):
    """Das ist das letzte Konto der Fachadministration; ohne es käme niemand mehr hinein."""

    reason = "LAST_ADMINISTRATOR"


class PasswordRefused(ClerkError):
    """Dieses Kennwort ist nicht möglich."""

    reason = "PASSWORD_REFUSED"

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__(" ".join(faults))


class Refusal(StrEnum):
    WRONG = "wrong"
    LOCKED = "locked"


class SignInRefused(ClerkError):
    """Die Anmeldung ist fehlgeschlagen. Unbekanntes Konto, gesperrtes Konto und falsches Kennwort sind von außen nicht zu unterscheiden."""  # noqa: E501

    reason = "SIGN_IN_REFUSED"

    def __init__(self, why: Refusal, *, until: datetime | None = None) -> None:
        self.why = why
        #: When the next attempt is possible.
        self.until = until
        super().__init__(_WORDS[why], reason=f"SIGN_IN_{why.upper()}")


_WORDS = {
    Refusal.WRONG: "Anmeldekennung oder Kennwort ist falsch.",
    Refusal.LOCKED: "Zu viele Fehlversuche. Die Anmeldung ist vorübergehend gesperrt.",
}
