"""A new centre: settings and secrets, database and roles, tables. Every step may be repeated."""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from centre.config.environment import Environment
from centre.keys.wrapping import MasterKey
from console.cluster import LOGINS, ensure_cluster
from console.engines import DATABASE, EMBEDDED, Engines, role_prefix, running_database, url_of
from console.errors import ConsoleError
from console.home import CentreFolder, Ports

_SECRET_BYTES: Final = 48
_PASSWORD_BYTES: Final = 24


class PreparationFailed(ConsoleError):
    """A step of setting up a centre failed."""

    reason = "PREPARATION_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody says of a new centre. An empty text stands for the default."""

    is_umbrella: bool
    gateway: str
    domain: str
    directory_from: str
    keys: tuple[str, ...]
    #: An administrator's address of a PostgreSQL server; None: the embedded one.
    database: str | None
    database_name: str
    broker: str
    first_port: int


def create(folder: CentreFolder, wanted: Wanted) -> bool:
    """Set a centre up; return whether it had settings already, which are kept."""
    if not (wanted.is_umbrella or wanted.domain):
        raise PreparationFailed(
            "A centre needs a domain: each municipality gets a host name under it.",
            hint="Such as --domain amtshilfe.krz.example; the DNS must lead *.DOMAIN to the pages.",
        )
    engines = [] if wanted.database else ["postgres"]
    if not (wanted.is_umbrella or wanted.broker):
        engines.append("valkey")
    said = {
        EMBEDDED: " ".join(engines),
        "AMTSBRUECKE_BROKER_URL": wanted.broker,
        "AMTSBRUECKE_UMBRELLA_KEYS": " ".join(wanted.keys),
        "AMTSBRUECKE_WEB_SECURE": "" if wanted.is_umbrella else "1",
    }
    settings = settings_for(
        folder,
        role="umbrella" if wanted.is_umbrella else "centre",
        ports=Ports.of(wanted.first_port, 0),
        gateway=wanted.gateway,
        umbrella=wanted.directory_from,
        domain=wanted.domain,
    )
    written = {name: value for name, value in {**settings, **said}.items() if value}
    Environment.from_mapping({"AMTSBRUECKE_CENTRE": folder.name, **written})  # or it says what not
    fresh = make_secrets(folder)
    known = folder.settings() if folder.settings_file.exists() else {}
    folder.write_settings({**fresh, **(known or written)})
    if wanted.database:
        name = wanted.database_name or f"amtsbruecke_{role_prefix(folder.name)}"
        use_server(folder, wanted.database, database=name)
    migrate(folder)
    return bool(known)


def next_steps(folder: CentreFolder) -> Iterator[str]:
    """Yield what is left to do for a person, in order."""
    us = f"amtsbruecke --centre {folder.name}"
    umbrella = folder.settings()["AMTSBRUECKE_ROLE"] == "umbrella"
    yield ""
    yield "Next:"
    yield f"  1. Keep {_master_key(folder)} where the database's back-up is not."
    yield f"  2. Put ca.pem, centre.pem and centre.key into {folder.tls}"
    yield f"     (for trials: amtsbruecke pki init; amtsbruecke pki issue {folder.name})."
    yield f"  3. Start it: {us} run, and look at it from another terminal: {us} doctor"
    if umbrella:
        yield f"  4. Give all centres the key of the directory: {us} directory key"
        yield f"  5. {us} directory publish ENTRY …, with what the centres have sent you."
    else:
        yield f"  4. {us} tenant create …"
        yield f"  5. {us} directory entry AREAS FILE --name …, and send FILE to the umbrella."
        yield f"  6. Once the umbrella has published it: {us} directory fetch"
    yield "docs/guides/operating.md has the whole way."


def settings_for(
    folder: CentreFolder, *, role: str, ports: Ports, gateway: str, umbrella: str, domain: str = ""
) -> dict[str, str]:
    """Return what a centre is told of itself. It listens on loopback, the gateway too.

    `gateway`: where others reach its gateway. `umbrella`: where the directory comes from.
    """
    settings = {
        "AMTSBRUECKE_ROLE": role,
        "AMTSBRUECKE_MASTER_KEY_FILE": str(_master_key(folder)),
        "AMTSBRUECKE_TLS_DIR": str(folder.tls),
        "AMTSBRUECKE_GATEWAY_BIND": f"127.0.0.1:{ports.gateway}",
        "AMTSBRUECKE_GATEWAY_ENDPOINT": gateway,
        "AMTSBRUECKE_METRICS_BIND_GATEWAY": f"127.0.0.1:{ports.metrics_gateway}",
        "AMTSBRUECKE_UMBRELLA_ENDPOINT": umbrella,
    }
    if role == "centre":
        settings |= {
            "AMTSBRUECKE_METRICS_BIND_DISPATCH": f"127.0.0.1:{ports.metrics_dispatch}",
            "AMTSBRUECKE_METRICS_BIND_WEB": f"127.0.0.1:{ports.metrics_web}",
            "AMTSBRUECKE_METRICS_BIND_WORKER": f"127.0.0.1:{ports.metrics_worker}",
            "AMTSBRUECKE_WEB_BIND": f"127.0.0.1:{ports.web}",
            "AMTSBRUECKE_WEB_DOMAIN": domain,
        }
    return settings


def make_secrets(folder: CentreFolder) -> dict[str, str]:
    """Make the master key if there is none; return new secrets for the settings."""
    folder.create()
    if not _master_key(folder).exists():
        MasterKey.create_file(_master_key(folder))
    prefix = role_prefix(folder.name)
    return {
        "AMTSBRUECKE_SECRET_KEY": secrets.token_urlsafe(_SECRET_BYTES),
        **{
            url_of(login): _url(prefix, login, secrets.token_urlsafe(_PASSWORD_BYTES), DATABASE, {})
            for login in LOGINS
        },
    }


def use_server(folder: CentreFolder, admin_dsn: str, *, database: str) -> None:
    """Set roles and database up on somebody's server, and write its address to the settings.

    The administrator's address is not kept.
    """
    settings, passwords = folder.settings(), Engines(folder).passwords()
    prefix = settings.get("AMTSBRUECKE_ROLE_PREFIX") or role_prefix(folder.name)
    ensure_cluster(admin_dsn, prefix=prefix, passwords=passwords, database=database)
    where = {
        name: str(value)
        for name, value in conninfo_to_dict(admin_dsn).items()
        if name not in {"user", "password", "dbname"} and value is not None
    }
    urls = {
        url_of(login): _url(prefix, login, passwords[login], database, where) for login in LOGINS
    }
    folder.write_settings({**settings, **urls})


def migrate(folder: CentreFolder) -> None:
    """Bring the centre's database to this version, in a process that has the centre's settings."""
    with running_database(folder):
        done = subprocess.run(
            [sys.executable, "-m", "console", "migrate"],
            env=folder.environment(),
            cwd=folder.path,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PreparationFailed(
            f"The tables of {folder.name} could not be made: {last}",
            hint=f"Then again: amtsbruecke --centre {folder.name} migrate",
        )


def _master_key(folder: CentreFolder) -> Path:
    return folder.path / "master.key"


def _url(prefix: str, login: str, password: str, database: str, where: Mapping[str, str]) -> str:
    name, secret, base = (
        quote(each, safe="") for each in (f"{prefix}_{login}", password, database)
    )
    question = f"?{urlencode(where)}" if where else ""
    return f"postgresql://{name}:{secret}@/{base}{question}"
