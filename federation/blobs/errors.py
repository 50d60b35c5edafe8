"""What can be wrong with a sealed document."""

from centre.kernel.errors import AmtsbrueckeError


class BlobError(AmtsbrueckeError):
    """A document cannot be stored or read."""

    reason = "BLOB"


class BlobTooLarge(BlobError):
    """The document is larger than what may be exchanged."""

    reason = "BLOB_TOO_LARGE"


class BlobQuotaExceeded(BlobError):
    """The municipality's space for documents is used up."""

    reason = "BLOB_QUOTA_EXCEEDED"


class BlobMissing(BlobError):
    """The document is not here, or not whole."""

    reason = "BLOB_MISSING"


class FilesUnusable(BlobError):
    """The folder of the documents cannot be used now."""

    reason = "BLOB_FILES_UNUSABLE"


class FilesFull(FilesUnusable):
    """There is no space left for documents."""

    reason = "BLOB_FILES_FULL"


class FileBusy(FilesUnusable):
    """Another call writes this document just now."""

    reason = "BLOB_FILE_BUSY"
