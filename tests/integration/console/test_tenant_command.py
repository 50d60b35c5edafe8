"""What an operator is told who creates, closes, exports or deletes a municipality."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from django.conf import settings as django_settings
from pytest_django import Settings

from centre.audit.chain import CENTRE
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.directory import encoding
from centre.directory import services as directory
from centre.directory.records import AuthorityRecord, CentreRecord, Snapshot
from centre.kernel import clock
from centre.kernel.actors import system
from centre.keys.sign import SigningKey
from centre.registry import archive, deletion, selectors, services
from centre.registry.archive import ArchiveRefused
from centre.registry.models import Municipality, MunicipalityState
from centre.registry.selectors import MunicipalityUnknown
from console.cli import main
from console.commands import tenant as tenant_command
from console.errors import ConsoleError


@pytest.fixture
def run(
    as_process: Callable[[str], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Result]]:
    monkeypatch.setattr(tenant_command, "become", lambda *_, **__: None)
    with as_process("owner"):
        yield lambda *said: CliRunner().invoke(tenant_command.command, said)


def test_deletion_says_where_its_words_go(run: Callable[..., Result], tmp_path: Path) -> None:
    target = tmp_path / "alpha.zip"
    refused = run("delete", "alpha", "--export-to", str(target))
    assert isinstance(refused.exception, ConsoleError)
    alpha = selectors.municipality(slug="alpha")
    assert deletion.confirmation(alpha) in refused.exception.message
    assert "--confirm" in refused.exception.hint
    assert not target.exists()


@pytest.fixture
def town(
    run: Callable[..., Result], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Municipality:
    """A municipality without clerks and keys, and nobody who waits for it."""
    settings.TENANT_FOUNDERS = settings.TENANT_ENDINGS = settings.TENANT_LOSSES = []
    monkeypatch.setattr(deletion, "_GATEWAYS_S", 0.0)
    numbers = {"ags": "05770004", "ars": "057700004004"}
    return services.create_tenant(slug="delta", name="Delta", **numbers, by=system("tests"))


def test_a_deletion_that_is_done_is_told_again(
    run: Callable[..., Result], tmp_path: Path, town: Municipality
) -> None:
    target = tmp_path / "delta.zip"
    confirm = ("--confirm", deletion.confirmation(town))
    made = run("delete", "delta", "--export-to", str(target), *confirm)
    assert made.exit_code == 0, made.output
    (words,) = [line for line in made.output.splitlines() if line.startswith("delta: deleted ")]
    assert words.endswith(f" UTC; what it had is in {target}")
    again = run("delete", "delta", "--export-to", str(tmp_path / "other.zip"))
    assert (again.exit_code, again.output) == (0, f"{words}\n")
    assert not (tmp_path / "other.zip").exists()
    unknown = run("delete", "atlantis", "--export-to", str(target))
    assert isinstance(unknown.exception, MunicipalityUnknown)


def test_a_deletion_says_who_must_publish_while_the_directory_lists_the_town(
    run: Callable[..., Result], tmp_path: Path, town: Municipality, settings: Settings
) -> None:
    umbrella, now = SigningKey.generate(), clock.now()
    keys = (umbrella.verify_key.raw,)
    settings.DIRECTORY_CHECK_SECONDS = 0
    settings.AMTSBRUECKE = replace(django_settings.AMTSBRUECKE, umbrella_keys=keys)
    here = AuthorityRecord(
        id=town.authority_id, name="Delta", home_centre="krz", ags=town.ags, areas=()
    )

    def deleted(version: int, *listed: AuthorityRecord) -> str:
        """Return what is said of the deletion while this directory is in force."""
        centres = tuple(
            CentreRecord(id=name, name=name, endpoint="127.0.0.1:9", fingerprints=("ab" * 32,))
            for name in ("krz", "nord")
        )
        snapshot = Snapshot(
            version=version,
            published_at=now,
            expires_at=now + timedelta(days=7),
            centres=centres,
            authorities=listed,
        )
        directory.apply(signed=encoding.sign_snapshot(snapshot, by=umbrella), by=system("tests"))
        confirm = ("--confirm", deletion.confirmation(town))
        done = run("delete", "delta", "--export-to", str(tmp_path / "delta.zip"), *confirm)
        assert done.exit_code == 0, done.output
        return done.output[done.output.index("delta: deleted ") :]

    said = deleted(1, here)
    commands = ("directory areas", "directory entry", "directory publish")
    places = [said.index(f"`amtsbruecke {each} ") for each in commands]
    assert places == sorted(places)
    assert deleted(2, here) == said  # told until somebody has done it
    for version, listed in ((3, (replace(here, home_centre="nord"),)), (4, ())):
        assert deleted(version, *listed) == said.splitlines(keepends=True)[0]


def test_password_is_asked_for_at_a_terminal_only(run: Callable[..., Result]) -> None:
    numbers = ("--ags", "05770004", "--ars", "057700004004")
    refused = run("create", "delta", "--name", "Delta", *numbers, "--admin-login", "leitung")
    assert refused.exit_code == 2
    assert "--admin-password-stdin" in refused.output
    assert not selectors.hosted().filter(slug="delta").exists()


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("leitung", "The password needs at least 12 characters."),
        ("böse login<>", "A login has 2 to 60 characters"),
    ],
)
def test_what_an_account_is_refused_for_is_told_in_english(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, login: str, words: str
) -> None:
    monkeypatch.setenv("AMTSBRUECKE_HOME", "")
    numbers = ("--ags", "05770004", "--ars", "057700004004")
    account = ("--admin-login", login, "--admin-password-stdin")
    refused = CliRunner().invoke(
        main,
        ["tenant", "create", "delta", "--name", "Delta", *numbers, *account],
        input="kurz\n",
    )
    assert refused.exit_code == 2
    assert words in refused.output
    assert "Kenn" not in refused.output


def told(event: AuditEvent) -> list[tuple[str, dict[str, str]]]:
    """Return who did this to alpha, as the trail says, and what it says besides."""
    found = TrailEntry.objects.filter(tenant_role=CENTRE, subject="alpha", event=event)
    return [(each.content["actor"]["kind"], each.content["detail"]) for each in found]


def test_suspended_doors_stay_shut_until_they_are_resumed(run: Callable[..., Result]) -> None:
    for words in ("suspended", "is suspended already"):
        done = run("suspend", "alpha")
        assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"alpha: {words}")
    assert selectors.municipality(slug="alpha").state == MunicipalityState.SUSPENDED
    assert told(AuditEvent.TENANT_MUNICIPALITY_SUSPENDED) == [("operator", {})]
    for words in ("active", "is active already"):
        done = run("resume", "alpha")
        assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"alpha: {words}")
    assert selectors.municipality(slug="alpha").state == MunicipalityState.ACTIVE
    assert told(AuditEvent.TENANT_MUNICIPALITY_RESUMED) == [("operator", {})]
    assert selectors.municipality(slug="beta").state == MunicipalityState.ACTIVE


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_unknown_municipality_is_neither_closed_nor_opened(
    run: Callable[..., Result], verb: str
) -> None:
    assert isinstance(run(verb, "omega").exception, MunicipalityUnknown)


def test_export_writes_a_whole_archive_and_tells_the_trail(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    target = tmp_path / "alpha.zip"
    done = run("export", "alpha", str(target))
    assert done.exit_code == 0, done.output
    members = archive.check(target).members
    rows = sum(member.rows for member in members)
    assert rows > 0
    said = f"alpha: {rows} rows of {len(members)} tables and 0 files exported to {target}"
    assert done.output.splitlines()[-1] == said
    assert told(AuditEvent.TENANT_MUNICIPALITY_EXPORTED) == [("operator", {"rows": str(rows)})]


def lost(*, tenant_role: str) -> Iterator[tuple[str, Path, str]]:
    yield f"documents/of-{tenant_role}", Path("/nowhere/at/all"), ""


def test_export_names_what_it_has_not(
    run: Callable[..., Result], tmp_path: Path, settings: Settings
) -> None:
    settings.TENANT_FILES = [f"{__name__}.lost"]
    done = run("export", "alpha", str(tmp_path / "alpha.zip"))
    assert done.exit_code == 1, done.output
    assert "1 file is gone or broken" in done.output
    assert archive.check(tmp_path / "alpha.zip").lost_files == ("documents/of-krz_t_alpha",)


def test_export_replaces_no_other_file_and_then_tells_nothing(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    target = tmp_path / "there.zip"
    target.write_bytes(b"of somebody else")
    assert isinstance(run("export", "alpha", str(target)).exception, ArchiveRefused)
    assert target.read_bytes() == b"of somebody else"
    assert isinstance(
        run("export", "omega", str(tmp_path / "omega.zip")).exception, MunicipalityUnknown
    )
    assert [each.name for each in tmp_path.iterdir()] == [target.name]
    assert told(AuditEvent.TENANT_MUNICIPALITY_EXPORTED) == []
