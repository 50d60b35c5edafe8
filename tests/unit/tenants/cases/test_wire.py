"""What is written can be read, and nothing else can."""

import contextlib
import dataclasses
from datetime import date
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from amtsbruecke.exchange.v1beta1 import casework_pb2 as pb
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from tenants.cases import drafts, payloads, wire
from tenants.cases.graph import Kind
from tenants.cases.wire import PayloadInvalid
from tests.factories.requests import request

ATTACHMENT = payloads.Attachment(
    name="Bescheid.pdf",
    media_type="application/pdf",
    size=1_000,
    digest=bytes(32),
    sealed_size=1_016,
    key=bytes(range(32)),
)
PAYLOADS: list[payloads.Payload] = [
    payloads.AssistanceRequest(
        case_reference="05770032-2026-0000012-4", request=request(), documents=(ATTACHMENT,)
    ),
    payloads.Registration(case_reference="05770032-2026-0000012-4"),
    payloads.Acceptance(own_reference="V-1/26", note="Bald."),
    payloads.Refusal(reason="small_claim"),
    payloads.Query(topic="address", text="Wo?", documents=(ATTACHMENT,)),
    payloads.Answer(query_id=UUID(int=5), text="Dort."),
    payloads.Completion(result="partial", collected_cents=12, costs_cents=3, text="Teilweise"),
    payloads.Withdrawal(reason="paid", text=""),
    payloads.WithdrawalConfirmation(costs_cents=9),
    payloads.Closure(text="Danke."),
]
RECORDS = [
    kind
    for module in (drafts, payloads)
    for kind in vars(module).values()
    if isinstance(kind, type)
    and dataclasses.is_dataclass(kind)
    and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_every_kind_comes_back_as_it_was(payload: payloads.Payload) -> None:
    kind = payloads.KINDS[type(payload)]
    assert wire.read(kind, wire.SCHEMA_VERSION, wire.write(payload)) == payload


def test_every_kind_is_here() -> None:
    assert {payloads.KINDS[type(payload)] for payload in PAYLOADS} == set(Kind)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_messages_have_the_fields_of_our_records(kind: type[Any]) -> None:
    descriptor = getattr(pb, wire._MESSAGES.get(kind, kind.__name__)).DESCRIPTOR
    hints = get_type_hints(kind)
    assert [field.name for field in descriptor.fields] == list(hints)
    for field in descriptor.fields:
        hint = hints[field.name]
        assert field.is_repeated == (get_origin(hint) is tuple)
        optional = isinstance(hint, UnionType) and UUID not in get_args(hint)
        is_message = field.type == FieldDescriptor.TYPE_MESSAGE
        assert field.has_presence == (optional or (is_message and not field.is_repeated)), (
            field.name
        )


_text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
st.register_type_strategy(str, _text)
_cents = st.integers(-(2**63), 2**63 - 1)


def _strategy(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is tuple:
        return st.lists(_strategy(get_args(hint)[0]), max_size=2).map(tuple)
    if isinstance(hint, UnionType):
        return st.none() | _strategy(get_args(hint)[0])
    if dataclasses.is_dataclass(hint):
        return _record(hint)
    simple = {str: _text, bool: st.booleans(), date: st.dates(), UUID: st.uuids()}
    return simple.get(hint, st.integers(-(2**31), 2**31 - 1))


def _record(kind: Any) -> st.SearchStrategy[Any]:
    fields = {name: _strategy(hint) for name, hint in get_type_hints(kind).items()}
    return st.builds(kind, **fields)


@given(_record(drafts.RequestDraft))
def test_any_draft_however_wrong_can_be_kept(draft: drafts.RequestDraft) -> None:
    assert wire.read_record(drafts.RequestDraft, wire.write_record(draft)) == draft


@given(st.sampled_from(Kind), st.binary(max_size=60))
def test_bytes_of_strangers_are_read_or_refused(kind: Kind, content: bytes) -> None:
    with contextlib.suppress(PayloadInvalid):
        wire.read(kind, wire.SCHEMA_VERSION, content)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kind.CLOSURE, b"\xff"),
        (Kind.CLOSURE, bytes([0x7A, 1, 65])),
        (Kind.CLOSURE, pb.Closure(text="a\0b").SerializeToString()),
        (Kind.ANSWER, pb.Answer(query_id=b"short").SerializeToString()),
        (Kind.COMPLETION, pb.Completion(collected_cents=-1).SerializeToString()),
        (
            Kind.ASSISTANCE_REQUEST,
            pb.AssistanceRequest(
                request=pb.EnforcementRequest(reminder=pb.Reminder(reminded_on="1.2.2026"))
            ).SerializeToString(),
        ),
        (
            Kind.ASSISTANCE_REQUEST,
            pb.AssistanceRequest(
                request=pb.EnforcementRequest(reminder=pb.Reminder(reminded_on="20260201"))
            ).SerializeToString(),
        ),
        (
            Kind.QUERY,
            pb.Query(documents=[pb.Attachment(name="x", key=b"short")]).SerializeToString(),
        ),
        (Kind.QUERY, pb.Query(documents=[pb.Attachment()] * 1001).SerializeToString()),
    ],
)
def test_wrong_contents_are_refused(kind: Kind, content: bytes) -> None:
    with pytest.raises(PayloadInvalid):
        wire.read(kind, wire.SCHEMA_VERSION, content)


def test_another_version_of_the_schema_is_refused() -> None:
    with pytest.raises(PayloadInvalid, match="version 2"):
        wire.read(Kind.CLOSURE, 2, b"")


def test_keys_of_documents_do_not_show() -> None:
    assert "key" not in repr(ATTACHMENT)
