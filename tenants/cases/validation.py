"""What is wrong with a draft: everything at once, each with a place and a way out. Pure.

The minimum content is that of the strictest law found (§ 4 Abs. 4 and 5 SächsVwVG), so that a
request that passes here is refused nowhere for its form. Limits are data: an authority may have
others.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from centre.kernel.quoting import quoted
from tenants.cases import checks, chronology, codes, faults, persons
from tenants.cases.drafts import Address, AncillaryClaim, Claim, RequestDraft, Title
from tenants.cases.faults import Fault, Faults
from tenants.cases.money import format_euro
from tenants.cases.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Figures that an authority may set for itself."""

    #: Below this sum a request is rarely worth its costs (SN: 36 € towards tax offices).
    small_claim_cents: int = 3_600
    #: Days between the reminder and the request.
    reminder_days: int = 7
    #: Warn when a claim becomes barred within so many days.
    limitation_days: int = 90
    #: No claim lives longer (§ 197 BGB).
    limitation_years: int = 30
    #: An instalment plan ends within so many months (§ 802b ZPO).
    instalment_months: int = 12
    max_debtors: int = 20
    max_titles: int = 100
    max_claims: int = 200
    max_ancillary: int = 50


_DEFAULT_LIMITS = Limits()


def validate(
    draft: RequestDraft, *, today: date, limits: Limits = _DEFAULT_LIMITS
) -> tuple[Fault, ...]:
    """Return all faults of a draft, errors and warnings, in the order of its fields."""
    return tuple(_faults(draft, today, limits))


def errors(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return those faults with which a request cannot be sent."""
    return tuple(fault for fault in faults if not fault.warning)


def _faults(draft: RequestDraft, today: date, limits: Limits) -> Faults:
    yield from _head(draft)
    yield from faults.count("debtors", len(draft.debtors), limits.max_debtors, "Schuldner")
    for number, debtor in enumerate(draft.debtors):
        yield from persons.check(f"debtors[{number}]", debtor, today)
    yield from _titles(draft, today, limits)
    yield from _claims(draft, today, limits)
    yield from _preconditions(draft, today, limits)
    yield from _danger(draft)
    yield from _measures(draft)
    yield from _instalments(draft, limits)
    yield from _urgency(draft)
    yield from _money_way(draft)


# -- parts of a request ---------------------------------------------------------------------


def _head(draft: RequestDraft) -> Faults:
    yield from faults.code("kind", draft.kind, codes.REQUEST_KINDS, "die Art des Ersuchens")
    yield from faults.code(
        "legal_relation", draft.legal_relation, codes.LEGAL_RELATIONS, "das Rechtsverhältnis"
    )
    if draft.requested_authority is None:
        yield Fault(
            path="requested_authority",
            text="Die ersuchte Behörde fehlt.",
            hint="Wählen Sie die Behörde aus dem Verzeichnis.",
        )
    yield from faults.text(
        "own_reference", draft.own_reference, "das Aktenzeichen", limit=faults.LINE
    )
    yield from faults.text("ordered_by", draft.ordered_by, "der Name der anordnenden Person")
    yield from faults.text("legal_basis", draft.legal_basis, "die Rechtsgrundlage", needed=False)
    if draft.legal_relation == "own_task" and not draft.creditor.name:
        yield Fault(
            path="creditor.name",
            text="Der Gläubiger fehlt.",
            hint="Nennen Sie die Stelle, für die vollstreckt wird.",
        )
    yield from faults.text("creditor.name", draft.creditor.name, "der Gläubiger", needed=False)
    if draft.creditor.address != Address():
        yield from persons.address("creditor.address", draft.creditor.address)
    yield from faults.text(
        "note", draft.note, "die Bemerkung", needed=False, limit=faults.TEXT, lines=True
    )


def _titles(draft: RequestDraft, today: date, limits: Limits) -> Faults:
    yield from faults.count("titles", len(draft.titles), limits.max_titles, "Titel")
    for number, title in enumerate(draft.titles):
        yield from _title(f"titles[{number}]", title, today)


def _title(path: str, title: Title, today: date) -> Faults:
    yield from faults.code(f"{path}.kind", title.kind, codes.TITLE_KINDS, "die Art des Titels")
    yield from faults.text(f"{path}.issuer", title.issuer, "die erlassende Behörde")
    yield from faults.past(f"{path}.issued_on", title.issued_on, "Das Datum des Titels", today)
    yield from faults.text(
        f"{path}.reference", title.reference, "das Aktenzeichen des Titels", limit=faults.LINE
    )
    yield from faults.text(
        f"{path}.served_how", title.served_how, "die Art der Zustellung", needed=False
    )
    yield from faults.past(
        f"{path}.served_on", title.served_on, "Das Datum der Zustellung", today, needed=False
    )
    yield from faults.past(
        f"{path}.final_on", title.final_on, "Das Datum der Bestandskraft", today, needed=False
    )
    yield from chronology.title(path, title)
    if title.kind == "fine_notice" and title.final_on is None:
        yield Fault(
            path=f"{path}.final_on",
            text="Bei einem Bußgeldbescheid fehlt der Tag der Rechtskraft.",
            hint="Ein Bußgeld wird erst nach Rechtskraft vollstreckt (§ 89 OWiG).",
        )
    if title.immediately_enforceable and not title.immediate_basis:
        yield Fault(
            path=f"{path}.immediate_basis",
            text="Die Grundlage der sofortigen Vollstreckbarkeit fehlt.",
            hint="Nennen Sie die Vorschrift, zum Beispiel § 80 Abs. 2 VwGO.",
        )


def _claims(draft: RequestDraft, today: date, limits: Limits) -> Faults:
    yield from faults.count("claims", len(draft.claims), limits.max_claims, "Forderung")
    for number, claim in enumerate(draft.claims):
        yield from _claim(f"claims[{number}]", claim, len(draft.titles), today, limits)
    total = draft.total_cents
    if draft.claims and 0 < total < limits.small_claim_cents:
        yield Fault(
            path="claims",
            text=Words(
                "Die Summe von %(sum)s liegt unter der Kleinbetragsgrenze von %(limit)s.",
                sum=format_euro(total),
                limit=format_euro(limits.small_claim_cents),
            ),
            hint="Prüfen Sie, ob sich das Ersuchen lohnt; senden können Sie es.",
            warning=True,
        )


def _claim(path: str, claim: Claim, titles: int, today: date, limits: Limits) -> Faults:
    yield from faults.code(
        f"{path}.revenue_kind", claim.revenue_kind, codes.REVENUE_KINDS, "die Einnahmeart"
    )
    yield from faults.text(f"{path}.reason", claim.reason, "der Schuldgrund", limit=1_000)
    if not 1 <= claim.title_number <= max(titles, 1):
        yield Fault(
            path=f"{path}.title_number",
            text=Words(
                "Einen Titel Nr. %(number)s gibt es in diesem Ersuchen nicht.",
                number=claim.title_number,
            ),
            hint="Nennen Sie die laufende Nummer eines der Titel.",
        )
    yield from faults.past(f"{path}.due_on", claim.due_on, "Das Datum der Fälligkeit", today)
    yield from faults.amount(f"{path}.open_cents", claim.open_cents, "der offene Betrag", least=1)
    yield from faults.amount(f"{path}.original_cents", claim.original_cents, "", needed=False)
    if claim.original_cents is not None and (claim.open_cents or 0) > claim.original_cents:
        yield Fault(
            path=f"{path}.open_cents",
            text="Es ist mehr offen, als ursprünglich gefordert war.",
            hint="Tragen Sie Zinsen und Zuschläge als Nebenforderung ein.",
        )
    yield from chronology.claim(path, claim)
    yield from _limitation(path, claim, today, limits)
    if len(claim.ancillary) > limits.max_ancillary:
        yield from faults.count(
            f"{path}.ancillary", len(claim.ancillary), limits.max_ancillary, "Nebenforderung"
        )
    for index, extra in enumerate(claim.ancillary):
        yield from _ancillary(f"{path}.ancillary[{index}]", extra, today)


def _limitation(path: str, claim: Claim, today: date, limits: Limits) -> Faults:
    end = claim.limitation_end
    if end is None:
        return
    if end < today:
        yield Fault(
            path=f"{path}.limitation_end",
            text=Words("Die Forderung ist seit %(day)s verjährt.", day=f"{end:%d.%m.%Y}"),
            hint="Eine verjährte Forderung darf nicht vollstreckt werden; prüfen Sie das Datum.",
        )
    elif end.year > today.year + limits.limitation_years:
        yield Fault(
            path=f"{path}.limitation_end",
            text=Words(
                "Die Verjährung am %(day)s liegt mehr als %(years)s Jahre voraus.",
                day=f"{end:%d.%m.%Y}",
                years=limits.limitation_years,
            ),
            hint="Prüfen Sie das Jahr.",
        )
    elif end - today <= timedelta(days=limits.limitation_days):
        yield Fault(
            path=f"{path}.limitation_end",
            text=Words("Die Forderung verjährt schon am %(day)s.", day=f"{end:%d.%m.%Y}"),
            hint="Kennzeichnen Sie das Ersuchen als eilig.",
            warning=True,
        )


def _ancillary(path: str, extra: AncillaryClaim, today: date) -> Faults:
    yield from faults.code(
        f"{path}.kind", extra.kind, codes.ANCILLARY_KINDS, "die Art der Nebenforderung"
    )
    yield from faults.text(f"{path}.basis", extra.basis, "die Rechtsgrundlage", needed=False)
    yield from faults.amount(f"{path}.amount_cents", extra.amount_cents, "der Betrag")
    yield from faults.amount(f"{path}.base_cents", extra.base_cents, "", needed=False)
    yield from faults.past(
        f"{path}.computed_until",
        extra.computed_until,
        "Der Tag, bis zu dem gerechnet wurde,",
        today,
        needed=extra.runs_on,
    )


def _preconditions(draft: RequestDraft, today: date, limits: Limits) -> Faults:
    confirmed = draft.enforceability
    if not confirmed.confirmed_by or confirmed.confirmed_on is None:
        yield Fault(
            path="enforceability",
            text="Die Bestätigung der Vollstreckbarkeit fehlt.",
            hint="Eine benannte Person muss sie mit Datum bestätigen; sie wird nie angenommen.",
        )
    yield from faults.past(
        "enforceability.confirmed_on",
        confirmed.confirmed_on,
        "Der Tag der Bestätigung",
        today,
        needed=False,
    )
    reminded, waived = draft.reminder.reminded_on, draft.reminder.waived_reason
    if reminded is None and not waived:
        yield Fault(
            path="reminder",
            text="Es fehlt, wann gemahnt wurde.",
            hint="Nennen Sie das Datum der Mahnung oder den Grund, warum sie entfiel.",
        )
    if reminded and waived:
        yield Fault(
            path="reminder.waived_reason",
            text="Es wurde gemahnt und zugleich ein Grund genannt, warum nicht.",
            hint="Lassen Sie eines der beiden Felder leer.",
        )
    yield from faults.past(
        "reminder.reminded_on", reminded, "Das Datum der Mahnung", today, needed=False
    )
    if reminded and timedelta() <= today - reminded < timedelta(days=limits.reminder_days):
        yield Fault(
            path="reminder.reminded_on",
            text=Words(
                "Seit der Mahnung sind keine %(days)s Tage vergangen.", days=limits.reminder_days
            ),
            hint="Die Vollstreckung soll erst eine Woche nach der Mahnung beginnen (§ 259 AO).",
            warning=True,
        )
    yield from chronology.preconditions(draft)


def _danger(draft: RequestDraft) -> Faults:
    if draft.danger.known is None:
        yield Fault(
            path="danger.known",
            text="Es fehlt, ob Gefahren für Leib oder Leben der Vollziehenden bekannt sind.",
            hint="Antworten Sie mit „Ja“ oder „Nein“.",
        )
    if draft.danger.known and not draft.danger.text:
        yield Fault(
            path="danger.text",
            text="Die bekannte Gefahr ist nicht beschrieben.",
            hint="Beschreiben Sie sie kurz; nur die Sachbearbeitung sieht den Hinweis.",
        )
    if draft.danger.known is False and draft.danger.text.strip():
        yield Fault(
            path="danger.text",
            text="Es ist keine Gefahr bekannt und zugleich eine beschrieben.",
            hint="Antworten Sie mit „Ja“ oder leeren Sie das Feld.",
        )
    yield from faults.text(
        "danger.text", draft.danger.text, "der Hinweis", needed=False, lines=True
    )


def _measures(draft: RequestDraft) -> Faults:
    if not draft.measures:
        yield Fault(
            path="measures",
            text="Es ist keine Maßnahme gewünscht.",
            hint="Nennen Sie mindestens eine.",
        )
    for name in ("measures", "excluded_measures"):
        for index, measure in enumerate(getattr(draft, name)):
            yield from faults.code(f"{name}[{index}]", measure, codes.MEASURES, "die Maßnahme")
    for measure in sorted(set(draft.measures) & set(draft.excluded_measures)):
        yield Fault(
            path="excluded_measures",
            text=Words(
                "„%(measure)s“ ist gewünscht und ausgeschlossen.",
                measure=Words(codes.MEASURES.get(measure, measure)),
            ),
            hint="Streichen Sie die Maßnahme aus einer der beiden Listen.",
        )


def _instalments(draft: RequestDraft, limits: Limits) -> Faults:
    instalments = draft.instalments
    if instalments.permitted is None:
        yield Fault(
            path="instalments.permitted",
            text="Es fehlt, ob Ratenzahlung vereinbart werden darf.",
            hint="Wählen Sie ja oder nein.",
        )
    if instalments.permitted is False and instalments.minimum_rate_cents:
        yield Fault(
            path="instalments.minimum_rate_cents",
            text="Raten sind nicht erlaubt, und doch ist eine Mindestrate genannt.",
            hint="Erlauben Sie Ratenzahlung oder leeren Sie das Feld.",
        )
    yield from faults.amount(
        "instalments.minimum_rate_cents", instalments.minimum_rate_cents, "", needed=False
    )
    months = instalments.maximum_months
    if months is not None and not 1 <= months <= limits.instalment_months:
        yield Fault(
            path="instalments.maximum_months",
            text=Words("%(months)s Monate sind keine zulässige Dauer.", months=months),
            hint=Words(
                "Ein Plan dauert höchstens %(months)s Monate.", months=limits.instalment_months
            ),
        )


def _urgency(draft: RequestDraft) -> Faults:
    yield from faults.code("urgency", draft.urgency, codes.URGENCIES, "die Dringlichkeit")
    if draft.urgency == "urgent" and not draft.urgency_reason:
        yield Fault(
            path="urgency_reason",
            text="Die Eile ist nicht begründet.",
            hint="Nennen Sie den Grund, zum Beispiel die drohende Verjährung.",
        )
    if draft.urgency == "normal" and draft.urgency_reason.strip():
        yield Fault(
            path="urgency_reason",
            text="Ein Grund der Eile ist genannt, das Ersuchen aber nicht eilig.",
            hint="Wählen Sie „eilig“ oder leeren Sie das Feld.",
        )


def _money_way(draft: RequestDraft) -> Faults:
    yield from faults.text("contact.name", draft.contact.name, "die Ansprechperson")
    yield from faults.text(
        "contact.phone", draft.contact.phone, "die Telefonnummer", limit=faults.LINE
    )
    yield from faults.phone("contact.phone", draft.contact.phone)
    yield from faults.email("contact.email", draft.contact.email)
    way = draft.remittance
    yield from faults.text("remittance.account_holder", way.account_holder, "der Kontoinhaber")
    if not checks.is_iban(checks.normal_iban(way.iban)):
        yield Fault(
            path="remittance.iban",
            text=Words("„%(value)s“ ist keine gültige IBAN.", value=quoted(way.iban))
            if way.iban
            else "Die IBAN fehlt.",
            hint="Prüfen Sie Länge und Prüfziffern, zum Beispiel DE02 1203 0000 0000 2020 51."
            if way.iban
            else "Geben Sie das Konto an, auf das gezahlt werden soll.",
        )
    if way.bic and not checks.is_bic(way.bic):
        yield Fault(
            path="remittance.bic",
            text=Words("„%(value)s“ ist kein BIC.", value=quoted(way.bic)),
            hint="Ein BIC hat 8 oder 11 Zeichen; im Inland kann er fehlen.",
        )
    yield from faults.text(
        "remittance.payment_reference",
        way.payment_reference,
        "das Kassenzeichen",
        limit=faults.LINE,
    )
