"""The embedded engines of one centre, and their addresses in its centre.env.

`AMTSBRUECKE_EMBEDDED` in centre.env names them (`postgres valkey`). A centre without it uses
servers that others run, at the addresses given.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.conninfo import conninfo_to_dict

from console.embedded.cluster import LOGINS
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

    def note_addresses(self) -> None:
        """Write the running engines' addresses to centre.env; a moved home changes them."""
        settings = self._folder.settings()
        fresh = dict(settings)
        if self.postgres is not None:
            for login in LOGINS:
                name = f"AMTSBRUECKE_{login.upper()}_DATABASE_URL"
                known = conninfo_to_dict(settings[name])
                fresh[name] = self.postgres.dsn(
                    user=str(known["user"]), password=str(known["password"]), database=DATABASE
                )
        if self.valkey is not None:
            fresh["AMTSBRUECKE_BROKER_URL"] = self.valkey.url
        if fresh != settings:
            self._folder.write_settings(fresh)


@contextmanager
def running_database(folder: CentreFolder) -> Iterator[EmbeddedPostgres | None]:
    """Run the centre's embedded database for a while, for provisioning; None if others run it."""
    engines = Engines(folder)
    if engines.postgres is None:
        yield None
        return
    with engines.postgres:
        yield engines.postgres
