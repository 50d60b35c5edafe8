"""Good rows become requests, each once, and nothing stops them but what concerns them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, OperationalError

from centre.audit import selectors as audit
from centre.directory import selectors as directory
from centre.directory.interface import Directory
from centre.tenancy.context import require_tenant
from federation.outbox.errors import BacklogFull, RecipientUnknown
from tenants.cases import services as cases
from tenants.cases import wire
from tenants.cases.drafts import RequestDraft
from tenants.cases.models import Case
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tenants.importers import selectors, services, tasks
from tenants.importers.errors import RunNotReady
from tenants.importers.models import ImportRow, ImportRun, RowState
from tenants.importers.services import running
from tests.factories.import_files import file, row
from tests.integration.tenants.cases.conftest import Postman, Town
from tests.integration.tenants.importers.conftest import Desk, Row

type ToB = Callable[..., Row]
type Submit = Callable[..., list[Case]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 8 rows."""
    monkeypatch.setattr(running, "CHUNK", 8)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests each call of the cases' service was given."""
    submit, sizes = cases.submit_requests, []

    def counted(*, drafts: Sequence[RequestDraft], **more: Any) -> list[Case]:
        sizes.append(len(drafts))
        return submit(drafts=drafts, **more)

    monkeypatch.setattr(cases, "submit_requests", counted)
    return sizes


def crash_at(
    patch: pytest.MonkeyPatch, error: Exception, *references: str, always: bool = False
) -> None:
    """Let the cases' service crash wherever one of these own references is among the drafts."""
    submit = cases.submit_requests

    def submit_or_crash(*, drafts: Sequence[RequestDraft], **more: Any) -> list[Case]:
        if always or any(draft.own_reference in references for draft in drafts):
            raise error
        return submit(drafts=drafts, **more)

    patch.setattr(cases, "submit_requests", submit_or_crash)


def count(town: Town) -> int:
    with town.scope():
        return Case.objects.count()


def confirmed(desk: Desk, *rows: Row) -> UUID:
    view = desk.check(*rows)
    with desk.town.scope():
        services.confirm(run_id=view.id, by=desk.town.by)
    return view.id


def test_rows_become_requests_that_arrive(desk: Desk, b: Town, post: Postman, to_b: ToB) -> None:
    view = desk.take(to_b(1, Nachname="Öztürk", Vornamen="Ève"), to_b(2, IBAN="DE00"))
    assert (view.state, view.imported, view.faulty) == ("finished", 1, 1)
    post.until_quiet()
    (imported, _) = desk.rows(view)
    with b.scope():
        case = Case.objects.get()
    assert (case.id, case.debtor) == (imported.case_id, "Öztürk, Ève")
    assert case.total_cents == 31_250


def test_imported_rows_keep_no_content(desk: Desk, to_b: ToB) -> None:
    (imported, wrong) = desk.rows(desk.take(to_b(1), to_b(2, IBAN="")))
    assert (imported.state, imported.cells, bytes(imported.draft)) == ("imported", {}, b"")
    assert wrong.cells["Nachname"] == "Uhlenbrock"
    with desk.town.scope():
        assert not bytes(ImportRun.objects.get().content)


def test_one_call_writes_a_chunk(desk: Desk, to_b: ToB, small: None, calls: list[int]) -> None:
    seen: list[int] = []
    run_id = confirmed(desk, *(to_b(number) for number in range(20)))
    with desk.town.scope():
        services.run_import(run_id, progress=lambda view: seen.append(view.rows_done))
    assert calls == [8, 8, 4]
    assert seen == [8, 16, 20]


def test_rows_may_become_drafts(desk: Desk, to_b: ToB) -> None:
    view = desk.take(to_b(1), to_b(2), submit=False)
    assert (view.imported, view.submit) == (2, False)
    with desk.town.scope():
        assert {case.state for case in Case.objects.all()} == {"draft"}


def test_own_task_is_imported_with_its_creditor(desk: Desk, b: Town, to_b: ToB) -> None:
    view = desk.take(
        to_b(1, Rechtsverhaeltnis="own_task", Glaeubiger="Zweckverband Nord"),
        to_b(2, Rechtsverhaeltnis="own_task"),
    )
    assert (view.imported, view.faulty) == (1, 1)
    assert desk.faults(view) == [(3, "Glaeubiger", "Der Gläubiger fehlt.")]


def test_late_decision_lets_the_row_follow(desk: Desk, b: Town, to_b: ToB) -> None:
    view = desk.take(to_b(1), row(2, PLZ="32423", Ort="Betadorf"))
    assert (view.state, view.imported, view.undecided) == ("finished", 1, 1)
    with desk.town.scope():
        services.choose(run_id=view.id, line=3, authority_id=b.id, by=desk.town.by)
    assert desk.run(view.id).state == "running"
    desk.work_off()
    after = desk.run(view.id)
    assert (after.state, after.imported, after.undecided) == ("finished", 2, 0)


def test_begun_import_is_not_thrown_away(desk: Desk, to_b: ToB) -> None:
    run_id = confirmed(desk, to_b(1))
    with desk.town.scope():
        for _ in range(2):
            with pytest.raises(RunNotReady, match="begonnener"):
                services.discard(run_id=run_id, by=desk.town.by)
            services.run_import(run_id)
        services.confirm(run_id=run_id, by=desk.town.by)  # once more changes nothing
    assert desk.run(run_id).state == "finished"


def test_trail_tells_who_imported_how_much(desk: Desk, to_b: ToB) -> None:
    view = desk.take(to_b(1), to_b(2))
    with desk.town.scope():
        told = [entry.content for entry in audit.trail(subject=str(view.id))]
        assert audit.verify(desk.town.municipality.tenant_role).intact
    assert [each["event"] for each in told] == ["import:file:checked", "import:file:imported"]
    assert told[1]["detail"]["imported"] == "2"


# -- rows that fail on their own ------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_row_that_crashes_is_found_and_the_others_are_imported(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch, calls: list[int]
) -> None:
    crash_at(monkeypatch, DataError("value out of range"), "20.3-0005/26")
    view = desk.take(*(to_b(number) for number in range(20)))
    assert (view.state, view.imported, view.faulty) == ("finished", 19, 1)
    assert desk.faults(view) == [
        (
            7,
            "Aktenzeichen",
            "Diese Zeile konnte wegen eines Fehlers im Programm nicht übernommen werden.",
        )
    ]
    assert max(calls) > 4  # after the fault it goes on in large chunks


@pytest.mark.usefixtures("small")
def test_row_that_is_always_taken_costs_itself_alone(desk: Desk, to_b: ToB) -> None:
    """As if another had imported it, and nobody knew as which case."""
    rows = [to_b(number) for number in range(20)]
    former = desk.take(rows[11], submit=False)
    with desk.town.scope():
        ImportRow.objects.filter(run_id=former.id).update(case_id=None)
    view = desk.take(*rows)
    assert (view.state, view.imported, view.faulty) == ("finished", 19, 1)
    assert desk.faults(view) == [
        (
            13,
            "Aktenzeichen",
            "Diese Zeile gilt als schon übernommen, doch ihr Ersuchen ist nicht zu finden.",
        )
    ]


@pytest.mark.usefixtures("small")
def test_recipient_that_is_gone_costs_its_rows_alone(
    desk: Desk, b: Town, c: Town, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_c = {"Behoerdenschluessel": c.municipality.ags}
    run_id = confirmed(desk, *(to_b(n, **(to_c if n % 3 else {})) for n in range(12)))
    known = directory.current()
    without_c = tuple(each for each in known.snapshot.authorities if each.id != c.id)
    smaller = Directory(replace(known.snapshot, version=2, authorities=without_c), digest="2")
    monkeypatch.setattr(directory, "present", lambda: smaller)
    desk.work_off()
    view = desk.run(run_id)
    assert (view.state, view.imported, view.faulty) == ("finished", 4, 8)
    assert {each[1:] for each in desk.faults(view)} == {
        ("Behoerdenschluessel", "Diese Behörde nimmt zurzeit nicht teil.")
    }


def test_recipient_that_goes_in_the_very_moment_is_said_in_german(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at(monkeypatch, RecipientUnknown("The directory has no …"), "20.3-0001/26")
    view = desk.take(to_b(1), to_b(2))
    assert (view.state, view.imported) == ("finished", 1)
    assert desk.faults(view) == [
        (2, "Behoerdenschluessel", "An diese Behörde kann zurzeit nichts gesandt werden.")
    ]


def test_rows_that_became_invalid_stay_behind(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim may become barred between the check and the import."""
    run_id = confirmed(desk, to_b(1, Verjaehrt_am="31.12.2031"), to_b(2))
    from centre.kernel import clock

    with clock.frozen(clock.now().replace(year=2032)):
        desk.work_off()
    view = desk.run(run_id)
    assert (view.state, view.imported, view.faulty) == ("finished", 1, 1)
    (line, header, words), *_ = desk.faults(view)
    assert (line, header) == (2, "Verjaehrt am")
    assert "verjährt" in words


def test_program_that_always_crashes_ends_the_run_and_spares_the_rest(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = confirmed(desk, *(to_b(number) for number in range(40)))
    with monkeypatch.context() as patch:
        crash_at(patch, ZeroDivisionError(), always=True)
        desk.work_off()
    view = desk.run(run_id)
    assert view.state == "failed"
    assert "nach mehreren Fehlern im Programm abgebrochen" in view.problem
    assert (view.faulty, view.good) == (10, 30)
    assert desk.take(*(to_b(number) for number in range(40))).imported == 40


def test_broken_run_stops_no_other(desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, good = confirmed(desk, to_b(1)), confirmed(desk, to_b(2))
    with desk.town.scope():
        ImportRow.objects.filter(run_id=broken).update(draft=b"\xff\xff")
    desk.work_off()
    assert (desk.run(broken).state, desk.run(broken).faulty) == ("finished", 1)
    assert desk.run(good).imported == 1


def test_run_that_cannot_even_be_ended_stops_no_other(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, good = confirmed(desk, to_b(1)), confirmed(desk, to_b(2))
    run_import = running.run_import

    def crash(run_id: UUID, **more: Any) -> object:
        if run_id == stuck:
            raise ZeroDivisionError
        return run_import(run_id, **more)

    monkeypatch.setattr(running, "run_import", crash)
    desk.work_off()
    assert desk.run(good).state == "finished"


def test_trouble_of_one_town_keeps_no_other_waiting(
    desk: Desk, b: Town, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Desk(b).give(row(1))
    here = desk.give(to_b(1))
    work_off = services.work_off

    def crash() -> None:
        if require_tenant().authority_id == desk.town.id:
            raise ZeroDivisionError
        work_off()

    monkeypatch.setattr(services, "work_off", crash)
    tasks.look_around()
    assert (desk.run(here).state, Desk(b).run(there).state) == ("checking", "checked")


def test_clerk_who_lost_the_right_ends_the_run_in_words(desk: Desk, to_b: ToB) -> None:
    lost = confirmed(desk, to_b(1))
    with desk.town.scope():
        Clerk.objects.update(role=Role.READER)
    desk.work_off()
    view = desk.run(lost)
    assert (view.state, view.imported) == ("failed", 0)
    assert "Karla Kranich darf keine Ersuchen mehr übermitteln" in view.problem


def test_failed_run_with_requests_is_remembered(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CHUNK", 1)
    rows = [to_b(number) for number in range(15)]
    run_id = confirmed(desk, *rows)
    with desk.town.scope():
        importer = running._Importer(run_id, wait=True)
        assert importer.step()
        with monkeypatch.context() as patch:
            crash_at(patch, ZeroDivisionError(), always=True)
            services.run_import(run_id)
        assert desk.run(run_id).state == "failed"
        with pytest.raises(RunNotReady):
            services.discard(run_id=run_id, by=desk.town.by)
    again = desk.take(*rows)
    assert (again.repeated, again.imported) == (1, 14)
    assert count(desk.town) == 15


# -- what passes ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [BacklogFull(), OperationalError("terminating connection")])
def test_what_passes_is_waited_for(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    waiting, other = confirmed(desk, to_b(1)), confirmed(desk, to_b(2))
    with monkeypatch.context() as patch:
        crash_at(patch, error, "20.3-0001/26")
        desk.work_off()
    stands = desk.run(waiting)
    assert (stands.state, stands.good) == ("running", 1)
    assert bool(stands.waiting) == isinstance(error, BacklogFull)
    assert desk.run(other).state == "finished"
    desk.work_off()
    assert (desk.run(waiting).state, desk.run(waiting).waiting) == ("finished", "")


def test_worker_gives_others_their_turn(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(running, "wake", lambda: woken.append(True))
    monkeypatch.setattr(running, "TURN_SECONDS", 0.0)
    run_id = confirmed(desk, *(to_b(number) for number in range(20)))
    for done in (8, 16, 20):
        desk.work_off()
        assert desk.run(run_id).rows_done == done
    desk.work_off()
    assert desk.run(run_id).state == "finished"
    assert len(woken) == 4


def test_files_are_checked_before_others_are_imported(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TURN_SECONDS", 0.0)
    first = confirmed(desk, to_b(1))
    second = desk.give(to_b(2))
    desk.work_off()
    assert (desk.run(first).state, desk.run(second).state) == ("running", "checked")


# -- the error file -------------------------------------------------------------------------


def test_error_file_can_be_mended_and_given_again(desk: Desk, to_b: ToB) -> None:
    wrong = to_b(2, Telefon="+49 571 890", Bemerkung='=HYPERLINK("x")', IBAN="DE00", Ort="@home")
    view = desk.take(to_b(1), wrong, to_b(3, Hauptforderung="-5"))
    text = desk.error_file(view)
    assert text.startswith("\ufeffAktenzeichen;")
    for line in text.splitlines()[1:]:
        cells = line.replace('"', "").split(";")
        assert not [cell for cell in cells if cell[:1] in set("=+-@")]
    assert "Zeile 3: IBAN: „DE00“ ist keine gültige IBAN." in text
    unmended = desk.take(text.encode())
    assert (unmended.faulty, unmended.rows_total) == (2, 2)
    assert desk.rows(unmended)[0].cells["Bemerkung"] == wrong["Bemerkung"]
    mended = text.replace(";DE00;", ";DE02120300000000202051;").replace("'-5", "50")
    after = desk.take(mended.encode())
    assert (after.imported, after.faulty) == (2, 0)
    with desk.town.scope():
        content = Case.objects.get(own_reference="20.3-0002/26").content
        draft = wire.read_record(RequestDraft, bytes(content.record))
    assert (draft.contact.phone, draft.note) == ("+49 571 890", '=HYPERLINK("x")')


def test_error_file_has_the_column_in_which_people_decide(desk: Desk, b: Town) -> None:
    cells = row(1, PLZ="32423", Ort="Betadorf", Hauptforderung="400")
    view = desk.check((",".join(cells) + "\n" + ",".join(cells.values()) + "\n").encode())
    head, line = desk.error_file(view).splitlines()
    assert head.endswith(",Behoerdenschluessel,Fehler")
    decided = f"{head}\n{line.replace(',,', f',{b.municipality.ags},', 1)}"
    assert desk.take(decided.encode()).imported == 1


def test_error_file_of_rows_that_fit_no_header(desk: Desk, to_b: ToB) -> None:
    view = desk.take(file(to_b(1)) + b'a;b\n"open')
    text = desk.error_file(view)
    assert "Die Zeile hat 2 Felder" in text
    assert "ein Anführungszeichen wird nicht geschlossen" in text
    again = desk.check(text.encode())
    assert again.rows_total == 1  # what could not be read is no row any more


def test_pages_of_rows_follow_each_other(desk: Desk, to_b: ToB) -> None:
    view = desk.check(*(to_b(number) for number in range(5)))
    with desk.town.scope():
        first = selectors.rows(view.id, state=RowState.GOOD, limit=3)
        second = selectors.rows(view.id, state=RowState.GOOD, after=first.next, limit=3)
    assert [each.line for each in (*first.rows, *second.rows)] == [2, 3, 4, 5, 6]
    assert second.next is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_20000_rows(desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are checked, and imported in chunks; the cases' own work is tested elsewhere."""

    def submit(*, drafts: Sequence[RequestDraft], **_: Any) -> list[Case]:
        return [Case() for _ in drafts]

    monkeypatch.setattr(cases, "submit_requests", submit)
    begin = time.process_time()
    view = desk.take(*(to_b(number) for number in range(20_000)))
    assert (view.state, view.imported) == ("finished", 20_000)
    assert time.process_time() - begin < 120
