"""Certificates for tests: an authority and leaves of any shape, also wrong ones."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Certificate:
    pem: bytes
    key: bytes
    fingerprint: str

    def write(self, directory: Path, authority: "CertificateAuthority") -> Path:
        """Lay out the TLS directory of a centre."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.pem").write_bytes(authority.pem)
        (directory / "centre.pem").write_bytes(self.pem)
        (directory / "centre.key").write_bytes(self.key)
        return directory


class CertificateAuthority:
    """Signs whatever a test asks for."""

    def __init__(self, name: str = "Testverbund") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(Encoding.PEM)

    def issue(
        self, centre: str, *, uris: list[str] | None = None, days: tuple[int, int] = (-1, 30)
    ) -> Certificate:
        """Issue for a centre, valid from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, centre)])
        uris = [f"urn:amtsbruecke:centre:{centre}"] if uris is None else uris
        names: list[x509.GeneralName] = [
            x509.DNSName(f"{centre}.centre.amtsbruecke.internal"),
            x509.DNSName("localhost"),
            *(x509.UniformResourceIdentifier(uri) for uri in uris),
        ]
        leaf = (
            _builder(subject, self._name, key, days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return Certificate(
            pem=leaf.public_bytes(Encoding.PEM),
            key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            fingerprint=sha256(leaf.public_bytes(Encoding.DER)).hexdigest(),
        )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    days: tuple[int, int] = (-1, 30),
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
