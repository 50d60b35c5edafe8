"""Words of the code lists, one filter for each list that pages show."""

from collections.abc import Callable

from django import template
from django.utils.translation import gettext

from tenants.cases import codes

register = template.Library()


def _words(listed: codes.Codes) -> Callable[[str], str]:
    """Return a filter that gives a code's words; the code itself where they are unknown here."""

    def words(value: str) -> str:
        return gettext(listed[value]) if value in listed else value

    return words


for _name, _listed in {
    "legal_relation": codes.LEGAL_RELATIONS,
    "debtor_role": codes.DEBTOR_ROLES,
    "title_kind": codes.TITLE_KINDS,
    "revenue_kind": codes.REVENUE_KINDS,
    "ancillary_kind": codes.ANCILLARY_KINDS,
    "measure": codes.MEASURES,
    "refusal_reason": codes.REFUSAL_REASONS,
    "completion_result": codes.COMPLETION_RESULTS,
    "query_topic": codes.QUERY_TOPICS,
    "withdrawal_reason": codes.WITHDRAWAL_REASONS,
    "reason": {**codes.WITHDRAWAL_REASONS, **codes.REFUSAL_REASONS},
}.items():
    register.filter(_name, _words(_listed))
