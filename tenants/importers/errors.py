from centre.kernel.errors import AmtsbrueckeError


class ImporterError(AmtsbrueckeError):
    """Der Import ist so nicht möglich."""

    reason = "IMPORT"


class FileRefused(ImporterError):
    """Die Datei kann nicht gelesen werden."""

    reason = "IMPORT_FILE_REFUSED"


class RunNotFound(ImporterError):
    """Diesen Import gibt es nicht."""

    reason = "IMPORT_NOT_FOUND"


class RunNotReady(ImporterError):
    """Dieser Schritt ist beim jetzigen Stand des Imports nicht möglich."""

    reason = "IMPORT_NOT_READY"
