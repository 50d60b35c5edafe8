"""What other rooms say in German, in the language of the page."""

from django.utils.translation import gettext

from tenants.cases.words import Words


def say(words: str) -> str:
    """Return words that stand as plain data in the language of the page."""
    if isinstance(words, Words):
        return words.said(gettext)
    return gettext(words) if words else ""
