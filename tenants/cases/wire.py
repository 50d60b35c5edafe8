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
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cached_property
from operator import attrgetter
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import casework_pb2 as pb
from google.protobuf.message import DecodeError, Message

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
    form = _form(type(record))
    message = form.message()
    form.fill(message, record)
    return message.SerializeToString(deterministic=True)


def read_record[R](kind: type[R], content: bytes) -> R:
    """Return a record from bytes; raise `PayloadInvalid`."""
    form = _form(kind)
    record: R = form.record(_parsed(form, content))
    return record


def reference_in(kind: str, schema_version: int, content: bytes) -> str | None:
    """Return how a message calls its case, or None where it does not, or cannot be read."""
    try:
        payload = read(Kind(kind), schema_version, content)
    except (ValueError, PayloadInvalid):
        return None
    return getattr(payload, "case_reference", None)


def request_record(content: bytes) -> bytes:
    """Return the record of a request, for storing it, from a message that `read` has accepted."""
    message = pb.AssistanceRequest.FromString(content)
    return message.request.SerializeToString(deterministic=True)


def _parsed(form: "_Form", content: bytes) -> Message:
    message = form.message()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise PayloadInvalid("The content cannot be read.") from error
    size = message.ByteSize()
    message.DiscardUnknownFields()  # at every depth
    if message.ByteSize() != size:
        raise PayloadInvalid(f"{form.kind.__name__} has fields that are not known here.")
    return message


_TYPES = {kind: record for record, kind in payloads.KINDS.items()}


def _check_attachment(document: payloads.Attachment) -> None:
    whole = len(document.digest) == len(document.key) == 32  # noqa: PLR2004 -- SHA-256, AES-256
    if not whole or document.size < 0 or document.sealed_size <= 0 or not document.name:
        raise PayloadInvalid("An attachment is described wrongly.")


class _Form:
    """How a class of records is carried. Looked up once; each field has its reader and writer."""

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        self.message: type[Message] = getattr(pb, _MESSAGES.get(kind, kind.__name__))
        hints = get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        # Most fields are read as they are, in one go.
        self._texts = _Getter([name for name in names if hints[name] is str])
        self._plain = _Getter([name for name in names if hints[name] in {int, bool, bytes}])
        ready = {*self._texts.names, *self._plain.names}
        self._readers = [(name, _reader(name, hints[name])) for name in names if name not in ready]
        self._writers = [(name, _writer(name, hints[name])) for name in names if name not in ready]

    @cached_property
    def nothing(self) -> Any:
        """What a message without any field says."""
        return self.record(self.message())

    def record(self, message: Message) -> Any:
        values = self._texts(message)
        if "\0" in "".join(values.values()):
            [name, *_] = [name for name, text in values.items() if "\0" in text]
            raise PayloadInvalid(f"{name} holds something else than it should.")
        values |= self._plain(message)
        name = ""
        try:
            for name, read in self._readers:
                values[name] = read(message)
        except ValueError as error:
            raise PayloadInvalid(f"{name} holds something else than it should.") from error
        return self.kind(**values)

    def fill(self, message: Message, record: Any) -> None:
        for getter in (self._texts, self._plain):
            # What is empty is the field's default: writing it would change nothing.
            for name, value in getter.of(record):
                if value:
                    setattr(message, name, value)
        for name, write in self._writers:
            value = getattr(record, name)
            if value is not None:
                write(message, value)


class _Getter:
    """Reads some fields of a message or a record at once."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        # With fewer than two names, `attrgetter` would return something else than a tuple.
        self._get = attrgetter(*names) if len(names) > 1 else None

    def __call__(self, message: Message) -> dict[str, Any]:
        return dict(self.of(message))

    def of(self, source: Any) -> Iterable[tuple[str, Any]]:
        """Return names and values."""
        if self._get is None:
            return [(name, getattr(source, name)) for name in self.names]
        return zip(self.names, self._get(source), strict=True)


_forms: dict[Any, _Form] = {}


def _form(kind: Any) -> _Form:
    form = _forms.get(kind)
    if form is None:
        form = _forms[kind] = _Form(kind)
    return form


type _Reader = Callable[[Message], Any]
type _Writer = Callable[[Message, Any], None]


def _day(text: str) -> date:
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(text)
    return day


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return text


def _id(raw: bytes) -> UUID:
    return UUID(bytes=raw)


_FROM_WIRE: dict[type[Any], Callable[[Any], Any]] = {date: _day, UUID: _id, str: _text}
_TO_WIRE: dict[type[Any], Callable[[Any], Any]] = {date: date.isoformat, UUID: attrgetter("bytes")}


def _reader(name: str, hint: Any) -> _Reader:
    raw: _Reader = attrgetter(name)
    if get_origin(hint) is tuple:
        return _reader_of_many(name, get_args(hint)[0])
    if isinstance(hint, UnionType):
        return _reader_of_optional(name, get_args(hint)[0])
    if dataclasses.is_dataclass(hint):
        return _reader_of_record(raw, _form(hint))
    if from_wire := _FROM_WIRE.get(hint):
        return lambda message: from_wire(raw(message))
    return raw


def _reader_of_record(raw: _Reader, form: _Form) -> _Reader:
    def read(message: Message) -> Any:
        inner = raw(message)
        return form.record(inner) if inner.ByteSize() else form.nothing

    return read


def _reader_of_many(name: str, kind: type[Any]) -> _Reader:
    single = _form(kind).record if dataclasses.is_dataclass(kind) else _FROM_WIRE.get(kind)

    def read(message: Message) -> tuple[Any, ...]:
        items = getattr(message, name)
        if len(items) > _MAX_ITEMS:
            raise PayloadInvalid(f"{name} has too many items.")
        return tuple(map(single, items)) if single else tuple(items)

    return read


def _reader_of_optional(name: str, kind: type[Any]) -> _Reader:
    raw, from_wire = attrgetter(name), _FROM_WIRE.get(kind, lambda value: value)
    if kind is UUID:
        return lambda message: from_wire(value) if (value := raw(message)) else None
    return lambda message: from_wire(raw(message)) if message.HasField(name) else None


def _writer(name: str, hint: Any) -> _Writer:
    if get_origin(hint) is tuple:
        return _writer_of_many(name, get_args(hint)[0])
    kind = get_args(hint)[0] if isinstance(hint, UnionType) else hint
    if dataclasses.is_dataclass(kind):
        form = _form(kind)

        def write(message: Message, value: Any) -> None:
            target = getattr(message, name)
            target.SetInParent()
            form.fill(target, value)

        return write
    if to_wire := _TO_WIRE.get(kind):
        return lambda message, value: setattr(message, name, to_wire(value))
    return lambda message, value: setattr(message, name, value)


def _writer_of_many(name: str, kind: type[Any]) -> _Writer:
    form = _form(kind) if dataclasses.is_dataclass(kind) else None
    to_wire = _TO_WIRE.get(kind, lambda value: value)

    def write(message: Message, value: Any) -> None:
        target = getattr(message, name)
        if form is None:
            target.extend(map(to_wire, value))
        else:
            for item in value:
                form.fill(target.add(), item)

    return write
