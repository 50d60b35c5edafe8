"""How long silence is borne at most. Tests of silence shorten it; nobody may lengthen it unseen."""

import pytest

from federation.dispatch import session
from federation.gateway import calls, doorstep, sessions


@pytest.mark.parametrize(
    "seconds",
    [
        sessions.HELLO_TIMEOUT_S,
        sessions.WRITE_TIMEOUT_S,
        calls.ABORT_TIMEOUT_S,
        doorstep.REQUEST_TIMEOUT_S,
        session.HELLO_TIMEOUT_S,
        session.RECEIPT_TIMEOUT_S,
        session.STORE_TIMEOUT_S,
    ],
)
def test_a_silent_peer_is_borne_for_a_minute_at_most(seconds: float) -> None:
    assert 1 <= seconds <= 60
