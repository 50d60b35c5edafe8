"""All rows of one municipality in one file: a ZIP with a table per member, and a manifest.

Members `tenant/<table>.jsonl` come from the municipality's schema, `shared/<table>.jsonl` are its
rows of shared tables; each line is one row as JSON. What lies in files, such as `documents/<id>`,
is there as it is. `manifest.json` is the last member and tells rows or size and SHA-256 of each, so
a file without it was never finished. Sealed content stays sealed.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import structlog
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string
from psycopg import sql

from centre.kernel.files import new_private_file
from centre.registry.models import Municipality
from centre.registry.selectors import RegistryError
from centre.tenancy.context import schema_scope
from centre.tenancy.fields import TenantRoleField

FORMAT = "amtsbruecke tenant archive v1"
_PIECE = 1024 * 1024

log = structlog.get_logger(__name__)


class ArchiveRefused(RegistryError):
    """An archive cannot be written there."""

    reason = "ARCHIVE_REFUSED"


@dataclass(frozen=True, slots=True)
class File:
    """A file in an archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Member:
    """A table in an archive."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive holds, and the names of files that should be in it and are gone or broken."""

    members: tuple[Member, ...]
    files: tuple[File, ...]
    lost_files: tuple[str, ...]


def shared_tables(*, kept: bool | None = None) -> Iterator[str]:
    """Yield the shared tables whose rows name their tenant; `kept` narrows by `TenantRoleField`."""
    for model in apps.get_models():
        for field in model._meta.fields:  # noqa: SLF001 -- Django's documented way
            if isinstance(field, TenantRoleField) and kept in {None, field.kept}:
                yield model._meta.db_table  # noqa: SLF001


def write(municipality: Municipality, path: Path, *, at: datetime) -> tuple[Member, ...]:
    """Write the archive to `path`, from one snapshot of the database; replace what is there.

    The file appears under its name only when it is complete.
    """
    unfinished = _unfinished(path)
    unfinished.unlink(missing_ok=True)
    with new_private_file(unfinished) as file:
        members = _write_to(file, municipality, at=at)
        file.flush()
        os.fsync(file.fileno())
        unfinished.replace(path)
    return members


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _write_to(file: IO[bytes], municipality: Municipality, *, at: datetime) -> tuple[Member, ...]:
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        schema_scope(municipality.schema_name),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        members = [
            *_tenant_members(cursor, archive, municipality),
            *_shared_members(cursor, archive, municipality),
        ]
        files, lost = _files(archive, municipality)
        archive.writestr("manifest.json", _manifest(municipality, members, files, lost, at))
    return tuple(members)


def refuse_to_replace(path: Path, municipality: Municipality) -> None:
    """Raise `ArchiveRefused` unless the archive can be written there without loss.

    What it may replace is an earlier archive of the same municipality.
    """
    if not path.parent.is_dir():
        raise ArchiveRefused(f"There is no folder {path.parent}.")
    for each in (path, _unfinished(path)):
        # A device or a pipe may never end, so it is not opened at all.
        if each.exists() and not each.is_file():
            raise ArchiveRefused(f"{each} is no regular file. Name another file.")
    if not path.exists():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            same = manifest["municipality"]["authority_id"] == str(municipality.authority_id)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError):
        same = False
    if not same:
        raise ArchiveRefused(
            f"{path} is there already and is no archive of {municipality.slug}. Name another file."
        )


def check(path: Path) -> Contents:
    """Read an archive whole and return its contents; raise ValueError if something is not right."""
    with zipfile.ZipFile(path) as archive:
        if "manifest.json" not in archive.namelist():
            raise ValueError(f"{path} has no manifest: it was never finished")
        manifest = json.loads(archive.read("manifest.json"))
        files = tuple(File(**file) for file in manifest.get("files", ()))
        for file in files:
            digest = hashlib.sha256()
            with archive.open(file.name) as content:
                while piece := content.read(_PIECE):
                    digest.update(piece)
            if digest.hexdigest() != file.sha256:
                raise ValueError(f"{file.name} in {path} is not what the manifest says")
        members = tuple(Member(**member) for member in manifest["members"])
        for member in members:
            digest = hashlib.sha256()
            with archive.open(member.name) as lines:
                rows = 0
                for line in lines:
                    digest.update(line)
                    rows += 1
            if (rows, digest.hexdigest()) != (member.rows, member.sha256):
                raise ValueError(f"{member.name} in {path} is not what the manifest says")
    return Contents(members, files, tuple(manifest.get("lost_files", ())))


def _tenant_members(
    cursor: Any, archive: zipfile.ZipFile, municipality: Municipality
) -> Iterator[Member]:
    cursor.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename",
        [municipality.schema_name],
    )
    for (table,) in cursor.fetchall():
        query = sql.SQL("SELECT to_json(t)::text FROM {} t").format(
            sql.Identifier(municipality.schema_name, table)
        )
        yield _member(cursor, archive, f"tenant/{table}.jsonl", query)


def _shared_members(
    cursor: Any, archive: zipfile.ZipFile, municipality: Municipality
) -> Iterator[Member]:
    for table in sorted(shared_tables()):
        query = sql.SQL("SELECT to_json(t)::text FROM public.{} t WHERE tenant_role = {}").format(
            sql.Identifier(table), sql.Literal(municipality.tenant_role)
        )
        yield _member(cursor, archive, f"shared/{table}.jsonl", query)


def _member(cursor: Any, archive: zipfile.ZipFile, name: str, query: sql.Composed) -> Member:
    rows, digest = 0, hashlib.sha256()
    with (
        archive.open(name, "w", force_zip64=True) as target,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy,
    ):
        for (row,) in copy.rows():
            line = row.encode() + b"\n"
            digest.update(line)
            target.write(line)
            rows += 1
    return Member(name, rows, digest.hexdigest())


def _files(archive: zipfile.ZipFile, municipality: Municipality) -> tuple[list[File], list[str]]:
    """Put files beside the rows; return them, and the names of those that are gone or broken."""
    files: list[File] = []
    lost: list[str] = []
    for source in settings.TENANT_FILES:
        for name, path, sha256 in import_string(source)(tenant_role=municipality.tenant_role):
            try:
                with path.open("rb") as content:
                    files.append(_file(archive, name, content))
            except FileNotFoundError:
                log.warning("file missing in archive", tenant=municipality.slug, name=name)
                lost.append(name)
                continue
            if files[-1].sha256 != sha256:
                log.warning("file broken in archive", tenant=municipality.slug, name=name)
                lost.append(name)
    return files, lost


def _file(archive: zipfile.ZipFile, name: str, content: IO[bytes]) -> File:
    size, digest = 0, hashlib.sha256()
    # Sealed bytes do not become smaller.
    with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
        while piece := content.read(_PIECE):
            digest.update(piece)
            target.write(piece)
            size += len(piece)
    return File(name, size, digest.hexdigest())


def _manifest(
    municipality: Municipality,
    members: list[Member],
    files: list[File],
    lost: list[str],
    at: datetime,
) -> str:
    content = {
        "format": FORMAT,
        "written_at": at.isoformat(),
        "municipality": {
            "slug": municipality.slug,
            "name": municipality.name,
            "ags": municipality.ags,
            "ars": municipality.ars,
            "authority_id": str(municipality.authority_id),
        },
        "members": [asdict(member) for member in members],
        "files": [asdict(file) for file in files],
        "lost_files": lost,
    }
    return json.dumps(content, ensure_ascii=False, indent=1)
