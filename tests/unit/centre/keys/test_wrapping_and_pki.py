import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from centre.kernel import clock
from centre.keys import pki
from centre.keys.errors import CertificateFault, MasterKeyWrong
from centre.keys.wrapping import MasterKey

LABEL = {"kid": "k", "purpose": "sign", "owner": "krz_t_minden"}


def test_a_wrapped_key_opens_under_its_own_label_only() -> None:
    master = MasterKey(bytes(32))
    wrapped = master.wrap(b"private", **LABEL)
    assert master.unwrap(wrapped, **LABEL) == b"private"
    for field in LABEL:
        with pytest.raises(MasterKeyWrong):
            master.unwrap(wrapped, **{**LABEL, field: "other"})
    with pytest.raises(MasterKeyWrong):
        MasterKey(bytes([1]) * 32).unwrap(wrapped, **LABEL)
    with pytest.raises(MasterKeyWrong, match="format"):
        master.unwrap(b"\2" + wrapped[1:], **LABEL)


def test_master_key_files(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(MasterKeyWrong, match="cannot be read"):
        MasterKey.from_file(path)
    MasterKey.create_file(path)
    with pytest.raises(FileExistsError):
        MasterKey.create_file(path)
    MasterKey.from_file(path)
    path.chmod(0o644)
    with pytest.raises(MasterKeyWrong, match="chmod"):
        MasterKey.from_file(path)
    path.chmod(0o600)
    path.write_bytes(b"x")
    with pytest.raises(MasterKeyWrong, match=r"wrong length, 1\. It must be a file of 32 bytes"):
        MasterKey.from_file(path)
    with pytest.raises(MasterKeyWrong, match=r"Is a directory\. It must be a file of 32 bytes"):
        MasterKey.from_file(tmp_path)
    path.chmod(0o640)
    path.write_bytes(bytes(33))
    with pytest.raises(MasterKeyWrong, match=r"wrong length, 33\. "):
        MasterKey.from_file(path)


@pytest.mark.timeout(10)
def test_a_master_key_is_no_device_and_no_pipe(tmp_path: Path) -> None:
    """They may never end, or never begin."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (Path("/dev/null"), Path("/dev/zero"), pipe):
        with pytest.raises(MasterKeyWrong, match="no regular file"):
            MasterKey.from_file(path)


def test_certificates_have_what_the_federation_asks_for(tmp_path: Path) -> None:
    authority, tls = tmp_path / "pki", tmp_path / "tls"
    first = pki.create_authority(authority)
    assert pki.create_authority(authority) == first
    issued = pki.issue(authority, "krz", tls)
    assert issued.uris == ("urn:amtsbruecke:centre:krz",)
    assert issued.names == ("krz.centre.amtsbruecke.internal", "localhost")
    assert timedelta(days=90) <= issued.not_after - issued.not_before < timedelta(days=91)
    assert (tls / "centre.key").stat().st_mode & 0o777 == 0o600
    leaf = x509.load_pem_x509_certificate((tls / "centre.pem").read_bytes())
    root = x509.load_pem_x509_certificate((tls / "ca.pem").read_bytes())
    leaf.verify_directly_issued_by(root)
    ski = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert aki.key_identifier == ski.digest
    assert leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    eku = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {usage._name for usage in eku} == {"serverAuth", "clientAuth"}


def test_renewal_waits_until_it_is_activated(tmp_path: Path) -> None:
    authority, tls = tmp_path / "pki", tmp_path / "tls"
    pki.create_authority(authority)
    old = pki.issue(authority, "krz", tls)
    with pytest.raises(CertificateFault, match="renew it instead"):
        pki.issue(authority, "krz", tls)
    with pytest.raises(CertificateFault, match="renew the certificate first"):
        pki.activate("krz", tls)
    with clock.frozen(clock.in_future(days=60)):
        new = pki.renew(authority, "krz", tls)
    assert pki.describe((tls / "centre.pem").read_bytes()) == old
    assert pki.activate("krz", tls) == new == pki.describe((tls / "centre.pem").read_bytes())
    assert (new.uris, new.names) == (old.uris, old.names)
    assert new.fingerprint != old.fingerprint
    assert new.not_after > old.not_after + timedelta(days=59)


def test_no_certificate_outlives_the_authority(tmp_path: Path) -> None:
    authority = pki.create_authority(tmp_path / "pki")
    pki.issue(tmp_path / "pki", "krz", tmp_path / "tls")
    with clock.frozen(authority.not_after - timedelta(days=10)):
        assert pki.renew(tmp_path / "pki", "krz", tmp_path / "tls").not_after == authority.not_after


@pytest.mark.parametrize("centre", ["", "Krz", "../krz", "krz_1"])
def test_only_centres_get_certificates(tmp_path: Path, centre: str) -> None:
    pki.create_authority(tmp_path)
    with pytest.raises(CertificateFault, match="no id of a centre"):
        pki.issue(tmp_path, centre, tmp_path / "tls")


def test_what_is_no_certificate_is_said_to_be_none() -> None:
    with pytest.raises(CertificateFault):
        pki.fingerprint(b"junk")
