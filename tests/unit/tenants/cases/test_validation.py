"""A complete request passes; whatever is missing or wrong is told, all at once, with the place."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from tenants.cases.drafts import (
    Address,
    AncillaryClaim,
    Contact,
    Danger,
    Debtor,
    Enforceability,
    Instalments,
    Reminder,
    RequestDraft,
)
from tenants.cases.validation import Limits, errors, validate
from tests.factories.requests import TODAY, request


def paths(draft: RequestDraft, **limits: Any) -> set[str]:
    return {fault.path for fault in validate(draft, today=TODAY, limits=Limits(**limits))}


def first(draft: RequestDraft, part: str, **changed: Any) -> RequestDraft:
    """Change the first debtor, title or claim."""
    head, *rest = getattr(draft, part)
    return replace(draft, **{part: (replace(head, **changed), *rest)})


def test_a_complete_request_has_no_fault() -> None:
    assert validate(request(), today=TODAY) == ()


def test_an_empty_draft_tells_everything_that_the_law_wants() -> None:
    found = paths(RequestDraft())
    assert found >= {
        "legal_relation",
        "requested_authority",
        "own_reference",
        "ordered_by",
        "debtors",
        "titles",
        "claims",
        "enforceability",
        "reminder",
        "danger.known",
        "measures",
        "instalments.permitted",
        "contact.name",
        "contact.phone",
        "remittance.account_holder",
        "remittance.iban",
        "remittance.payment_reference",
    }
    for fault in validate(RequestDraft(), today=TODAY):
        assert fault.text
        assert fault.hint


TOMORROW = TODAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("draft", "path"),
    [
        (request(requested_authority=None), "requested_authority"),
        (request(legal_relation="friendship"), "legal_relation"),
        (request(legal_relation="own_task"), "creditor.name"),
        (request(enforceability=Enforceability(confirmed_by="K.")), "enforceability"),
        (
            request(enforceability=Enforceability(confirmed_by="K.", confirmed_on=TOMORROW)),
            "enforceability.confirmed_on",
        ),
        (request(reminder=Reminder()), "reminder"),
        (
            request(reminder=Reminder(reminded_on=TODAY, waived_reason="eilig")),
            "reminder.waived_reason",
        ),
        (request(danger=Danger(known=True)), "danger.text"),
        (request(measures=("walk",)), "measures[0]"),
        (request(excluded_measures=("field_visit",)), "excluded_measures"),
        *(
            (
                request(instalments=Instalments(permitted=True, maximum_months=months)),
                "instalments.maximum_months",
            )
            for months in (0, 13)
        ),
        (request(urgency="urgent"), "urgency_reason"),
        (request(note="Привет"), "note"),
        (first(request(), "debtors", surname=""), "debtors[0].surname"),
        (first(request(), "debtors", kind="legal"), "debtors[0].company_name"),
        (first(request(), "debtors", kind="robot"), "debtors[0].kind"),
        (first(request(), "debtors", company_name="X GmbH"), "debtors[0].company_name"),
        (first(request(), "debtors", birth_on=TOMORROW), "debtors[0].birth_on"),
        (first(request(), "debtors", email="weg"), "debtors[0].email"),
        (first(request(), "debtors", address=Address()), "debtors[0].address.postcode"),
        (
            first(request(), "debtors", address=Address(street="a", place="b", country="Germany")),
            "debtors[0].address.country",
        ),
        (first(request(), "titles", issuer=" "), "titles[0].issuer"),
        (first(request(), "titles", issued_on=None), "titles[0].issued_on"),
        (first(request(), "titles", served_on=date(2026, 1, 1)), "titles[0].served_on"),
        (first(request(), "titles", kind="fine_notice"), "titles[0].final_on"),
        (first(request(), "titles", immediately_enforceable=True), "titles[0].immediate_basis"),
        (first(request(), "claims", reason=""), "claims[0].reason"),
        (first(request(), "claims", open_cents=0), "claims[0].open_cents"),
        (first(request(), "claims", open_cents=10**12), "claims[0].open_cents"),
        (first(request(), "claims", open_cents=40_000), "claims[0].open_cents"),
        (first(request(), "claims", title_number=2), "claims[0].title_number"),
        (first(request(), "claims", due_on=TOMORROW), "claims[0].due_on"),
        (first(request(), "claims", limitation_end=date(2025, 1, 1)), "claims[0].limitation_end"),
        (
            first(request(), "claims", ancillary=(AncillaryClaim(kind="interest", runs_on=True),)),
            "claims[0].ancillary[0].computed_until",
        ),
        (first(request(), "claims", reason="x" * 1001), "claims[0].reason"),
        (request(contact=Contact(name="K. Kranich", phone="abc")), "contact.phone"),
        (first(request(), "debtors", phone="Nachbar fragen"), "debtors[0].phone"),
        (first(request(), "titles", final_on=date(2026, 3, 4)), "titles[0].final_on"),
        (
            first(request(), "titles", served_on=None, final_on=date(2026, 3, 1)),
            "titles[0].final_on",
        ),
        (
            first(
                request(), "claims", period_from=date(2026, 7, 1), period_until=date(2026, 6, 30)
            ),
            "claims[0].period_until",
        ),
        (first(request(), "claims", limitation_end=date(2206, 12, 31)), "claims[0].limitation_end"),
        (request(reminder=Reminder(reminded_on=date(2026, 3, 1))), "reminder.reminded_on"),
        (request(reminder=Reminder(reminded_on=date(2026, 5, 14))), "reminder.reminded_on"),
        (
            request(
                enforceability=Enforceability(confirmed_by="K.", confirmed_on=date(2026, 3, 1))
            ),
            "enforceability.confirmed_on",
        ),
        (
            request(
                enforceability=Enforceability(confirmed_by="K.", confirmed_on=date(2026, 5, 14))
            ),
            "enforceability.confirmed_on",
        ),
        (request(danger=Danger(known=False, text="Hund im Hof")), "danger.text"),
        (
            request(instalments=Instalments(permitted=False, minimum_rate_cents=5_000)),
            "instalments.minimum_rate_cents",
        ),
        (request(urgency_reason="Verjährung droht"), "urgency_reason"),
    ],
)
def test_each_fault_is_an_error_at_its_place(draft: RequestDraft, path: str) -> None:
    found = errors(validate(draft, today=TODAY))
    assert path in {fault.path for fault in found}


@pytest.mark.parametrize(
    ("draft", "path"),
    [
        (first(request(), "claims", original_cents=500, open_cents=500, ancillary=()), "claims"),
        (
            first(request(), "claims", limitation_end=TODAY + timedelta(days=20)),
            "claims[0].limitation_end",
        ),
        (
            request(reminder=Reminder(reminded_on=TODAY - timedelta(days=2))),
            "reminder.reminded_on",
        ),
    ],
)
def test_doubts_are_warnings_and_keep_nobody_from_sending(draft: RequestDraft, path: str) -> None:
    found = validate(draft, today=TODAY)
    assert errors(found) == ()
    assert [fault.path for fault in found] == [path]


def test_one_reminder_may_be_older_than_the_last_of_several_notices() -> None:
    """One field stands for all: only before the first of them it is certainly wrong."""
    [title], [claim] = request().titles, request().claims
    later = replace(title, issued_on=date(2026, 9, 1), served_on=None)
    due = replace(claim, due_on=date(2026, 10, 1), title_number=2)
    draft = request(titles=(title, later), claims=(claim, due))
    assert validate(draft, today=TODAY) == ()
    confirmed = Enforceability(confirmed_by="K.", confirmed_on=date(2026, 9, 30))
    assert paths(replace(draft, enforceability=confirmed)) == {"enforceability.confirmed_on"}


def test_days_on_the_edge_are_right() -> None:
    day = date(2026, 3, 2)
    draft = first(request(), "titles", served_on=day, final_on=day)
    draft = first(draft, "claims", due_on=day, limitation_end=date(2056, 12, 31))
    confirmed = Enforceability(confirmed_by="K.", confirmed_on=day)
    assert paths(replace(draft, reminder=Reminder(reminded_on=day), enforceability=confirmed)) == (
        set()
    )


def test_limits_are_the_authoritys_own() -> None:
    assert paths(request(), small_claim_cents=100_000) == {"claims"}
    assert paths(request(debtors=request().debtors * 3), max_debtors=2) == {"debtors"}
    many = request().claims[0].ancillary * 3
    assert paths(first(request(), "claims", ancillary=many), max_ancillary=5) == {
        "claims[0].ancillary"
    }


def test_a_legal_person_is_described_otherwise() -> None:
    company = Debtor(
        kind="legal",
        company_name="Möbel Uhlenbrock",
        legal_form="GmbH",
        seat="Leipzig",
        address=request().debtors[0].address,
    )
    draft = request(debtors=(company,))
    assert validate(draft, today=TODAY) == ()
    assert draft.debtor_name == "Möbel Uhlenbrock GmbH"
    assert paths(first(draft, "debtors", surname="Uhlenbrock")) == {"debtors[0].surname"}


def test_sums_and_dates_of_the_whole() -> None:
    assert request().total_cents == 33_750
    assert request().limitation_end == date(2031, 12, 31)
    assert RequestDraft().debtor_name == ""
    assert request(to=UUID(int=9)).requested_authority == UUID(int=9)
