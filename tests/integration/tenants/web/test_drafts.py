"""A request from the empty sheet to its submission."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.directory import selectors as directory
from centre.directory.interface import Directory
from centre.directory.records import Area
from tenants.cases import selectors, services
from tenants.cases.drafts import Address, Claim, Contact, Debtor, Remittance, RequestDraft, Title
from tenants.cases.graph import State
from tenants.cases.models import Case
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tenants.web.forms.sheet import Sheet
from tests.factories.clerks import clerk
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]


def typed(to: UUID | None, **changed: str) -> dict[str, Any]:
    """What somebody types for a complete request."""
    return {**Sheet(request(to=to)).as_typed(), "action": "save", **changed}


def only_case(town: Town) -> Case:
    with town.scope():
        return Case.objects.get()


def test_empty_sheet_can_be_saved_and_found_again(visit: Visit, a: Town) -> None:
    client = visit(a)
    page = client.get("/ersuchen/neu/")
    assert page.status_code == 200
    answer = client.post(
        "/ersuchen/neu/", {"action": "save", "once": page.context["once"], "debtors-list": "0"}
    )
    case = only_case(a)
    assert answer["Location"] == f"/ersuchen/{case.id}/"
    assert case.state == State.DRAFT
    assert client.get(f"/vorgang/{case.id}/")["Location"] == f"/ersuchen/{case.id}/"


def test_saving_twice_makes_one_draft(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    once = client.get("/ersuchen/neu/").context["once"]
    first = client.post("/ersuchen/neu/", typed(b.id, once=once))
    second = client.post("/ersuchen/neu/", typed(b.id, once=once))
    assert first["Location"] == second["Location"]
    only_case(a)


def test_sheet_keeps_everything_that_a_draft_holds(visit: Visit, a: Town, b: Town) -> None:
    whole = request(to=b.id)
    with a.scope():
        case = services.create_draft(draft=whole, by=a.by)
    client = visit(a)
    client.post(f"/ersuchen/{case.id}/", typed(b.id, version="1"))
    with a.scope():
        assert selectors.case_view(case_id=case.id, by=a.by).request == whole


def test_claim_and_ancillary_are_added_and_taken_away_without_script(
    visit: Visit, a: Town, b: Town
) -> None:
    client = visit(a)
    fields = typed(b.id)
    more = client.post("/ersuchen/neu/", {**fields, "change": "more:claims"})
    assert more.status_code == 200
    assert 'name="claims-1-reason"' in more.text
    assert 'name="claims-list" value="0,1"' in more.text
    nested = client.post("/ersuchen/neu/", {**fields, "change": "more:claims-0-ancillary"})
    assert 'name="claims-0-ancillary-2-kind"' in nested.text
    fewer = client.post("/ersuchen/neu/", {**fields, "change": "less:claims-0-ancillary-0"})
    assert 'name="claims-0-ancillary-list" value="1"' in fewer.text
    assert 'name="claims-0-ancillary-0-kind"' not in fewer.text
    with a.scope():
        assert not Case.objects.exists()


def test_gap_in_the_list_saves_what_is_left(visit: Visit, a: Town, b: Town) -> None:
    fields = typed(b.id)
    fields["claims-0-ancillary-list"] = "1"
    visit(a).post("/ersuchen/neu/", fields)
    case = only_case(a)
    with a.scope():
        view = selectors.case_view(case_id=case.id, by=a.by)
    assert [extra.kind for extra in view.request.claims[0].ancillary] == ["reminder_fee"]


def test_unreadable_day_and_sum_stand_at_their_fields(visit: Visit, a: Town, b: Town) -> None:
    fields = typed(b.id)
    fields["titles-0-issued_on"] = "31.2.2026"
    fields["claims-0-open_cents"] = "1.234"
    answer = visit(a).post("/ersuchen/neu/", fields)
    assert answer.status_code == 400
    assert 'id="id_titles-0-issued_on_error"' in answer.text
    assert 'id="id_claims-0-open_cents_error"' in answer.text
    assert 'value="31.2.2026"' in answer.text


_ABSENT = '<span aria-hidden="true">–</span><span class="kern-sr-only">keine Angabe</span>'


def test_what_is_not_stated_is_a_dash_that_is_read_aloud(visit: Visit, a: Town) -> None:
    with a.scope():
        parts = {"debtors": (Debtor(),), "titles": (Title(),), "claims": (Claim(),)}
        case = services.create_draft(draft=RequestDraft(**parts), by=a.by)
    page = visit(a).get(f"/ersuchen/{case.id}/pruefen/").text
    facts = re.findall(r"<(?:dd|td)[^>]*>(.*?)</(?:dd|td)>", page, re.DOTALL)
    assert facts
    assert all(re.sub(r"<.*?>", "", fact).strip() for fact in facts)
    assert page.count("–</span>") == page.count(_ABSENT) > 10


def test_all_mistakes_of_a_sheet_are_told_in_one_round(visit: Visit, a: Town, b: Town) -> None:
    """What cannot be read, what is missing and what contradicts, at once."""
    fields = typed(None, action="check")
    fields["titles-0-issued_on"] = "31.2.2026"
    fields["general-contact__phone"] = ""
    fields["general-remittance__iban"] = "DE00"
    answer = visit(a).post("/ersuchen/neu/", fields)
    assert answer.status_code == 400
    assert [each.label for each in answer.context["mistakes"]] == [
        "Ersuchte Behörde",
        "Datum des Bescheids",
        "Telefon",
        "IBAN",
    ]


def test_who_only_saves_hears_of_nothing_missing(visit: Visit, a: Town, b: Town) -> None:
    fields = typed(b.id, action="save")
    fields["titles-0-issued_on"] = "31.2.2026"
    fields["general-contact__phone"] = ""
    answer = visit(a).post("/ersuchen/neu/", fields)
    assert [each.label for each in answer.context["mistakes"]] == ["Datum des Bescheids"]


def test_check_page_lists_what_is_missing_and_leads_to_the_fields(visit: Visit, a: Town) -> None:
    client = visit(a)
    answer = client.post("/ersuchen/neu/", typed(None, action="check"))
    check = client.get(answer["Location"])
    assert "Die ersuchte Behörde fehlt." in check.text
    assert "Ersuchen übermitteln" not in check.text
    case = only_case(a)
    with a.scope():
        services.update_draft(
            case_id=case.id, version=case.version, draft=request(to=None, debtors=()), by=a.by
        )
    sheet = client.get(f"/ersuchen/{case.id}/?fehler")
    assert sheet.status_code == 200
    assert "Die ersuchte Behörde fehlt." in sheet.text


def test_complete_request_is_submitted_once(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    answer = client.post("/ersuchen/neu/", typed(b.id, action="check"))
    check = client.get(answer["Location"])
    assert "Vollständig: jetzt übermitteln?" in check.text, check.text
    case = only_case(a)
    fields = {"version": case.version, "once": check.context["once"]}
    first = client.post(f"/ersuchen/{case.id}/senden/", fields)
    second = client.post(f"/ersuchen/{case.id}/senden/", fields)
    assert first["Location"] == second["Location"] == f"/vorgang/{case.id}/"
    assert only_case(a).state == State.SUBMITTED
    assert "Die Zustellung läuft" in client.get(first["Location"]).text


def test_stale_sheet_is_a_conflict(visit: Visit, a: Town, b: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=request(to=b.id), by=a.by)
        services.update_draft(case_id=case.id, version=1, draft=request(to=b.id, note="x"), by=a.by)
    answer = visit(a).post(f"/ersuchen/{case.id}/", typed(b.id, version="1"))
    assert answer.status_code == 409


def test_draft_is_deleted(visit: Visit, a: Town, b: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=request(to=b.id), by=a.by)
    answer = visit(a).post(f"/ersuchen/{case.id}/loeschen/", {"version": case.version})
    assert answer["Location"] == "/"
    with a.scope():
        assert not Case.objects.exists()


def test_authority_is_offered_by_name(visit: Visit, a: Town, b: Town, c: Town) -> None:
    answer = visit(a).post("/ersuchen/behoerde/", {"search": "Betadorf", "debtors-list": "0"})
    assert str(b.id) in answer.text
    assert str(c.id) not in answer.text
    nobody = visit(a).post("/ersuchen/behoerde/", {"search": "Nirgendheim", "debtors-list": "0"})
    assert "Keine angeschlossene Behörde heißt „Nirgendheim“." in nobody.text


def test_more_parts_than_a_sheet_holds_are_cut_off(visit: Visit, a: Town, b: Town) -> None:
    fields = typed(b.id)
    fields["claims-list"] = ",".join(map(str, range(5000)))
    answer = visit(a).post("/ersuchen/neu/", {**fields, "change": "authority"})
    assert answer.status_code == 200
    assert answer.text.count('-revenue_kind"') <= 150


def test_check_page_says_that_the_authority_takes_nothing(
    visit: Visit, a: Town, b: Town, suspended: Callable[[Town], None]
) -> None:
    client = visit(a)
    check = client.get(client.post("/ersuchen/neu/", typed(b.id, action="check"))["Location"])
    assert "Vollständig: jetzt übermitteln?" in check.text
    case = only_case(a)
    suspended(b)
    fields = {"version": case.version, "once": check.context["once"]}
    refused = client.post(f"/ersuchen/{case.id}/senden/", fields, follow=True)
    assert "Diese Behörde nimmt zurzeit nicht teil." in refused.text
    assert f'href="/ersuchen/{case.id}/?fehler#behoerde"' in refused.text
    assert "Vollständig: jetzt übermitteln?" not in refused.text
    assert only_case(a).state == State.DRAFT


def test_competent_authority_is_found_where_nobody_chose_one(
    visit: Visit, a: Town, b: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = directory.present()
    assert before is not None
    area = Area(ars_prefix="", postcode="32423", place="Minden")
    authorities = tuple(
        replace(each, areas=(area,)) if each.id == b.id else each
        for each in before.snapshot.authorities
    )
    after = Directory(replace(before.snapshot, authorities=authorities), digest="2")
    monkeypatch.setattr(directory, "present", lambda: after)
    address = Address(street="Am Wall", house_number="1", place="Minden", postcode="32423")
    debtor = replace(request().debtors[0], address=address)
    sheet = Sheet(request(to=None, debtors=(debtor,))).as_typed()
    check = visit(a).post("/ersuchen/neu/", {**sheet, "action": "check"}, follow=True)
    assert "Vollständig: jetzt übermitteln?" in check.text
    assert only_case(a).other_authority == b.id


SUGGESTED = {
    "titles-0-issuer": "Stadt Alphastadt",
    "general-contact__name": "Karla Kranich",
    "general-contact__phone": "0571 89-0",
    "general-remittance__account_holder": "Stadt Alphastadt",
    "general-remittance__iban": "DE02120300000000202051",
}


def _filled(client: Client) -> dict[str, str]:
    """Return what stands in the fields of a new sheet, other than what always stands there."""
    sheet = client.get("/ersuchen/neu/").context["sheet"]
    blank = {name for name, value in Sheet(RequestDraft()).as_typed().items() if value}
    return {
        name: value
        for name, value in sheet.as_typed().items()
        if value and (name not in blank or name in SUGGESTED)
    }


def test_new_sheet_begins_with_what_was_sent_last_and_says_so(
    visit: Visit, a: Town, b: Town, post: Any
) -> None:
    """And with nothing of what others have sent here."""
    client = visit(a)
    assert _filled(client) == {"general-contact__name": "Karla Kranich"}
    assert "wie in Ihrem letzten Ersuchen" not in client.get("/ersuchen/neu/").text
    with a.scope():
        services.submit_request(draft=request(to=b.id), by=a.by)
        services.create_draft(draft=request(remittance=Remittance(iban="DE00")), by=a.by)
    assert _filled(client) == SUGGESTED
    page = client.get("/ersuchen/neu/").text
    assert "wie in Ihrem letzten Ersuchen" in page
    assert "Das Konto steht hier wie im letzten Ersuchen Ihrer Kommune." in page
    post.until_quiet()
    assert _filled(visit(b)) == {"general-contact__name": "Karla Kranich"}


def test_contact_is_the_clerks_own_and_the_account_the_towns(
    visit: Visit, a: Town, b: Town
) -> None:
    with a.scope():
        mine = services.submit_request(draft=request(to=b.id), by=a.by)
        colleague = clerk("m.muster", name="Mia Muster").actor
        contact = Contact(name="Mia Muster", phone="0571 89-99")
        remittance = Remittance(
            account_holder="Stadtkasse", iban="DE02500105170137075030", payment_reference="9"
        )
        theirs = services.submit_request(
            draft=request(to=b.id, contact=contact, remittance=remittance), by=colleague
        )
    found = _filled(visit(a))
    assert found["general-contact__phone"] == "0571 89-0"
    assert found["general-remittance__iban"] == "DE02500105170137075030"
    assert "general-remittance__payment_reference" not in found
    with a.scope():
        for case in (mine, theirs):
            told = audit.trail(subject=case.reference).last()
            assert told.event == AuditEvent.CASE_REQUEST_READ
            assert told.content["detail"] == {"case": str(case.id), "shown": "sender"}


def test_who_may_not_write_is_suggested_nothing(visit: Visit, a: Town, b: Town) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
        Clerk.objects.filter(pk=a.by.id).update(role=Role.READER)
    assert _filled(visit(a)) == {"general-contact__name": "Karla Kranich"}
    with a.scope():
        events = [each.event for each in audit.trail(subject=case.reference)]
    assert AuditEvent.CASE_REQUEST_READ not in events
