"""From records to the bytes that are sealed, and back, strictly. Pure.

The messages of `casework.proto` have the names and fields of our records (a test compares them),
so one mapping by the types of the fields serves all:

| record | protobuf |
|---|---|
| `str`, `int`, `bool`, `bytes` | the same |
| `int | None`, `bool | None` | `optional` |
| `date | None` | `optional string`, ISO 8601 |
| `UUID`, `UUID | None` | `bytes`; None is empty |
| another record | a message; absent means all defaults |
| `tuple[X, ...]` | `repeated` |
"""

import dataclasses
from collections.abc import Callable
from datetime import date
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import casework_pb2 as pb
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from centre.kernel.errors import AmtsbrueckeError
from tenants.cases import payloads
from tenants.cases.drafts import RequestDraft
from tenants.cases.graph import Kind
from tenants.cases.money import MAX_CENTS
from tenants.cases.payloads import Payload

SCHEMA_VERSION = 1
_MESSAGES = {RequestDraft: "EnforcementRequest"}
_MAX_ITEMS = 1_000


class PayloadInvalid(AmtsbrueckeError):
    """The content of a message is not what its kind promises."""

    reason = "PAYLOAD_INVALID"


def write(payload: Payload) -> bytes:
    """Return the bytes of a message's content."""
    return write_record(payload)


def read(kind: Kind, schema_version: int, content: bytes) -> Payload:
    """Return the content of a message; raise `PayloadInvalid` where it is not exactly that."""
    if schema_version != SCHEMA_VERSION:
        raise PayloadInvalid(f"Schema version {schema_version} is not known here.")
    payload: Payload = read_record(_TYPES[kind], content)
    for name in ("collected_cents", "costs_cents"):
        if not 0 <= getattr(payload, name, 0) <= MAX_CENTS:
            raise PayloadInvalid(f"{name} is out of bounds.")
    for document in payloads.attachments(payload):
        _check_attachment(document)
    return payload


def write_record(record: Any) -> bytes:
    """Return the bytes of one record, for storing it."""
    message = _message(type(record))
    _fill(message, record)
    return message.SerializeToString(deterministic=True)


def read_record[R](kind: type[R], content: bytes) -> R:
    """Return a record from bytes; raise `PayloadInvalid`."""
    message = _message(kind)
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise PayloadInvalid("The content cannot be read.") from error
    return _record(kind, message)


_TYPES = {kind: record for record, kind in payloads.KINDS.items()}


def _check_attachment(document: payloads.Attachment) -> None:
    whole = len(document.digest) == len(document.key) == 32  # noqa: PLR2004 -- SHA-256, AES-256
    if not whole or document.size < 0 or document.sealed_size <= 0 or not document.name:
        raise PayloadInvalid("An attachment is described wrongly.")


def _message(kind: type[Any]) -> Message:
    made: Message = getattr(pb, _MESSAGES.get(kind, kind.__name__))()
    return made


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """How one field is carried: what it is, whether None is possible, whether there are many."""

    name: str
    type: type[Any]
    optional: bool
    many: bool

    @property
    def is_record(self) -> bool:
        return dataclasses.is_dataclass(self.type)


def _fields(kind: type[Any]) -> tuple[_Field, ...]:
    if kind not in _known_fields:
        hints = get_type_hints(kind)
        _known_fields[kind] = tuple(
            _field(each.name, hints[each.name]) for each in dataclasses.fields(kind)
        )
    return _known_fields[kind]


_known_fields: dict[type[Any], tuple[_Field, ...]] = {}


def _field(name: str, hint: Any) -> _Field:
    if get_origin(hint) is tuple:
        return _Field(name, get_args(hint)[0], optional=False, many=True)
    if isinstance(hint, UnionType):
        return _Field(name, get_args(hint)[0], optional=True, many=False)
    return _Field(name, hint, optional=False, many=False)


_TO_WIRE: dict[type[Any], Callable[[Any], Any]] = {
    date: date.isoformat,
    UUID: lambda value: value.bytes,
}


def _day(text: str) -> date:
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(text)
    return day


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return text


_FROM_WIRE: dict[type[Any], Callable[[Any], Any]] = {
    date: _day,
    UUID: lambda value: UUID(bytes=value),
    str: _text,
}


def _fill(message: Message, record: Any) -> None:
    for each in _fields(type(record)):
        value = getattr(record, each.name)
        if value is None:
            continue
        if each.is_record:
            for item in value if each.many else ():
                _fill(getattr(message, each.name).add(), item)
            if not each.many:
                target = getattr(message, each.name)
                target.SetInParent()
                _fill(target, value)
            continue
        to_wire = _TO_WIRE.get(each.type, lambda given: given)
        if each.many:
            getattr(message, each.name).extend(to_wire(item) for item in value)
        else:
            setattr(message, each.name, to_wire(value))


def _record[R](kind: type[R], message: Message) -> R:
    if len(UnknownFieldSet(message)):
        raise PayloadInvalid(f"{kind.__name__} has fields that are not known here.")
    return kind(**{each.name: _value(each, message) for each in _fields(kind)})


def _value(each: _Field, message: Message) -> Any:
    raw = getattr(message, each.name)
    if each.many:
        if len(raw) > _MAX_ITEMS:
            raise PayloadInvalid(f"{each.name} has too many items.")
        return tuple(_single(each, item) for item in raw)
    if each.optional and (not raw if each.type is UUID else not message.HasField(each.name)):
        return None
    return _single(each, raw)


def _single(each: _Field, raw: Any) -> Any:
    if each.is_record:
        return _record(each.type, raw)
    from_wire = _FROM_WIRE.get(each.type)
    try:
        return from_wire(raw) if from_wire else raw
    except ValueError as error:
        raise PayloadInvalid(f"{each.name} holds something else than it should.") from error
