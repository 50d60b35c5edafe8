"""Letters stay for ever as evidence, so nothing on the hot path may look at the settled ones.

A hundred thousand settled letters lie in each table; the plans of what processes ask all the time
must not read a table from one end to the other.
"""

import ast
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connections

from centre.config import databases
from centre.kernel import clock
from centre.kernel.ids import new_id
from console import waiting
from federation.dispatch.sql import documents, letters, numbering, outcomes
from federation.inbox import claims, gaps, states
from federation.inbox import selectors as inbox
from federation.outbox import selectors as outbox

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("db")]

SETTLED = 100_000
_BIG = {"outbox_letter", "inbox_inboundmessage", "outbox_receipt", "inbox_issuedreceipt"}

# Rising, as UUIDv7 are: rows lie in the order of their ids.
_ID = "('01980000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
_FILL = f"""
INSERT INTO outbox_link (name, next_lseq, acked_lseq) VALUES ('nord', {SETTLED} + 1, {SETTLED});
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at)
SELECT {_ID}, 'krz_t_alpha', 'nord', gen_random_uuid(), gen_random_uuid(), n, 'query',
       1, '', '', now() + interval '14 days', now() FROM generate_series(1, {SETTLED}) AS n;
UPDATE outbox_letter SET lseq = case_sequence::bigint * 7919 % {SETTLED} + 1;
INSERT INTO outbox_receipt (link, first_lseq, last_lseq, body, signature, kid, leaves, issued_at,
    received_at)
SELECT 'nord', n * 10 + 1, n * 10 + 10, '', '', '', '', now(), now()
  FROM generate_series(0, {SETTLED} / 10 - 1) AS n;
INSERT INTO inbox_inboundmessage (id, origin, tenant_role, link, lseq, sender, case_id,
    case_sequence, kind, envelope, digest, received_at, state, due_at, settled_at)
SELECT {_ID}, 'nord', 'krz_t_alpha', 'nord', n, gen_random_uuid(), gen_random_uuid(), 1,
       'query', '', '', now(), 'applied', now(), now() FROM generate_series(1, {SETTLED}) AS n;
"""

#: Written before all others and after them, in turns with them.
_WAIT = f"""
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at)
SELECT uuidv7(), 'krz_t_alpha', 'gone', gen_random_uuid(), gen_random_uuid(), n, 'query',
       1, '', '', now() + interval '14 days', now() FROM generate_series(1, {SETTLED}) AS n;
"""


@pytest.fixture(scope="module")
def full(cluster: Any, django_db_setup: None) -> Iterator[Callable[[str], str]]:
    with psycopg.connect(cluster.url("owner"), autocommit=True) as owner:
        owner.execute(_FILL)
        owner.execute("ANALYZE outbox_letter, outbox_receipt, outbox_link, inbox_inboundmessage")
    yield cluster.url
    connections.close_all()
    cluster.renew()


def _said(function: Callable[..., Any], call: int = 0) -> str:
    """Return the SQL that a function gives to one of its calls of `execute`."""
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(function)))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "execute"
    ]
    calls.sort(key=lambda node: node.lineno)
    return str(ast.literal_eval(calls[call].args[0]))


_NOW = clock.now()
_IDS = [new_id() for _ in range(128)]
_LOOK: dict[str, Any] = {
    "link": "nord",
    "fence": 1,
    "most": 256,
    "bytes": 1_000_000,
    "served": "",
    "roles": ["krz_t_alpha"],
    "after": [new_id()],
}
_TURN: dict[str, Any] = {"role": "krz_t_alpha", "limit": 128, "bytes": claims.MAX_BYTES}
_QUESTIONS: list[tuple[str, str, str, Any]] = [
    ("number letters", "federation", numbering.NUMBER_ANYBODYS, _LOOK),
    ("number known tenants' letters", "federation", numbering.NUMBER_KNOWN, _LOOK),
    ("what is under way", "federation", _said(letters.positions), ("nord", SETTLED)),
    ("links with work", "federation", letters.WITH_WORK, (["nord"],)),
    ("links that wait", "federation", letters.WAITING, (["nord"], 300)),
    ("unsettled links", "federation", letters.UNSETTLED, ()),
    (
        "expire letters",
        "federation",
        outcomes._EXPIRE,
        {"links": ["nord"], "grace": 300.0, "most": 100},
    ),
    ("links for an operator", "web", outbox._LINKS, {"counted": 1000}),
    ("deliveries of a page", "web", outbox._DELIVERIES, ([new_id() for _ in range(50)],)),
    ("tenants with work", "worker", inbox._DUE_TENANTS, {"now": _NOW}),
    (
        "gaps",
        "worker",
        gaps._GAPS,
        (_NOW - timedelta(hours=1), gaps.MESSAGE_HELD_LONG, 200),
    ),
    ("what waits for a person", "worker", waiting._QUERY, ()),
    ("forgotten pauses", "owner", waiting._PAUSED, ()),
    ("claim a batch", "worker", claims._DUE_LETTERS, _TURN | {"now": _NOW}),
    ("claim keys", "worker", claims._DUE_KEYS, _TURN | {"now": _NOW}),
    (
        "claim again what did not go",
        "worker",
        claims._THESE_LETTERS,
        _TURN | {"ids": _IDS, "origins": ["nord"] * len(_IDS)},
    ),
    ("held messages of cases", "worker", claims._HELD_LETTERS, _TURN | {"cases": _IDS}),
    (
        "mark what was applied",
        "owner",
        states._APPLY,
        {"now": _NOW, "ids": _IDS, "origins": ["nord"] * len(_IDS)},
    ),
    (
        "let held messages go",
        "owner",
        states._RELEASE,
        _TURN | {"now": _NOW, "cases": _IDS, "senders": _IDS, "numbers": [2] * len(_IDS)},
    ),
    (
        "repeats of a batch",
        "federation",
        "SELECT id, digest FROM inbox_inboundmessage WHERE origin = %s AND id = ANY(%s)",
        ("nord", [new_id() for _ in range(256)]),
    ),
]


@pytest.mark.parametrize(
    ("login", "statement", "values"),
    [question[1:] for question in _QUESTIONS],
    ids=[question[0] for question in _QUESTIONS],
)
def test_settled_letters_cost_nothing(
    full: Callable[[str], str], login: str, statement: str, values: Any
) -> None:
    plan = _plan(full(login), login, statement, values)
    words = json.dumps(plan, indent=1)
    assert not (read := _read_whole(plan)), f"{read}\n{words}"
    # What would be hashed is all that waits, whatever the statistics said of it.
    assert login != "federation" or "hashed SubPlan" not in words, words


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (numbering.NUMBER_ANYBODYS, _LOOK),
        (numbering.NUMBER_KNOWN, _LOOK),
        (_said(documents.pending_uploads), ("nord", [])),
        (_said(documents.finish_upload, 1), (new_id(),)),
        (_said(documents.finish_upload, 2), {"id": new_id()}),
        (_said(documents.refuse_upload, 1), (new_id(),)),
    ],
    ids=[
        "number",
        "number known",
        "documents to upload",
        "reason of an upload",
        "end of an upload",
        "refused upload",
    ],
)
def test_one_letter_is_found_by_its_key(
    full: Callable[[str], str], statement: str, values: Any
) -> None:
    """The planner believes that nothing waits: it must not go through all that does instead."""
    plan = _plan(full("federation"), "federation", statement, values)
    found = _indexes(plan, under="ModifyTable" if "numbered" in statement else "")
    assert found == {"outbox_letter_pkey"}, json.dumps(plan, indent=1)


_looks = pytest.mark.parametrize(
    "statement", [numbering.NUMBER_ANYBODYS, numbering.NUMBER_KNOWN], ids=["anybody's", "known"]
)


@_looks
def test_waiting_letters_are_found_in_the_order_of_the_queue(
    full: Callable[[str], str], statement: str
) -> None:
    """The queue has been long and is empty: other indexes look cheaper, with a sort."""
    plan = _plan(full("federation"), "federation", statement, _LOOK)
    found = _indexes(plan, under="")
    assert found == {"outbox_queue", "outbox_letter_pkey"}, json.dumps(plan, indent=1)


@pytest.mark.parametrize(
    ("statement", "values"),
    [question[2:] for question in _QUESTIONS if question[1] == "federation"],
    ids=[question[0] for question in _QUESTIONS if question[1] == "federation"],
)
def test_settled_letters_cost_nothing_where_other_indexes_look_cheaper(
    full: Callable[[str], str], statement: str, values: Any
) -> None:
    """As to a planner who sees that letters lie in the order of their ids, not of positions."""
    plan = _plan(full("federation"), "federation", statement, values, random_page_cost=1000)
    assert not (read := _read_whole(plan)), f"{read}\n{json.dumps(plan, indent=1)}"


@pytest.fixture
def behind(full: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """As many letters as are settled wait for a dead peer, and the planner knows it."""
    with psycopg.connect(full("owner"), autocommit=True) as owner:
        owner.execute(_WAIT)
        owner.execute("ANALYZE outbox_letter")
        yield full
        owner.execute("DELETE FROM outbox_letter WHERE link = 'gone'")
        owner.execute("VACUUM ANALYZE outbox_letter")


@pytest.mark.parametrize("random_page_cost", [4, 1000])
@_looks
def test_letters_of_a_dead_link_are_not_read_for_another(
    behind: Callable[[str], str], statement: str, random_page_cost: float
) -> None:
    """So many wait that a walk along the keys, which have the right order, looks short."""
    _check_that_only_the_queue_is_walked(behind("federation"), statement, random_page_cost)


#: An import of fifty towns, for the link in question.
_IMPORT = """
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at)
SELECT uuidv7(), 'krz_t_town' || n % 50, 'nord', gen_random_uuid(), gen_random_uuid(), n, 'query',
       1, '', '', now() + interval '14 days', now() FROM generate_series(1, 20000) AS n;
UPDATE outbox_letter SET lseq = 0 WHERE lseq IS NULL;
"""


@pytest.fixture
def passed(full: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """Imports have gone out, their entries fill the queue's index, and the planner knows it."""
    with psycopg.connect(full("owner"), autocommit=True) as owner:
        for _ in range(3):
            owner.execute(_IMPORT)
        owner.execute("ANALYZE outbox_letter")
        yield full
        owner.execute("DELETE FROM outbox_letter WHERE tenant_role LIKE 'krz_t_town%'")
        owner.execute("VACUUM ANALYZE outbox_letter")


@pytest.mark.parametrize("random_page_cost", [4, 1.1])
@_looks
def test_a_town_s_letters_are_not_sorted_out_of_all_that_wait(
    passed: Callable[[str], str], statement: str, random_page_cost: float
) -> None:
    """A smaller index has the link's letters, too, in a part of the order."""
    _check_that_only_the_queue_is_walked(passed("federation"), statement, random_page_cost)


def _check_that_only_the_queue_is_walked(url: str, statement: str, random_page_cost: float) -> None:
    plan = _plan(url, "federation", statement, _LOOK, random_page_cost=random_page_cost)
    walked = _indexes(_without_changes(plan), under="")
    assert walked == {"outbox_queue"}, json.dumps(plan, indent=1)


def _without_changes(node: dict[str, Any]) -> dict[str, Any]:
    """Return a plan without what finds the rows that it changes, each by its key."""
    kept = [each for each in node.get("Plans", []) if each["Node Type"] != "ModifyTable"]
    return {**node, "Plans": [_without_changes(each) for each in kept]}


def _plan(
    url: str, login: str, statement: str, values: Any, *, random_page_cost: float = 4
) -> dict[str, Any]:
    session = databases.streaming("test") if login == "federation" else {}
    with psycopg.connect(url, **session) as connection:
        connection.execute(f"SET random_page_cost = {random_page_cost}")
        explained = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()
        connection.rollback()
    assert explained is not None
    plan: dict[str, Any] = explained[0][0]["Plan"]
    return plan


def _indexes(node: dict[str, Any], *, under: str) -> set[str]:
    """Return by which indexes letters are found, within nodes that change them or everywhere."""
    if node["Node Type"] == under and node.get("Relation Name") == "outbox_letter":
        under = ""
    found = (
        {node["Index Name"]}
        if not under and node.get("Relation Name") == "outbox_letter" and "Index Name" in node
        else set()
    )
    return found.union(*(_indexes(child, under=under) for child in node.get("Plans", [])))


def _read_whole(node: dict[str, Any]) -> set[str]:
    """Return the big tables of which a plan reads every row, in whatever way."""
    whole = node["Node Type"] == "Seq Scan" or (
        node.get("Index Name", "").endswith("_pkey") and "Index Cond" not in node
    )
    found = {node["Relation Name"]} if whole else set()
    return (found & _BIG).union(*map(_read_whole, node.get("Plans", [])))
