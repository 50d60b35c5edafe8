"""What lies in the lists of the towns when a browser looks at them."""

from typing import Any

from tenants.cases import services
from tenants.cases.drafts import Address, Danger, Debtor, RequestDraft
from tenants.documents import services as documents
from tests.factories.requests import request

PEOPLE = (
    ("Brökelmann", "Jutta Maria"),
    ("Yildiz", "Emre"),
    ("Kowalski", "Piotr"),
    ("van der Berg-Hoffmannsthal", "Maria-Theresia Elisabeth"),
    ("Öztürk", "Çağla"),
    ("Šimek", "Jaromír"),
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def drafts(town: Any) -> list[RequestDraft]:
    return [
        request(
            to=town.id,
            own_reference=f"20.3-{4711 + number}/26",
            urgency="urgent" if number == 1 else "normal",
            urgency_reason="Verjährung zum Jahresende" if number == 1 else "",
            danger=Danger(known=number == 1, text="Zwei große Hunde." if number == 1 else ""),
            debtors=(
                Debtor(
                    surname=surname,
                    first_names=first,
                    disclosure_blocked=number == 1,
                    address=Address(
                        street="Lauengraben", house_number="12 b", postcode="02625", place="Bautzen"
                    ),
                ),
            ),
        )
        for number, (surname, first) in enumerate(PEOPLE)
    ]


def dress(a: Any, b: Any, post: Any) -> None:
    """Alpha asks beta six times: accepted, asked back, four open; and keeps a draft."""
    with a.scope():
        cases = services.submit_requests(drafts=drafts(b), by=a.by)
        services.create_draft(draft=request(to=None, own_reference="Entwurf"), by=a.by)
    post.until_quiet()
    with b.scope():
        services.accept(
            case_id=cases[0].id, version=b.case(cases[0].id).version, own_reference="V-17", by=b.by
        )
        services.ask(
            case_id=cases[2].id,
            version=b.case(cases[2].id).version,
            topic="title",
            text="Bitte übersenden Sie den Bescheid in Kopie.\nDanke!",
            by=b.by,
        )
        documents.attach(
            case_id=cases[1].id,
            reference=cases[1].reference,
            name="Vermerk Außendienst.pdf",
            chunks=[PDF],
            by=b.by,
        )
    post.until_quiet()
