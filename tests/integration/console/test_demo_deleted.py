"""The demo goes on without a town that somebody has deleted."""

import io
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from centre.directory import services as directory
from centre.kernel.errors import AmtsbrueckeError
from centre.registry.models import Municipality, MunicipalityState
from console import migrations
from console.demo import entries, report, steps, traffic
from console.demo.plan import make_plan
from console.errors import DemoStuck
from console.home import Home

HOME = Home(Path("/nowhere"))
TOWNS = tuple(
    replace(town, slug=slug, name=slug.title())
    for town, slug in zip(make_plan(9000).centres[0].towns, ("alpha", "beta"), strict=False)
)
_LETTER = """
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
       envelope, digest, expires_at, accepted_at)
VALUES (gen_random_uuid(), %s, 'sachsen', gen_random_uuid(), gen_random_uuid(), 1, %s, 0, '', '',
       now(), now())
"""
_CANCELLED = """
INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, case_id, kind, state, reason,
       died_at, resolution)
SELECT gen_random_uuid(), id, tenant_role, link, case_id, kind, 'refused', 'RECIPIENT_DELETED',
       now(), 'cancelled' FROM outbox_letter WHERE kind = 'withdrawal'
"""


@pytest.fixture
def beta_is_deleted(as_process: Callable[[str], AbstractContextManager[None]]) -> None:
    with as_process("owner"):
        beta = Municipality.objects.filter(slug="beta")
        assert beta.update(state=MunicipalityState.DELETED) == 1


def test_a_deleted_town_is_neither_founded_nor_registered(
    beta_is_deleted: None,
    as_process: Callable[[str], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    founded: list[list[str]] = []
    registered: list[list[str]] = []
    migrated = SimpleNamespace(require_success=lambda: None)
    monkeypatch.setattr(steps, "towns", lambda: TOWNS)
    monkeypatch.setattr(steps, "become", lambda _: None)
    monkeypatch.setattr(migrations, "migrate", lambda **_: migrated)
    monkeypatch.setattr(directory, "create_centre_keys", lambda **_: None)
    monkeypatch.setattr(steps, "_found_towns", lambda of: founded.append([t.slug for t in of]))
    monkeypatch.setattr(
        entries, "registration", lambda _, of: registered.append([t.slug for t in of])
    )
    with as_process("owner"):
        said = steps.found({"title": "X", "towns": ["alpha", "beta"]})
    assert founded == registered == [["alpha"]]
    assert said["summary"].startswith("1 municipality in ")
    assert said["summary"].endswith(", without Beta (deleted)")


def test_only_towns_that_are_there_take_part(
    beta_is_deleted: None, dsn: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_connect", lambda *_: psycopg.connect(dsn("owner")))
    plan = make_plan(9000)
    plan = replace(plan, centres=(replace(plan.centres[0], towns=TOWNS),))
    there = report.without_deleted(HOME, plan)
    assert [town.slug for town in there.centres[0].towns] == ["alpha"]
    nobody = replace(plan, centres=(replace(plan.centres[0], towns=()),))
    with pytest.raises(DemoStuck, match="Nobody is left in krz"):
        traffic.post_sample(HOME, nobody, lambda _: None)


def test_what_the_deleted_sent_and_what_was_cancelled_keeps_nobody_waiting(
    beta_is_deleted: None,
    as_process: Callable[[str], AbstractContextManager[None]],
    dsn: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The registration of a request went with its sender; a cancelled letter goes nowhere."""
    monkeypatch.setattr(report, "_connect", lambda *_: psycopg.connect(dsn("owner")))
    plan = make_plan(9000)
    plan = replace(plan, centres=(replace(plan.centres[0], towns=TOWNS),))
    before = report.count(HOME, plan)
    with as_process("owner"):
        alpha, beta = (Municipality.objects.get(slug=slug) for slug in ("alpha", "beta"))
    with psycopg.connect(dsn("owner")) as connection:
        for sender, kind in ((beta, report.REQUEST), (alpha, "withdrawal")):
            connection.execute(_LETTER, [sender.tenant_role, kind])
        connection.execute(_CANCELLED)
    found = report.count(HOME, plan)
    assert (found.sent, found.under_way) == (before.sent, before.under_way + 1)


def test_a_step_that_fails_says_why_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Any) -> dict[str, Any]:
        raise AmtsbrueckeError("The post is closed.")

    monkeypatch.setitem(steps.STEPS, "found", fail)
    monkeypatch.setattr(sys, "argv", ["steps", "found"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}"))
    with pytest.raises(SystemExit) as end:
        steps.main()
    assert end.value.code == "Error: The post is closed."
    assert "Traceback" in capsys.readouterr().err  # for the log
