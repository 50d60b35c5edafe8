"""What documents may be refused."""

from centre.kernel.errors import AmtsbrueckeError


class DocumentError(AmtsbrueckeError):
    """Mit diesem Dokument geht das nicht."""

    reason = "DOCUMENT"


class DocumentRefused(DocumentError):
    """Dieses Dokument wird nicht angenommen. Möglich sind PDF, PNG, JPEG, TIFF und Text."""

    reason = "DOCUMENT_REFUSED"


class DocumentNotFound(DocumentError):
    """Dieses Dokument gibt es hier nicht."""

    reason = "DOCUMENT_NOT_FOUND"


class DocumentUnavailable(DocumentError):
    """Dieses Dokument kann zurzeit nicht gelesen werden."""

    reason = "DOCUMENT_UNAVAILABLE"


class DocumentBroken(DocumentUnavailable):
    """Dieses Dokument ist beschädigt und kann nicht gelesen werden."""

    reason = "DOCUMENT_BROKEN"


class DocumentSent(DocumentError):
    """Das Dokument ist schon abgesandt und gehört zur Akte; es kann nicht mehr entfernt werden."""

    reason = "DOCUMENT_SENT"
