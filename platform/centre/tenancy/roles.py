"""Names of the database roles of a centre, and how a municipality gets its own. Pure.

`p_owner` owns everything and migrates; `p_web`, `p_worker` and `p_federation` log in for the
processes; `p_tenants` is the group through which every municipality's role `p_t_<slug>` reaches
shared tables. Web and worker may *become* a municipality but inherit nothing from it; the
federation can become nobody. No role is a superuser: superusers bypass row-level security.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from centre.kernel.errors import AmtsbrueckeError

SLUG_MAX_LENGTH = 40
_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,18}")


class NameInvalid(AmtsbrueckeError):
    """A name cannot become the name of a schema or role."""

    reason = "NAME_INVALID"


def check_slug(slug: str) -> str:
    """Return `slug` if it can be a host name, a schema and a role; else raise `NameInvalid`."""
    if len(slug) > SLUG_MAX_LENGTH or not _SLUG.fullmatch(slug):
        raise NameInvalid(
            f"{slug!r} cannot be a short name: at most {SLUG_MAX_LENGTH} lower-case letters "
            "a-z and digits, parts joined by single hyphens, a letter first."
        )
    return slug


def schema_name(slug: str) -> str:
    """Return the schema of a municipality. Hyphens become underscores, which no slug has."""
    return "m_" + check_slug(slug).replace("-", "_")


@dataclass(frozen=True, slots=True)
class RoleNames:
    """The roles of the centre with this prefix."""

    prefix: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise NameInvalid(f"{self.prefix!r} cannot be a prefix of roles")

    @property
    def owner(self) -> str:
        return f"{self.prefix}_owner"

    @property
    def web(self) -> str:
        return f"{self.prefix}_web"

    @property
    def worker(self) -> str:
        return f"{self.prefix}_worker"

    @property
    def federation(self) -> str:
        return f"{self.prefix}_federation"

    @property
    def tenants(self) -> str:
        return f"{self.prefix}_tenants"

    @property
    def logins(self) -> tuple[str, ...]:
        return (self.owner, self.web, self.worker, self.federation)

    @property
    def processes(self) -> dict[str, str]:
        """Login roles of the processes that serve, by the short word that operations use."""
        return {"web": self.web, "worker": self.worker, "federation": self.federation}

    @property
    def tenant_prefix(self) -> str:
        """What the role of every municipality begins with."""
        return f"{self.prefix}_t_"

    def tenant(self, slug: str) -> str:
        return self.tenant_prefix + check_slug(slug).replace("-", "_")


def create_tenant_role(names: RoleNames, slug: str) -> Iterable[str]:
    """Yield statements by which `p_owner` makes a municipality's role; harmless when repeated."""
    role = names.tenant(slug)
    yield (
        f"DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN "
        f"CREATE ROLE {role} NOLOGIN INHERIT NOSUPERUSER; END IF; END $$"
    )
    yield f"GRANT {names.tenants} TO {role} WITH INHERIT TRUE, SET FALSE"
    for process in (names.owner, names.web, names.worker):
        yield f"GRANT {role} TO {process} WITH INHERIT FALSE, SET TRUE"


def open_schema(names: RoleNames, slug: str) -> Iterable[str]:
    """Yield statements that let a municipality's role work in its schema, now and later."""
    role, schema = names.tenant(slug), schema_name(slug)
    yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
    for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE")):
        yield f"GRANT {rights} ON ALL {kind} IN SCHEMA {schema} TO {role}"
        yield (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {names.owner} IN SCHEMA {schema} "
            f"GRANT {rights} ON {kind} TO {role}"
        )


def close_schema(names: RoleNames, slug: str) -> Iterable[str]:
    """Yield statements that keep everybody from writing to a municipality; `open_schema` undoes it.

    Rights to tables are looked at whenever a statement runs, so this ends what goes on by itself,
    such as an import in many transactions, at its next row.
    """
    role, schema = names.tenant(slug), schema_name(slug)
    yield f"REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} FROM {role}"
