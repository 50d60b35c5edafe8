"""What a request says: the statutory content as plain records. Pure.

A draft may be incomplete or wrong in any field; `tenants.cases.validation` tells all that is
wrong with it at once. Sums are cents, days are dates, coded fields hold codes of
`tenants.cases.codes`. None and empty mean "not stated": nothing that a person must confirm has a
default that confirms it.
"""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    street: str = ""
    house_number: str = ""
    supplement: str = ""
    postcode: str = ""
    place: str = ""
    #: ISO 3166-1, two letters.
    country: str = "DE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """The person against whom is enforced. Fields of the other kind of person stay empty."""

    kind: str = "natural"
    role: str = "debtor"
    surname: str = ""
    first_names: str = ""
    doctor_title: str = ""
    birth_name: str = ""
    birth_on: date | None = None
    birth_place: str = ""
    gender: str = ""
    company_name: str = ""
    legal_form: str = ""
    seat: str = ""
    register_court: str = ""
    register_number: str = ""
    representatives: str = ""
    address: Address = Address()
    former_addresses: tuple[Address, ...] = ()
    phone: str = ""
    email: str = ""
    employer: str = ""
    banks: str = ""
    #: A block on disclosure (§ 51 BMG): the address is shown to the clerk who works on it only.
    disclosure_blocked: bool = False

    @property
    def name(self) -> str:
        """Return the name as it stands in lists."""
        if self.kind == "legal":
            return " ".join(part for part in (self.company_name, self.legal_form) if part)
        return ", ".join(part for part in (self.surname, self.first_names) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creditor:
    """Whose claim it is, where that is not the requesting authority itself."""

    name: str = ""
    address: Address = Address()


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """The administrative act that is enforced."""

    kind: str = "assessment"
    issuer: str = ""
    issued_on: date | None = None
    reference: str = ""
    served_on: date | None = None
    served_how: str = ""
    final_on: date | None = None
    immediately_enforceable: bool = False
    immediate_basis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AncillaryClaim:
    """Surcharges, interest, fees and costs that come on top of a claim."""

    kind: str = ""
    basis: str = ""
    amount_cents: int | None = None
    base_cents: int | None = None
    from_on: date | None = None
    computed_until: date | None = None
    #: It goes on growing after `computed_until`.
    runs_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    revenue_kind: str = ""
    #: Schuldgrund: what is owed for, in words for the order.
    reason: str = ""
    #: Which of the request's titles it rests on, counted from 1.
    title_number: int = 1
    period_from: date | None = None
    period_until: date | None = None
    due_on: date | None = None
    original_cents: int | None = None
    open_cents: int | None = None
    limitation_end: date | None = None
    ancillary: tuple[AncillaryClaim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforceability:
    """The requesting authority's confirmation that the preconditions are met."""

    confirmed_by: str = ""
    confirmed_on: date | None = None
    #: Which wording was confirmed.
    text_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """When the debtor was reminded, or why not."""

    reminded_on: date | None = None
    waived_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """Known danger to life or health of officers. None: nobody has said."""

    known: bool | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalments:
    """Whether payment by instalments may be agreed. None: nobody has said."""

    permitted: bool | None = None
    minimum_rate_cents: int | None = None
    maximum_months: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    name: str = ""
    unit: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remittance:
    """Where collected money goes."""

    account_holder: str = ""
    iban: str = ""
    bic: str = ""
    #: Kassenzeichen.
    payment_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    kind: str = "full_enforcement"
    legal_relation: str = ""
    requested_authority: UUID | None = None
    #: Aktenzeichen of the requesting authority.
    own_reference: str = ""
    #: Head or delegate who signs; a rendered name suffices where it was made automatically.
    ordered_by: str = ""
    automated: bool = False
    legal_basis: str = ""
    creditor: Creditor = Creditor()
    debtors: tuple[Debtor, ...] = ()
    titles: tuple[Title, ...] = ()
    claims: tuple[Claim, ...] = ()
    enforceability: Enforceability = Enforceability()
    reminder: Reminder = Reminder()
    danger: Danger = field(default=Danger(), repr=False)
    #: In the wanted order.
    measures: tuple[str, ...] = ()
    excluded_measures: tuple[str, ...] = ()
    instalments: Instalments = Instalments()
    contact: Contact = Contact()
    remittance: Remittance = Remittance()
    tax_secrecy: bool = False
    social_data: bool = False
    forwarding_permitted: bool = False
    urgency: str = "normal"
    urgency_reason: str = ""
    note: str = ""

    @property
    def total_cents(self) -> int:
        """Return what is still open, with everything on top, as far as it is stated."""
        return sum(
            (claim.open_cents or 0) + sum(extra.amount_cents or 0 for extra in claim.ancillary)
            for claim in self.claims
        )

    @property
    def debtor_name(self) -> str:
        """Return the first debtor's name as it stands in lists."""
        return self.debtors[0].name if self.debtors else ""

    @property
    def limitation_end(self) -> date | None:
        """Return the earliest day on which a claim becomes barred."""
        ends = [claim.limitation_end for claim in self.claims if claim.limitation_end]
        return min(ends, default=None)
