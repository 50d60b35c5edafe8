"""What the demo consists of: names, keys of places, ports. Pure."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import UUID, uuid5

from console.home import Ports

UMBRELLA = "kdn"
#: Everybody's password in the demo; it protects invented cases on a loopback address.
PASSWORD = "amtsbruecke-demo"  # noqa: S105 -- printed on the screen on purpose
ADMINISTRATOR, CASEWORKER = "leitung", "vollstreckung"
#: Names of authorities are made from their ARS, so that a new demo has the same ones.
_AUTHORITIES = UUID("5b3c1f0e-0f0a-5f0e-9c55-64656d6f6e73")


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A municipality of the demo. Name, AGS, ARS and postcodes are true; its cases are not."""

    centre: str
    slug: str
    place: str
    name: str
    ags: str
    ars: str
    postcodes: tuple[str, ...]

    @property
    def authority_id(self) -> UUID:
        """Its identifier in the directory."""
        return uuid5(_AUTHORITIES, self.ars)


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """A computing centre of the demo, or the umbrella."""

    name: str
    title: str
    ports: Ports
    towns: tuple[Town, ...] = ()

    @property
    def domain(self) -> str:
        """Names under localhost need no entry in any DNS."""
        return f"{self.name}.localhost"

    @property
    def role(self) -> str:
        """`umbrella` or `centre`."""
        return "umbrella" if self.name == UMBRELLA else "centre"

    def url(self, town: Town) -> str:
        """Return the address of a municipality's pages."""
        return f"http://{town.slug}.{self.domain}:{self.ports.web}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole demo."""

    umbrella: Centre
    centres: tuple[Centre, ...]

    @property
    def all(self) -> tuple[Centre, ...]:
        """The umbrella and the centres."""
        return (self.umbrella, *self.centres)

    @property
    def sender(self) -> tuple[Centre, Town]:
        """The municipality that imports the sample file, and its centre."""
        return self.centres[0], self.centres[0].towns[0]


_TITLES = {
    "krz": "Rechenzentrum Minden-Ravensberg/Lippe",
    "sachsen": "Rechenzentrum Sachsen",
    "nord": "Rechenzentrum Nord",
}


@cache
def towns() -> tuple[Town, ...]:
    """Return all municipalities of the demo."""
    text = files(__package__).joinpath("municipalities.csv").read_text(encoding="utf-8")
    return tuple(
        Town(
            centre=row["centre"],
            slug=row["slug"],
            place=row["place"],
            name=row["name"],
            ags=row["ags"],
            ars=row["ars"],
            postcodes=tuple(row["postcodes"].split()),
        )
        for row in csv.DictReader(text.splitlines(), delimiter=";")
    )


def make_plan(port_base: int) -> Plan:
    """Return the demo with its ports from `port_base` on."""
    return Plan(
        umbrella=Centre(
            name=UMBRELLA, title="Dachverband (Verzeichnis)", ports=Ports.of(port_base, 0)
        ),
        centres=tuple(
            Centre(
                name=name,
                title=title,
                ports=Ports.of(port_base, place),
                towns=tuple(town for town in towns() if town.centre == name),
            )
            for place, (name, title) in enumerate(_TITLES.items(), start=1)
        ),
    )
