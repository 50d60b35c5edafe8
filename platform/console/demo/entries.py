"""What a centre of the demo registers with the umbrella: public things, signed by the centre."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings

from centre.directory import selectors, services
from centre.directory.records import Area, AuthorityRecord
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.keys import pki
from centre.registry import selectors as registry
from console.demo.plan import Town

#: A directory counts as fresh for a day; a demo that is started again later gets fresh dates.
_FRESH = timedelta(hours=12)


def registration(title: str, towns: Sequence[Town]) -> str:
    """Return this centre's registration: endpoint, certificate, keys and authorities."""
    environment = settings.AMTSBRUECKE
    assert environment.tls_dir is not None
    certificate = (environment.tls_dir / "centre.pem").read_bytes()
    signed = services.entry(
        name=title,
        endpoint=environment.gateway_endpoint,
        fingerprints=[pki.fingerprint(certificate)],
        authorities=[*map(_authority, towns), *_founded_by_others(towns)],
    )
    return b64encode(signed).decode()


def _founded_by_others(towns: Sequence[Town]) -> list[AuthorityRecord]:
    """Return what the directory says of towns that are hosted here and not of the demo."""
    directory = selectors.present()
    hosted = set(registry.active().values_list("authority_id", flat=True))
    ours = {registry.municipality(slug=town.slug).authority_id for town in towns}
    listed = directory.snapshot.authorities if directory else ()
    return [each for each in listed if each.id in hosted - ours]


def publish(registrations: Sequence[str], *, by: Actor) -> int:
    """Publish the next version if anything changed or the last is old; return the version."""
    directory = selectors.present()
    old = directory is None or clock.now() - directory.snapshot.published_at > _FRESH
    entries = [b64decode(text) for text in registrations]
    return services.publish(entries=entries, by=by, renew=old)


def _authority(town: Town) -> AuthorityRecord:
    whole = Area(ars_prefix=town.ars)
    parts = [
        Area(ars_prefix=town.ars, postcode=postcode, place=town.place)
        for postcode in town.postcodes
    ]
    return services.authority_record(
        municipality=registry.municipality(slug=town.slug),
        areas=[whole, *parts],
        email=f"vollstreckung@{town.slug}.example",
    )
