import csv
import os
import time
from collections import defaultdict
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from centre.directory.competence import CompetenceIndex, Outcome, normalise_place
from centre.directory.records import SUSPENDED, Area, AuthorityRecord

NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def authority(name: str, ars: str, *postcodes: str, state: str = "active") -> AuthorityRecord:
    return AuthorityRecord(
        id=uuid5(NAMESPACE, ars),
        name=name,
        home_centre="nord",
        ars=ars,
        ags=ars[:5] + ars[9:],
        state=state,
        areas=tuple(Area(ars_prefix=ars, postcode=each, place=name) for each in postcodes),
    )


KIEL = authority("Kiel, Landeshauptstadt", "010020000000", "24103", "24105")
NEUENKIRCHEN_A = authority("Neuenkirchen", "010515163075", "25792")
NEUENKIRCHEN_B = authority("Neuenkirchen", "032541234025", "21640", "25793")
TWIN = authority("Büsum", "010515178013", "25792", "25761")
INDEX = CompetenceIndex(
    [
        KIEL,
        NEUENKIRCHEN_A,
        NEUENKIRCHEN_B,
        TWIN,
        authority("Weg", "010010000000", "24937", state=SUSPENDED),
    ]
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Kiel", "Landeshauptstadt Kiel"),
        ("Lübeck, Hansestadt", "LUEBECK"),
        ("St. Peter-Ording", "Sankt Peter Ording"),
        ("Leipzig OT Plagwitz", "leipzig"),
        ("Bad  Oeynhausen", "bad oeynhausen (Dehme)"),
    ],
)
def test_spellings_of_a_place_meet(left: str, right: str) -> None:
    assert normalise_place(left) == normalise_place(right)


def test_a_postcode_of_one_authority_decides_whatever_the_district_is_called() -> None:
    answer = INDEX.resolve(postcode="24103", place="Kiel-Altstadt")
    assert answer.outcome is Outcome.UNIQUE
    assert answer.authority == KIEL
    assert "24103" in answer.reason


def test_a_shared_postcode_is_decided_by_the_place() -> None:
    assert INDEX.resolve(postcode="25792", place="Buesum").authority == TWIN


def test_a_shared_postcode_without_a_place_is_asked() -> None:
    answer = INDEX.resolve(postcode="25792")
    assert answer.outcome is Outcome.AMBIGUOUS
    assert {each.authority for each in answer.candidates} == {NEUENKIRCHEN_A, TWIN}
    assert answer.authority is None


@pytest.mark.parametrize(
    "given",
    [
        {"key": "9" * 8_000},
        {"postcode": "9" * 8_000},
        {"place": "Neuenkirchen, " * 500},
        {"postcode": "24103", "place": "Neuenkirchen, " * 500},
        {"postcode": "24103", "place": "Kiel, " * 500},
    ],
)
def test_long_address_is_repeated_in_part(given: dict[str, str]) -> None:
    answer = INDEX.resolve(**given)
    for words in (answer.reason, *(each.reason for each in answer.candidates)):
        assert len(words) < 120


def test_postcode_and_place_that_contradict_are_asked() -> None:
    answer = INDEX.resolve(postcode="24103", place="Neuenkirchen")
    assert answer.outcome is Outcome.AMBIGUOUS
    assert "gehören nicht zusammen" in answer.reason
    assert KIEL in {each.authority for each in answer.candidates}


def test_a_name_alone_is_never_enough() -> None:
    assert INDEX.resolve(place="Kiel").outcome is Outcome.AMBIGUOUS
    assert len(INDEX.resolve(place="Neuenkirchen").candidates) == 2


def test_an_unknown_postcode_says_what_to_do() -> None:
    answer = INDEX.resolve(postcode="99999", place="Nirgends")
    assert answer.outcome is Outcome.NONE
    assert "99999" in answer.reason
    assert "wählen Sie" in answer.advice


def test_keys_go_before_addresses() -> None:
    for key in (KIEL.ags, KIEL.ars, str(KIEL.id), f" {KIEL.ars[:6]} {KIEL.ars[6:]} "):
        assert INDEX.resolve(key=key, postcode="25792").authority == KIEL
    assert INDEX.resolve(key="99").outcome is Outcome.NONE


def test_suspended_authorities_are_not_found() -> None:
    assert INDEX.resolve(postcode="24937").outcome is Outcome.NONE


def test_the_longest_prefix_is_competent() -> None:
    district = AuthorityRecord(
        id=uuid5(NAMESPACE, "amt"),
        name="Amt",
        home_centre="nord",
        areas=(Area(ars_prefix="01051"),),
    )
    association = AuthorityRecord(
        id=uuid5(NAMESPACE, "verband"),
        name="Verband",
        home_centre="nord",
        areas=(Area(ars_prefix="010515163"),),
    )
    index = CompetenceIndex([district, association])
    assert index.resolve(key="010515163099").authority == association
    assert index.resolve(key="010519999099").authority == district


def test_search_puts_beginnings_first_and_knows_numbers() -> None:
    assert INDEX.search("kie", limit=5) == (KIEL,)
    assert INDEX.search("2410", limit=5) == (KIEL,)
    assert INDEX.search("k", limit=5) == ()
    assert len(INDEX.search("neuen", limit=1)) == 1


def _real(folder: Path) -> list[AuthorityRecord]:
    postcodes = defaultdict(list)
    with (folder / "plz_gemeinde.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            postcodes[row["ags"]].append(row["plz"])
    with (folder / "gebiete.csv").open(encoding="utf-8") as file:
        return [
            authority(row["name"], row["key"], *postcodes[row["ags"]])
            for row in csv.DictReader(file)
            if row["level"] == "gemeinde" and row["ags"] in postcodes
        ]


def _invented(number: int = 11_000) -> list[AuthorityRecord]:
    """Return a country of that size: 400 names that many share, postcodes that neighbours share."""
    return [
        authority(
            f"{'Neu' if place % 400 % 2 else 'Alt'}dorf {place % 400}",
            f"{place % 16 + 1:02}{place // 16 // 900:03}{place // 16:04}{place // 16 % 900 + 1:03}",
            f"{place // 3 * 9 + 1000:05}",
        )
        for place in range(number)
    ]


def test_all_municipalities_of_a_country_are_found_fast() -> None:
    """The country is Germany where `AMTSBRUECKE_GEO` names its data, otherwise an invented one."""
    beside = Path(__file__).resolve().parents[5] / "shared" / "geo"
    folder = Path(os.environ.get("AMTSBRUECKE_GEO") or beside)
    country = _real(folder) if (folder / "gebiete.csv").exists() else _invented()
    index = CompetenceIndex(country)
    start = time.perf_counter()
    right = ambiguous = 0
    for each in country:
        answer = index.resolve(postcode=each.areas[0].postcode, place=each.name)
        right += answer.authority is not None and answer.authority.id == each.id
        ambiguous += answer.outcome is Outcome.AMBIGUOUS
    elapsed = time.perf_counter() - start
    assert len(country) > 10_000
    # Two postcodes hold municipalities of the same base name; those must be asked, never guessed.
    assert right + ambiguous == len(country)
    assert ambiguous < 60
    assert elapsed / len(country) < 0.001


def test_places_of_the_same_name_and_postcode_are_never_guessed() -> None:
    """What the invented country has none of."""
    twins = [authority("Bergen", f"0{n}0000001001", "29303") for n in (1, 2)]
    assert CompetenceIndex(twins).resolve(postcode="29303", place="Bergen").authority is None
