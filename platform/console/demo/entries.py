"""What a centre of the demo tells the umbrella about itself: public things only, as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings

from centre.keys import keystore, pki
from centre.registry import selectors
from console.demo.plan import Town


def centre_entry(title: str, towns: Sequence[Town]) -> dict[str, Any]:
    """Return a centre with its endpoint, certificate, keys and authorities."""
    environment = settings.AMTSBRUECKE
    assert environment.tls_dir is not None
    certificate = environment.tls_dir / "centre.pem"
    return {
        "id": environment.centre,
        "name": title,
        "endpoint": environment.gateway_endpoint,
        "fingerprint": pki.fingerprint(certificate.read_bytes()),
        "keys": _keys(keystore.centre_public_keys()),
        "authorities": [_authority(town) for town in towns],
    }


def _authority(town: Town) -> dict[str, Any]:
    municipality = selectors.municipality(slug=town.slug)
    return {
        "id": str(town.authority_id),
        "name": town.name,
        "ags": town.ags,
        "ars": town.ars,
        "place": town.place,
        "postcodes": town.postcodes,
        "keys": _keys(keystore.authority_public_keys(municipality.tenant_role)),
    }


def _keys(halves: Iterable[keystore.PublicHalf]) -> list[dict[str, str]]:
    return [
        {
            "kid": half.kid,
            "purpose": half.purpose,
            "suite": half.suite,
            "raw": half.raw.hex(),
            "not_before": half.not_before.isoformat(),
        }
        for half in halves
    ]
