"""Sessions that have ended do not pile up."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from centre.kernel import clock
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from tenants.clerks import services, tasks


@pytest.mark.process("worker")
def test_sessions_that_have_ended_are_cleared_in_each_municipality(
    committed_db: None, alpha: Municipality, beta: Municipality
) -> None:
    now = clock.now()
    for town in (alpha, beta):
        with tenant_scope(town):
            for name, left in (("old", timedelta(seconds=-1)), ("new", timedelta(hours=1))):
                Session.objects.create(session_key=name, session_data="", expire_date=now + left)
    assert services.clear_sessions(municipality=alpha) == 1
    tasks.clear_sessions()
    for town in (alpha, beta):
        with tenant_scope(town):
            assert [each.session_key for each in Session.objects.all()] == ["new"]
