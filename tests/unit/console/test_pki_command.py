"""`amtsbruecke pki`: a certificate is renewed in two steps, with what to do next."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from centre.config.environment import Environment
from centre.kernel import clock
from centre.keys import pki
from centre.keys.errors import CertificateFault
from console.commands import pki as pki_command
from console.doctor import identity
from console.errors import ConsoleError
from console.home import Home
from console.moments import moment

type Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return the function that runs the command; the centre `krz` has a certificate."""
    home = Home(tmp_path)
    pki.create_authority(home.path / "pki")
    home.centre("krz").create()
    home.centre("krz").write_settings({})
    pki.issue(home.path / "pki", "krz", home.centre("krz").tls)
    return lambda *said: CliRunner().invoke(pki_command.command, said, obj=home)


def test_renewed_certificate_waits_beside_the_old_until_it_is_activated(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMTSBRUECKE_CENTRE", raising=False)
    tls = Home(tmp_path).centre("krz").tls
    before = (tls / "centre.pem").read_bytes()
    first = run("renew", "krz")
    assert first.exit_code == 0, first.output
    assert (tls / "centre.pem").read_bytes() == before
    waiting = (tls / "centre.next.pem").read_bytes()
    until = moment(pki.describe(waiting).not_after)
    ours = "amtsbruecke --centre krz directory"
    assert first.output.splitlines() == [
        f"{tls / 'centre.next.pem'}: valid until {until}",
        f"fingerprint for the directory: {pki.fingerprint(waiting)}",
        f"then: {ours} areas > AREAS.csv",
        f'      {ours} entry AREAS.csv krz.entry --name "…", for the umbrella',
        f"      {ours} fetch, once it is published",
        "then: amtsbruecke pki renew krz --activate",
    ]
    Home(tmp_path).centre("krz").settings_file.unlink()  # no directory here can be asked
    refused = run("renew", "krz", "--activate", "--into", str(tls))
    assert isinstance(refused.exception, ConsoleError)
    assert "--unlisted" in refused.exception.hint
    assert (tls / "centre.pem").read_bytes() == before
    second = run("renew", "krz", "--activate", "--into", str(tls), "--unlisted")
    assert second.output == f"{tls / 'centre.pem'}: valid until {until}\n"
    assert (tls / "centre.pem").read_bytes() == waiting != before
    assert not (tls / "centre.next.pem").exists()


def test_certificate_and_authority_may_lie_elsewhere(run: Run, tmp_path: Path) -> None:
    authority, into = tmp_path / "other-pki", tmp_path / "other-tls"
    options = ("--authority", str(authority), "--into", str(into))
    run("init", "--authority", str(authority))
    run("issue", "nord", *options)
    assert run("renew", "nord", *options).exit_code == 0
    assert run("renew", "nord", "--into", str(into), "--activate", "--unlisted").exit_code == 0
    leaf, root = (
        x509.load_pem_x509_certificate(path.read_bytes())
        for path in (into / "centre.pem", authority / "ca.pem")
    )
    leaf.verify_directly_issued_by(root)
    assert leaf.subject.rfc4514_string() == "CN=nord"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("renew krz --activate", "renew the certificate first"),
        ("issue krz", "renew it instead"),
    ],
)
def test_step_that_cannot_be_taken_says_why(run: Run, said: str, words: str) -> None:
    refused = run(*said.split())
    assert isinstance(refused.exception, CertificateFault)
    assert words in refused.exception.message


@pytest.mark.parametrize(
    ("said", "words", "following"),
    [
        ("issue krzz", "no centre 'krzz'", "amtsbruecke centre create"),
        ("renew krzz", "(known: krz)", "amtsbruecke centre create"),
        ("issue krz --authority nowhere --into new", "no authority in nowhere", "init --authority"),
        ("renew krz --authority nowhere", "no authority in nowhere", "init --authority nowhere"),
        ("renew nord --into nowhere", "no certificate nowhere/", "pki issue nord"),
        ("show nord", "no certificate nord", "(known: krz)"),
    ],
)
def test_what_is_missing_is_told_with_the_next_command_and_nothing_is_left_behind(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    words: str,
    following: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    refused = run(*said.split())
    assert isinstance(refused.exception, ConsoleError)
    assert words in refused.exception.message
    assert following in refused.exception.hint
    assert sorted(tmp_path.rglob("*")) == before


def test_an_address_that_is_none_leaves_no_folder(run: Run, tmp_path: Path) -> None:
    refused = run("issue", "nord", "--into", str(tmp_path / "new"), "--ip", "nonsense")
    assert isinstance(refused.exception, CertificateFault)
    assert not (tmp_path / "new").exists()


def test_a_certificate_is_shown_by_the_name_of_its_centre(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = Home(tmp_path).centre("krz").tls
    shown = run("show", str(tls / "centre.pem")).output
    assert "urn:amtsbruecke:centre:krz" in shown
    monkeypatch.chdir(tmp_path)
    (tmp_path / "krz").mkdir()  # a folder of that name does not stand in the way
    for which in ("krz", str(tls)):
        assert run("show", which).output == shown
    (tls / "centre.pem").unlink()
    assert "pki issue krz" in str(run("show", "krz").exception)


def test_certificate_of_another_centre_is_neither_renewed_nor_activated(
    run: Run, tmp_path: Path
) -> None:
    """A slip in --into would give a centre the name of its neighbour."""
    tls = Home(tmp_path).centre("krz").tls
    for step in ((), ("--activate",)):
        before = {path.name: path.read_bytes() for path in tls.iterdir()}
        refused = run("renew", "nord", "--into", str(tls), *step)
        assert isinstance(refused.exception, CertificateFault)
        assert "is the certificate of krz, not of nord" in refused.exception.message
        assert "--into" in refused.exception.message
        assert {path.name: path.read_bytes() for path in tls.iterdir()} == before
        run("renew", "krz")


def test_a_renewed_certificate_for_another_key_is_not_activated(run: Run, tmp_path: Path) -> None:
    """An authority of one's own easily makes a new key, and the old one would stay in use."""
    tls = Home(tmp_path).centre("krz").tls
    before = (tls / "centre.pem").read_bytes()
    pki.issue(tmp_path / "pki", "krz", tmp_path / "anew")
    (tmp_path / "anew" / "centre.pem").rename(tls / "centre.next.pem")
    refused = run("renew", "krz", "--activate", "--unlisted")
    assert isinstance(refused.exception, CertificateFault)
    assert "another key" in refused.exception.message
    assert (tls / "centre.pem").read_bytes() == before


def test_the_umbrella_stands_in_no_directory_and_renews_at_once(run: Run, tmp_path: Path) -> None:
    umbrella = Home(tmp_path).centre("krz")
    umbrella.write_settings({"AMTSBRUECKE_ROLE": "umbrella"})
    said = run("renew", "krz").output
    assert said.endswith("\nthen: amtsbruecke pki renew krz --activate\n")
    assert "entry" not in said
    assert run("renew", "krz", "--activate").exit_code == 0


def test_an_old_certificate_is_shown_with_the_command_that_renews_it(
    run: Run, tmp_path: Path
) -> None:
    tls = Home(tmp_path).centre("krz").tls
    said = run("show", str(tls)).output
    assert "renew it" not in said
    assert "(90 days)" in said  # in its first minute, too
    with clock.frozen(clock.in_future(days=80)):
        assert run("show", str(tls)).output.endswith("renew it: amtsbruecke pki renew krz\n")
    with clock.frozen(clock.in_future(days=-80)):
        pki.renew(tmp_path / "pki", "krz", tls)
    pki.activate("krz", tls)
    (finding,) = identity.certificate(Environment(centre="krz", tls_dir=tls))
    assert finding.text.endswith("days: renew it (for trials: amtsbruecke pki renew krz)")
