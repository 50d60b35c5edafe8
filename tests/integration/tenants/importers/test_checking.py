"""What the check of a file says, before anything happens."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import pytest

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import system
from tenants.cases.errors import NotAllowed
from tenants.cases.models import Case
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tenants.importers import checking, reading, selectors, services
from tenants.importers.building import Built, build
from tenants.importers.errors import FileRefused, RunNotFound, RunNotReady
from tenants.importers.models import ImportRow, ImportRun, RowState
from tests.factories.import_files import file, row
from tests.integration.tenants.cases.conftest import Town
from tests.integration.tenants.importers.conftest import Desk, Row

type ToB = Callable[..., Row]


def with_totals(*rows: Row, totals: str) -> bytes:
    return file(*rows) + totals.encode()


def test_good_rows_are_counted_and_added_up(desk: Desk, to_b: ToB) -> None:
    view = desk.check(to_b(1), to_b(2, Mahngebuehr="7,50"))
    assert (view.state, view.rows_total, view.good, view.faulty) == ("checked", 2, 2, 0)
    assert view.sum_cents == 2 * 31_250 + 750
    with desk.town.scope():
        assert not Case.objects.exists()


def test_one_row_is_enough(desk: Desk, to_b: ToB) -> None:
    assert desk.check(to_b()).good == 1


def test_every_fault_has_line_column_words_and_a_way_out(desk: Desk, to_b: ToB) -> None:
    view = desk.check(to_b(1), to_b(2, Hauptforderung="zwölf", IBAN="DE00"), to_b(3, Telefon=""))
    assert (view.good, view.faulty) == (1, 2)
    assert desk.faults(view) == [
        (3, "Hauptforderung", "„zwölf“ ist kein Betrag."),
        (3, "IBAN", "„DE00“ ist keine gültige IBAN."),
        (4, "Telefon", "Es fehlt die Telefonnummer."),
    ]
    assert all(fault["hint"] for each in desk.rows(view) for fault in each.faults)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b";;;\n;;\n", "Die Datei ist leer."),
        (b"\x00\x01", "Nullbytes"),
        (b"Name;Betrag\nx;1\n", "fehlen Spalten"),
        (file(), "keine Zeilen"),
        (file(row(1, Strasse="Wall")) + b"\xff\x81;", "weder UTF-8 noch Windows-1252"),
        (file(row(1)) + b"#SUMME;x;y\n", "nicht lesbar"),
    ],
)
def test_file_that_is_none_ends_its_run_in_words(desk: Desk, content: bytes, words: str) -> None:
    view = desk.check(content)
    assert view.state == "failed"
    assert words in view.problem
    assert view.rows_total == 0


@pytest.mark.parametrize("content", [b"", b" \r\n"])
def test_empty_file_is_not_taken(desk: Desk, content: bytes) -> None:
    with pytest.raises(FileRefused, match="Die Datei ist leer"), desk.town.scope():
        services.start(name="x", chunks=[content], by=desk.town.by)
    with desk.town.scope():
        assert not ImportRun.objects.exists()


def test_large_file_is_refused_before_it_is_held(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.files, "MAX_BYTES", 1_000)
    endless = iter(lambda: b"x" * 400, b"")
    with pytest.raises(FileRefused, match="größer als"), desk.town.scope():
        services.start(name="x", chunks=endless, by=desk.town.by)


def test_too_many_rows_leave_none(desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 600)
    view = desk.check(file(*(to_b(number) for number in range(601))))
    assert (view.state, view.rows_total) == ("failed", 0)
    assert "mehr als 600 Zeilen" in view.problem
    assert not desk.rows(view)


# -- totals ---------------------------------------------------------------------------------


def test_totals_that_agree(desk: Desk, to_b: ToB) -> None:
    view = desk.check(with_totals(to_b(1), to_b(2), totals="#SUMME;2;625,00"))
    assert (view.state, view.good, view.remark) == ("checked", 2, "")


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        ("#SUMME;3;625,00", "nennt 3 Zeilen, die Datei hat 2"),
        ("#SUMME;2;626,00", "nennt 626,00 €, die Zeilen ergeben 625,00 €"),
    ],
)
def test_totals_that_differ_stop_the_file(desk: Desk, to_b: ToB, totals: str, words: str) -> None:
    view = desk.check(with_totals(to_b(1), to_b(2), totals=totals))
    assert view.state == "failed"
    assert words in view.problem
    with pytest.raises(RunNotReady, match=words), desk.town.scope():
        services.confirm(run_id=view.id, by=desk.town.by)


def test_unreadable_amounts_do_not_stop_the_others(desk: Desk, to_b: ToB) -> None:
    bad = to_b(2, Hauptforderung="zwölf")
    view = desk.check(with_totals(to_b(1), bad, totals="#SUMME;2;625,00"))
    assert (view.state, view.good, view.faulty) == ("checked", 1, 1)
    assert view.remark == (
        "Die Kontrollsumme von 625,00 € ist nicht geprüft: Ohne lesbaren Betrag ist Zeile 3. "
        "Die übrigen ergeben 312,50 €."
    )


def test_many_unreadable_amounts_are_named_in_part(desk: Desk, to_b: ToB) -> None:
    rows = [to_b(number, Hauptforderung="x") for number in range(13)]
    view = desk.check(with_totals(*rows, totals="#SUMME;13;1,00"))
    assert "sind die Zeilen 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 und 3 weitere." in view.remark


def test_absurd_amounts_break_nothing(desk: Desk, to_b: ToB) -> None:
    view = desk.check(to_b(1), to_b(2, Hauptforderung="9" * 30), to_b(3, Zinsen="9" * 25))
    assert (view.state, view.good, view.faulty, view.sum_cents) == ("checked", 1, 2, 31_250)
    assert {each for _, each, _ in desk.faults(view)} >= {"Hauptforderung"}


# -- the requested authority ----------------------------------------------------------------


def test_own_authority_cannot_be_asked(desk: Desk, a: Town) -> None:
    view = desk.check(row(1, Behoerdenschluessel=a.municipality.ags))
    assert "selbst zuständig" in desk.faults(view)[0][2]
    assert view.faulty == 1


def test_unknown_address_is_a_fault_and_a_known_name_a_question(desk: Desk, b: Town) -> None:
    view = desk.check(row(1, PLZ="99999", Ort="Nirgendwo"), row(2, PLZ="32423", Ort="Betadorf"))
    assert (view.faulty, view.undecided) == (1, 1)
    assert [header for _, header, _ in desk.faults(view)] == ["PLZ", "PLZ"]
    assert desk.rows(view)[1].candidates[0]["name"] == b.municipality.name


def test_row_that_does_not_fit_has_that_fault_alone(desk: Desk, to_b: ToB) -> None:
    view = desk.check(file(to_b(1)) + b"A 1;K 1\n")
    assert [(line, header) for line, header, _ in desk.faults(view)] == [(3, "Aktenzeichen")]


def test_chosen_authority_makes_a_row_good(desk: Desk, b: Town) -> None:
    view = desk.check(row(2, PLZ="32423", Ort="Betadorf"))
    with desk.town.scope():
        services.choose(run_id=view.id, line=2, authority_id=b.id, by=desk.town.by)
        told = list(audit.trail(subject=str(view.id)))[-1]
    assert told.event == AuditEvent.IMPORT_ROW_ASSIGNED
    assert (told.content["detail"]["line"], told.content["detail"]["authority"]) == ("2", str(b.id))
    assert desk.run(view.id).good == 1
    assert not desk.rows(view)[0].faults


def test_choices_that_are_none_are_refused(desk: Desk, a: Town, b: Town, to_b: ToB) -> None:
    view = desk.check(row(1, PLZ="32423", Ort="Betadorf"), to_b(2))
    for line, authority_id, words in (
        (2, a.id, "die eigene Behörde"),
        (2, uuid4(), "nimmt zurzeit nicht teil"),
        (3, b.id, "nichts zu entscheiden"),
        (99, b.id, "nichts zu entscheiden"),
    ):
        with pytest.raises(RunNotReady, match=words), desk.town.scope():
            services.choose(run_id=view.id, line=line, authority_id=authority_id, by=desk.town.by)
    assert desk.run(view.id).undecided == 1


def test_authority_that_nothing_reaches_is_a_fault(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "unreachable", lambda *_: "Kein Schlüssel.")
    assert desk.faults(desk.check(to_b(1))) == [(2, "Behoerdenschluessel", "Kein Schlüssel.")]


# -- the same again -------------------------------------------------------------------------


def test_row_twice_in_a_file_is_imported_once(desk: Desk, to_b: ToB) -> None:
    view = desk.check(to_b(1), to_b(1, Hauptforderung="50,00"), to_b(2))
    assert (view.good, view.faulty) == (2, 1)
    (fault,) = desk.faults(view)
    assert fault[:2] == (3, "Aktenzeichen")
    assert "Die Zeile 2 hat dasselbe Aktenzeichen" in fault[2]


def test_broken_rows_are_not_called_doubles_of_each_other(desk: Desk, to_b: ToB) -> None:
    view = desk.check(file(to_b(1)) + b"a;b\na;b\n")
    assert all("dasselbe" not in words for *_, words in desk.faults(view))
    assert (view.good, view.faulty) == (1, 2)


def test_same_file_is_the_same_run(desk: Desk, to_b: ToB) -> None:
    view = desk.take(to_b(1))
    assert desk.give(to_b(1)) == view.id
    assert desk.take(to_b(1)).imported == 1


def test_overlapping_file_brings_only_what_is_new(desk: Desk, to_b: ToB) -> None:
    first = desk.take(to_b(1), to_b(2))
    second = desk.take(to_b(2), to_b(3))
    assert (second.repeated, second.imported) == (1, 1)
    assert desk.rows(second)[0].case_id == desk.rows(first)[1].case_id
    assert not desk.faults(second)
    with desk.town.scope():
        assert Case.objects.count() == 3


def test_changed_row_of_an_imported_request_is_told(desk: Desk, to_b: ToB) -> None:
    desk.take(to_b(1))
    view = desk.check(to_b(1, Hauptforderung="400"), to_b(2))
    assert (view.repeated, view.good) == (1, 1)
    assert desk.faults(view) == [
        (
            2,
            "Aktenzeichen",
            "Die Zeile ist schon übernommen, aber mit anderem Inhalt (312,50 €, jetzt 400,00 €).",
        )
    ]
    assert desk.rows(view)[0].cells == {}


def test_other_order_of_columns_is_no_change(desk: Desk, to_b: ToB) -> None:
    desk.take(to_b(1))
    cells = dict(reversed(to_b(1).items()))
    view = desk.check((";".join(cells) + "\n" + ";".join(cells.values())).encode())
    assert view.repeated == 1
    assert not desk.faults(view)


def test_file_that_failed_or_was_thrown_away_can_be_given_again(desk: Desk, to_b: ToB) -> None:
    broken = with_totals(to_b(1), totals="#SUMME;9;1,00")
    assert desk.give(broken) == desk.give(broken)
    first = desk.check(broken)
    assert desk.check(broken).id != first.id
    view = desk.check(to_b(1))
    with desk.town.scope():
        services.discard(run_id=view.id, by=desk.town.by)
        assert not ImportRow.objects.filter(run_id=view.id).exists()
        assert not bytes(ImportRun.objects.get(id=view.id).content)
        told = list(audit.trail(subject=str(view.id)))[-1]
        assert told.event == AuditEvent.IMPORT_FILE_DISCARDED
        assert told.content["actor"]["id"] == desk.town.by.id
    assert desk.check(to_b(1)).good == 1


# -- whatever may happen --------------------------------------------------------------------


def test_crash_of_a_check_ends_that_run_and_no_other(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing, good = desk.give(to_b(666)), desk.give(to_b(1))

    def build_or_crash(raw: reading.Row, *, today: date) -> Built:
        if raw.cells["Aktenzeichen"].startswith("20.3-0666"):
            raise ZeroDivisionError
        return build(raw, today=today)

    monkeypatch.setattr(checking, "build", build_or_crash)
    desk.work_off()
    assert desk.run(crashing).state == "failed"
    assert "Fehler im Programm" in desk.run(crashing).problem
    assert desk.run(good).state == "checked"


def test_missing_directory_leaves_the_run_for_later(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = desk.give(to_b(1))
    with monkeypatch.context() as patch:
        patch.setattr("centre.directory.selectors.present", lambda: None)
        desk.work_off()
        assert desk.run(run_id).state == "checking"
    desk.work_off()
    assert desk.run(run_id).state == "checked"


def test_today_is_the_day_in_germany(desk: Desk, to_b: ToB) -> None:
    night = datetime.combine(clock.today(), time(23, 30), tzinfo=UTC)  # it is tomorrow there
    tomorrow = f"{night + timedelta(days=1):%d.%m.%Y}"
    with clock.frozen(night):
        assert desk.check(to_b(1, Vollstreckbar_bestaetigt_am=tomorrow)).good == 1


def test_name_of_a_file_may_be_anything(desk: Desk, to_b: ToB) -> None:
    with desk.town.scope():
        run = services.start(name="\udcff\0" + "ä" * 300, chunks=[file(to_b(1))], by=desk.town.by)
        assert ImportRun.objects.get(id=run.id).name == "?" + "ä" * 199


def test_rehearsal_keeps_nothing_and_leaves_a_clerks_run_alone(
    desk: Desk, b: Town, to_b: ToB
) -> None:
    rows = (to_b(1), row(2, PLZ="32423", Ort="Betadorf"), to_b(3, IBAN=""))
    view = desk.check(*rows)
    with desk.town.scope():
        services.choose(run_id=view.id, line=3, authority_id=b.id, by=desk.town.by)
        done = services.rehearse(name="x.csv", chunks=[file(*rows)], shown=1, by=system("tests"))
        assert (done.view.good, done.view.undecided, done.view.faulty) == (1, 1, 1)
        assert [each.line for each in done.remains.left] == [3]
        assert ImportRun.objects.count() == 1
        assert ImportRow.objects.count() == 3
        (told,) = audit.trail(subject=str(done.view.id))
        assert told.event == "import:file:checked"
    after = desk.run(view.id)
    assert (after.state, after.good, after.undecided) == ("checked", 2, 0)


def test_rehearsal_refuses_what_an_import_refuses(desk: Desk, to_b: ToB) -> None:
    with desk.town.scope():
        with pytest.raises(FileRefused, match="keine Zeilen"):
            services.rehearse(name="x", chunks=[file()], shown=1, by=desk.town.by)
        bad = with_totals(to_b(1), totals="#SUMME;2;1,00")
        done = services.rehearse(name="x", chunks=[bad], shown=1, by=desk.town.by)
    assert (done.view.state, done.view.good) == ("failed", 1)
    assert "nennt 2 Zeilen" in done.view.problem


def test_readers_may_do_none_of_it(desk: Desk, b: Town, to_b: ToB) -> None:
    view = desk.check(to_b(1))
    with desk.town.scope():
        Clerk.objects.update(role=Role.READER)
        by = desk.town.by
        for refused in (
            lambda: services.start(name="x", chunks=[file(to_b(2))], by=by),
            lambda: services.rehearse(name="x", chunks=[file(to_b(2))], shown=1, by=by),
            lambda: services.confirm(run_id=view.id, by=by),
            lambda: services.choose(run_id=view.id, line=2, authority_id=b.id, by=by),
            lambda: services.discard(run_id=view.id, by=by),
        ):
            with pytest.raises(NotAllowed):
                refused()
    assert desk.run(view.id).state == "checked"


def test_runs_are_of_one_town(desk: Desk, b: Town, to_b: ToB) -> None:
    view = desk.check(to_b(1))
    with b.scope():
        for refused in (
            lambda: selectors.run(view.id),
            lambda: list(selectors.faults_csv(view.id)),
            lambda: services.check_run(view.id),
            lambda: services.run_import(view.id),
            lambda: services.confirm(run_id=view.id, by=b.by),
            lambda: services.discard(run_id=view.id, by=b.by),
            lambda: services.choose(run_id=view.id, line=2, authority_id=b.id, by=b.by),
        ):
            with pytest.raises(RunNotFound):
                refused()
        assert not selectors.recent().rows
        assert not selectors.rows(view.id, state=RowState.GOOD).rows
