"""What a process is told from outside: `AMTSBRUECKE_*` variables, read once, checked, frozen.

Nothing else in the product reads `os.environ`. An empty environment gives a valid, useless
`Environment`, so that types can be checked and commands can say what is missing; a process calls
`require` at its start.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from centre.kernel.errors import AmtsbrueckeError

_PREFIX = "AMTSBRUECKE_"
_CENTRE = re.compile(r"[a-z][a-z0-9-]{0,30}")
_ROLE_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,18}")
_ED25519_KEY = re.compile(r"[0-9a-f]{64}")
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})
#: What only the console, the scripts and the tests read.
_OF_OTHERS = frozenset({"ADMIN_DATABASE_URL", "EMBEDDED", "GEO", "PORT_BASE", "PYTHON", "UV"})
_OF_TESTS = "TEST_"
_MAX_PORT = 65_535
_MOST_DAYS = 36_500
_MOST_GIGABYTES = 1_000_000
_MOST_PROCESSES = 16
_MOST_SCHEMAS = 10_000


class CentreRole(StrEnum):
    """What an installation is: a centre with municipalities, or the umbrella's directory."""

    CENTRE = "centre"
    UMBRELLA = "umbrella"


class Process(StrEnum):
    """Which login role of the database a process uses; each may do only its own work."""

    WEB = "web"
    WORKER = "worker"
    FEDERATION = "federation"
    OWNER = "owner"


class EnvironmentInvalid(AmtsbrueckeError):
    """The environment of this process is incomplete or wrong."""

    reason = "ENVIRONMENT_INVALID"


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """All that this process was told from outside."""

    home: Path = Path(".home")
    centre: str = ""
    role: CentreRole = CentreRole.CENTRE
    process: Process = Process.WEB
    database_urls: Mapping[Process, str] = field(default_factory=dict, repr=False)
    role_prefix: str = "amtsbruecke"
    broker_url: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    master_key_file: Path | None = None
    web_bind: Bind = Bind("127.0.0.1", 8000)
    web_domain: str = "localhost"
    web_secure: bool = False
    #: Whose word counts that a request came over HTTPS: addresses, networks, or `*`.
    web_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    gateway_bind: Bind | None = None
    gateway_endpoint: str = ""
    #: Gateways on this computer; several share the port.
    gateways: int = 1
    dispatchers: int = 1
    workers: int = 1
    webs: int = 1
    metrics_bind_gateway: Bind | None = None
    metrics_bind_dispatch: Bind | None = None
    metrics_bind_web: Bind | None = None
    metrics_bind_worker: Bind | None = None
    tls_dir: Path | None = None
    #: The folder for sealed documents. Without one they are rows of the database.
    documents: Path | None = None
    #: What the documents of one municipality may take.
    documents_quota_gb: int = 50
    umbrella_endpoint: str = ""
    umbrella_keys: tuple[bytes, ...] = ()
    debug: bool = False
    log_json: bool = False
    #: Notes about failed calls are deleted after so many days.
    keep_attempts_days: int = 90
    #: A database connection that has been in so many schemas is replaced.
    schemas_per_connection: int = 64
    #: Variables that look like ours and that nobody reads.
    unknown: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, variables: Mapping[str, str]) -> "Environment":
        """Parse the variables; raise `EnvironmentInvalid` that names every wrong one at once."""
        reader = _Reader(variables)
        centre = reader.matching("CENTRE", _CENTRE, "lower-case letters, digits and hyphens", "")
        derived = re.sub(r"[^a-z0-9_]", "", centre) or "amtsbruecke"
        environment = cls(
            home=reader.value("HOME", Path, cls.home),
            centre=centre,
            role=reader.value("ROLE", CentreRole, cls.role),
            process=reader.value("PROCESS", Process, cls.process),
            database_urls={
                process: url
                for process in Process
                if (url := reader.text(f"{process.upper()}_DATABASE_URL"))
            },
            role_prefix=reader.matching(
                "ROLE_PREFIX", _ROLE_PREFIX, "at most 19 of a-z, 0-9 and _", derived[:19]
            ),
            broker_url=reader.text("BROKER_URL"),
            secret_key=reader.text("SECRET_KEY"),
            master_key_file=reader.value("MASTER_KEY_FILE", Path, None),
            web_bind=reader.value("WEB_BIND", _bind, cls.web_bind),
            web_domain=reader.text("WEB_DOMAIN") or cls.web_domain,
            web_secure=reader.value("WEB_SECURE", _flag, cls.web_secure),
            web_proxies=reader.value("WEB_PROXIES", _proxies, cls.web_proxies),
            gateway_bind=reader.value("GATEWAY_BIND", _bind, None),
            gateway_endpoint=reader.text("GATEWAY_ENDPOINT"),
            gateways=reader.value("GATEWAYS", _few, cls.gateways),
            dispatchers=reader.value("DISPATCHERS", _few, cls.dispatchers),
            workers=reader.value("WORKERS", _few, cls.workers),
            webs=reader.value("WEBS", _few, cls.webs),
            metrics_bind_gateway=reader.value("METRICS_BIND_GATEWAY", _bind, None),
            metrics_bind_dispatch=reader.value("METRICS_BIND_DISPATCH", _bind, None),
            metrics_bind_web=reader.value("METRICS_BIND_WEB", _bind, None),
            metrics_bind_worker=reader.value("METRICS_BIND_WORKER", _bind, None),
            tls_dir=reader.value("TLS_DIR", Path, None),
            documents=reader.value("DOCUMENTS", Path, None),
            documents_quota_gb=reader.value(
                "DOCUMENTS_QUOTA_GB", _gigabytes, cls.documents_quota_gb
            ),
            umbrella_endpoint=reader.text("UMBRELLA_ENDPOINT"),
            umbrella_keys=reader.value("UMBRELLA_KEYS", _keys, ()),
            debug=reader.value("DEBUG", _flag, cls.debug),
            log_json=reader.value("LOG_JSON", _flag, cls.log_json),
            keep_attempts_days=reader.value("KEEP_ATTEMPTS_DAYS", _days, cls.keep_attempts_days),
            schemas_per_connection=reader.value(
                "SCHEMAS_PER_CONNECTION", _schemas, cls.schemas_per_connection
            ),
        )
        environment = replace(environment, unknown=reader.unknown())
        reader.raise_problems()
        return environment

    @property
    def database_url(self) -> str:
        """The database of this process, or an empty text."""
        return self.database_urls.get(self.process, "")

    def require(self, *names: str) -> None:
        """Raise `EnvironmentInvalid` if one of the named fields was not given.

        What every process needs (`centre`, `database_url`, `secret_key`) is always checked.
        """
        needed = ("centre", "database_url", "secret_key", *names)
        missing = [name for name in dict.fromkeys(needed) if not getattr(self, name)]
        if missing:
            variables = ", ".join(
                f"{_PREFIX}{self.process.upper()}_DATABASE_URL"
                if name == "database_url"
                else _PREFIX + name.upper()
                for name in missing
            )
            raise EnvironmentInvalid(
                f"This process ({self.process}) cannot start without {variables}. "
                f"{self._advice(missing)}"
            )

    def _advice(self, missing: Sequence[str]) -> str:
        them = "it" if len(missing) == 1 else "them"
        if not self.centre:
            return f"Set {them}, or name the centre: amtsbruecke --centre NAME …"
        if self.role is CentreRole.UMBRELLA and "broker_url" in missing:
            return (
                f"{self.centre} is an umbrella, which has no broker and one process: "
                f"amtsbruecke --centre {self.centre} umbrella"
            )
        return f"Set {them} in the centre.env of {self.centre}, or in the environment."


class _Reader:
    """Reads variables one by one and keeps what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []
        self._read: set[str] = set(_OF_OTHERS)

    def text(self, name: str) -> str:
        self._read.add(name)
        return self._variables.get(_PREFIX + name, "").strip()

    def value[T, D](self, name: str, parse: Callable[[str], T], default: D) -> T | D:
        text = self.text(name)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._problems.append(f"{_PREFIX}{name}: {error}")
            return default

    def matching(self, name: str, pattern: re.Pattern[str], rule: str, default: str) -> str:
        text = self.text(name)
        if text and not pattern.fullmatch(text):
            self._problems.append(f"{_PREFIX}{name}: {text!r} breaks the rule: {rule}")
        return text or default

    def unknown(self) -> tuple[str, ...]:
        """Return what begins like a setting and was not read."""
        ours = (name for name in self._variables if name.startswith(_PREFIX))
        names = (name for name in ours if name.removeprefix(_PREFIX) not in self._read)
        return tuple(sorted(name for name in names if not name.startswith(_PREFIX + _OF_TESTS)))

    def raise_problems(self) -> None:
        if self._problems:
            raise EnvironmentInvalid("\n".join(self._problems))


def _bind(text: str) -> Bind:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) <= _MAX_PORT):
        raise ValueError(f"{text!r} is no HOST:PORT")
    return Bind(host.strip("[]"), int(port))


def _proxies(text: str) -> tuple[str, ...]:
    proxies = tuple(text.replace(",", " ").split())
    try:
        for each in proxies or [""]:
            if each != "*":
                ipaddress.ip_network(each)
    except ValueError as error:
        raise ValueError(
            f"{error}; give IP addresses or networks, such as 10.0.0.2 or 10.0.0.0/24"
        ) from error
    return proxies


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither 1 nor 0")


def _days(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= _MOST_DAYS):
        raise ValueError(f"{text!r} is no number of days from 1 to {_MOST_DAYS}")
    return int(text)


def _gigabytes(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= _MOST_GIGABYTES):
        raise ValueError(f"{text!r} is no whole number of gigabytes from 1 to {_MOST_GIGABYTES}")
    return int(text)


def _schemas(text: str) -> int:
    if not (text.isdecimal() and 1 < int(text) <= _MOST_SCHEMAS):
        raise ValueError(f"{text!r} is no number of schemas from 2 to {_MOST_SCHEMAS}")
    return int(text)


def _few(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= _MOST_PROCESSES):
        raise ValueError(f"{text!r} is no number of processes from 1 to {_MOST_PROCESSES}")
    return int(text)


def _keys(text: str) -> tuple[bytes, ...]:
    keys = text.replace(",", " ").lower().split()
    if wrong := [key for key in keys if not _ED25519_KEY.fullmatch(key)]:
        raise ValueError(f"{wrong[0]!r} is no Ed25519 public key of 64 hexadecimal digits")
    return tuple(bytes.fromhex(key) for key in keys)
