"""What a person may do. Pure.

Roles include each other: an administrator may do what a caseworker may, who may do what a reader
may.
"""

from enum import StrEnum


class Role(StrEnum):
    READER = "reader"
    CASEWORKER = "caseworker"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        return _LABELS[self]

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do all that the other may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = list(Role)
_LABELS = {
    Role.READER: "Lesezugriff",
    Role.CASEWORKER: "Sachbearbeitung",
    Role.ADMINISTRATOR: "Fachadministration",
}
