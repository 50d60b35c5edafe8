"""Where the pages' style sheets, scripts and fonts come from."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Statics(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Compressed files whose names carry their digest, so that browsers may keep them for ever.

    Before `collectstatic` has run there is no manifest; then names stay as they are and the pages
    come without their looks, rather than not at all.
    """

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        if not self.hashed_files:
            return name
        return str(super().stored_name(name))
