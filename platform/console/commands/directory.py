"""`amtsbruecke directory`: the shared directory of centres and authorities."""

import sys
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import click

from centre.kernel.counting import counted
from console.errors import ConsoleError
from console.moments import moment
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from centre.directory.records import Snapshot


@click.group("directory")
def command() -> None:
    """Register with the umbrella, publish, fetch and look at the directory."""


@command.command("entry")
@click.argument("areas", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("into", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="The legal name of this centre.")
def entry(areas: Path, into: Path, name: str) -> None:
    """Write this centre's signed registration for the umbrella into the file INTO.

    AREAS is a CSV file with the columns slug, ars, postcode, place: for which addresses each
    municipality hosted here is competent.
    """
    become("owner", "gateway_endpoint", "tls_dir", "master_key_file", at_once=True)
    from django.conf import settings

    from centre.directory import services
    from centre.directory.records import SUSPENDED
    from centre.keys import pki
    from centre.registry import selectors as registry
    from console import areas as competence

    hosted = list(registry.listed())
    by_slug = competence.read(areas, hosted={each.slug for each in hosted})
    services.create_centre_keys(by=operator())
    records = [
        services.authority_record(municipality=each, areas=by_slug.get(each.slug, []))
        for each in hosted
    ]
    tls_dir = settings.AMTSBRUECKE.tls_dir
    assert tls_dir is not None  # required above
    fingerprints = [pki.fingerprint((tls_dir / "centre.pem").read_bytes())]
    if (tls_dir / "centre.next.pem").exists():
        renewed = pki.waiting(settings.AMTSBRUECKE.centre, tls_dir)
        fingerprints.append(renewed.fingerprint)
    signed = services.entry(
        name=name,
        endpoint=settings.AMTSBRUECKE.gateway_endpoint,
        fingerprints=fingerprints,
        authorities=records,
    )
    into.write_bytes(signed)
    for each in hosted:
        if each.slug not in by_slug:
            click.secho(f"{each.slug} has no line: nobody finds it by an address.", fg="yellow")
        if each.state == SUSPENDED:
            click.secho(
                f"{each.slug} is suspended, and listed as such: make an entry again once it is"
                " resumed.",
                fg="yellow",
            )
    for fingerprint in fingerprints:
        click.echo(f"certificate {fingerprint}")
    words = counted(len(records), "authority", "authorities")
    click.echo(f"{into}: {words}. Tell the umbrella this digest by another way:")
    click.echo(_digest(signed))


@command.command("key")
def key() -> None:
    """Umbrella: print the key that signs the directory, for the settings of all centres.

    In a centre's centre.env it stands as AMTSBRUECKE_UMBRELLA_KEYS.
    """
    become("owner", "master_key_file", at_once=True)
    from centre.directory import services
    from centre.keys import keystore

    services.create_centre_keys(by=operator())
    for half in keystore.centre_public_keys():
        if half.purpose == "sign":
            click.echo(half.raw.hex())


@command.command("publish")
@click.argument("entries", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--renew", is_flag=True, help="Publish fresh dates even if nothing has changed.")
@click.option("--yes", is_flag=True, help="Do not ask whether the digests were compared.")
def publish(entries: tuple[Path, ...], *, renew: bool, yes: bool) -> None:
    """Umbrella: take up registrations and publish the next version of the directory."""
    become("owner", "master_key_file", at_once=True)
    from centre.directory import services

    contents = [path.read_bytes() for path in entries]
    for path, content in zip(entries, contents, strict=True):
        click.echo(f"{path}: {_digest(content)}")
    if contents and not yes:
        click.confirm("Did each centre confirm its digest by another way?", abort=True)
    services.create_centre_keys(by=operator())
    version = services.publish(entries=contents, by=operator(), renew=renew)
    click.echo(f"Version {version} is in force.")


@command.command("suspend")
@click.argument("centre")
@click.option("--lift", is_flag=True, help="Let the centre take part again.")
@click.confirmation_option(prompt="This stops or admits all its letters. Go on?")
def suspend(centre: str, *, lift: bool) -> None:
    """Umbrella: take a centre out of the federation, or let it in again."""
    become("owner", "master_key_file", at_once=True)
    from centre.directory import services

    version = services.suspend_centre(centre=centre, suspended=not lift, by=operator())
    click.echo(f"{centre} is {'active' if lift else 'suspended'} as of version {version}.")


@command.command("fetch")
def fetch() -> None:
    """Fetch the newest directory from the umbrella or from any other centre, and apply it."""
    become("worker", "tls_dir", "umbrella_keys", at_once=True)
    from django.conf import settings

    from federation.sync import services
    from federation.sync.client import NothingPublished

    try:
        version = services.fetch_directory(by=operator())
    except NothingPublished as problem:
        centre = settings.AMTSBRUECKE.centre
        raise ConsoleError(
            "The umbrella has published nothing yet.",
            hint="Send it your entry first: "
            f"amtsbruecke --centre {centre} directory entry AREAS.csv {centre}.entry --name …",
        ) from problem
    if not version:
        raise ConsoleError(
            "Nobody has handed out a directory.",
            hint="Name the umbrella's gateway in AMTSBRUECKE_UMBRELLA_ENDPOINT.",
        )
    click.echo(f"Version {version} is in force.")


@command.command("show")
@click.option("--authorities", is_flag=True, help="List the authorities and their areas too.")
def show(*, authorities: bool) -> None:
    """Show the version in force, its age, and the centres."""
    become("worker", at_once=True)
    from centre.directory import selectors

    directory = selectors.current()
    _print(directory.snapshot, authorities=authorities)
    click.echo(f"Digest {directory.digest}, {directory.age_grade()}")


@command.command("areas")
def list_areas() -> None:
    """Print for which areas our municipalities stand in the directory, as `entry` reads it."""
    become("worker", at_once=True)
    from centre.directory import selectors
    from centre.registry import selectors as registry
    from console import areas

    hosted = dict(registry.listed().values_list("authority_id", "slug"))
    snapshot = selectors.current().snapshot
    areas.write(sys.stdout, authorities=snapshot.authorities, hosted=hosted)


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "keys", multiple=True, required=True, help="Hex Ed25519 key that may sign.")
def verify(file: Path, keys: tuple[str, ...]) -> None:
    """Check a snapshot in FILE without any database."""
    from centre.directory import encoding
    from centre.keys.sign import VerifyKey

    try:
        trusted = [VerifyKey.from_bytes(bytes.fromhex(key)) for key in keys]
    except ValueError as error:
        raise ConsoleError(
            "A key is not hexadecimal.", hint="An Ed25519 key has 64 hexadecimal digits."
        ) from error
    _print(encoding.verify_snapshot(file.read_bytes(), trusted=trusted), authorities=False)
    click.echo("The signature is valid.")


def _digest(signed: bytes) -> str:
    from centre.directory import encoding

    return encoding.digest(signed)


def _print(snapshot: "Snapshot", *, authorities: bool) -> None:
    click.echo(
        f"Version {snapshot.version}, published {moment(snapshot.published_at)}, "
        f"{counted(len(snapshot.centres), 'centre', 'centres')}, "
        f"{counted(len(snapshot.authorities), 'authority', 'authorities')}"
    )
    for centre in snapshot.centres:
        click.echo(f"  {centre.id:<16} {centre.state:<10} {centre.endpoint:<24} {centre.name}")
        for fingerprint in centre.fingerprints:
            click.echo(f"    certificate {fingerprint}")
    for authority in snapshot.authorities if authorities else ():
        click.echo(
            f"  {authority.id} {authority.home_centre:<12} {authority.ags:<8} {authority.name}"
            f"{'' if authority.state == 'active' else f' ({authority.state})'}"
        )
        for area in authority.areas:
            click.echo(f"    area {' '.join(filter(None, astuple(area)))}")
