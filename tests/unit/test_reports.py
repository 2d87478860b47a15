"""Figures are right, workbooks are safe to open, charts are fit for mail."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from PIL import Image

from desk.figures import Ledger, LetterFigure, MailFigure, RingFigure, TicketFigure
from desk.policy import DIGEST_TYPES
from desk.unanswered import Unanswered
from reports.chart import draw_chart
from reports.digest import Digest, Point, Promise, Spread, Tally, Trend, count_ledger
from reports.page import TYPES, digest_slots, write_minutes
from reports.words import WORDS, pick_words
from reports.workbook import build_workbook

PARIS = "Europe/Paris"
START, END = datetime(2026, 11, 18, 23, tzinfo=UTC), datetime(2026, 11, 19, 23, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def hours(count: float) -> datetime:
    """So many hours into the period; negative before it."""
    return START + timedelta(hours=count)


def make_ticket(number: str, opened_at: datetime = START, **fields: Any) -> TicketFigure:
    blank = TicketFigure(number, "Salle 12", "technical", "support", "", "normal", "new", 1, opened_at, *[None] * 5)
    return replace(blank, **fields)


def make_ledger(*tickets: TicketFigure, **fields: Any) -> Ledger:
    return replace(Ledger(START, END, tickets, (), (), (), 0), **fields)


def count_alone(ledger: Ledger, now: datetime = NOW, teams: frozenset[str] | None = None) -> Digest:
    return count_ledger(ledger, (), now, teams=teams, timezone=PARIS)


TICKETS = (
    # answered in 2 h, resolved in 5 h, all in time
    make_ticket(
        "A-1",
        hours(1),
        respond_by=hours(9),
        responded_at=hours(3),
        resolve_by=hours(20),
        resolved_at=hours(6),
    ),
    # answered two hours late, open
    make_ticket(
        "A-2",
        hours(2),
        category="billing",
        team="administration",
        respond_by=hours(8),
        responded_at=hours(10),
    ),
    # waiting, and late
    make_ticket("A-3", hours(4), organisation="Lycée", respond_by=hours(12)),
    # waiting, in time
    make_ticket("A-4", hours(23), category="billing", team="administration", respond_by=hours(31)),
    # opened before, answered before, late for its resolution
    make_ticket("A-5", hours(-30), responded_at=hours(-20), resolve_by=hours(5)),
    # opened before, answered now after 8 h
    make_ticket("A-6", hours(-4), organisation="Lycée", responded_at=hours(4)),
    # settled without a word of ours: nobody waits
    make_ticket("A-7", hours(5), respond_by=hours(12), closed_at=hours(7)),
)
LEDGER = make_ledger(
    *TICKETS,
    mails=(
        MailFigure(hours(1), "support", "person", "technical", "drafted", "mode"),
        MailFigure(hours(2), "support", "bounce", "", "ignored", "bounce"),
        MailFigure(END, "support", "bounce", "", "ignored", "bounce"),
    ),
    letters=(
        LetterFigure(hours(1), "answer", "sent"),
        LetterFigure(hours(2), "answer", "sent"),
        LetterFigure(hours(3), "ring", "waiting"),
        LetterFigure(START - TICK, "ring", "waiting"),
    ),
    rings=(RingFigure(hours(9), "A-3", 1), RingFigure(hours(12), "A-3", 2), RingFigure(hours(6), "A-5", 1)),
    quarantined=2,
)


def shift_ledger(ledger: Ledger, weeks: int, *numbers: str) -> Ledger:
    """The same local period `weeks` earlier with only the tickets of `numbers` in it."""

    def move(instant: datetime) -> datetime:
        return (instant.astimezone(ZoneInfo(PARIS)) - timedelta(weeks=weeks)).astimezone(UTC)

    names = ("opened_at", "respond_by", "responded_at", "resolve_by", "resolved_at", "closed_at")

    def move_ticket(ticket: TicketFigure) -> TicketFigure:
        moved: dict[str, Any] = {name: move(getattr(ticket, name)) for name in names if getattr(ticket, name)}
        return replace(ticket, **moved)

    tickets = tuple(move_ticket(each) for each in ledger.tickets if each.number in numbers)
    return replace(ledger, start=move(ledger.start), end=move(ledger.end), tickets=tickets)


EARLIER = (  # handed over in no order
    shift_ledger(LEDGER, 1, "A-1", "A-2", "A-3"),
    shift_ledger(LEDGER, 3, "A-1"),
    shift_ledger(LEDGER, 2, "A-5"),
    shift_ledger(LEDGER, 4),
)
DIGEST = count_ledger(LEDGER, EARLIER, NOW, teams=None, timezone=PARIS)


# ---------------------------------------------------------------------------------------------- figures


def test_a_ledger_counted_by_hand() -> None:
    assert DIGEST.total == Tally("", new=5, answered=3, resolved=1, waiting=2, late=2, escalated=2)
    assert (DIGEST.label, DIGEST.at, DIGEST.scope) == ("2026-11-19", END, None)
    assert (DIGEST.mails, DIGEST.bounces, DIGEST.quarantined) == (2, 1, 2)
    assert DIGEST.letters == (("sent", 2), ("waiting", 1))
    assert DIGEST.rings == ((1, 1), (2, 1))


def test_groups_are_counted_by_hand_busiest_first() -> None:
    assert DIGEST.by_category == (
        Tally("technical", new=3, answered=2, resolved=1, waiting=1, late=2, escalated=2),
        Tally("billing", new=2, answered=1, resolved=0, waiting=1, late=0, escalated=0),
    )
    assert [(each.name, each.new) for each in DIGEST.by_team] == [("support", 3), ("administration", 2)]
    assert [(each.name, each.answered) for each in DIGEST.by_organisation] == [("", 2), ("Lycée", 1)]


def test_times_are_minutes_of_wall_clock() -> None:
    # first answers after 2, 8 and 8 hours; the 90th percentile lies on the straight line between neighbours
    assert DIGEST.response == Spread(3, median=480.0, p90=480.0)
    assert DIGEST.resolution == Spread(1, median=300.0, p90=300.0)
    assert count_alone(make_ledger()).response == Spread(0, None, None)


def test_deadlines_of_the_period_are_kept_or_missed() -> None:
    # to respond: A-1 kept, A-7 closed in time, A-2 and A-3 missed, A-4 due tomorrow
    # to resolve: A-1 kept, A-5 missed
    assert DIGEST.promises == (Promise("respond", kept=2, missed=2), Promise("resolve", kept=1, missed=1))


def test_the_trend_stands_beside_the_mean_of_the_periods_before() -> None:
    assert DIGEST.history == (
        Point("2026-10-22", 0, 0, 0),
        Point("2026-10-29", 1, 1, 0),
        Point("2026-11-05", 0, 0, 1),
        Point("2026-11-12", 3, 2, 1),
        Point("2026-11-19", 5, 3, 2),
    )
    assert DIGEST.trend == (
        Trend("new", 5, 1.0, "▲"),
        Trend("answered", 3, 0.75, "▲"),
        Trend("late", 2, 0.5, "▲"),
    )


@pytest.mark.parametrize(
    ("numbers", "arrow"),
    [(("A-1", "A-2", "A-3", "A-4"), "▼"), (("A-1",), "="), ((), "▲")],
    ids=["fewer", "as many", "more"],
)
def test_an_arrow_tells_where_a_figure_goes(numbers: tuple[str, ...], arrow: str) -> None:
    before = tuple(shift_ledger(LEDGER, weeks, *numbers) for weeks in (1, 2, 3, 4))
    digest = count_ledger(make_ledger(TICKETS[0]), before, NOW, teams=None, timezone=PARIS)
    assert digest.trend[0].arrow == arrow


def test_without_periods_before_there_is_no_mean_and_no_arrow() -> None:
    assert count_alone(LEDGER).trend[0] == Trend("new", 5, None, "")


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"opened_at": START}, {"new", "waiting"}),
        ({"opened_at": START - TICK}, {"waiting"}),
        ({"opened_at": END - TICK}, {"new", "waiting"}),
        ({"opened_at": END}, set()),
        ({"responded_at": START}, {"new", "answered"}),
        ({"opened_at": hours(-9), "responded_at": START - TICK}, set()),
        ({"responded_at": END - TICK}, {"new", "answered"}),
        ({"responded_at": END}, {"new", "waiting"}),
        ({"respond_by": END}, {"new", "waiting"}),
        ({"respond_by": END - TICK}, {"new", "waiting", "late"}),
        ({"respond_by": END - TICK, "responded_at": END}, {"new", "waiting", "late"}),
        ({"respond_by": hours(1), "responded_at": hours(2)}, {"new", "answered"}),
        ({"respond_by": hours(1), "resolved_at": hours(2)}, {"new", "resolved"}),
        ({"resolve_by": END, "responded_at": hours(1)}, {"new", "answered"}),
        ({"resolve_by": END - TICK, "responded_at": hours(1)}, {"new", "answered", "late"}),
        ({"resolve_by": hours(1), "closed_at": END - TICK}, {"new"}),
        ({"resolve_by": hours(1), "closed_at": END}, {"new", "waiting", "late"}),
    ],
    ids=[
        "opened at the start is new",
        "opened just before is not",
        "opened just before the end is new",
        "opened at the end belongs to the next period",
        "answered at the start",
        "answered just before",
        "answered just before the end",
        "answered at the end has not happened yet",
        "a deadline at the end can still be met",
        "a deadline just before the end is over",
        "an answer at the end comes too late for this period",
        "late once, answered since",
        "late once, resolved since without an answer",
        "a resolution due at the end can still be met",
        "a resolution due just before the end is over",
        "closed just before the end",
        "closed at the end has not happened yet",
    ],
)
def test_an_instant_at_the_edge_falls_on_one_side(fields: dict[str, Any], flags: set[str]) -> None:
    total = count_alone(make_ledger(make_ticket("A-1", **fields))).total
    names = ("new", "answered", "resolved", "waiting", "late", "escalated")
    assert {name for name in names if getattr(total, name)} == flags


def test_a_period_that_is_not_over_is_counted_as_it_stands_now() -> None:
    digest = count_alone(LEDGER, now=hours(9))
    assert digest.at == hours(9)
    assert digest.total == Tally("", new=4, answered=2, resolved=1, waiting=2, late=2, escalated=1)


def test_a_reader_of_some_teams_sees_their_tickets_only() -> None:
    digest = count_alone(LEDGER, teams=frozenset({"administration"}))
    assert digest.total == Tally("", new=2, answered=1, resolved=0, waiting=1, late=0, escalated=0)
    assert [each.name for each in digest.by_category] == ["billing"]
    assert digest.rings == ()


def test_a_digest_is_empty_when_nothing_happened_but_letters() -> None:
    letters = (LetterFigure(hours(8), "digest", "sent"),)
    assert count_alone(make_ledger(letters=letters)).is_empty
    assert not count_alone(make_ledger(quarantined=1)).is_empty
    assert not count_alone(make_ledger(mails=LEDGER.mails)).is_empty
    assert not count_alone(make_ledger(TICKETS[4])).is_empty


def test_the_row_for_prefect_is_flat_json_without_organisations_or_subjects() -> None:
    row = DIGEST.as_dict()
    assert {type(value) for value in row.values()} <= {str, int, float, type(None)}
    assert (row["new"], row["response_median"], row["letters_sent"], row["respond_missed"]) == (
        5,
        480.0,
        2,
        2,
    )
    said = json.dumps(row, ensure_ascii=False)
    assert "Lycée" not in said
    assert "Salle" not in said


instants = st.one_of(st.none(), st.integers(-40, 40).map(hours))
random_tickets = st.lists(
    st.builds(
        TicketFigure,
        number=st.uuids().map(str),
        subject=st.just(""),
        category=st.sampled_from(["technical", "billing", ""]),
        team=st.sampled_from(["support", "administration"]),
        organisation=st.just(""),
        priority=st.just("normal"),
        status=st.just("new"),
        level=st.just(1),
        opened_at=st.integers(-40, 40).map(hours),
        respond_by=instants,
        responded_at=instants,
        resolve_by=instants,
        resolved_at=instants,
        closed_at=instants,
    ),
    max_size=12,
)


def count_plainly(tickets: list[TicketFigure]) -> dict[str, int]:
    """What Tally holds, said once more in plain Python."""

    def within(instant: datetime | None) -> bool:
        return instant is not None and START <= instant < END

    def over(*instants: datetime | None) -> bool:
        return any(each is not None and each < END for each in instants)

    known = [each for each in tickets if each.opened_at < END]
    waiting = [each for each in known if not over(each.responded_at, each.resolved_at, each.closed_at)]
    late = [
        each
        for each in known
        if (over(each.respond_by) and each in waiting)
        or (over(each.resolve_by) and not over(each.resolved_at, each.closed_at))
    ]
    return {
        "new": sum(within(each.opened_at) for each in known),
        "answered": sum(within(each.responded_at) for each in known),
        "resolved": sum(within(each.resolved_at) for each in known),
        "waiting": len(waiting),
        "late": len(late),
    }


@settings(max_examples=40, deadline=None)
@given(random_tickets)
def test_any_ledger_counts_as_plain_python_does(tickets: list[TicketFigure]) -> None:
    digest = count_alone(make_ledger(*tickets))
    counted = {name: getattr(digest.total, name) for name in count_plainly([])}
    by_groups = {
        name: [sum(getattr(each, name) for each in group) for group in (digest.by_category, digest.by_team)]
        for name in counted
    }
    assert counted == count_plainly(tickets)
    assert by_groups == {name: [number, number] for name, number in counted.items()}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1400), min_size=2, max_size=30))
def test_median_and_percentile_agree_with_the_standard_library(minutes: list[int]) -> None:
    tickets = [
        make_ticket(str(row), START, responded_at=START + timedelta(minutes=each)) for row, each in enumerate(minutes)
    ]
    spread = count_alone(make_ledger(*tickets)).response
    p90 = statistics.quantiles(minutes, n=10, method="inclusive")[8]
    assert (spread.count, spread.median) == (len(minutes), statistics.median(minutes))
    assert spread.p90 == pytest.approx(p90, abs=0.051)


# ---------------------------------------------------------------------------------------------- workbook


def open_book(digest: Digest = DIGEST, ledger: Ledger = LEDGER, language: str = "en") -> Any:
    return load_workbook(BytesIO(build_workbook(digest, ledger, language, PARIS)))


@pytest.mark.parametrize(
    ("language", "sheets", "heading"),
    [
        (
            "en",
            ["Summary", "Tickets", "By category", "By team", "By organisation", "Deadlines",
             "Questions without an article"],
            "Subject",
        ),
        (
            "fr",
            ["Synthèse", "Tickets", "Par catégorie", "Par équipe", "Par organisation", "Échéances",
             "Questions sans article"],
            "Objet",
        ),
    ],
)  # fmt: skip
def test_a_workbook_speaks_its_readers_language(language: str, sheets: list[str], heading: str) -> None:
    book = open_book(language=language)
    assert book.sheetnames == sheets
    assert book["Tickets"]["B1"].value == heading


def test_tickets_are_a_real_table_with_filters_and_a_frozen_header() -> None:
    sheet = open_book()["Tickets"]
    table = sheet.tables["TicketsTable"]
    assert (table.ref, table.autoFilter.ref, sheet.freeze_panes) == ("A1:O8", "A1:O8", "B2")
    assert [each.name for each in table.tableColumns] == [cell.value for cell in sheet[1]]
    assert sheet.column_dimensions["B"].width >= 10


def test_instants_are_dates_in_local_time() -> None:
    sheet = open_book()["Tickets"]
    opened = next(row for row in sheet.iter_rows(min_row=2) if row[0].value == "A-1")[8]
    assert opened.value == datetime(2026, 11, 19, 1, 0)  # noqa: DTZ001 — workbooks know no time zones
    assert (opened.is_date, opened.number_format) == (True, "yyyy-mm-dd hh:mm")


def test_an_empty_ledger_makes_a_table_that_excel_can_open() -> None:
    book = open_book(count_alone(make_ledger()), make_ledger())
    assert book["Tickets"].tables["TicketsTable"].ref == "A1:O2"
    assert book["Deadlines"].tables["DeadlinesTable"].ref == "A1:I2"
    assert book["By category"]._charts == []


INJECTIONS = [
    "=HYPERLINK(1)",
    "+33 1 23",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\x00=1+1",
    "＝1+1",
    '=cmd|" /C calc"!A0',
]


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("field", ["subject", "category", "team", "organisation", "number", "priority", "status"])
def test_no_text_becomes_a_formula(field: str, text: str) -> None:
    fields: dict[str, Any] = {field: text, "respond_by": hours(1)}
    ledger = make_ledger(replace(make_ticket("A-1"), **fields))
    cells = [cell for sheet in open_book(count_alone(ledger), ledger) for row in sheet for cell in row]
    shown = [cell for cell in cells if cell.value == text.strip("\t\r\x00")]
    assert shown
    assert "f" not in {cell.data_type for cell in cells}
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in shown)


def test_harmless_text_bears_no_quote_prefix() -> None:
    assert not open_book()["Tickets"]["B2"].quotePrefix


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("a\x07b\x1b[0m", "ab[0m"),
        ("a\ud800b", "ab"),
        ("a\uffffb", "ab"),
        ("café ☕ 日本", "café ☕ 日本"),
        ("", None),
    ],
)
def test_what_xml_cannot_hold_is_dropped(subject: str, shown: str | None) -> None:
    ledger = make_ledger(make_ticket("A-1", subject=subject))
    assert open_book(count_alone(ledger), ledger)["Tickets"]["B2"].value == shown


def read_charts(content: bytes) -> list[str]:
    with ZipFile(BytesIO(content)) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("xl/charts/chart"))
        return [archive.read(name).decode() for name in names]


def test_charts_are_native_and_read_the_cells() -> None:
    charts = read_charts(build_workbook(DIGEST, LEDGER, "en", PARIS))
    assert sorted("lineChart" in chart for chart in charts) == [False, False, False, True]
    assert sum("<barChart>" in chart for chart in charts) == 3
    assert all(chart.count("<ser>") == (3 if "lineChart" in chart else 4) for chart in charts)
    assert any("'By category'!$B$2:$B$3" in chart for chart in charts)
    assert all('<delete val="0"' in chart for chart in charts)


@pytest.mark.parametrize(
    ("sheet", "names"),
    [
        ("Summary", ["New", "Answered", "Late"]),
        ("By category", ["New", "Answered", "Waiting", "Late"]),
        ("By team", ["New", "Answered", "Waiting", "Late"]),
        ("By organisation", ["New", "Answered", "Waiting", "Late"]),
    ],
)
def test_each_series_is_named_by_the_heading_over_its_numbers(sheet: str, names: list[str]) -> None:
    cells = open_book()[sheet]
    (chart,) = cells._charts
    titles = [series.tx.strRef.f.rpartition("!")[2] for series in chart.series]
    numbers = [series.val.numRef.f.rpartition("!")[2].replace("$", "") for series in chart.series]
    assert [cells[title].value for title in titles] == names
    assert [each[0] for each in numbers] == [title[0] for title in titles]


def test_deadlines_name_the_most_pressing_first() -> None:
    rows = [tuple(cell.value for cell in row) for row in open_book()["Deadlines"].iter_rows(min_row=2)]
    assert [(row[0], row[5], row[7], row[8]) for row in rows] == [
        ("A-5", "Resolution", -19 * 60, "yes"),
        ("A-3", "First answer", -12 * 60, "yes"),
        ("A-4", "First answer", 7 * 60, "no"),
    ]


def test_a_workbook_keeps_to_the_teams_of_its_digest() -> None:
    scoped = count_alone(LEDGER, teams=frozenset({"administration"}))
    numbers = {row[0].value for row in open_book(scoped)["Tickets"].iter_rows(min_row=2)}
    assert numbers == {"A-2", "A-4"}


def test_a_workbook_names_no_author() -> None:
    with ZipFile(BytesIO(build_workbook(DIGEST, LEDGER, "fr", PARIS))) as archive:
        properties = archive.read("docProps/core.xml").decode()
    assert "created" in properties
    assert "creator" not in properties
    assert "lastModifiedBy" not in properties


def test_the_same_figures_make_the_same_workbook_but_for_its_date() -> None:
    def read_parts() -> dict[str, bytes]:
        with ZipFile(BytesIO(build_workbook(DIGEST, LEDGER, "fr", PARIS))) as archive:
            return {name: archive.read(name) for name in archive.namelist() if name != "docProps/core.xml"}

    assert read_parts() == read_parts()


# ------------------------------------------------------------------------------------------------- chart


def make_wide(count: int, name: str = "category") -> Digest:
    tallies = tuple(Tally(f"{name} {row}", 900 + row, row, 0, 0, 70, 0) for row in range(count))
    return replace(DIGEST, by_category=tallies)


@pytest.mark.parametrize(
    "digest",
    [
        DIGEST,
        count_alone(make_ledger()),
        make_wide(8),
        make_wide(40, "a very long category name that goes on and on"),
        make_wide(2, "$\\frac$"),
        make_wide(2, "カテゴリ"),
        replace(DIGEST, by_category=(Tally("", 0, 0, 0, 1, 0, 0),)),
    ],
    ids=[
        "a day",
        "nothing",
        "eight",
        "forty with long names",
        "not mathematics",
        "no such glyph",
        "only zeros",
    ],
)
def test_a_chart_is_a_small_sharp_png(digest: Digest) -> None:
    png = draw_chart(digest, "fr")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) <= 60 * 1024
    with Image.open(BytesIO(png)) as picture:
        assert picture.width == 1280
        assert 600 <= picture.height <= 1600


def test_a_chart_shows_its_figures() -> None:
    busier = replace(DIGEST, by_category=(replace(DIGEST.by_category[0], late=9), *DIGEST.by_category[1:]))
    assert draw_chart(DIGEST, "fr") == draw_chart(DIGEST, "fr")
    assert draw_chart(DIGEST, "fr") != draw_chart(busier, "fr")
    assert draw_chart(DIGEST, "fr") != draw_chart(DIGEST, "en")


# -------------------------------------------------------------------------------------------------- page


def list_titles(slots: dict[str, Any]) -> list[str]:
    return [section["title"] for section in slots["sections"]]


def test_a_page_holds_the_slots_of_the_letter() -> None:
    slots = digest_slots(DIGEST, "fr", TYPES, "L'Atelier", chart_cid="chart")
    assert set(slots) == {"title", "period_label", "headline", "sections", "chart_cid", "empty"}
    assert (slots["title"], slots["period_label"]) == ("Bilan du support — L'Atelier", "2026-11-19")
    assert (slots["chart_cid"], slots["empty"]) == ("chart", False)
    assert slots["headline"] == (
        "Nouveaux : 5 · Répondus : 3 · En attente : 2 · En retard : 2 · Escaladés : 2"
        " · Messages non remis : 1 · En quarantaine : 2"
    )


def test_every_row_is_as_wide_as_its_columns_and_made_of_strings() -> None:
    for section in digest_slots(DIGEST, "en", TYPES, "X")["sections"]:
        assert {len(row) for row in section["rows"]} == {len(section["columns"])}
        assert {type(cell) for row in section["rows"] for cell in row} == {str}


@pytest.mark.parametrize(
    ("types", "titles"),
    [
        ((), ["Overview", "Trend", "By category", "By team", "By organisation", "Times"]),
        (("new", "late"), ["Overview"]),
        (("bounces",), ["Overview"]),
        (("teams", "categories"), ["By category", "By team"]),
        (("organisations",), ["By organisation"]),
        (("times", "trend"), ["Trend", "Times"]),
    ],
)
def test_a_reader_gets_the_sections_asked_for(types: tuple[str, ...], titles: list[str]) -> None:
    assert list_titles(digest_slots(DIGEST, "en", types, "X")) == titles


def test_the_overview_holds_only_the_figures_asked_for() -> None:
    (section,) = digest_slots(DIGEST, "en", ["late", "new"], "X")["sections"]
    assert section["rows"] == [["New", "5"], ["Late", "2"]]


QUESTIONS = (Unanswered("mot de passe", 5, ("connexion", "code")), Unanswered("=factures", 2))


def test_questions_without_an_article_are_told_with_the_words_they_share() -> None:
    digest = replace(DIGEST, unanswered=QUESTIONS)
    (section,) = digest_slots(digest, "fr", ["articles"], "X")["sections"]
    assert section == {
        "title": "Questions sans article",
        "columns": ["Catégorie", "Nombre", "Mots partagés"],
        "rows": [["mot de passe", "5", "connexion, code"], ["=factures", "2", "—"]],
    }
    assert list_titles(digest_slots(digest, "en", ["times"], "X")) == ["Times"]
    assert list_titles(digest_slots(digest, "en", (), "X"))[-1] == "Questions without an article"


def test_questions_alone_are_worth_a_readers_time() -> None:
    digest = replace(count_alone(make_ledger()), unanswered=QUESTIONS)
    assert not digest.is_empty
    assert list_titles(digest_slots(digest, "en", ["articles"], "X")) == ["Questions without an article"]


def test_the_workbook_has_every_question_without_an_article_as_text() -> None:
    sheet = open_book(replace(DIGEST, unanswered=QUESTIONS))["Questions without an article"]
    assert [[cell.value for cell in row] for row in sheet] == [
        ["Category", "Count", "Shared words"], ["mot de passe", 5, "connexion, code"], ["=factures", 2, None],
    ]  # fmt: skip
    assert (sheet["A3"].data_type, sheet["A3"].quotePrefix) == ("s", True)


def test_readers_may_ask_for_every_section_there_is() -> None:
    assert set(DIGEST_TYPES) == set(TYPES)


def test_trend_and_times_are_written_as_the_language_has_it() -> None:
    trend, times = digest_slots(DIGEST, "fr", ["trend", "times"], "X")["sections"]
    assert trend["rows"][1] == ["Répondus", "3", "0,75", "▲"]
    assert times["rows"] == [
        ["Première réponse", "3", "8 h 00", "8 h 00"],
        ["Résolution", "1", "5 h 00", "5 h 00"],
    ]


@pytest.mark.parametrize(
    ("digest", "types"),
    [
        (count_alone(make_ledger()), TYPES),
        (count_ledger(make_ledger(), EARLIER, NOW, teams=None, timezone=PARIS), ("trend",)),
        (count_alone(make_ledger(TICKETS[3])), ("late", "bounces")),
        (count_alone(make_ledger(quarantined=1)), ("categories",)),
    ],
    ids=["nothing happened", "nothing but before", "nothing of what was asked for", "no row in the section"],
)
def test_nothing_to_report_is_said_in_one_line(digest: Digest, types: tuple[str, ...]) -> None:
    slots = digest_slots(digest, "fr", types, "X", chart_cid="chart")
    assert slots["headline"] == "Rien à signaler sur cette période."
    assert (slots["sections"], slots["chart_cid"], slots["empty"]) == ([], "", True)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(None, "—"), (0, "0 min"), (59.4, "59 min"), (59.6, "1 h 00"), (125, "2 h 05"), (4560, "76 h 00")],
)
def test_minutes_are_written_as_people_say_them(minutes: float | None, said: str) -> None:
    assert write_minutes(minutes) == said


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("fr", WORDS["title"][0]),
        ("fr-CA", WORDS["title"][0]),
        ("EN", WORDS["title"][1]),
        ("de", WORDS["title"][1]),
    ],
)
def test_words_fall_back_to_english(language: str, title: str) -> None:
    assert pick_words(language)["title"] == title
