"""`amtsbruecke evidence export`: the file that an operator takes of a case."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.errors import AmtsbrueckeError
from centre.registry.models import Municipality
from console.cli import main
from console.commands import evidence as evidence_command
from console.errors import ConsoleError
from tenants.cases import evidence, services
from tests.factories.requests import request
from tests.integration.tenants.cases.conftest import a, b, c, known, post
from tests.integration.tenants.cases.test_evidence import keys, publish

__all__ = ["a", "b", "c", "keys", "known", "post", "publish"]

pytestmark = pytest.mark.process("worker")

type Town = Any
type Export = Callable[..., Result]


@pytest.fixture
def case_id(a: Town, b: Town, post: Any) -> UUID:
    """A request of alpha that lies at beta; gamma has nothing of it."""
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    found: UUID = case.id
    return found


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Return the function that exports a case, as a process that is set up already."""
    monkeypatch.setattr(evidence_command, "become", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)

    def export(case: object, *options: str, tenant: str = "alpha") -> Result:
        arguments = ["export", str(case), "--tenant", tenant, *options]
        return CliRunner().invoke(evidence_command.command, arguments)

    return export


def verify(path: Path) -> Result:
    return CliRunner().invoke(main, ["evidence", "verify", str(path)])


def exports(town: Town, case_id: UUID) -> int:
    """Return how often the trail of a town says that the case's evidence was taken."""
    told = TrailEntry.objects.filter(
        tenant_role=town.municipality.tenant_role,
        event=AuditEvent.CASE_EVIDENCE_EXPORTED,
        subject=town.case(case_id).reference,
    )
    return told.count()


@pytest.mark.usefixtures("publish")
def test_file_of_a_reference_or_an_id_is_what_verify_accepts(
    export: Export, tmp_path: Path, a: Town, case_id: UUID
) -> None:
    reference = a.case(case_id).reference
    done = export(reference)
    assert done.exit_code == 0, done.output
    file = tmp_path / f"nachweis-{reference}.zip"
    assert done.output.startswith(f"{file.name}: {file.stat().st_size} bytes.")
    assert file.stat().st_mode & 0o777 == 0o600  # content lies open in it
    chosen = tmp_path / "other.zip"
    assert export(case_id, "--into", str(chosen)).exit_code == 0
    for each in (file, chosen):
        verdict = verify(each)
        # No gateway has given a receipt here; all else is proven.
        assert verdict.exit_code == 3, verdict.output
        assert f"{reference} ({case_id})" in verdict.output
    with a.scope():
        assert exports(a, case_id) == 2


def test_no_file_is_replaced_and_then_nothing_was_taken(
    export: Export, tmp_path: Path, a: Town, case_id: UUID
) -> None:
    there = tmp_path / "there.zip"
    there.write_bytes(b"of somebody else")
    done = export(case_id, "--into", str(there))
    assert isinstance(done.exception, ConsoleError)
    assert "is there already" in done.exception.message
    assert "--into" in done.exception.hint
    assert there.read_bytes() == b"of somebody else"
    with a.scope():
        assert exports(a, case_id) == 0


def test_export_that_fails_leaves_no_file(
    export: Export, tmp_path: Path, case_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(evidence, "export_evidence", fail)
    assert isinstance(export(case_id).exception, ZeroDivisionError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["05770024-1999-1", "01a21f53-c641-7f50-b28d-a8a4d2126032", "../up"]
)
def test_unknown_case_is_said_to_be_none(
    export: Export, tmp_path: Path, alpha: Municipality, name: str
) -> None:
    done = export(name)
    assert isinstance(done.exception, ConsoleError)
    assert done.exception.message == f"alpha has no case {name}."
    assert list(tmp_path.iterdir()) == []


def test_case_of_other_towns_is_unknown_to_one_that_has_no_part_in_it(
    export: Export, tmp_path: Path, a: Town, case_id: UUID
) -> None:
    for name in (str(case_id), a.case(case_id).reference):
        done = export(name, tenant="gamma")
        assert isinstance(done.exception, ConsoleError)
        assert done.exception.message == f"gamma has no case {name}."
    assert isinstance(export(case_id, tenant="omega").exception, AmtsbrueckeError)
    assert list(tmp_path.iterdir()) == []
