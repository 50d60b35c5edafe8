"""What is wrong with what a clerk says in a step. Pure.

Where something can be true and looks like a slip, a word of explanation in the text answers it.
A sum that is None could not be read: nothing is concluded from it.
"""

from collections.abc import Mapping
from typing import Final

from tenants.cases import codes, faults
from tenants.cases.faults import Fault, Faults
from tenants.cases.money import format_euro
from tenants.cases.words import Words

#: More than so many times the claim is taken for a slip of the pen.
_NEVER_TIMES: Final = 2
_FRUITLESS: Final = frozenset({"fruitless_seizure", "fruitless_asset_statement"})


def acceptance(*, own_reference: str, note: str = "") -> Faults:
    yield from _line("own_reference", own_reference, "das eigene Aktenzeichen")
    yield from _free("note", note)


def refusal(*, reason: str, text: str = "") -> Faults:
    yield from _coded("reason", reason, codes.REFUSAL_REASONS, "der Grund der Ablehnung")
    yield from _free("text", text, needed=reason == "other")


def query(*, topic: str, text: str) -> Faults:
    yield from _coded("topic", topic, codes.QUERY_TOPICS, "das Thema")
    yield from _free("text", text, needed=True)


def answer(*, text: str) -> Faults:
    yield from _free("text", text, needed=True)


def closure(*, text: str = "") -> Faults:
    yield from _free("text", text)


def end_alone(*, text: str) -> Faults:
    yield from _free("text", text, needed=True)


def withdrawal(*, reason: str, text: str = "") -> Faults:
    yield from _coded("reason", reason, codes.WITHDRAWAL_REASONS, "der Grund der Rücknahme")
    yield from _free("text", text, needed=reason == "other")


def completion(
    *, result: str, collected_cents: int | None, costs_cents: int | None, text: str = ""
) -> Faults:
    """Yield what cannot be; `completion_doubts` knows what was demanded."""
    yield from _coded("result", result, codes.COMPLETION_RESULTS, "das Ergebnis")
    yield from _free("text", text, needed=result == "other")
    yield from _sums(collected_cents, costs_cents)
    if result in _FRUITLESS and collected_cents and collected_cents > 0:
        yield Fault(
            path="collected_cents",
            text=Words(
                "Eingezogen sind %(collected)s, das Ergebnis ist aber fruchtlos.",
                collected=format_euro(collected_cents),
            ),
            hint="Tragen Sie 0,00 ein, oder wählen Sie „Teilweise bezahlt, Rest fruchtlos“.",
        )


def completion_doubts(
    *,
    result: str,
    collected_cents: int | None,
    costs_cents: int | None,
    text: str,
    demanded_cents: int,
) -> Faults:
    """Ask about a report that does not fit what was demanded."""
    del costs_cents  # they are what they are
    if collected_cents is None or text.strip():
        return
    if collected_cents > _NEVER_TIMES * demanded_cents:
        yield from _too_much(collected_cents, demanded_cents)
    elif result == "paid_here" and collected_cents < demanded_cents:
        yield Fault(
            path="text",
            text=Words(
                "Eingezogen sind %(collected)s von %(total)s: das ist nicht voll bezahlt.",
                collected=format_euro(collected_cents),
                total=format_euro(demanded_cents),
            ),
            hint="Wählen Sie „Teilweise bezahlt, Rest fruchtlos“, oder schreiben Sie in den "
            "Bericht, womit der Rest erledigt ist.",
        )
    elif result == "partial" and not 0 < collected_cents < demanded_cents:
        yield Fault(
            path="text",
            text=Words(
                "Eingezogen sind %(collected)s von %(total)s: das ist nicht teilweise bezahlt.",
                collected=format_euro(collected_cents),
                total=format_euro(demanded_cents),
            ),
            hint="Berichtigen Sie Betrag oder Ergebnis, oder schreiben Sie in den Bericht, warum "
            "beides stimmt.",
        )


def withdrawal_confirmation(
    *, collected_cents: int | None, costs_cents: int | None, text: str = ""
) -> Faults:
    """Yield what cannot be; `withdrawal_doubts` knows what was demanded."""
    yield from _free("text", text)
    yield from _sums(collected_cents, costs_cents)


def withdrawal_doubts(
    *, collected_cents: int | None, costs_cents: int | None, text: str, demanded_cents: int
) -> Faults:
    """Ask about more than can have been collected until a withdrawal."""
    del costs_cents  # they are what they are
    if collected_cents is None or text.strip():
        return
    if collected_cents > _NEVER_TIMES * demanded_cents:
        yield from _too_much(collected_cents, demanded_cents)


# -- the parts ------------------------------------------------------------------------------


def _line(path: str, value: str, what: str) -> Faults:
    return faults.text(path, value, what, limit=faults.LINE)


def _free(path: str, value: str, *, needed: bool = False) -> Faults:
    return faults.text(path, value, "der Text", needed=needed, limit=faults.TEXT, lines=True)


def _coded(path: str, value: str, known: Mapping[str, str], what: str) -> Faults:
    return faults.code(path, value, known, what)


def _sums(collected_cents: int | None, costs_cents: int | None) -> Faults:
    yield from faults.amount("collected_cents", collected_cents, "der eingezogene Betrag")
    yield from faults.amount("costs_cents", costs_cents, "der Betrag der Kosten")


def _too_much(collected_cents: int, demanded_cents: int) -> Faults:
    """Ask about a slipped comma: interest and late fees grow, but not to that."""
    yield Fault(
        path="collected_cents",
        text=Words(
            "Eingezogen sind %(collected)s, gefordert waren %(total)s.",
            collected=format_euro(collected_cents),
            total=format_euro(demanded_cents),
        ),
        hint="Berichtigen Sie den Betrag, oder schreiben Sie in das Textfeld, warum es so viel "
        "mehr ist.",
    )
