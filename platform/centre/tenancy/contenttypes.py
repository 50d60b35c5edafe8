"""What Django remembers of content types, kept apart for each schema.

Their ids differ between schemas. Django remembers them for each database alias, and we have one.
"""

from typing import Any

from django.contrib.contenttypes.models import ContentType

from centre.tenancy import context

type _Known = dict[Any, ContentType]


class _PerSchema(dict[Any, _Known]):
    """Takes the place of a dictionary by alias: the schema of now belongs to the key."""

    def __getitem__(self, alias: str) -> _Known:
        return super().__getitem__((alias, context.current_place().schema))

    def setdefault(self, alias: str, default: Any = None) -> _Known:
        return super().setdefault((alias, context.current_place().schema), default)


def keep_apart() -> None:
    """Let every manager of content types remember them per schema."""
    known = _PerSchema()
    for manager in (*ContentType._meta.local_managers, *ContentType._meta.managers):  # noqa: SLF001
        manager._cache = known  # type: ignore[attr-defined]  # noqa: SLF001 -- there is no other way
