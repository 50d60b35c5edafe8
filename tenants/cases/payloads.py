"""What the messages of a case say, as plain records. Pure."""

from dataclasses import dataclass, field
from uuid import UUID

from tenants.cases.drafts import RequestDraft
from tenants.cases.graph import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A document that goes with a message, and the key to it."""

    name: str
    media_type: str
    size: int
    digest: bytes
    sealed_size: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistanceRequest:
    case_reference: str
    request: RequestDraft
    documents: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    case_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    own_reference: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    topic: str
    text: str
    documents: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    query_id: UUID
    text: str
    documents: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    result: str
    collected_cents: int = 0
    costs_cents: int = 0
    text: str = ""
    documents: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalConfirmation:
    collected_cents: int = 0
    costs_cents: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    text: str = ""


type Payload = (
    AssistanceRequest
    | Registration
    | Acceptance
    | Refusal
    | Query
    | Answer
    | Completion
    | Withdrawal
    | WithdrawalConfirmation
    | Closure
)

KINDS: dict[type[Payload], Kind] = {
    AssistanceRequest: Kind.ASSISTANCE_REQUEST,
    Registration: Kind.REGISTRATION,
    Acceptance: Kind.ACCEPTANCE,
    Refusal: Kind.REFUSAL,
    Query: Kind.QUERY,
    Answer: Kind.ANSWER,
    Completion: Kind.COMPLETION,
    Withdrawal: Kind.WITHDRAWAL,
    WithdrawalConfirmation: Kind.WITHDRAWAL_CONFIRMATION,
    Closure: Kind.CLOSURE,
}


def attachments(payload: Payload) -> tuple[Attachment, ...]:
    """Return the documents that go with a message."""
    return payload.documents if hasattr(payload, "documents") else ()
