"""The table holds what it promises: nothing illegal is possible, and both sides end alike."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.cases import lifecycle
from tenants.cases.errors import StepNotPossible
from tenants.cases.graph import GraphIllegal, Kind, Party, Side, State, Verb
from tenants.cases.lifecycle import (
    GRAPH,
    RECEPTIONS,
    STEPS,
    MessageUnexpected,
    Standing,
)
from tenants.cases.replay import Fate, Logged, replay

R, E = Side.REQUESTING, Side.REQUESTED
SOME = UUID(int=1)
OURS, THEIRS = Standing(side=R, state=State.DRAFT), Standing(side=E)


@pytest.mark.parametrize(("verb", "side", "state"), list(product(Verb, Side, [None, *State])))
def test_every_step_is_possible_exactly_where_the_table_says(
    verb: Verb, side: Side, state: State | None
) -> None:
    row = lifecycle.step(verb)
    standing = Standing(side=side, state=state, query_id=SOME)
    if side is row.side and state in row.paths:
        assert lifecycle.take(standing, verb, query_id=SOME).state is row.paths[state]
    else:
        with pytest.raises(StepNotPossible) as refused:
            lifecycle.take(standing, verb)
        assert row.label in refused.value.message


@pytest.mark.parametrize(("kind", "side", "state"), list(product(Kind, Side, [None, *State])))
def test_every_message_is_received_exactly_where_the_table_says(
    kind: Kind, side: Side, state: State | None
) -> None:
    row = lifecycle.reception(kind)
    standing = Standing(side=side, state=state, query_id=SOME)
    if side is row.side and state in row.paths:
        after = lifecycle.receive(standing, kind, message_id=SOME, query_id=SOME)
        assert after.state is row.paths[state]
    else:
        with pytest.raises(MessageUnexpected):
            lifecycle.receive(standing, kind, message_id=SOME)


def test_words_for_every_state_and_step() -> None:
    for row in (*STEPS, *RECEPTIONS):
        assert row.label
        assert all(GRAPH.label(state, row.side) for state in row.paths.values())


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"steps": STEPS[1:]}, "each verb needs exactly one row"),
        ({"receptions": RECEPTIONS[1:]}, "nobody expects"),
        (
            {
                "steps": tuple(
                    replace(row, sends=None) if row.verb is Verb.CLOSE else row for row in STEPS
                )
            },
            "nobody sends",
        ),
        ({"steps": (replace(STEPS[0], by=Party.REQUESTED_CLERK), *STEPS[1:])}, "does not sit"),
        ({"final": {R: frozenset({State.GIVEN_UP}), E: frozenset({State.CLOSED})}}, "dead ends"),
        (
            {"steps": (replace(STEPS[0], paths={State.DRAFT: State.DRAFT}), *STEPS[1:])},
            "cannot be reached",
        ),
        (
            {
                "steps": (
                    replace(
                        STEPS[0],
                        paths={State.DRAFT: State.SUBMITTED, State.CLOSED: State.SUBMITTED},
                    ),
                    *STEPS[1:],
                )
            },
            "opens again",
        ),
        ({"labels": dict.fromkeys(State, ("x", ""))}, "has no words"),
        ({"steps": (replace(STEPS[0], alone=True), *STEPS[1:])}, "nobody is there to read"),
    ],
)
def test_illegal_tables_are_refused_at_import(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(GraphIllegal, match=complaint):
        replace(GRAPH, **changed).check()


@pytest.mark.parametrize(("side", "state"), list(product(Side, State)))
def test_no_state_waits_for_ever_for_an_authority_that_is_gone(side: Side, state: State) -> None:
    """Each leads on without a letter, and none offers that while the other side is there."""
    by = {R: Party.REQUESTING_CLERK, E: Party.REQUESTED_CLERK}[side]
    standing = Standing(side=side, state=state)
    here = [row for row in lifecycle.possible(standing, by=by) if not row.sends]
    alone = [row for row in lifecycle.possible(standing, by=by, alone=True) if not row.sends]
    assert not any(row.alone for row in here)
    # A draft can be thrown away, and a request under way arrives or fails.
    needs_none = {State.DRAFT, State.SUBMITTED, *lifecycle.FINAL[side]}
    if GRAPH.label(state, side) and state not in needs_none:
        assert len(alone) == 1
        assert alone[0].paths[state] in lifecycle.FINAL[side]
    else:
        assert alone == []


def test_end_without_the_other_side_is_told_by_no_message() -> None:
    log = [
        Logged(message_id=SOME, kind=Kind.ASSISTANCE_REQUEST, sent=False),
        Logged(message_id=UUID(int=2), kind=Kind.REGISTRATION, sent=True),
    ]
    assert replay(E, log).state is State.REGISTERED
    assert replay(E, log, ended_alone=True).state is State.CLOSED
    with pytest.raises(StepNotPossible):
        replay(R, [], ended_alone=True)


def test_message_that_is_written_anew_does_nothing_twice_and_is_the_query_that_waits() -> None:
    first, query, anew = UUID(int=1), UUID(int=2), UUID(int=3)
    log = [
        Logged(message_id=first, kind=Kind.ASSISTANCE_REQUEST, sent=False),
        Logged(message_id=query, kind=Kind.QUERY, sent=True, fate=Fate.GIVEN_UP),
        Logged(message_id=anew, kind=Kind.QUERY, sent=True, repeats=query),
    ]
    assert replay(E, log[:2]) == Standing(side=E, state=State.QUERIED, query_id=query)
    assert replay(E, log) == Standing(side=E, state=State.QUERIED, query_id=anew)
    answer = Logged(message_id=UUID(int=4), kind=Kind.ANSWER, sent=False, query_id=anew)
    assert replay(E, [*log, answer]).state is State.REGISTERED


# -- two sides and the letters between them -------------------------------------------------


@dataclass(frozen=True)
class Letter:
    id: UUID
    kind: Kind
    answers: UUID | None = None

    def received(self) -> Logged:
        return Logged(message_id=self.id, kind=self.kind, sent=False, query_id=self.answers)


@dataclass(frozen=True)
class World:
    """Both sides' standings and the letters on their way, in order, in each direction.

    `arrived` tells whether a receipt for the request has come back; `given_up_late` that the
    request may still arrive after the requester stopped waiting.
    """

    ours: Standing = OURS
    theirs: Standing = THEIRS
    to_them: tuple[Letter, ...] = ()
    to_us: tuple[Letter, ...] = ()
    next_id: int = 1
    receipts: int = 0
    #: What each side has in its log; it plays no part in `key`.
    our_log: tuple[Logged, ...] = ()
    their_log: tuple[Logged, ...] = ()

    def send(self, side: Side, verb: Verb) -> "World":
        before = self.ours if side is R else self.theirs
        letter_id = UUID(int=self.next_id)
        after = lifecycle.take(before, verb, query_id=letter_id)
        world = replace(self, next_id=self.next_id + 1)
        world = replace(world, ours=after) if side is R else replace(world, theirs=after)
        if (kind := lifecycle.step(verb).sends) is None:
            return world
        query_id = before.query_id if kind is Kind.ANSWER else None
        letter = Letter(letter_id, kind, query_id)
        logged = Logged(message_id=letter_id, kind=kind, sent=True, query_id=query_id)
        if side is R:
            return replace(world, to_them=(*self.to_them, letter), our_log=(*self.our_log, logged))
        return replace(world, to_us=(*self.to_us, letter), their_log=(*self.their_log, logged))

    def deliver_to_them(self) -> "World":
        letter, *rest = self.to_them
        world = replace(self, to_them=tuple(rest), their_log=(*self.their_log, letter.received()))
        if letter.kind is Kind.ASSISTANCE_REQUEST and self.theirs.state is None:
            return replace(world.send(E, Verb.REGISTER), receipts=1)
        after = lifecycle.receive(
            self.theirs, letter.kind, message_id=letter.id, query_id=letter.answers
        )
        return replace(world, theirs=after)

    def deliver_to_us(self) -> "World":
        letter, *rest = self.to_us
        world = replace(self, to_us=tuple(rest))
        if letter.kind is Kind.REGISTRATION:
            world = world.request_arrived()
        after = lifecycle.receive(
            world.ours, letter.kind, message_id=letter.id, query_id=letter.answers
        )
        return replace(world, ours=after, our_log=(*world.our_log, letter.received()))

    def request_arrived(self) -> "World":
        """What a receipt does, and a registration that comes before it."""
        world = replace(self, receipts=0, our_log=self.with_fate(Fate.ARRIVED))
        for verb in (Verb.DELIVER, Verb.RECALL):
            if self.ours.state in lifecycle.step(verb).paths:
                return world.send(R, verb)
        return world

    def with_fate(self, fate: Fate) -> tuple[Logged, ...]:
        """Our log, with this fate for the newest request and none for the ones before."""
        requests = [each for each in self.our_log if each.kind is Kind.ASSISTANCE_REQUEST]
        return tuple(
            replace(each, fate=fate) if each is requests[-1] else each for each in self.our_log
        )

    def next(self) -> dict[str, "World"]:
        """Everything that can happen now."""
        found: dict[str, World] = {}
        for standing, by in (
            (self.ours, Party.REQUESTING_CLERK),
            (self.theirs, Party.REQUESTED_CLERK),
        ):
            for row in lifecycle.possible(standing, by=by):
                found[row.verb] = self.send(standing.side, row.verb)
        if self.to_them:
            found["to_them"] = self.deliver_to_them()
        if self.to_us:
            found["to_us"] = self.deliver_to_us()
        if self.receipts:
            found["receipt"] = self.request_arrived()
        if self.ours.state in {State.SUBMITTED, State.WITHDRAWING} and self.request_is_open:
            # Time is over: the letter may all the same be on its way, and arrive.
            found["expired"] = replace(self.send(R, Verb.FAIL), our_log=self.with_fate(Fate.FAILED))
        if Verb.GIVE_UP in found:
            given_up = self.with_fate(Fate.GIVEN_UP)
            found[Verb.GIVE_UP] = replace(found[Verb.GIVE_UP], our_log=given_up)
        return found

    @property
    def request_is_open(self) -> bool:
        """Nothing is known of the newest request."""
        requests = [each for each in self.our_log if each.kind is Kind.ASSISTANCE_REQUEST]
        return bool(requests) and requests[-1].fate is Fate.OPEN

    @property
    def quiet(self) -> bool:
        return not (self.to_them or self.to_us or self.receipts)

    @property
    def key(self) -> Any:
        """The same for worlds that differ in the names of letters only."""
        names: dict[UUID | None, int] = {None: 0}

        def name(letter: UUID | None) -> int:
            return names.setdefault(letter, len(names))

        return (
            self.ours.state,
            name(self.ours.query_id),
            self.theirs.state,
            name(self.theirs.query_id),
            tuple((each.kind, name(each.id), name(each.answers)) for each in self.to_them),
            tuple((each.kind, name(each.id), name(each.answers)) for each in self.to_us),
            self.receipts,
            self.request_is_open,
        )


ALIKE = {
    State.REGISTERED,
    State.QUERIED,
    State.ACCEPTED,
    State.ACCEPTED_QUERIED,
    State.WITHDRAWING,
    State.REFUSED,
    State.COMPLETED,
    State.WITHDRAWN,
    State.CLOSED,
}


def check_logs(world: World) -> None:
    """At any moment the log of each side tells its state."""
    assert replay(R, world.our_log) == world.ours
    assert replay(E, world.their_log) == world.theirs


def check_alike(world: World) -> None:
    """When no letter is on its way, both sides see the same state."""
    if world.theirs.state is None:
        assert world.ours.state not in ALIKE - {State.WITHDRAWING}
    else:
        assert world.ours.state is world.theirs.state, world
        assert world.ours.query_id == world.theirs.query_id


def test_both_sides_converge_in_every_possible_order() -> None:
    """All worlds with at most three letters on their way in each direction: no order is illegal."""
    seen: set[Any] = set()
    frontier = [World()]
    while frontier:
        world = frontier.pop()
        if world.key in seen or max(len(world.to_them), len(world.to_us)) > 3:
            continue
        seen.add(world.key)
        check_logs(world)
        if world.quiet:
            check_alike(world)
        frontier.extend(world.next().values())
    assert len(seen) > 300


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_random_lives_end_alike_and_replay_from_the_log(data: st.DataObject) -> None:
    """Long lives with any number of crossing letters; afterwards everything is delivered."""
    world = World()
    for _ in range(data.draw(st.integers(0, 40))):
        choices = world.next()
        if not choices:
            break
        check_logs(world)
        world = choices[data.draw(st.sampled_from(sorted(choices)))]
    while not world.quiet:
        moves = [name for name in ("to_them", "to_us", "receipt") if name in world.next()]
        world = world.next()[data.draw(st.sampled_from(moves))]
    check_alike(world)
