"""What every test stands on. The fixtures for the database are in `tests/plugins/database.py`."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

# A worker of a parallel run inherits what the first process has set below.
if "DJANGO_SETTINGS_MODULE" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
    pytest.exit("Tests bring their own settings: unset DJANGO_SETTINGS_MODULE", returncode=4)

# Settings are read once, at import: a test run sees nothing of the shell that started it, but for
# the servers that somebody wants to test with.
for name in [name for name in os.environ if name.startswith("AMTSBRUECKE_")]:
    if not name.startswith("AMTSBRUECKE_TEST_"):
        del os.environ[name]

_home = Path(tempfile.mkdtemp(prefix="amtsbruecke-tests-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
(_home / "static").mkdir()
(_home / "master.key").touch(mode=0o600)
(_home / "master.key").write_bytes(bytes(range(32)))
os.environ.update(
    DJANGO_SETTINGS_MODULE="centre.config.settings",
    AMTSBRUECKE_HOME=str(_home),
    AMTSBRUECKE_CENTRE="krz",
    AMTSBRUECKE_PROCESS="web",
    AMTSBRUECKE_SECRET_KEY="of-tests-only-" + "x" * 40,
    AMTSBRUECKE_MASTER_KEY_FILE=str(_home / "master.key"),
    AMTSBRUECKE_WEB_DOMAIN="krz.localhost",
)

django.setup()

pytest_plugins = [
    "tests.plugins.no_skips",
    "tests.plugins.loopback",
    "tests.plugins.database",
    "tests.plugins.documents",
    "tests.plugins.gateway",
    "tests.plugins.versions",
]


@pytest.fixture(autouse=True)
def _fresh_memory() -> Iterator[None]:
    """Forget keys and directory of the database before, and the language of the last page."""
    from django.contrib.contenttypes.models import ContentType
    from django.utils import translation

    from centre.directory import selectors as directory
    from centre.keys import keystore

    keystore.forget()
    directory.forget()
    ContentType.objects.clear_cache()
    yield
    translation.deactivate()
    keystore.forget()
    directory.forget()
