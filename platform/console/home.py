"""Where a computer keeps its centres: one folder each, with a file of settings.

$AMTSBRUECKE_HOME/centres/krz/centre.env   settings and secrets, readable by us alone
                             /postgres     the embedded database
                             /valkey       the embedded broker
                             /tls          certificate and key of the federation
                             /documents    sealed documents
                             /logs         what each process said
$AMTSBRUECKE_HOME/control                  how a second terminal speaks to the supervisor
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from console.errors import SettingMissing

PORTS_EACH = 10
DEFAULT_PORT_BASE = 8400
#: Settings of the calling shell that a centre's processes see; all else comes from centre.env.
_INHERITED = ("AMTSBRUECKE_DEBUG", "AMTSBRUECKE_LOG_JSON")
_CENTRE = re.compile(r"[a-z][a-z0-9-]{0,30}")
_LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
#: Values that a shell and systemd read as they stand.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'')
#: What a shell and systemd's EnvironmentFile both escape within double quotes; nothing else.
_ESCAPED = re.compile(r'(["\\$`])')
_ESCAPES = re.compile(r'\\(["\\$`])')


def default_home() -> Path:
    """Return where data lie when nobody says otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/amtsbruecke")
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/amtsbruecke").expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "amtsbruecke"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all centres of this computer."""

    path: Path

    def centre(self, name: str) -> "CentreFolder":
        """Return the folder of one centre, which need not exist."""
        if not _CENTRE.fullmatch(name):
            raise SettingMissing(
                f"{name!r} cannot be the name of a centre.",
                hint="Use lower-case letters, digits and hyphens, a letter first.",
            )
        return CentreFolder(name, self.path / "centres" / name)

    def centres(self) -> list["CentreFolder"]:
        """Return the centres that have settings, sorted by name."""
        found = (self.path / "centres").glob("*/centre.env")
        return [CentreFolder(path.parent.name, path.parent) for path in sorted(found)]

    def existing(self, name: str) -> "CentreFolder":
        """Return the folder of a centre, or say in words which centres there are."""
        folder = self.centre(name)
        if not folder.settings_file.exists():
            known = ", ".join(centre.name for centre in self.centres()) or "none yet"
            raise SettingMissing(
                f"There is no centre {name!r} in {self.path} (known: {known}).",
                hint="Check the name, name another --home, or set up the demo: amtsbruecke demo",
            )
        return folder

    def create(self) -> None:
        """Make the folder; strangers may pass it but not look, for the database's own user."""
        if self.path.exists() and not self.path.is_dir():
            raise SettingMissing(
                f"{self.path} is no folder.", hint="Name another --home, or AMTSBRUECKE_HOME."
            )
        for path in (self.path, self.path / "centres"):
            if not path.exists():
                path.mkdir(parents=True)
                path.chmod(0o711 if os.geteuid() == 0 else 0o700)


@dataclass(frozen=True, slots=True)
class CentreFolder:
    """The folder of one centre."""

    name: str
    path: Path

    @property
    def settings_file(self) -> Path:
        return self.path / "centre.env"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def tls(self) -> Path:
        return self.path / "tls"

    @property
    def documents(self) -> Path:
        return self.path / "documents"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def create(self) -> None:
        """Make the folder and its parents."""
        Home(self.path.parents[1]).create()
        if not self.path.exists():
            self.path.mkdir()
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def create_documents(self) -> None:
        """Make the folder of its documents where the settings name the one that lies here."""
        if self.settings().get("AMTSBRUECKE_DOCUMENTS") == str(self.documents):
            self.documents.mkdir(0o700, exist_ok=True)

    def settings(self) -> dict[str, str]:
        """Return what centre.env says."""
        return parse_settings(self.settings_file.read_text(encoding="utf-8"), self.settings_file)

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes: the shell's, with these settings alone."""
        foreign = (name for name in os.environ if not name.startswith("AMTSBRUECKE_"))
        inherited = (name for name in _INHERITED if name in os.environ)
        return {
            **{name: os.environ[name] for name in foreign},
            **self.settings(),
            **{name: os.environ[name] for name in inherited},
            "AMTSBRUECKE_HOME": str(self.path.parents[1]),
            "AMTSBRUECKE_CENTRE": self.name,
            "PYTHONUNBUFFERED": "1",
        }

    def write_settings(self, settings: Mapping[str, str]) -> None:
        """Replace centre.env as a whole; a crash leaves the old or the new file, never half."""
        if broken := [name for name, value in settings.items() if not value.isprintable()]:
            raise SettingMissing(
                f"The value of {broken[0]} is not one line.", hint="Give it without line breaks."
            )
        fresh = self.settings_file.with_suffix(".env.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"# Settings and secrets of the centre {self.name}. Keep it private.\n")
            file.writelines(
                f"{name}={_quoted(value)}\n" for name, value in sorted(settings.items())
            )
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.settings_file)


def parse_settings(text: str, path: Path) -> dict[str, str]:
    """Read `NAME=value` lines as a shell and systemd do; `#` starts a comment line.

    A value without quotes around it is taken as it stands, whatever is in it.
    """
    settings: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingMissing(
                f"Line {number} of {path} is not NAME=value.",
                hint="Mend that line; a comment starts with #.",
            )
        settings[match[1]] = _unquoted(match[2].strip())
    return settings


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else f'"{_ESCAPED.sub(r"\\\1", value)}"'


def _unquoted(text: str) -> str:
    match = _QUOTED.fullmatch(text)
    if match is None:
        return text
    return match[2] if match[1] is None else _ESCAPES.sub(r"\1", match[1])


@dataclass(frozen=True, slots=True)
class Ports:
    """The block of ports of one centre."""

    first: int

    @classmethod
    def of(cls, base: int, place: int) -> "Ports":
        """Return the block of the centre at `place` (0, 1, ...); the first begins at `base`."""
        highest = base + PORTS_EACH * (place + 1) - 1
        if base < 1 or highest > 65_535:  # noqa: PLR2004 -- the last port there is
            raise SettingMissing(
                f"A port base of {base} leaves no room for {place + 1} blocks of ports.",
                hint="Choose --port-base between 1024 and 65000.",
            )
        return cls(base + PORTS_EACH * place)

    @property
    def web(self) -> int:
        return self.first

    @property
    def gateway(self) -> int:
        return self.first + 1

    @property
    def metrics_gateway(self) -> int:
        return self.first + 2

    @property
    def metrics_dispatch(self) -> int:
        return self.first + 3

    @property
    def metrics_web(self) -> int:
        return self.first + 4

    @property
    def metrics_worker(self) -> int:
        return self.first + 5
