"""Which authority is competent for an address. Pure.

A postcode belongs to one municipality in five cases of six, a name of a place often to several:
so a postcode decides where it can, postcode and place together otherwise, and a name alone never.
What is not unique is asked, not guessed.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from centre.directory.records import ACTIVE, AuthorityRecord
from centre.kernel.quoting import quoted

_ABBREVIATIONS: Final = (
    (re.compile(r"\bst\b\.?"), "sankt"),
    (re.compile(r"\ba\.?\s*d\.?\s+"), "an der "),
    (re.compile(r"\ba\.\s*(?=[a-z])"), "am "),
    (re.compile(r"\bb\.\s*(?=[a-z])"), "bei "),
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_TITLES: Final = re.compile(
    r"\b(freie und hansestadt|grosse kreisstadt|kreisfreie stadt|landeshauptstadt|hansestadt|"
    r"universitaetsstadt|kreisstadt|alte hansestadt|stadt|gemeinde|markt|flecken)\b"
)
_LEAST_SEARCH: Final = 2
_AGS, _ARS = 8, 12


class Outcome(StrEnum):
    UNIQUE = "unique"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An authority that may be meant, and why (German)."""

    authority: AuthorityRecord
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """An answer with its reason in German; `candidates` holds one, some or none.

    `advice` says what a person who has the request before them can do, where one has to.
    """

    outcome: Outcome
    candidates: tuple[Candidate, ...]
    reason: str
    advice: str = ""

    @property
    def authority(self) -> AuthorityRecord | None:
        """The one authority of a unique answer."""
        return self.candidates[0].authority if self.outcome is Outcome.UNIQUE else None


def normalise_place(place: str) -> str:
    """Return a place's name without case, umlauts, titles, districts and abbreviations."""
    text = unicodedata.normalize("NFC", place).casefold().translate(_UMLAUTS)
    text = re.split(r"[,(/;]|\bot\b|\bortsteil\b|\bstadtteil\b", text)[0]
    for pattern, words in _ABBREVIATIONS:
        text = pattern.sub(words, text)
    text = _TITLES.sub(" ", text)
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text).split())


class CompetenceIndex:
    """Looks competence up among the active authorities of one version of the directory."""

    def __init__(self, authorities: Iterable[AuthorityRecord]) -> None:
        self._postcodes: dict[str, dict[UUID, AuthorityRecord]] = defaultdict(dict)
        self._places: dict[str, dict[UUID, AuthorityRecord]] = defaultdict(dict)
        self._at: set[tuple[str, str, UUID]] = set()
        self._keys: dict[str, dict[UUID, AuthorityRecord]] = defaultdict(dict)
        self._prefixes: dict[str, dict[UUID, AuthorityRecord]] = defaultdict(dict)
        self._names: list[tuple[str, AuthorityRecord]] = []
        for authority in authorities:
            if authority.state == ACTIVE:
                self._add(authority)
        self._names.sort(key=lambda entry: (entry[0], entry[1].ars, str(entry[1].id)))

    def _add(self, authority: AuthorityRecord) -> None:
        self._names.append((normalise_place(authority.name), authority))
        self._places[normalise_place(authority.name)][authority.id] = authority
        for key in filter(None, (authority.ags, authority.ars, str(authority.id))):
            self._keys[key][authority.id] = authority
        for area in authority.areas:
            place = normalise_place(area.place)
            if area.postcode:
                self._postcodes[area.postcode][authority.id] = authority
                self._at.add((area.postcode, place, authority.id))
            if place:
                self._places[place][authority.id] = authority
            if area.ars_prefix:
                self._prefixes[area.ars_prefix][authority.id] = authority

    def search(self, text: str, *, limit: int) -> tuple[AuthorityRecord, ...]:
        """Return authorities whose name, key or postcode begins with or contains the text."""
        if text.strip().isdigit():
            found = self._by_digits(text.strip())
        else:
            wanted = normalise_place(text)
            if len(wanted) < _LEAST_SEARCH:
                return ()
            starts = [each for name, each in self._names if name.startswith(wanted)]
            inside = [
                each for name, each in self._names if wanted in name and not name.startswith(wanted)
            ]
            found = starts + inside
        return tuple(found[:limit])

    def _by_digits(self, digits: str) -> list[AuthorityRecord]:
        found: dict[UUID, AuthorityRecord] = {}
        for table in (self._postcodes, self._keys):
            for key, authorities in table.items():
                if key.startswith(digits):
                    found.update(authorities)
        return sorted(found.values(), key=lambda each: (each.name, str(each.id)))

    def resolve(self, *, postcode: str = "", place: str = "", key: str = "") -> Resolution:
        """Return who is competent; a key (AGS, ARS, id of the authority) goes before an address."""
        if key.strip():
            return self._resolve_key("".join(key.split()).lower())
        postcode = postcode.strip()
        if postcode:
            return self._resolve_postcode(postcode, place)
        return self._resolve_place(place)

    def _resolve_key(self, key: str) -> Resolution:
        found = self._keys.get(key)
        if not found and len(key) in {_AGS, _ARS} and key.isdigit():
            # An area is stated by prefix: the longest one that fits is the most particular.
            prefixes = (key[:length] for length in range(len(key), 1, -1))
            found = next((self._prefixes[p] for p in prefixes if p in self._prefixes), None)
        return _answer(
            found or {},
            f"Schlüssel {key}",
            none=f"Zum Schlüssel {quoted(key)} nennt das Verzeichnis keine Behörde.",
            advice="Prüfen Sie den Schlüssel oder geben Sie Postleitzahl und Ort an.",
        )

    def _resolve_postcode(self, postcode: str, place: str) -> Resolution:
        found = self._postcodes.get(postcode, {})
        wanted = normalise_place(place)
        named = self._places.get(wanted, {}) if wanted else {}
        both = {
            each: authority
            for each, authority in found.items()
            if each in named or (postcode, wanted, each) in self._at
        }
        if wanted and both:
            return _answer(both, f"Postleitzahl {postcode} und Ort {quoted(place)}")
        if named and found:
            return Resolution(
                outcome=Outcome.AMBIGUOUS,
                candidates=_candidates({**found, **named}, "passt nur teilweise zur Anschrift"),
                reason=f"Postleitzahl {postcode} und Ort {quoted(place)} gehören nicht zusammen.",
                advice="Wählen Sie die Behörde aus.",
            )
        return _answer(
            found,
            f"Postleitzahl {postcode}",
            none=f"Zur Postleitzahl {quoted(postcode)} nennt das Verzeichnis keine Behörde.",
            advice="Prüfen Sie die Anschrift oder wählen Sie die Behörde aus.",
            similar=named,
        )

    def _resolve_place(self, place: str) -> Resolution:
        named = self._places.get(normalise_place(place), {}) if place.strip() else {}
        if named:
            return Resolution(
                outcome=Outcome.AMBIGUOUS,
                candidates=_candidates(named, f"Ort {quoted(place)}"),
                reason="Ein Ortsname allein ist nicht eindeutig.",
                advice="Geben Sie die Postleitzahl an oder wählen Sie die Behörde aus.",
            )
        return Resolution(
            outcome=Outcome.NONE,
            candidates=(),
            reason="Die Anschrift fehlt.",
            advice="Geben Sie Postleitzahl und Ort oder einen Schlüssel der Behörde an.",
        )


def _answer(
    found: dict[UUID, AuthorityRecord],
    reason: str,
    *,
    none: str = "",
    advice: str = "",
    similar: dict[UUID, AuthorityRecord] | None = None,
) -> Resolution:
    if len(found) == 1:
        return Resolution(
            outcome=Outcome.UNIQUE, candidates=_candidates(found, reason), reason=reason
        )
    if found:
        return Resolution(
            outcome=Outcome.AMBIGUOUS,
            candidates=_candidates(found, reason),
            reason=f"{reason}: mehrere Behörden kommen in Frage.",
            advice="Wählen Sie die richtige aus.",
        )
    return Resolution(
        outcome=Outcome.AMBIGUOUS if similar else Outcome.NONE,
        candidates=_candidates(similar or {}, "gleicher Ortsname"),
        reason=none,
        advice=advice,
    )


def _candidates(found: dict[UUID, AuthorityRecord], reason: str) -> tuple[Candidate, ...]:
    ordered = sorted(found.values(), key=lambda each: (each.name, each.ars, str(each.id)))
    return tuple(Candidate(authority=each, reason=reason) for each in ordered)
