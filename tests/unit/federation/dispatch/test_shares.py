from federation.dispatch.shares import fair_share, surplus


def test_all_links_are_held_by_somebody() -> None:
    for links in range(30):
        for processes in range(1, 6):
            assert fair_share(links, processes) * processes >= links


def test_surplus_gives_up_resting_links_first() -> None:
    assert surplus(["a", "b", "c"], share=2, busy=["a"]) == ["b"]
    assert surplus(["a", "b"], share=2, busy=[]) == []
