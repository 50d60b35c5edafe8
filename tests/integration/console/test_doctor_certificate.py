"""What the doctor says of the centre's certificate, and whether the directory lists it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from centre.config.environment import CentreRole, Environment, Process
from centre.directory import encoding, selectors, services
from centre.directory.records import CentreRecord, Snapshot
from centre.kernel import clock
from centre.kernel.actors import system
from centre.keys import pki
from centre.keys.sign import SigningKey
from console.doctor import Finding, Grade, identity

pytestmark = pytest.mark.process("owner")

UMBRELLA = SigningKey.generate()


@pytest.fixture
def krz(db: None, settings: Any, tmp_path: Path) -> Iterator[Environment]:
    """The centre krz with a certificate, which the tests spoil."""
    settings.DIRECTORY_CHECK_SECONDS = 0
    settings.AMTSBRUECKE = environment = replace(
        settings.AMTSBRUECKE,
        process=Process.OWNER,
        role=CentreRole.CENTRE,
        centre="krz",
        umbrella_keys=(UMBRELLA.verify_key.raw,),
        tls_dir=tmp_path / "krz",
    )
    selectors.forget()
    pki.create_authority(tmp_path / "pki")
    for name in ("krz", "nord"):
        pki.issue(tmp_path / "pki", name, tmp_path / name)
    yield environment
    selectors.forget()


def _apply(*fingerprints: str, version: int) -> None:
    at = clock.now()
    centre = CentreRecord(id="krz", name="KRZ", endpoint="a:1", fingerprints=fingerprints)
    snapshot = Snapshot(version=version, published_at=at, expires_at=at, centres=(centre,))
    services.apply(signed=encoding.sign_snapshot(snapshot, by=UMBRELLA), by=system("tests"))


def test_a_certificate_is_valid_for_as_long_as_it_was_issued(krz: Environment) -> None:
    assert [*identity.certificate(krz)] == [Finding(Grade.GOOD, "certificate valid for 90 days")]


def test_a_key_that_is_not_the_certificates_is_a_problem(krz: Environment, tmp_path: Path) -> None:
    (tmp_path / "nord" / "centre.key").replace(tmp_path / "krz" / "centre.key")
    problem, _ = identity.certificate(krz)
    assert problem.grade is Grade.BAD
    assert "centre.key is not the private key of" in problem.text


def test_the_certificate_of_a_neighbour_is_a_problem(krz: Environment, tmp_path: Path) -> None:
    (problem, _) = identity.certificate(replace(krz, tls_dir=tmp_path / "nord"))
    assert problem.grade is Grade.BAD
    assert "is the certificate of urn:amtsbruecke:centre:nord, not of" in problem.text


@pytest.mark.parametrize("name", ["centre.pem", "centre.key"])
def test_what_is_no_pem_is_a_problem(krz: Environment, tmp_path: Path, name: str) -> None:
    (tmp_path / "krz" / name).write_text("nonsense")
    (problem,) = identity.certificate(krz)
    assert problem.grade is Grade.BAD
    assert "PEM" in problem.text


def test_a_certificate_that_the_directory_lacks_is_a_problem(
    krz: Environment, tmp_path: Path
) -> None:
    assert [*identity.listed(krz)] == []  # without any directory that is the finding
    ours = pki.fingerprint((tmp_path / "krz" / "centre.pem").read_bytes())
    _apply("ab" * 32, version=1)
    (problem,) = identity.listed(krz)
    assert problem.grade is Grade.BAD
    assert f"does not list our certificate {ours}: amtsbruecke directory entry" in problem.text
    (problem,) = identity.listed(replace(krz, centre="nord"))
    assert "does not list this centre: amtsbruecke directory entry" in problem.text
    _apply("ab" * 32, ours, version=2)
    assert [*identity.listed(krz)] == [Finding(Grade.GOOD, "the directory lists our certificate")]
