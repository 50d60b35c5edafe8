"""Code lists: what may stand in coded fields, with the words that people see. Pure data.

Start values; the code travels, the words do not. A code once used keeps its meaning.
"""

from collections.abc import Mapping
from types import MappingProxyType

type Codes = Mapping[str, str]


def _codes(**words: str) -> Codes:
    return MappingProxyType(words)


REQUEST_KINDS = _codes(full_enforcement="Vollstreckungsersuchen")

LEGAL_RELATIONS = _codes(
    assistance="Amtshilfe (Vollstreckungshilfe zwischen Vollstreckungsbehörden)",
    own_task="Eigene Aufgabe der ersuchten Behörde (Gläubiger ist keine Vollstreckungsbehörde)",
    contract="Vereinbarung oder Vertrag",
)

DEBTOR_ROLES = _codes(
    debtor="Schuldner",
    joint_debtor="Gesamtschuldner",
    liable="Haftender",
    tolerating="Duldungspflichtiger",
    successor="Rechtsnachfolger",
)

PERSON_KINDS = _codes(natural="Natürliche Person", legal="Juristische Person")

GENDERS = _codes(female="weiblich", male="männlich", diverse="divers", unknown="unbekannt")

TITLE_KINDS = _codes(
    assessment="Bescheid",
    fine_notice="Bußgeldbescheid",
    cost_notice="Kostenbescheid",
    contract="Vertrag mit Unterwerfung",
    private_claim="Privatrechtliche Forderung, deren Beitreibung gesetzlich zugelassen ist",
)

REVENUE_KINDS = _codes(
    property_tax="Grundsteuer",
    trade_tax="Gewerbesteuer",
    dog_tax="Hundesteuer",
    second_home_tax="Zweitwohnungssteuer",
    amusement_tax="Vergnügungssteuer",
    fee="Gebühr",
    contribution="Beitrag",
    childcare="Elternbeitrag",
    traffic_fine="Bußgeld Straßenverkehr",
    fine="Sonstiges Bußgeld",
    maintenance_advance="Unterhaltsvorschuss",
    social_refund="Rückforderung Sozialleistung",
    rescue_service="Rettungsdienst",
    vehicle_fee="Zulassungsgebühr",
    broadcasting="Rundfunkbeitrag",
    chamber="Kammerbeitrag",
    penalty_payment="Zwangsgeld",
    substitute_performance="Kosten der Ersatzvornahme",
    private_claim="Privatrechtliche Forderung",
)

ANCILLARY_KINDS = _codes(
    late_payment_surcharge="Säumniszuschlag",
    interest="Zinsen",
    reminder_fee="Mahngebühr",
    expenses="Auslagen",
    enforcement_costs="Vollstreckungskosten der ersuchenden Behörde",
    late_filing_surcharge="Verspätungszuschlag",
    return_debit="Rücklastschriftgebühr",
)

MEASURES = _codes(
    payment_request="Gütliche Erledigung, Zahlungsaufforderung",
    field_visit="Außendienst",
    movables="Sachpfändung",
    account="Kontopfändung",
    wages="Lohnpfändung",
    claims="Pfändung sonstiger Forderungen",
    vehicle="Fahrzeugpfändung (Parkkralle)",
    asset_statement="Vermögensauskunft",
    real_estate="Zwangssicherungshypothek",
    residence_enquiry="Aufenthaltsermittlung",
)

URGENCIES = _codes(normal="normal", urgent="eilig")

REFUSAL_REASONS = _codes(
    not_competent="Nicht zuständig",
    formal_defect="Formmangel: Pflichtangaben fehlen",
    title_missing="Titel fehlt oder ist unklar",
    legally_impossible="Rechtlich nicht möglich (§ 5 Abs. 2 VwVfG)",
    disproportionate="Unverhältnismäßiger Aufwand (§ 5 Abs. 3 VwVfG)",
    own_tasks="Gefährdung eigener Aufgaben (§ 5 Abs. 3 VwVfG)",
    duplicate="Dublette",
    small_claim="Kleinbetrag",
    barred="Verjährt",
    moved_known="Schuldner verzogen, neue Anschrift bekannt",
    moved_unknown="Schuldner unbekannt verzogen",
    deceased="Schuldner verstorben",
    insolvency="Insolvenzverfahren",
    detention="Schuldner in Haft",
    asset_statement_exists="Vermögensauskunft liegt vor",
    other="Sonstiger Grund",
)

COMPLETION_RESULTS = _codes(
    paid_here="Voll bezahlt, eingezogen durch die ersuchte Behörde",
    paid_there="Voll bezahlt bei der ersuchenden Behörde",
    partial="Teilweise bezahlt, Rest fruchtlos",
    fruitless_seizure="Fruchtlos gepfändet",
    fruitless_asset_statement="Fruchtlos nach Vermögensauskunft",
    not_met="Schuldner nicht angetroffen",
    asset_statement_exists="Zurückgegeben: Vermögensauskunft liegt bereits vor",
    moved_known="Zurückgegeben: verzogen, neue Anschrift bekannt",
    moved_unknown="Zurückgegeben: unbekannt verzogen",
    deceased="Zurückgegeben: verstorben",
    insolvency="Zurückgegeben: Insolvenzverfahren",
    duplicate="Zurückgegeben: Dublette",
    no_answer="Zurückgegeben: Rückfrage blieb ohne Antwort",
    other="Zurückgegeben: sonstiger Grund",
)

QUERY_TOPICS = _codes(
    debtor="Angaben zum Schuldner",
    address="Anschrift",
    title="Titel",
    claim="Forderung und Nebenforderungen",
    enforceability="Vollstreckbarkeit",
    payments="Zahlungen",
    instalments="Ratenzahlung",
    limitation="Verjährung",
    document="Unterlage fehlt",
    other="Sonstiges",
)

WITHDRAWAL_REASONS = _codes(
    paid="Zahlung bei der ersuchenden Behörde",
    deferred="Stundung",
    annulled="Bescheid aufgehoben oder ausgesetzt",
    remitted="Erlass oder Niederschlagung",
    appeal="Rechtsbehelf mit aufschiebender Wirkung",
    insolvency="Insolvenzverfahren",
    wrong_debtor="Falscher Schuldner",
    mistake="Irrtümlich gestellt",
    other="Sonstiger Grund",
)
