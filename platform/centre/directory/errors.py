from centre.kernel.errors import AmtsbrueckeError


class DirectoryError(AmtsbrueckeError):
    """The directory refuses this."""

    reason = "DIRECTORY"


class DirectoryMissing(DirectoryError):
    """There is no directory yet; fetch it with `amtsbruecke --centre NAME directory fetch`."""

    reason = "DIRECTORY_MISSING"


class SnapshotInvalid(DirectoryError):
    """This is no directory that could be trusted; the last good one stays in use."""

    reason = "SNAPSHOT_INVALID"


class SnapshotOutdated(DirectoryError):
    """A newer directory is already in use; the directory never goes back."""

    reason = "SNAPSHOT_OUTDATED"


class SnapshotForked(DirectoryError):
    """Two different directories bear one version. Tell the umbrella organisation at once."""

    reason = "SNAPSHOT_FORKED"


class EntryInvalid(DirectoryError):
    """This registration of a centre cannot be published."""

    reason = "ENTRY_INVALID"
