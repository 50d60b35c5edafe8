"""Each authority has its own keys, and nobody gets those of another."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from centre.kernel.actors import system
from centre.keys import keystore
from centre.keys.errors import KeyUnknown, MasterKeyWrong
from centre.keys.models import AuthorityKey, CentreKey
from centre.keys.seal import open_sealed, seal
from centre.keys.wrapping import MasterKey
from centre.registry import services
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from centre.tenancy.errors import TenantRequired


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    keystore.forget()
    yield
    keystore.forget()


def test_a_new_municipality_has_keys_and_a_second_founding_adds_none(alpha: Any) -> None:
    keys = keystore.create_authority_keys(municipality=alpha)
    assert sorted(key.purpose for key in keys) == ["seal", "sign"]
    assert keystore.create_authority_keys(municipality=alpha) == keys


def test_each_signs_with_its_own_key(alpha: Any, beta: Any) -> None:
    with tenant_scope(alpha):
        first = keystore.signing_key()
    with tenant_scope(beta):
        second = keystore.signing_key()
    with tenant_scope(alpha):
        assert keystore.signing_key() is first  # from memory
    assert first.kid != second.kid


def test_a_seal_is_opened_in_its_own_scope_only(alpha: Any, beta: Any) -> None:
    (kid,) = (
        key.kid
        for key in keystore.create_authority_keys(municipality=alpha)
        if key.purpose == "seal"
    )
    with tenant_scope(alpha):
        key = keystore.seal_private_key(kid)
        sealed = seal(to=key.public, info=b"i", aad=b"a", plaintext=b"secret")
        assert open_sealed(key=key, info=b"i", aad=b"a", sealed=sealed) == b"secret"
    with tenant_scope(beta), pytest.raises(KeyUnknown):
        keystore.seal_private_key(kid)


def test_own_signing_keys_are_found_by_id_for_evidence(alpha: Any, beta: Any) -> None:
    with tenant_scope(alpha):
        kid = keystore.signing_key().kid
        assert keystore.own_signing_key(kid).kid == kid
    with tenant_scope(beta), pytest.raises(KeyUnknown):
        keystore.own_signing_key(kid)


@pytest.mark.parametrize("call", [keystore.signing_key, lambda: keystore.seal_private_key("00")])
def test_no_key_without_a_tenant(db: None, call: Callable[[], object]) -> None:
    with pytest.raises(TenantRequired):
        call()


def test_a_row_moved_to_another_tenant_does_not_open(
    committed_db: None,
    as_process: Callable[[str], AbstractContextManager[None]],
    alpha: Any,
    beta: Any,
) -> None:
    """Somebody with the database, but without the master key, gives Beta the key of Alpha."""
    with as_process("owner"):
        kid = AuthorityKey.objects.get(tenant_role=alpha.tenant_role, purpose="seal").kid
        AuthorityKey.objects.filter(kid=kid).update(tenant_role=beta.tenant_role)
    with tenant_scope(beta), pytest.raises(MasterKeyWrong, match="tampered"):
        keystore.seal_private_key(kid)


def test_another_master_key_opens_nothing(alpha: Any, tmp_path: Path, settings: Any) -> None:
    other = tmp_path / "master.key"
    other.touch(mode=0o600)
    other.write_bytes(bytes(32))
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, master_key_file=other)
    with tenant_scope(alpha), pytest.raises(MasterKeyWrong, match="another master key"):
        keystore.signing_key()


def test_another_master_key_wraps_nothing_new(
    as_process: Callable[[str], AbstractContextManager[None]], tmp_path: Path, settings: Any
) -> None:
    """Neither beside the keys of municipalities nor beside the centre's own."""
    right = settings.AMTSBRUECKE
    other = tmp_path / "master.key"
    MasterKey.create_file(other)
    wrong = replace(right, master_key_file=other)
    town = {"slug": "delta", "name": "Delta", "ags": "05770004", "ars": "057700004004"}
    with as_process("owner"):
        settings.AMTSBRUECKE = wrong
        with pytest.raises(MasterKeyWrong, match=f"{other} is not the one of this centre"):
            keystore.create_centre_keys()
        settings.AMTSBRUECKE = right
        (own,) = keystore.create_centre_keys()
        assert keystore.check_master_key() == own.kid
        settings.AMTSBRUECKE = wrong
        with pytest.raises(MasterKeyWrong, match=f"the stored key {own.kid} was wrapped"):
            services.create_tenant(**town, by=system("tests"))
        assert not Municipality.objects.filter(slug="delta").exists()


@pytest.mark.process("owner")
def test_a_new_centre_takes_the_master_key_that_it_is_given(db: None) -> None:
    AuthorityKey.objects.all().delete()
    CentreKey.objects.all().delete()
    assert keystore.check_master_key() == ""
    (first,) = keystore.create_centre_keys()
    assert keystore.check_master_key() == first.kid


def test_a_process_without_master_key_says_so(alpha: Any, settings: Any) -> None:
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, master_key_file=None)
    with tenant_scope(alpha), pytest.raises(MasterKeyWrong, match="AMTSBRUECKE_MASTER_KEY_FILE"):
        keystore.signing_key()


def test_stored_private_keys_are_wrapped(alpha: Any) -> None:
    with tenant_scope(alpha):
        raw = keystore.signing_key().to_bytes()
        assert raw not in bytes(AuthorityKey.objects.get(purpose="sign").wrapped)


def test_a_tenant_sees_and_changes_only_its_own_rows(alpha: Any, beta: Any) -> None:
    with tenant_scope(alpha):
        assert set(AuthorityKey.objects.values_list("tenant_role", flat=True)) == {
            alpha.tenant_role
        }
        with pytest.raises(DatabaseError), transaction.atomic():
            AuthorityKey.objects.update(suite="x")


@pytest.mark.process("owner")
def test_the_centre_gets_one_key_that_signs_receipts(db: None) -> None:
    (first,) = keystore.create_centre_keys()
    assert keystore.create_centre_keys() == [first]
    assert keystore.centre_signing_key().kid == first.kid


def test_without_centre_keys_the_error_says_what_to_do(db: None) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute("SELECT 1 FROM keys_centrekey")  # the web login may not even look


def test_federation_reads_the_centres_key_and_no_authoritys(
    committed_db: None, dsn: Callable[[str], str]
) -> None:
    with psycopg.connect(dsn("federation")) as federation:
        federation.execute("SELECT wrapped FROM keys_centrekey")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            federation.execute("SELECT wrapped FROM keys_authoritykey")


@pytest.mark.process("owner")
def test_the_directory_gets_public_halves_of_all(db: None, alpha: Any, beta: Any) -> None:
    for town in (alpha, beta):
        keys = keystore.authority_public_keys(town.tenant_role)
        assert [key.suite for key in keys if key.purpose == "sign"] == ["Ed25519"]
