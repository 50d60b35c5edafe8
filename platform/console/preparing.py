"""A new centre: settings and secrets, database and roles, tables. Every step may be repeated."""

import fcntl
import hashlib
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from centre.config.environment import Environment
from centre.keys.wrapping import MasterKey
from console.cluster import LOGINS, ensure_cluster
from console.engines import DATABASE, EMBEDDED, Engines, role_prefix, running_database, url_of
from console.errors import ConsoleError, EngineInUse
from console.home import CentreFolder, Home, Ports

_SECRET_BYTES: Final = 48
_PASSWORD_BYTES: Final = 24
_LAST_PORT: Final = 65_535
_LABEL: Final = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*|\[[0-9a-fA-F:.]+\]")
_BROKER: Final = re.compile(r"(amqps?|rediss?|redis\+socket|valkeys?|sentinel)://\S+\Z")


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

    def check(self) -> None:
        """Raise `PreparationFailed` for what cannot be meant."""
        if not (self.is_umbrella or _DOMAIN.fullmatch(self.domain)):
            raise PreparationFailed(
                "A centre needs a domain: each municipality gets a host name under it."
                if not self.domain
                else f"{self.domain!r} is no domain.",
                hint="Such as --domain amtshilfe.krz.example; the DNS must lead *.DOMAIN to the"
                " pages.",
            )
        for option, address in (("gateway", self.gateway), ("directory-from", self.directory_from)):
            if (address or option == "gateway") and not _is_address(address):
                raise PreparationFailed(
                    f"--{option} {address!r} is no address.",
                    hint="Such as gateway.krz.example:8443",
                )
        if self.broker and not _BROKER.match(self.broker):
            raise PreparationFailed(
                "This is no address of a broker.",
                hint="Such as amqp://USER:PASSWORD@HOST:5672// or redis://:PASSWORD@HOST:6379/0",
            )


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    numbered = port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT
    return bool(_HOST.fullmatch(host)) and numbered


def create(folder: CentreFolder, wanted: Wanted) -> list[str]:
    """Set a centre up; return the settings that were there already and are kept.

    Until its database is there, nothing is kept but the secrets: a typing error can be mended.
    """
    wanted.check()
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
    if not _is_done(folder):
        _refuse_taken_ports(folder, written)
    fresh = make_secrets(folder)
    with _alone(folder):
        done = _is_done(folder)
        known = folder.settings() if folder.settings_file.exists() else {}
        if done and wanted.database and "postgres" in known.get(EMBEDDED, "").split():
            raise PreparationFailed(
                f"{folder.name} has the database that comes along already.",
                hint="Repeat without --database. To move it, dump and restore the database.",
            )
        kept = known if done else {name: known[name] for name in fresh if name in known}
        folder.write_settings({**fresh, **({} if done else written), **kept})
        folder.create_documents()
        if wanted.database:
            name = wanted.database_name or f"amtsbruecke_{role_prefix(folder)}"
            use_server(folder, wanted.database, database=name)
        migrate(folder)
    return [name for name, value in written.items() if done and known.get(name) != value]


def _is_done(folder: CentreFolder) -> bool:
    """Whether its database was set up: the address of that is the last thing that is written."""
    known = folder.settings() if folder.settings_file.exists() else {}
    return "?" in known.get(url_of("owner"), "")


@contextmanager
def _alone(folder: CentreFolder) -> Iterator[None]:
    """Let two who set the same centre up take turns."""
    with (folder.path / "create.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_taken_ports(folder: CentreFolder, written: Mapping[str, str]) -> None:
    ours = {value for name, value in written.items() if "_BIND" in name}
    for other in Home(folder.path.parents[1]).centres():
        if other.name == folder.name:
            continue
        settings = other.settings()
        if taken := sorted(ours & {settings[name] for name in settings if "_BIND" in name}):
            raise PreparationFailed(
                f"{other.name} has the address {taken[0]} already.",
                hint="Choose another --first-port: each centre takes ten.",
            )


def differing_ports(folder: CentreFolder) -> str:
    """Return what a person should know whose gateway listens on another port than others are told.

    An empty text if it does not.
    """
    settings = folder.settings()
    bind, told = (settings.get(f"AMTSBRUECKE_GATEWAY_{each}", "") for each in ("BIND", "ENDPOINT"))
    port = told.rpartition(":")[2]
    if bind.rpartition(":")[2] == port:
        return ""
    return (
        f"Others are told {told}, but the gateway listens on {bind}. Lead the one to the other, or"
        f" set AMTSBRUECKE_GATEWAY_BIND=0.0.0.0:{port} in {folder.settings_file}."
    )


def next_steps(folder: CentreFolder) -> Iterator[str]:
    """Yield what is left to do for a person, in order."""
    us = f"amtsbruecke --centre {folder.name}"
    umbrella = folder.settings()["AMTSBRUECKE_ROLE"] == "umbrella"
    yield ""
    yield "Next:"
    yield f"  1. Keep {_master_key(folder)} where the database's back-up is not."
    yield f"  2. Put ca.pem, centre.pem and centre.key into {folder.tls}"
    yield f"     (for trials: amtsbruecke pki init; amtsbruecke pki issue {folder.name})."
    yield f"  3. Start it: {us} run"
    yield f"     (beside others of this home that run: amtsbruecke centre start {folder.name}),"
    yield f"     and look at it from another terminal: {us} doctor"
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
            "AMTSBRUECKE_DOCUMENTS": str(folder.documents),
        }
    return settings


def make_secrets(folder: CentreFolder) -> dict[str, str]:
    """Make the master key if there is none; return new secrets for the settings."""
    folder.create()
    if _master_key(folder).exists():
        MasterKey.from_file(_master_key(folder))  # or it says what is wrong with it
    else:
        MasterKey.create_file(_master_key(folder))
    prefix = role_prefix(folder)
    return {
        "AMTSBRUECKE_SECRET_KEY": secrets.token_urlsafe(_SECRET_BYTES),
        **{
            url_of(login): _url(prefix, login, secrets.token_urlsafe(_PASSWORD_BYTES), DATABASE, {})
            for login in LOGINS
        },
    }


def use_server(folder: CentreFolder, admin_dsn: str, *, database: str) -> None:
    """Prepare roles and database on somebody's server, and write its address to the settings.

    The administrator's address is not kept.
    """
    settings, passwords = folder.settings(), Engines(folder).passwords()
    prefix = role_prefix(folder)
    key = hashlib.sha256(_master_key(folder).read_bytes()).hexdigest()[:16]
    ensure_cluster(
        admin_dsn,
        prefix=prefix,
        passwords=passwords,
        database=database,
        belongs_to=f"Amtsbrücke, centre {folder.name}, master key {key}",
    )
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
    try:
        with running_database(folder):
            done = run_in(folder, "console", "migrate")
    except EngineInUse as error:
        raise PreparationFailed(
            f"{folder.name} runs already: nothing was changed.",
            hint=f"Its settings are in {folder.settings_file}; new tables come with `amtsbruecke"
            f" --centre {folder.name} migrate`. To repeat this, stop it first: amtsbruecke centre"
            f" stop {folder.name}",
        ) from error
    if done.returncode != 0:
        raise PreparationFailed(
            f"The tables of {folder.name} could not be made: {complaint(done)}",
            hint=f"Then again: amtsbruecke --centre {folder.name} migrate",
        )


def run_in(folder: CentreFolder, *module: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run a module as a process of this centre, with its settings alone, to its end."""
    return subprocess.run(
        [sys.executable, "-m", *module],
        input=said,
        env=folder.environment(),
        cwd=folder.path,
        capture_output=True,
        text=True,
        check=False,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a process that failed said about it: its refusal, else its last line."""
    lines = done.stderr.strip().splitlines() or ["it said nothing"]
    refusal = next((each for each in lines if each.startswith("Error: ")), lines[-1])
    return refusal.removeprefix("Error: ")


def _master_key(folder: CentreFolder) -> Path:
    return folder.path / "master.key"


def _url(prefix: str, login: str, password: str, database: str, where: Mapping[str, str]) -> str:
    name, secret, base = (
        quote(each, safe="") for each in (f"{prefix}_{login}", password, database)
    )
    question = f"?{urlencode(where)}" if where else ""
    return f"postgresql://{name}:{secret}@/{base}{question}"
