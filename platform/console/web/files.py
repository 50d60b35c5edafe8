"""The pages' style sheets, scripts and fonts, where the web server hands them out from.

To import only after `roles.become`.
"""

import fcntl
import json
from pathlib import Path

import structlog
from django.conf import settings
from django.core.management import call_command

from console.errors import ConsoleError

log = structlog.get_logger(__name__)


class FilesMissing(ConsoleError):
    """The folder of static files cannot be written, and has none."""

    reason = "FILES_MISSING"


def _heal(manifest: Path) -> None:
    """Remove a list of files that cannot be read: it is made anew."""
    if not manifest.exists():
        return
    try:
        sound = isinstance(json.loads(manifest.read_bytes())["paths"], dict)
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        log.warning("broken list of static files made anew", file=str(manifest))
        manifest.unlink()


def collect() -> None:
    """Bring them to this version; one process at a time, where several share the folder.

    A folder that cannot be written and is filled, as in a container, is used as it is.
    """
    folder = settings.STATIC_ROOT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _heal(folder / "staticfiles.json")
            call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        if not (folder / "staticfiles.json").exists():
            raise FilesMissing(
                f"The pages would have no looks: {folder} cannot be written ({error.strerror}).",
                hint="Let this account write there, or fill the folder when the image is built.",
            ) from error
        log.info("static files used as they are", folder=str(folder), error=error.strerror)
