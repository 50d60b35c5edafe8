"""What services of cases refuse, in words for clerks."""

from collections.abc import Mapping

from centre.kernel.errors import AmtsbrueckeError
from tenants.cases.faults import Fault
from tenants.cases.words import Words


class CaseError(AmtsbrueckeError):
    """Mit diesem Vorgang geht das nicht."""

    reason = "CASE"


class CaseNotFound(CaseError):
    """Diesen Vorgang gibt es hier nicht."""

    reason = "CASE_NOT_FOUND"


class CaseChanged(CaseError):
    """Der Vorgang wurde inzwischen geändert. Nichts wurde gespeichert; laden Sie die Seite neu und prüfen Sie den neuen Stand."""  # noqa: E501

    reason = "CASE_CHANGED"


class NotAllowed(CaseError):
    """Dazu fehlt Ihnen die Berechtigung."""

    reason = "NOT_ALLOWED"


class StepNotPossible(CaseError):
    """Das ist im jetzigen Stand des Vorgangs nicht möglich."""

    reason = "STEP_NOT_POSSIBLE"

    @staticmethod
    def words(state_label: str) -> str:
        """Return what to tell somebody whose step comes too late."""
        return Words(
            "Das ist nicht mehr möglich: Der Vorgang steht auf „%(state)s“.",
            state=Words(state_label),
        )


class OtherAuthorityPresent(StepNotPossible):
    """Die andere Behörde steht im Verzeichnis: Der Vorgang wird mit ihr zusammen beendet."""

    reason = "OTHER_AUTHORITY_PRESENT"


class InputInvalid(CaseError):
    """Die Eingabe ist unvollständig oder fehlerhaft. Nichts wurde gespeichert."""

    reason = "INPUT_INVALID"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        #: Everything that is wrong, with the place.
        self.faults = faults
        super().__init__(" ".join(fault.text for fault in faults[:5]))


class DraftInvalid(InputInvalid):
    """Das Ersuchen ist unvollständig oder fehlerhaft. Nichts wurde abgesandt."""

    reason = "DRAFT_INVALID"


class DraftsInvalid(CaseError):
    """Mindestens ein Ersuchen ist fehlerhaft. Keines wurde abgesandt."""

    reason = "DRAFTS_INVALID"

    def __init__(self, faults: Mapping[int, tuple[Fault, ...]]) -> None:
        #: By the place of the draft in the list, counted from 0.
        self.faults = faults
        super().__init__()


class NotResendable(CaseError):
    """Diese Nachricht ist unterwegs oder zugestellt und kann nicht erneut gesendet werden."""

    reason = "NOT_RESENDABLE"
