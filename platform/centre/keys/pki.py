"""A certification authority for trials, tests and demos; production brings its own.

It makes what the federation asks of a certificate: P-256 (the links' way to TLS 1.3 only needs it),
one URI that names the centre, one DNS name that peers verify, both extended uses, key identifiers
on both ends of the chain (Python refuses a certificate without), 90 days.

A renewed certificate keeps its key and waits beside the old one (`centre.next.pem`) until its
fingerprint stands in the directory; `activate` then puts it into place in one step, and running
processes take it up by themselves.
"""

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from centre.kernel import clock
from centre.keys.errors import CertificateFault

URI_PREFIX: Final = "urn:amtsbruecke:centre:"
VALIDITY: Final = timedelta(days=90)

_AUTHORITY_VALIDITY: Final = timedelta(days=5 * 365)
_CLOCK_SKEW: Final = timedelta(minutes=5)
_CENTRE_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SUBJECT: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amtsbruecke"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Amtsbruecke trial authority"),
    ]
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What people and the directory want to know of a certificate."""

    subject: str
    uris: tuple[str, ...]
    names: tuple[str, ...]
    serial: str
    not_before: datetime
    not_after: datetime
    fingerprint: str


def server_name(centre_id: str) -> str:
    """Return the name that a peer verifies, wherever the centre's gateway listens."""
    return f"{centre_id}.centre.amtsbruecke.internal"


def create_authority(directory: Path) -> Certificate:
    """Make an authority in `directory` (`ca.pem`, `ca.key`); one that is there is kept."""
    if (directory / "ca.pem").exists():
        return describe((directory / "ca.pem").read_bytes())
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_SUBJECT)
        .issuer_name(_SUBJECT)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    _write_key(directory / "ca.key", key)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    _write(directory / "ca.pem", pem)
    return describe(pem)


def issue(
    directory: Path,
    centre_id: str,
    into: Path,
    *,
    dns_names: tuple[str, ...] = ("localhost",),
    ip: tuple[str, ...] = ("127.0.0.1",),
) -> Certificate:
    """Give a centre a key and a certificate (`centre.key`, `centre.pem`, `ca.pem` in `into`).

    A centre that has one gets no other: see `renew`.
    """
    if not _CENTRE_ID.fullmatch(centre_id):
        raise CertificateFault(f"{centre_id!r} is no id of a centre: a-z, 0-9 and hyphens")
    if (into / "centre.pem").exists():
        raise CertificateFault(f"{into / 'centre.pem'} exists already; renew it instead")
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        addresses = [x509.IPAddress(ip_address(each)) for each in ip]
    except ValueError as error:
        raise CertificateFault(str(error)) from error
    alternative = x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(URI_PREFIX + centre_id),
            *(x509.DNSName(name) for name in (server_name(centre_id), *dns_names)),
            *addresses,
        ]
    )
    pem = _sign(directory, key.public_key(), centre_id, alternative)
    into.mkdir(parents=True, exist_ok=True)
    _write_key(into / "centre.key", key)
    _write(into / "ca.pem", (directory / "ca.pem").read_bytes())
    _write(into / "centre.pem", pem)
    return describe(pem)


def renew(directory: Path, centre_id: str, into: Path) -> Certificate:
    """Write `centre.next.pem`: the same key and names, 90 days from now. Nothing uses it yet."""
    old = _load(into / "centre.pem")
    _require_owner(into / "centre.pem", centre_id)
    key = _load_key(into / "centre.key")
    alternative = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    name = old.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    pem = _sign(directory, key.public_key(), str(name), alternative)
    _write(into / "centre.next.pem", pem)
    return describe(pem)


def activate(centre_id: str, into: Path) -> Certificate:
    """Put the renewed certificate into place, in one step."""
    certificate = waiting(centre_id, into)
    (into / "centre.next.pem").replace(into / "centre.pem")
    return certificate


def waiting(centre_id: str, into: Path) -> Certificate:
    """Return what the renewed certificate says; raise `CertificateFault` where it could not work.

    It may come from another authority, which does not know that the key stays.
    """
    path = into / "centre.next.pem"
    if not path.exists():
        raise CertificateFault(f"there is no {path}: renew the certificate first")
    certificate = _require_owner(path, centre_id)
    if not fits(path.read_bytes(), (into / "centre.key").read_bytes()):
        raise CertificateFault(
            f"{path} is a certificate for another key than {into / 'centre.key'}: a renewed"
            " certificate keeps its key"
        )
    return certificate


def fits(pem: bytes, key_pem: bytes) -> bool:
    """Return whether a private key, of whatever kind, is the one of this certificate."""
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateFault("this is no private key in PEM form without a password") from error
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(*form) == _parse(pem).public_key().public_bytes(*form)


def _require_owner(path: Path, centre_id: str) -> Certificate:
    """Return what the certificate of a centre says; raise `CertificateFault` if it is another's."""
    certificate = describe(path.read_bytes())
    if URI_PREFIX + centre_id not in certificate.uris:
        owners = ", ".join(each.removeprefix(URI_PREFIX) for each in certificate.uris)
        raise CertificateFault(
            f"{path} is the certificate of {owners or 'no centre'}, not of {centre_id}: name that"
            " centre, or the right folder with --into"
        )
    return certificate


def describe(pem: bytes) -> Certificate:
    """Return what a certificate says; raise `CertificateFault` where it is none."""
    certificate = _parse(pem)
    uris: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    try:
        value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass  # an authority has no names of this kind
    else:
        uris = tuple(value.get_values_for_type(x509.UniformResourceIdentifier))
        names = tuple(value.get_values_for_type(x509.DNSName))
    return Certificate(
        subject=certificate.subject.rfc4514_string(),
        uris=uris,
        names=names,
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=fingerprint(pem),
    )


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 of the certificate's DER, as the directory lists it."""
    return sha256(_parse(pem).public_bytes(serialization.Encoding.DER)).hexdigest()


def _sign(
    directory: Path,
    public: ec.EllipticCurvePublicKey,
    centre_id: str,
    alternative: x509.SubjectAlternativeName,
) -> bytes:
    authority = _load(directory / "ca.pem")
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, centre_id)]))
        .issuer_name(authority.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(min(now + VALIDITY, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(alternative, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(_load_key(directory / "ca.key"), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _parse(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateFault("this is no certificate in PEM form") from error


def _load(path: Path) -> x509.Certificate:
    if not path.exists():
        raise CertificateFault(f"there is no certificate {path}")
    return _parse(path.read_bytes())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        raise CertificateFault(f"there is no private key {path}")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise CertificateFault(f"{path} holds no private key in PEM form") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateFault(f"{path} holds no key on the curve P-256")
    return key


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(path, pem, mode=0o600)


def _write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
