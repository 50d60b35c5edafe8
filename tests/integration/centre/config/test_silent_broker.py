"""A broker that takes connections and says nothing costs seconds and a wake-up, nothing more."""

import socket
from collections.abc import Iterator

import pytest
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

pytestmark = pytest.mark.slow


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections into its queue; nobody ever reads from them."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server.getsockname()[1]


@pytest.mark.timeout(60)
def test_silent_broker_is_given_up(silent: int) -> None:
    broker = {"broker_url": f"redis://127.0.0.1:{silent}/0"}
    app = Celery("tests", set_as_current=False, config_source={**settings.CELERY, **broker})
    with pytest.raises(OperationalError, match="Timeout"):
        app.send_task("tests.nothing", retry=False)
