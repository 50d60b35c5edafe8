"""The embedded engines of one centre, and their addresses in its centre.env.

`AMTSBRUECKE_EMBEDDED` in centre.env names them (`postgres valkey`). A centre without it uses
servers that others run, at the addresses given.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.conninfo import conninfo_to_dict

from centre.config.environment import Environment
from console.cluster import LOGINS, ensure_cluster
from console.embedded.postgres import EmbeddedPostgres
from console.embedded.valkey import EmbeddedValkey
from console.home import CentreFolder

DATABASE = "amtsbruecke"
EMBEDDED = "AMTSBRUECKE_EMBEDDED"


class Engines:
    """What a centre runs itself. Building it starts nothing."""

    def __init__(self, folder: CentreFolder) -> None:
        self._folder = folder
        named = folder.settings().get(EMBEDDED, "").split()
        self.postgres = EmbeddedPostgres(folder.postgres) if "postgres" in named else None
        self.valkey = EmbeddedValkey(folder.valkey) if "valkey" in named else None

    def passwords(self) -> dict[str, str]:
        """Return the password of each login role, as centre.env has it."""
        settings = self._folder.settings()
        return {
            login: str(conninfo_to_dict(settings[url_of(login)])["password"]) for login in LOGINS
        }

    def note_addresses(self) -> None:
        """Write the running engines' addresses to centre.env; a moved home changes them."""
        settings = self._folder.settings()
        fresh = dict(settings)
        if self.postgres is not None:
            for login in LOGINS:
                known = conninfo_to_dict(settings[url_of(login)])
                fresh[url_of(login)] = self.postgres.dsn(
                    user=str(known["user"]), password=str(known["password"]), database=DATABASE
                )
        if self.valkey is not None and self.valkey.running:
            fresh["AMTSBRUECKE_BROKER_URL"] = self.valkey.url
        if fresh != settings:
            self._folder.write_settings(fresh)


@contextmanager
def running_database(folder: CentreFolder) -> Iterator[None]:
    """Run the centre's embedded database, with its roles, for the length of a block."""
    engines = Engines(folder)
    if engines.postgres is None:
        yield
        return
    with engines.postgres as server:
        ensure_cluster(
            server.admin_dsn,
            prefix=role_prefix(folder),
            passwords=engines.passwords(),
            database=DATABASE,
        )
        engines.note_addresses()
        yield


def role_prefix(folder: CentreFolder) -> str:
    """Return what the centre's database roles begin with, as its processes will read it."""
    known = folder.settings() if folder.settings_file.exists() else {}
    return Environment.from_mapping({**known, "AMTSBRUECKE_CENTRE": folder.name}).role_prefix


def url_of(login: str) -> str:
    """Return the name of the setting with the address of a login role."""
    return f"AMTSBRUECKE_{login.upper()}_DATABASE_URL"
