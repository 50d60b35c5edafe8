"""The parts of a request as forms. A field is named after its attribute, `__` for `.`.

Nothing here is required: a draft may be incomplete. What is wrong with its content is told by
`tenants.cases.validation`; these forms only tell what cannot be read, such as a day.
"""

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.cases import codes
from tenants.web.forms.fields import (
    Code,
    Day,
    Money,
    Number,
    SeveralCodes,
    Text,
    Tick,
    Words,
    YesNo,
)


class DebtorForm(forms.Form):
    kind = Code(_("Art der Person"), codes.PERSON_KINDS, empty=None)
    role = Code(_("Rolle"), codes.DEBTOR_ROLES, empty=None)
    surname = Words(_("Nachname"), autocomplete="off")
    first_names = Words(_("Vornamen"), autocomplete="off")
    doctor_title = Words(_("Doktorgrad"))
    birth_name = Words(_("Geburtsname"))
    birth_on = Day(_("Geburtsdatum"))
    birth_place = Words(_("Geburtsort"))
    gender = Code(_("Geschlecht"), codes.GENDERS)
    company_name = Words(_("Firma oder Name der juristischen Person"))
    legal_form = Words(_("Rechtsform"))
    seat = Words(_("Sitz"))
    register_court = Words(_("Registergericht"))
    register_number = Words(_("Registernummer"))
    representatives = Words(_("Vertreten durch"))
    address__street = Words(_("Straße"), autocomplete="off")
    address__house_number = Words(_("Hausnummer"), autocomplete="off")
    address__supplement = Words(_("Zusatz"))
    address__postcode = Words(_("Postleitzahl"), inputmode="numeric", autocomplete="off")
    address__place = Words(_("Ort"), autocomplete="off")
    phone = Words(_("Telefon"), autocomplete="off")
    email = Words(_("E-Mail"), autocomplete="off")
    employer = Words(_("Arbeitgeber"))
    banks = Words(_("Bekannte Banken"))
    disclosure_blocked = Tick(_("Auskunftssperre im Melderegister (§ 51 BMG)"))


class TitleForm(forms.Form):
    kind = Code(_("Art des Titels"), codes.TITLE_KINDS, empty=None)
    issuer = Words(_("Erlassende Behörde"))
    issued_on = Day(_("Datum des Bescheids"))
    reference = Words(_("Aktenzeichen des Bescheids"))
    served_on = Day(_("Bekannt gegeben oder zugestellt am"))
    served_how = Words(_("Art der Zustellung"))
    final_on = Day(_("Unanfechtbar seit"))
    immediately_enforceable = Tick(_("Sofort vollziehbar"))
    immediate_basis = Words(_("Grundlage der sofortigen Vollziehung"))


class ClaimForm(forms.Form):
    revenue_kind = Code(_("Einnahmeart"), codes.REVENUE_KINDS)
    title_number = Number(_("Beruht auf Titel Nr."), initial=1, hint=_("Leer: der erste."))
    reason = Words(_("Schuldgrund"), hint=_("In Worten, wie er im Auftrag stehen soll."))
    period_from = Day(_("Zeitraum von"))
    period_until = Day(_("Zeitraum bis"))
    due_on = Day(_("Fällig am"))
    original_cents = Money(_("Ursprünglicher Betrag (€)"))
    open_cents = Money(_("Offener Betrag (€)"))
    limitation_end = Day(_("Verjährung tritt ein am"))


class AncillaryForm(forms.Form):
    kind = Code(_("Nebenforderung"), codes.ANCILLARY_KINDS)
    amount_cents = Money(_("Betrag (€)"))
    computed_until = Day(_("Berechnet bis"))
    basis = Words(_("Rechtsgrundlage"))
    runs_on = Tick(_("Läuft weiter"))


class GeneralForm(forms.Form):
    """Everything that a request has once."""

    own_reference = Words(_("Unser Aktenzeichen"), autocomplete="off")
    legal_relation = Code(_("Rechtsverhältnis"), codes.LEGAL_RELATIONS)
    legal_basis = Words(_("Rechtsgrundlage des Ersuchens"))
    urgency = Code(_("Dringlichkeit"), codes.URGENCIES, empty=None)
    urgency_reason = Words(_("Grund der Eile"))

    enforceability__confirmed_by = Words(
        _("Vollstreckbarkeit bestätigt durch"),
        hint=_("Name der Person, die bestätigt, dass alle Voraussetzungen vorliegen."),
    )
    enforceability__confirmed_on = Day(_("Bestätigt am"))
    reminder__reminded_on = Day(_("Gemahnt am"))
    reminder__waived_reason = Words(
        _("Grund, falls keine Mahnung nötig war"), hint=_("Nur ohne Mahndatum.")
    )

    danger__known = YesNo(_("Ist eine Gefahr für Leib oder Leben der Einsatzkräfte bekannt?"))
    danger__text = Text(
        _("Worin besteht die Gefahr?"), hint=_("Sichtbar nur für Sachbearbeitung."), rows=2
    )

    measures = SeveralCodes(_("Gewünschte Maßnahmen"), codes.MEASURES)
    excluded_measures = SeveralCodes(_("Ausgeschlossene Maßnahmen"), codes.MEASURES)
    instalments__permitted = YesNo(_("Darf Ratenzahlung vereinbart werden?"))
    instalments__minimum_rate_cents = Money(_("Mindestrate (€)"))
    instalments__maximum_months = Number(_("Höchstens Monate"))
    forwarding_permitted = Tick(_("Abgabe an eine andere zuständige Behörde ist erlaubt"))
    tax_secrecy = Tick(_("Enthält Daten unter Steuergeheimnis (§ 30 AO)"))
    social_data = Tick(_("Enthält Sozialdaten"))
    note = Text(_("Hinweise an die ersuchte Behörde"), rows=4)

    ordered_by = Words(_("Angeordnet von"), hint=_("Leitung oder beauftragte Person."))
    creditor__name = Words(_("Gläubiger, falls nicht Ihre Kommune"))
    contact__name = Words(_("Ansprechperson"))
    contact__unit = Words(_("Stelle"))
    contact__phone = Words(_("Telefon"))
    contact__email = Words(_("E-Mail"))
    remittance__account_holder = Words(_("Kontoinhaber"))
    remittance__iban = Words(_("IBAN"), autocomplete="off")
    remittance__bic = Words(_("BIC"), autocomplete="off")
    remittance__payment_reference = Words(_("Kassenzeichen"), autocomplete="off")
