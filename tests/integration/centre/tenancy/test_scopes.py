from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from centre.registry.models import Municipality
from centre.tenancy.context import current_tenant, schema_scope, tenant_scope
from centre.tenancy.errors import WrongTenant


def _where() -> tuple[str, str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path'), current_user, session_user")
        return cursor.fetchone()  # type: ignore[no-any-return]


def test_connection_follows_the_scope(db: None, alpha: Municipality, beta: Municipality) -> None:
    assert _where() == ("public", "krz_web", "krz_web")
    with tenant_scope(alpha):
        assert _where() == ("m_alpha, public", "krz_t_alpha", "krz_web")
        with tenant_scope(beta):
            assert _where() == ("m_beta, public", "krz_t_beta", "krz_web")
        assert _where() == ("m_alpha, public", "krz_t_alpha", "krz_web")
    assert _where() == ("public", "krz_web", "krz_web")
    assert current_tenant() is None


def test_rollback_takes_the_place_along(db: None, alpha: Municipality) -> None:
    with tenant_scope(alpha):
        with transaction.atomic():
            _where()
            transaction.set_rollback(True)
        assert _where()[0] == "m_alpha, public"


def test_rollback_of_a_whole_transaction_gives_nobody_the_role_of_the_login(
    as_process: Callable[[str], AbstractContextManager[None]], alpha: Municipality
) -> None:
    """The server undoes the change of role with it, and does not tell: only the path it tells."""
    with as_process("owner"):
        with schema_scope(alpha.schema_name):
            assert _where()[:2] == ("m_alpha, public", "krz_owner")
        with tenant_scope(alpha):
            with transaction.atomic():
                assert _where()[1] == "krz_t_alpha"
                transaction.set_rollback(True)
            assert _where()[:2] == ("m_alpha, public", "krz_t_alpha")


def test_rollback_of_a_whole_transaction_does_not_look_like_a_lost_place(
    committed_db: None, alpha: Municipality, beta: Municipality
) -> None:
    for town in (alpha, beta):
        with tenant_scope(town):
            with transaction.atomic():
                _where()
                transaction.set_rollback(True)
            assert _where()[0] == f"{town.schema_name}, public"


def test_content_types_of_one_tenant_are_not_remembered_in_another(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    name = {"app_label": "post", "model": "horn"}
    with tenant_scope(alpha):
        first = ContentType.objects.create(**name).pk
    with tenant_scope(beta):
        ContentType.objects.create(app_label="post", model="coach")
        second = ContentType.objects.create(**name).pk
    assert first != second
    for town, key in ((alpha, first), (beta, second), (alpha, first)):
        with tenant_scope(town):
            assert ContentType.objects.get_by_natural_key(**name).pk == key


def test_row_of_one_tenant_is_not_saved_in_another(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        group = Group.objects.create(name="Rat")
    with tenant_scope(beta), pytest.raises(WrongTenant):
        group.save()
