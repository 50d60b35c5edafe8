"""Requests for assistance, complete and valid unless a test says otherwise."""

from datetime import date
from typing import Any
from uuid import UUID

from tenants.cases.drafts import (
    Address,
    AncillaryClaim,
    Claim,
    Contact,
    Danger,
    Debtor,
    Enforceability,
    Instalments,
    Reminder,
    Remittance,
    RequestDraft,
    Title,
)

TODAY = date(2026, 11, 23)


SOMEBODY = UUID(int=7)


def request(to: UUID | None = SOMEBODY, **changed: Any) -> RequestDraft:
    complete: dict[str, Any] = {
        "legal_relation": "assistance",
        "requested_authority": to,
        "own_reference": "20.3-4711/26",
        "ordered_by": "L. Leitung",
        "legal_basis": "§ 4 VwVfG",
        "debtors": (
            Debtor(
                surname="Uhlenbrock",
                first_names="Ingo",
                birth_on=date(1980, 2, 29),
                gender="male",
                address=Address(
                    street="Lange Straße", house_number="7", postcode="04109", place="Leipzig"
                ),
                former_addresses=(Address(street="Am Wall", postcode="32423", place="Minden"),),
            ),
        ),
        "titles": (
            Title(
                issuer="Stadt Alphastadt",
                issued_on=date(2026, 3, 2),
                reference="G-2026-0815",
                served_on=date(2026, 3, 5),
            ),
        ),
        "claims": (
            Claim(
                revenue_kind="property_tax",
                reason="Grundsteuer B, 2. Quartal 2026",
                due_on=date(2026, 5, 15),
                original_cents=31_250,
                open_cents=31_250,
                limitation_end=date(2031, 12, 31),
                ancillary=(
                    AncillaryClaim(
                        kind="late_payment_surcharge",
                        basis="§ 240 AO",
                        amount_cents=1_800,
                        computed_until=date(2026, 11, 15),
                        runs_on=True,
                    ),
                    AncillaryClaim(kind="reminder_fee", amount_cents=700),
                ),
            ),
        ),
        "enforceability": Enforceability(
            confirmed_by="K. Kranich", confirmed_on=date(2026, 11, 20), text_version="2026-1"
        ),
        "reminder": Reminder(reminded_on=date(2026, 7, 1)),
        "danger": Danger(known=False),
        "measures": ("payment_request", "field_visit"),
        "instalments": Instalments(permitted=True, maximum_months=12),
        "contact": Contact(name="Karla Kranich", phone="0571 89-0"),
        "remittance": Remittance(
            account_holder="Stadt Alphastadt",
            iban="DE02120300000000202051",
            payment_reference="5.0815.000123.4",
        ),
    }
    return RequestDraft(**(complete | changed))
