"""`amtsbruecke pki`: certificates for the links, from an authority for trials."""

import os
from datetime import timedelta
from pathlib import Path

import click

from console.errors import ConsoleError
from console.home import Home
from console.moments import moment, span
from console.roles import become

_FOLDER = click.Path(file_okay=False, path_type=Path)
_WARN_BEFORE = timedelta(days=30)


@click.group("pki")
def command() -> None:
    """Make and renew certificates of the federation. For trials: production has its own authority.

    A centre's certificate lies in its folder `tls` (`centre.pem`, `centre.key`, `ca.pem`); the
    directory must list its fingerprint before peers accept it.
    """


def _authority_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--authority",
        type=_FOLDER,
        help="Folder of the authority; by default `pki` in the home of all centres.",
    )(function)


def _into_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--into", type=_FOLDER, help="Folder of the certificate; by default the centre's `tls`."
    )(function)


@command.command("init")
@_authority_option
@click.pass_obj
def init(home: Home, *, authority: Path | None) -> None:
    """Make the authority. One that is there is kept."""
    from centre.keys import pki

    folder = authority or home.path / "pki"
    certificate = pki.create_authority(folder)
    click.echo(f"{folder / 'ca.pem'}: {certificate.subject}, until {moment(certificate.not_after)}")


@command.command("issue")
@click.argument("centre_id")
@_authority_option
@_into_option
@click.option("--dns", multiple=True, default=("localhost",), help="A further name of the host.")
@click.option("--ip", multiple=True, default=("127.0.0.1",), help="An address of the host.")
@click.pass_obj
def issue(
    home: Home,
    *,
    centre_id: str,
    authority: Path | None,
    into: Path | None,
    dns: tuple[str, ...],
    ip: tuple[str, ...],
) -> None:
    """Give a centre a key and a certificate for 90 days."""
    from centre.keys import pki

    ours, folder = _authority(home, authority), into or _tls(home, centre_id)
    certificate = pki.issue(ours, centre_id, folder, dns_names=dns, ip=ip)
    click.echo(f"{folder / 'centre.pem'}: valid until {moment(certificate.not_after)}")
    click.echo(f"fingerprint for the directory: {certificate.fingerprint}")


@command.command("renew")
@click.argument("centre_id")
@_authority_option
@_into_option
@click.option("--activate", is_flag=True, help="Put the renewed certificate into place.")
@click.option("--unlisted", is_flag=True, help="Activate it even where the directory lacks it.")
@click.pass_obj
def renew(
    home: Home,
    *,
    centre_id: str,
    authority: Path | None,
    into: Path | None,
    activate: bool,
    unlisted: bool,
) -> None:
    """Renew a centre's certificate, in two steps and without a restart.

    First without --activate: the new certificate waits beside the old one, and its fingerprint is
    shown for the directory. Once the directory lists it: with --activate. Until then both are good.
    """
    from centre.keys import pki

    folder = into or _tls(home, centre_id)
    if activate:
        waiting = pki.waiting(centre_id, folder)
        if not unlisted:
            _require_listed(home, centre_id, waiting.fingerprint)
        certificate = pki.activate(centre_id, folder)
        click.echo(f"{folder / 'centre.pem'}: valid until {moment(certificate.not_after)}")
        return
    _require_certificate(folder / "centre.pem", centre_id)
    certificate = pki.renew(_authority(home, authority), centre_id, folder)
    click.echo(f"{folder / 'centre.next.pem'}: valid until {moment(certificate.not_after)}")
    click.echo(f"fingerprint for the directory: {certificate.fingerprint}")
    ours = f"amtsbruecke --centre {centre_id} directory"
    if _role(home, centre_id) != "umbrella":
        click.echo(f"then: {ours} areas > AREAS.csv")
        click.echo(f'      {ours} entry AREAS.csv {centre_id}.entry --name "…", for the umbrella')
        click.echo(f"      {ours} fetch, once it is published")
    click.echo(f"then: amtsbruecke pki renew {centre_id} --activate")


def _authority(home: Home, named: Path | None) -> Path:
    folder = named or home.path / "pki"
    if not (folder / "ca.pem").exists():
        option = f" --authority {named}" if named else ""
        raise ConsoleError(
            f"There is no authority in {folder} yet.",
            hint=f"Make it: amtsbruecke pki init{option}",
        )
    return folder


def _tls(home: Home, centre_id: str) -> Path:
    folder = home.centre(centre_id)
    if not folder.settings_file.exists():
        known = ", ".join(centre.name for centre in home.centres()) or "none yet"
        raise ConsoleError(
            f"There is no centre {centre_id!r} in {home.path} (known: {known}).",
            hint="Check the name, make the centre first (amtsbruecke centre create), or name the"
            " certificate's folder with --into.",
        )
    return folder.tls


def _require_certificate(path: Path, centre_id: str) -> None:
    if not path.exists():
        raise ConsoleError(
            f"There is no certificate {path}.",
            hint=f"For trials, issue one: amtsbruecke pki issue {centre_id}",
        )


def _require_listed(home: Home, centre_id: str, fingerprint: str) -> None:
    """Refuse a certificate that the directory held here does not list: so would every peer."""
    if _role(home, centre_id) == "umbrella":
        return  # it stands in no directory: its host's name is what counts
    if os.environ.get("AMTSBRUECKE_CENTRE") != centre_id:
        if not home.centre(centre_id).settings_file.exists():
            raise ConsoleError(
                f"There is no centre {centre_id!r} in {home.path} to ask for the directory.",
                hint="If the directory lists the renewed certificate, repeat with --unlisted.",
            )
        settings = home.centre(centre_id).environment()
        os.environ.clear()  # what is set may be another centre's
        os.environ.update(settings)
    become("worker", at_once=True)
    from centre.directory import selectors

    directory = selectors.present()
    centre = directory.centre(centre_id) if directory else None
    if centre is None or fingerprint not in centre.fingerprints:
        ours = f"amtsbruecke --centre {centre_id} directory"
        raise ConsoleError(
            f"The directory does not list {fingerprint} yet: peers would refuse us.",
            hint=f"Make an entry, which lists both certificates ({ours} entry …), for the umbrella"
            f" to publish; then {ours} fetch, and this again.",
        )


def _role(home: Home, centre_id: str) -> str:
    folder = home.centre(centre_id)
    known = folder.settings() if folder.settings_file.exists() else os.environ
    return known.get("AMTSBRUECKE_ROLE", "centre")


@command.command("show")
@click.argument("which", metavar="CENTRE|PATH")
@click.pass_obj
def show(home: Home, *, which: str) -> None:
    """Show a certificate: a centre's, by its name; a file; or one in a folder `tls`."""
    from centre.kernel import clock
    from centre.keys import pki

    path = Path(which)
    if which in {centre.name for centre in home.centres()}:
        path = home.centre(which).tls / "centre.pem"
        _require_certificate(path, which)
    elif path.is_dir():
        path /= "centre.pem"
    if not path.exists():
        known = ", ".join(centre.name for centre in home.centres()) or "none yet"
        raise ConsoleError(
            f"There is no certificate {path}.",
            hint=f"Name a file, or a centre of {home.path} (known: {known}).",
        )
    certificate = pki.describe(path.read_bytes())
    left = certificate.not_after - clock.now()
    click.echo(f"subject      {certificate.subject}")
    for uri in certificate.uris:
        click.echo(f"centre       {uri}")
    for name in certificate.names:
        click.echo(f"name         {name}")
    click.echo(f"serial       {certificate.serial}")
    click.echo(f"valid from   {moment(certificate.not_before)}")
    rest = span(left) if left > timedelta() else "expired"
    click.echo(f"valid until  {moment(certificate.not_after)} ({rest})")
    click.echo(f"fingerprint  {certificate.fingerprint}")
    if left < _WARN_BEFORE:
        owner = next((uri.removeprefix(pki.URI_PREFIX) for uri in certificate.uris), "")
        click.secho(
            f"renew it: amtsbruecke pki renew {owner}" if owner else "renew it", fg="yellow"
        )
