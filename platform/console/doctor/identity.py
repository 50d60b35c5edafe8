"""Whether the centre is who it says: its keys and its certificate."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from centre.config.environment import Environment, Process
from centre.keys import pki
from centre.keys.errors import CertificateFault, MasterKeyWrong
from centre.keys.wrapping import MasterKey
from console.doctor.findings import Finding, Grade
from console.moments import span

_RENEW_BEFORE = timedelta(days=14)


def secrets(environment: Environment) -> Iterator[Finding]:
    path = environment.master_key_file
    if path is None:
        yield Finding(Grade.BAD, "AMTSBRUECKE_MASTER_KEY_FILE is not set: keys cannot be opened")
        return
    try:
        MasterKey.from_file(path)
    except MasterKeyWrong as problem:
        yield Finding(Grade.BAD, problem.message)
        return
    yield Finding(Grade.GOOD, "master key present and private")


def stored_keys(environment: Environment) -> Iterator[Finding]:
    """Whether this master key is the one that the centre's keys were wrapped with."""
    if environment.process is not Process.OWNER or environment.master_key_file is None:
        return
    from centre.keys import keystore

    try:
        kid = keystore.check_master_key()
    except MasterKeyWrong as problem:
        yield Finding(Grade.BAD, problem.message)
        return
    words = f"master key opens {kid}" if kid else "there is no key yet that the master key opens"
    yield Finding(Grade.GOOD, words)


def certificate(environment: Environment) -> Iterator[Finding]:
    if environment.tls_dir is None:
        yield Finding(Grade.BAD, "AMTSBRUECKE_TLS_DIR is not set: no link can be opened")
        return
    for name in ("ca.pem", "centre.pem", "centre.key"):
        if not (environment.tls_dir / name).exists():
            yield Finding(Grade.BAD, f"{environment.tls_dir / name} is missing")
            return
    path, key = environment.tls_dir / "centre.pem", environment.tls_dir / "centre.key"
    pem, ours = path.read_bytes(), pki.URI_PREFIX + environment.centre
    try:
        if not pki.fits(pem, key.read_bytes()):
            yield Finding(Grade.BAD, f"{key} is not the private key of {path}: bring the right one")
        if ours not in (uris := pki.describe(pem).uris):
            yield Finding(
                Grade.BAD,
                f"{path} is the certificate of {', '.join(uris) or 'no centre'}, not of {ours}:"
                f" bring the right one (for trials: amtsbruecke pki issue {environment.centre},"
                " once it is moved away)",
            )
    except CertificateFault as problem:
        yield Finding(Grade.BAD, f"{path}, {key}: {problem.message}")
        return
    certificate = x509.load_pem_x509_certificate(pem)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    renew = f"renew it (for trials: amtsbruecke pki renew {environment.centre})"
    if left < timedelta(0):
        yield Finding(Grade.BAD, f"the certificate has expired: {renew}")
    elif left < _RENEW_BEFORE:
        yield Finding(Grade.WARNING, f"the certificate expires in {span(left)}: {renew}")
    else:
        yield Finding(Grade.GOOD, f"certificate valid for {span(left)}")


def listed(environment: Environment) -> Iterator[Finding]:
    """Whether peers accept our certificate: they go by the directory, which we have too."""
    if environment.role == "umbrella" or environment.tls_dir is None:
        return
    from centre.directory import selectors

    directory = selectors.present()
    path = environment.tls_dir / "centre.pem"
    if directory is None or not path.exists():
        return  # another finding
    centre = directory.centre(environment.centre)
    try:
        fingerprint = pki.fingerprint(path.read_bytes())
    except CertificateFault:
        return
    lacks = "this centre" if centre is None else f"our certificate {fingerprint}"
    if centre is None or fingerprint not in centre.fingerprints:
        yield Finding(
            Grade.BAD,
            f"the directory does not list {lacks}: amtsbruecke directory entry, for the umbrella to"
            " publish; then amtsbruecke directory fetch",
        )
    else:
        yield Finding(Grade.GOOD, "the directory lists our certificate")
