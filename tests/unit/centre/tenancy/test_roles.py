import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.tenancy.roles import (
    NameInvalid,
    RoleNames,
    check_slug,
    create_tenant_role,
    open_schema,
    schema_name,
)

SLUGS = st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True).filter(
    lambda slug: len(slug) <= 40
)


@given(SLUGS)
def test_names_fit_postgresql_without_quotes(slug: str) -> None:
    for name in (schema_name(slug), RoleNames("a" * 19).tenant(slug)):
        assert len(name) <= 63
        assert name.isidentifier()
        assert name == name.lower()


@given(SLUGS, SLUGS)
def test_two_slugs_never_share_a_schema(one: str, other: str) -> None:
    assert (schema_name(one) == schema_name(other)) == (one == other)


@pytest.mark.parametrize(
    "slug",
    ["", "-a", "a-", "a--b", "1a", "A", "a_b", "ä", "a b", "a;b", 'a"b', "a.b", "pg\n", "x" * 41],
)
def test_what_cannot_be_a_host_name_is_no_slug(slug: str) -> None:
    with pytest.raises(NameInvalid):
        check_slug(slug)


@pytest.mark.parametrize("prefix", ["", "1", "A", "a-b", "a;", "x" * 20])
def test_prefix_is_checked(prefix: str) -> None:
    with pytest.raises(NameInvalid):
        RoleNames(prefix)


def test_logins_become_tenants_without_inheriting() -> None:
    statements = "\n".join(create_tenant_role(RoleNames("krz"), "bad-ems"))
    for login in ("krz_web", "krz_worker", "krz_owner"):
        assert f"GRANT krz_t_bad_ems TO {login} WITH INHERIT FALSE, SET TRUE" in statements
    assert "krz_federation" not in statements


def test_schema_is_opened_for_its_role_only() -> None:
    for statement in open_schema(RoleNames("krz"), "bad-ems"):
        assert "m_bad_ems" in statement
        assert statement.endswith("TO krz_t_bad_ems")
