from console.demo.plan import make_plan, towns


def test_demo_has_enough_municipalities_in_at_least_three_laender() -> None:
    assert len(towns()) >= 12
    assert len({town.ars[:2] for town in towns()}) >= 3


def test_keys_of_places_fit_each_other() -> None:
    for town in towns():
        assert len(town.ags) == 8
        assert len(town.ars) == 12
        assert town.ags == town.ars[:5] + town.ars[9:], town.name
        assert town.postcodes
        assert all(len(code) == 5 and code.isdecimal() for code in town.postcodes)


def test_names_and_postcodes_are_unique() -> None:
    assert len({town.slug for town in towns()}) == len(towns())
    assert len({town.authority_id for town in towns()}) == len(towns())
    codes = [code for town in towns() for code in town.postcodes]
    assert len(set(codes)) == len(codes)


def test_authorities_keep_their_identifier_in_every_new_demo() -> None:
    minden = next(town for town in towns() if town.slug == "minden")
    assert str(minden.authority_id) == str(make_plan(9000).sender[1].authority_id)


def test_every_town_has_a_home_and_an_address() -> None:
    plan = make_plan(8400)
    assert sum(len(centre.towns) for centre in plan.centres) == len(towns())
    centre, town = plan.sender
    assert centre.url(town) == "http://minden.krz.localhost:8410"
