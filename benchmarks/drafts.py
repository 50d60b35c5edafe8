"""Requests as a large town sends them: two debtors, eight claims, about 4 KB as a sealed letter."""

from datetime import date, timedelta
from uuid import UUID

from centre.kernel import clock
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

_CLAIMS = 8


def request(*, to: UUID, reference: str, town: str) -> RequestDraft:
    """Return a complete request; people, numbers and sums are invented."""
    today = clock.now().date()
    due = today - timedelta(days=200)
    return RequestDraft(
        legal_relation="assistance",
        requested_authority=to,
        own_reference=reference,
        ordered_by="Leitung der Vollstreckungsbehörde",
        legal_basis="§ 4 VwVfG NRW in Verbindung mit § 4 VwVG NRW",
        debtors=(_debtor("Uhlenbrock", "Ingo", 1980), _debtor("Uhlenbrock", "Wiebke", 1983)),
        titles=(
            Title(
                issuer=town,
                issued_on=today - timedelta(days=230),
                reference=f"G-{reference}",
                served_on=today - timedelta(days=225),
            ),
        ),
        claims=tuple(_claim(number, due) for number in range(_CLAIMS)),
        enforceability=Enforceability(
            confirmed_by="K. Kranich",
            confirmed_on=today - timedelta(days=3),
            text_version="2026-1",
        ),
        reminder=Reminder(reminded_on=today - timedelta(days=120)),
        danger=Danger(known=False),
        measures=("payment_request", "field_visit"),
        instalments=Instalments(permitted=True, maximum_months=12),
        contact=Contact(name="Karla Kranich", phone="0571 89-0"),
        remittance=Remittance(
            account_holder=town,
            iban="DE02120300000000202051",
            payment_reference=f"5.0815.{reference}",
        ),
    )


def _debtor(surname: str, first_names: str, born: int) -> Debtor:
    return Debtor(
        surname=surname,
        first_names=first_names,
        birth_on=date(born, 2, 28),
        address=Address(street="Lange Straße", house_number="7", postcode="04109", place="Leipzig"),
        former_addresses=(
            Address(
                street="Am alten Weserhafen", house_number="12a", postcode="32423", place="Minden"
            ),
        ),
    )


def _claim(number: int, due: date) -> Claim:
    return Claim(
        revenue_kind="property_tax",
        reason=f"Grundsteuer B mit Straßenreinigung und Abfallgebühren, {number + 1}. Rate 2026,"
        " Grundstück Lange Straße 7, Kassenzeichen 01.0815.4711",
        due_on=due,
        original_cents=31_250 + number,
        open_cents=31_250 + number,
        limitation_end=date(due.year + 5, 12, 31),
        ancillary=(
            AncillaryClaim(
                kind="late_payment_surcharge",
                basis="§ 240 AO",
                amount_cents=1_800,
                computed_until=due + timedelta(days=180),
                runs_on=True,
            ),
            AncillaryClaim(kind="reminder_fee", amount_cents=700),
        ),
    )
