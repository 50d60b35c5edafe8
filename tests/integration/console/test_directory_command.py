"""`amtsbruecke directory`: take a centre out, look at what is in force, check a file."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from django.conf import settings as django_settings

from centre.directory import encoding, selectors, services
from centre.directory.records import SIGN, Area, AuthorityRecord, CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.keys import keystore
from centre.keys.sign import SigningKey
from console import cli
from console.commands import directory as directory_command
from console.operator import operator

type Run = Callable[..., Result]

UMBRELLA = SigningKey.generate()
MINDEN = AuthorityRecord(
    id=UUID(int=1),
    name="Stadt Minden",
    home_centre="nord",
    ags="05770032",
    areas=(Area(postcode="32423", place="Minden"),),
)


@pytest.fixture(autouse=True)
def _fresh(db: None, settings: Any) -> Iterator[None]:
    settings.DIRECTORY_CHECK_SECONDS = 0
    settings.AMTSBRUECKE = replace(
        django_settings.AMTSBRUECKE, centre="kdn", umbrella_keys=(UMBRELLA.verify_key.raw,)
    )
    selectors.forget()
    yield
    selectors.forget()


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The logins that commands have chosen; the test's own database stays in use."""
    chosen: list[str] = []
    monkeypatch.setattr(directory_command, "become", lambda login, *_, **__: chosen.append(login))
    return chosen


@pytest.fixture
def run(chosen: list[str]) -> Run:
    """Return the function that runs `amtsbruecke directory …`; `typed` answers its questions."""
    return lambda *said, typed="": CliRunner().invoke(cli.main, ("directory", *said), input=typed)


def _directory(**changes: Any) -> Snapshot:
    """A directory, or with version 0 the registration, of the centre nord."""
    now = clock.now()
    nord = CentreRecord(
        id="nord", name="Rechenzentrum Nord", endpoint="127.0.0.1:9", fingerprints=("ab" * 32,)
    )
    plain = Snapshot(
        version=7,
        published_at=now,
        expires_at=now + timedelta(days=7),
        centres=(nord,),
        authorities=(MINDEN,),
    )
    return replace(plain, **changes)


# -- suspend ---------------------------------------------------------------------------------


@pytest.fixture
def registered(db: None) -> None:
    """The umbrella has published nord's registration as version 1."""
    keystore.create_centre_keys()
    key, plain = SigningKey.generate(), _directory(version=0)
    public = PublicKey(
        kid=key.kid, purpose=SIGN, suite="Ed25519", raw=key.verify_key.raw, not_before=clock.now()
    )
    nord = replace(plain.centres[0], keys=(public,))
    entry = encoding.sign_snapshot(replace(plain, centres=(nord,)), by=key)
    assert services.publish(entries=[entry], by=operator()) == 1


def _state() -> str:
    nord = selectors.current().centre("nord")
    assert nord is not None
    return nord.state


@pytest.mark.process("owner")
@pytest.mark.usefixtures("registered")
def test_a_centre_is_suspended_and_let_in_again(run: Run, chosen: list[str]) -> None:
    done = run("suspend", "nord", "--yes")
    assert (done.exit_code, done.output) == (0, "nord is suspended as of version 2.\n")
    assert _state() == "suspended"
    done = run("suspend", "nord", "--lift", "--yes")
    assert (done.exit_code, done.output) == (0, "nord is active as of version 3.\n")
    assert _state() == "active"
    assert chosen == ["owner", "owner"]


@pytest.mark.process("owner")
@pytest.mark.usefixtures("registered")
def test_nobody_is_suspended_without_a_yes(run: Run, chosen: list[str]) -> None:
    done = run("suspend", "nord", typed="n\n")
    assert done.exit_code == 1
    assert "This stops or admits all its letters. Go on?" in done.output
    assert (chosen, _state()) == ([], "active")
    assert run("suspend", "nord", typed="y\n").exit_code == 0
    assert _state() == "suspended"


@pytest.mark.process("owner")
@pytest.mark.usefixtures("registered")
def test_a_centre_that_is_not_registered_is_refused_by_name(run: Run) -> None:
    done = run("suspend", "mars", "--yes")
    assert done.exit_code == 2
    assert "No centre 'mars' is registered here." in done.stderr
    assert selectors.current().version == 1


# -- show ------------------------------------------------------------------------------------


@pytest.mark.process("worker")
def test_the_version_in_force_is_shown_with_its_centres_and_its_age(
    run: Run, chosen: list[str]
) -> None:
    published = clock.now() - timedelta(days=3)
    signed = encoding.sign_snapshot(_directory(published_at=published), by=UMBRELLA)
    services.apply(signed=signed, by=operator())
    done = run("show")
    assert done.exit_code == 0, done.output
    head, centre, certificate, foot = done.output.splitlines()
    assert head == (
        f"Version 7, published {published:%Y-%m-%d %H:%M:%S} UTC, 1 centre, 1 authority"
    )
    assert centre.split(maxsplit=3) == ["nord", "active", "127.0.0.1:9", "Rechenzentrum Nord"]
    assert certificate.split() == ["certificate", "ab" * 32]
    assert foot == f"Digest {encoding.digest(signed)}, stale"
    assert chosen == ["worker"]
    more = run("show", "--authorities").output.splitlines()
    assert [*more[:3], more[-1]] == [head, centre, certificate, foot]
    assert [line.split() for line in more[3:-1]] == [
        [str(MINDEN.id), "nord", "05770032", "Stadt", "Minden"],
        ["area", "32423", "Minden"],
    ]


@pytest.mark.process("worker")
def test_without_a_directory_the_way_to_one_is_told(run: Run) -> None:
    done = run("show")
    assert done.exit_code == 2
    assert "directory fetch" in done.stderr


# -- verify ----------------------------------------------------------------------------------


def test_a_file_is_checked_with_the_keys_that_are_named(
    run: Run, chosen: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "directory"
    file.write_bytes(encoding.sign_snapshot(_directory(), by=UMBRELLA))
    ours, other = UMBRELLA.verify_key.raw.hex(), SigningKey.generate().verify_key.raw.hex()
    done = run("verify", str(file), "--key", other, "--key", ours)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Version 7, published ")
    assert done.output.endswith("The signature is valid.\n")
    refused = run("verify", str(file), "--key", other)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "No key that we trust has signed this directory." in refused.stderr
    file.write_bytes(file.read_bytes().replace(b"127.0.0.1:9", b"127.0.0.1:8"))
    refused = run("verify", str(file), "--key", ours)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "The signature does not fit" in refused.stderr
    assert chosen == []


def test_a_key_that_is_not_hexadecimal_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "directory"
    file.write_bytes(b"")
    refused = run("verify", str(file), "--key", "xyz")
    assert refused.exit_code == 2
    assert "A key is not hexadecimal." in refused.stderr
