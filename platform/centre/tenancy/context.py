"""In whose name the program acts now.

One context variable holds the answer, and nothing else does: it follows asyncio tasks and
`sync_to_async` by itself, and a new thread starts in `public`, where no tenant's table can be
reached. Enter a scope first and open the transaction inside it; the other way round is refused.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.db import connections

from centre.tenancy.errors import TenantRequired, WrongTenant


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantIdentity:
    """What the program must know of a tenant to act in its name."""

    schema_name: str
    role: str
    authority_id: UUID
    slug: str


class Tenant(Protocol):
    """Whatever knows its identity, such as the registry's `Municipality`."""

    @property
    def identity(self) -> TenantIdentity: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where statements run: a schema, and the role they run as (None: the role of the login)."""

    schema: str
    role: str | None = None
    tenant: TenantIdentity | None = None


PUBLIC = Place("public")
_place: ContextVar[Place] = ContextVar("place", default=PUBLIC)


def current_place() -> Place:
    """Return where statements run now."""
    return _place.get()


def current_tenant() -> TenantIdentity | None:
    """Return the tenant in whose name the program acts, or None."""
    return _place.get().tenant


def require_tenant() -> TenantIdentity:
    """Return the tenant in whose name the program acts; raise `TenantRequired` without one."""
    if (tenant := _place.get().tenant) is None:
        raise TenantRequired
    return tenant


@contextmanager
def tenant_scope(tenant: Tenant | TenantIdentity) -> Iterator[TenantIdentity]:
    """Act in the name of `tenant` within the block.

    Raises `WrongTenant` if a transaction of somebody else is open on this thread's connection:
    after an error, such a transaction could not be left in an orderly way.
    """
    identity = tenant if isinstance(tenant, TenantIdentity) else tenant.identity
    with _at(Place(identity.schema_name, identity.role, identity)):
        yield identity


@contextmanager
def public_scope() -> Iterator[None]:
    """Act in nobody's name within the block: schema `public`, the role of the login."""
    with _at(PUBLIC):
        yield


@contextmanager
def schema_scope(schema_name: str) -> Iterator[None]:
    """Work on a schema as the role of the login. For migrations by the owner, nothing else."""
    with _at(Place(schema_name)):
        yield


@contextmanager
def _at(place: Place) -> Iterator[None]:
    _refuse_to_leave_transaction(place)
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def _refuse_to_leave_transaction(place: Place) -> None:
    here = _place.get()
    if place == here:
        return
    for connection in connections.all(initialized_only=True):
        if getattr(connection, "in_own_transaction", False):
            raise WrongTenant(
                f"A transaction of {here.schema!r} is open; {place.schema!r} cannot be entered. "
                "Enter the scope first and open the transaction inside it."
            )


def carry[T](items: Iterator[T]) -> Iterator[T]:
    """Return an iterator that makes each item in the place where `carry` was called.

    For streamed responses, whose content is made after the request has been left.
    """
    place = _place.get()

    def carried() -> Iterator[T]:
        try:
            while True:
                with _at(place):
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                yield item
        finally:
            if isinstance(items, Generator):
                with _at(place):
                    items.close()

    return carried()


def carry_async[T](items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Do what `carry` does, for an asynchronous iterator."""
    place = _place.get()

    async def carried() -> AsyncIterator[T]:
        try:
            while True:
                with _at(place):
                    try:
                        item = await anext(items)
                    except StopAsyncIteration:
                        return
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                with _at(place):
                    await items.aclose()

    return carried()
