import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from centre.registry.models import Municipality
from centre.tenancy.context import current_tenant, tenant_scope
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


def test_row_of_one_tenant_is_not_saved_in_another(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        group = Group.objects.create(name="Rat")
    with tenant_scope(beta), pytest.raises(WrongTenant):
        group.save()
