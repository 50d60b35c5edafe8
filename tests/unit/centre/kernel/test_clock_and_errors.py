from datetime import UTC, date, datetime, timedelta

import pytest

from centre.kernel import clock
from centre.kernel.actors import ActorKind, system
from centre.kernel.errors import AmtsbrueckeError


def test_frozen_clock_stands_still_and_thaws() -> None:
    moment = datetime(2026, 2, 15, 8, tzinfo=UTC)
    with clock.frozen(moment):
        assert clock.now() == moment
        assert clock.in_future(days=1) == moment + timedelta(days=1)
    assert clock.now() != moment


def test_a_day_begins_at_midnight_in_germany() -> None:
    with clock.frozen(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)):
        assert clock.today() == date(2026, 7, 1)


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"), clock.frozen(datetime(2026, 1, 1)):  # noqa: DTZ001
        pass


def test_docstring_is_the_default_message() -> None:
    class TooLateError(AmtsbrueckeError):
        """The time for this has passed."""

        reason = "TOO_LATE"

    assert str(TooLateError()) == "The time for this has passed."
    assert TooLateError().reason == "TOO_LATE"
    assert TooLateError("Zu spät.", reason="EXPIRED").reason == "EXPIRED"


def test_system_actor_is_named_after_its_process() -> None:
    actor = system("worker")
    assert (actor.kind, actor.id, actor.name) == (ActorKind.SYSTEM, "worker", "worker")
