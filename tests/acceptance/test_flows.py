"""Rings, digests and forgetting, each on a copy of a desk that has had its morning of sample mails."""

from __future__ import annotations

import email
import email.policy
import json
import os
import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import ArtifactSort

from demo.once import AFTERNOON, CLOSING, FORGETTING, MORNING, NEXT_DAY, PARIS
from demo.samples import list_samples
from desk.facts import Status
from desk.forgetting import PLACES
from desk.periods import range_period
from flows.daily_digest import daily_digest
from flows.escalation_sweep import escalation_sweep
from flows.retention_cleanup import retention_cleanup
from reports.digest import Digest
from store.cases import change_status
from store.engine import reading
from store.retention import hold_ticket, release_ticket
from store.views import TicketView, list_tickets
from tasks.digesting import count_period, find_reader
from tasks.opening import open_policy
from tests.acceptance.scene import Scene
from tests.acceptance.workers import write_mail
from tests.stores import count_rows, look_up, tables

SAMPLES = list_samples()
TUESDAY = date(2026, 11, 17)
PEOPLE = {
    text.encode()
    for sample in SAMPLES
    for text in (*sample.people, *sample.phrases)
    if "@atelier.example" not in text  # our own addresses are configuration
}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments to come may be played, as in the demo."""
    monkeypatch.setenv("BYRETURN_STORY", "1")


def at(hour: int, minute: int = 0, day: int = 17) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=PARIS)


def letters(scene: Scene, to: str = "") -> list[EmailMessage]:
    """What reached the SMTP server, of one recipient if asked for."""
    accepted = [one for one in scene.sink.accepted if not to or to in one.recipients]
    parsed = [email.message_from_bytes(one.raw, policy=email.policy.default) for one in accepted]
    return [one for one in parsed if isinstance(one, EmailMessage)]


def dump(scene: Scene, *but: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the desk, of all tables `but` some."""
    with reading(scene.store.engine) as connection:
        found = {name: connection.execute(one.select()).all() for name, one in tables().items() if name not in but}
    return {name: [tuple(row) for row in rows] for name, rows in found.items()}


def ask(scene: Scene, query: str, **values: object) -> list[tuple[Any, ...]]:
    """Plain SQL past the desk's own queries."""
    with sqlite3.connect(scene.home / "desk.db") as database:
        return database.execute(query, values).fetchall()


def show(key: str) -> list[dict[str, Any]]:
    """Rows of the latest table artifact under a key."""
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        found = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC, limit=1)
    rows: list[dict[str, Any]] = json.loads(str(found[0].data))
    return rows


# --- escalation-sweep ----------------------------------------------------------------------------------------

# What the clock shows, and the highest level rung by then for unanswered tickets of each priority. All were opened at
# 9:00 and must be answered within 8 h, 4 h, 1 h of open time; it is lunch from 12:30 to 13:30.
LADDER: tuple[tuple[datetime, dict[str, int]], ...] = (
    (at(9, 44), {}),
    (at(9, 45), {"urgent": 1}),
    (at(10, 30), {"urgent": 3}),
    (at(12), {"urgent": 4, "important": 1}),
    (at(15, 59), {"urgent": 4, "important": 2}),
    (at(16), {"urgent": 4, "important": 3, "normal": 1}),
    (at(18), {"urgent": 4, "important": 4, "normal": 2}),
)


def sweep(moment: datetime, dry_run: bool = False) -> str:
    state = escalation_sweep(at=moment, dry_run=dry_run, return_state=True)
    assert state.is_completed()
    return str(state.message)


def unanswered(scene: Scene) -> list[TicketView]:
    open_ones = [one for one in list_tickets(scene.store) if one.status in ("new", "in_analysis")]
    return [one for one in open_ones if one.responded_at is None]


def rung(scene: Scene) -> set[tuple[str, int]]:
    rows = ask(scene, "SELECT number, ring.level FROM ring JOIN ticket ON ticket.id = ticket_id")
    assert len(rows) == len(set(rows))
    return set(rows)


def climb(waiting: list[TicketView], highest: Mapping[str, int]) -> set[tuple[str, int]]:
    return {(one.number, level) for one in waiting for level in range(1, highest.get(one.priority, 0) + 1)}


def test_each_level_is_rung_when_its_share_of_the_deadline_is_gone(desk: Scene) -> None:
    waiting = unanswered(desk)
    assert {one.priority for one in waiting} == {"normal", "important", "urgent"}
    for moment, highest in LADDER:
        sweep(moment)
        assert rung(desk) == climb(waiting, highest), f"{moment:%H:%M}"
    reached = {(level, count_to(desk, level)) for level in range(1, 5)}
    assert reached == {(level, sum(one == level for _, one in rung(desk))) for level in range(1, 5)}
    assert {one.level for one in unanswered(desk) if one.priority == "urgent"} == {4}


def count_to(scene: Scene, level: int) -> int:
    return len(letters(scene, to=f"niveau{level}@atelier.example"))


def test_a_level_is_rung_once_whatever_is_run_again(desk: Scene) -> None:
    assert not sweep(AFTERNOON).startswith("0 ")
    before, sent = rung(desk), len(desk.sink.accepted)
    assert sweep(AFTERNOON) == "0 levels rung"
    assert (rung(desk), len(desk.sink.accepted)) == (before, sent)


def test_at_night_only_the_urgent_ring_and_the_others_in_the_morning(desk: Scene) -> None:
    waiting = unanswered(desk)
    sweep(at(23))
    assert rung(desk) == climb(waiting, {"urgent": 4})
    sweep(at(6, 59, day=18))
    assert rung(desk) == climb(waiting, {"urgent": 4})
    sweep(at(7, day=18))
    assert rung(desk) == climb(waiting, {"urgent": 4, "important": 4, "normal": 2})


def test_a_dry_run_lists_the_levels_and_rings_nobody(desk: Scene) -> None:
    before = dump(desk)
    said = sweep(AFTERNOON, dry_run=True)
    listed = {(row["ticket"], row["level"]) for row in show("escalations")}
    assert (dump(desk), desk.sink.accepted) == (before, [])
    assert said == f"{len(listed)} levels would be rung"
    sweep(AFTERNOON)
    assert rung(desk) == listed


def test_a_ring_is_important_automatic_and_names_nobody(desk: Scene) -> None:
    sweep(AFTERNOON)
    assert letters(desk)
    for letter in letters(desk):
        assert (letter["Importance"], letter["X-Priority"]) == ("high", "1 (Highest)")
        assert letter["Auto-Submitted"] == "auto-generated"
        assert letter["Subject"].startswith("[#2026-")
        assert [one for one in PEOPLE if one.decode() in f"{letter['Subject']}{read_text(letter)}"] == []


def read_text(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_settled_ticket_never_rings(desk: Scene) -> None:
    for turn, one in enumerate(list_tickets(desk.store)):
        status = (Status.RESOLVED, Status.CLOSED)[turn % 2]
        change_status(desk.store, one.number, status, "by-hand", at(9, 30))
    assert sweep(at(18)) == "0 levels rung"
    assert sweep(at(18, day=27)) == "0 levels rung"


def test_after_the_answer_the_deadline_of_the_solution_runs(desk: Scene) -> None:
    urgent = [one for one in unanswered(desk) if one.priority == "urgent"]
    for one in unanswered(desk):
        change_status(desk.store, one.number, Status.SOLUTION_PROPOSED, "by-hand", at(9, 30))
    sweep(at(11, 59))
    assert rung(desk) == set()
    sweep(at(12))  # three of four hours are gone
    assert rung(desk) == climb(urgent, {"urgent": 1})


# --- daily-digest --------------------------------------------------------------------------------------------


def digest(moment: datetime = NEXT_DAY, **more: Any) -> State[Any]:
    state: State[Any] = daily_digest(at=moment, return_state=True, **more)
    return state


def issues(scene: Scene) -> set[tuple[str, str]]:
    return set(ask(scene, "SELECT reader, period FROM digest_issue"))


def open_book(letter: EmailMessage) -> openpyxl.Workbook:
    (part,) = [one for one in letter.iter_attachments() if one.get_content_type() == XLSX]
    return openpyxl.load_workbook(BytesIO(part.get_content()))


def test_a_digest_is_made_once_per_reader_and_period_whatever_is_run_again(desk: Scene) -> None:
    assert digest().message == "Digests made: 2; there already or not due: 0"
    assert digest().message == "Digests made: 0; there already or not due: 2"
    assert digest(readers=["direction"], first_day=TUESDAY, last_day=TUESDAY).message == (
        "Digests made: 0; there already or not due: 1"
    )
    assert issues(desk) == {("direction", "2026-11-17"), ("operations", "2026-11-09…2026-11-15")}
    assert [len(letters(desk, f"{name}@atelier.example")) for name in ("direction", "operations")] == [1, 1]


def test_a_weekly_reader_hears_of_a_week_when_it_is_over(desk: Scene) -> None:
    digest(at(23, 59, day=22), readers=["operations"])
    assert issues(desk) == {("operations", "2026-11-09…2026-11-15")}
    digest(at(0, 0, day=23), readers=["operations"])
    assert issues(desk) == {("operations", "2026-11-09…2026-11-15"), ("operations", "2026-11-16…2026-11-22")}


def test_an_empty_period_is_one_line_without_files(desk: Scene) -> None:
    digest(readers=["operations"])
    (letter,) = letters(desk, "operations@atelier.example")
    assert "Nothing to report for this period." in read_text(letter).splitlines()
    assert "New" not in read_text(letter)
    assert list(letter.iter_attachments()) == []


def test_any_range_can_be_asked_for_and_a_reader_of_text_gets_no_html(desk: Scene) -> None:
    digest(readers=["operations"], first_day=date(2026, 11, 2), last_day=TUESDAY)
    (letter,) = letters(desk, "operations@atelier.example")
    assert issues(desk) == {("operations", "2026-11-02…2026-11-17")}
    types = [one.get_content_type() for one in letter.walk() if not one.is_multipart()]
    assert types == ["text/plain", XLSX]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"first_day": TUESDAY}, "a range needs a first and a last day"),
        ({"first_day": TUESDAY, "last_day": date(2026, 11, 16)}, "the last day comes before the first"),
        ({"first_day": TUESDAY, "last_day": date(2026, 11, 18)}, "the range is not over yet"),
        ({"readers": ["nobody"]}, "policy.yaml has direction, operations"),
    ],
)
def test_a_range_or_reader_that_makes_no_sense_is_refused(desk: Scene, asked: dict[str, Any], said: str) -> None:
    state = digest(**asked)
    assert state.is_failed()
    assert said in str(state.message)
    assert issues(desk) == set()


def test_the_chart_is_shown_inside_the_letter(desk: Scene) -> None:
    digest(readers=["direction"])
    (letter,) = letters(desk, "direction@atelier.example")
    html = letter.get_body(("html",))
    (chart,) = [one for one in letter.walk() if one.get_content_type() == "image/png"]
    assert html is not None
    assert 'src="cid:chart"' in html.get_content()
    assert (chart["Content-ID"], chart.get_content_disposition()) == ("<chart>", "inline")
    assert chart.get_content().startswith(b"\x89PNG")


# The day in UTC as SQLite keeps it, and the figures of the workbook counted apart from the desk's own code.
SPAN = {"start": "2026-11-16 23:00:00", "end": "2026-11-17 23:00:00"}
OPEN = "resolved_at IS NULL AND closed_at IS NULL"
COUNTS = {
    "Nouveaux": "ticket WHERE opened_at >= :start AND opened_at < :end",
    "Répondus": "ticket WHERE responded_at >= :start AND responded_at < :end",
    "Résolus": "ticket WHERE resolved_at >= :start AND resolved_at < :end",
    "En attente": f"ticket WHERE responded_at IS NULL AND {OPEN} AND :start < :end",
    "En retard": f"ticket WHERE {OPEN} AND (resolve_by < :end OR responded_at IS NULL AND respond_by < :end)"
    " AND :start < :end",
    "Escaladés": "ticket WHERE id IN (SELECT ticket_id FROM ring WHERE at >= :start AND at < :end)",
    "Messages reçus": "message WHERE decided_at >= :start AND decided_at < :end",
    "Messages non remis": "message WHERE decided_at >= :start AND decided_at < :end AND kind = 'bounce'",
    "En quarantaine": "quarantine WHERE since >= :start AND since < :end",
}


def test_the_workbook_says_what_the_store_holds(desk: Scene) -> None:
    sweep(AFTERNOON)
    digest(readers=["direction"])
    book = open_book(letters(desk, "direction@atelier.example")[0])
    said = {label: value for label, value, *_ in reversed(list(book["Synthèse"].values)) if label in COUNTS}
    counted = {label: ask(desk, f"SELECT count(*) FROM {rows}", **SPAN)[0][0] for label, rows in COUNTS.items()}  # noqa: S608
    assert said == counted
    assert sum(value > 0 for value in counted.values()) >= 6
    listed = [row[0] for row in list(book["Tickets"].values)[1:]]
    assert sorted(listed) == sorted(one.number for one in list_tickets(desk.store))
    for sheet in ("Par catégorie", "Par équipe"):
        assert sum(row[1] for row in list(book[sheet].values)[1:]) == counted["Nouveaux"]


FORMULAS = ('=HYPERLINK("http://evil.example";"x")', "+33 1 23 45 67 89", "-1+1", "@SUM(A1:A9)")


def test_subjects_that_look_like_formulas_stay_text(desk: Scene) -> None:
    plain = [write_mail(4 * turn, 0, MORNING).raw for turn in range(len(FORMULAS))]
    for raw, formula in zip(plain, FORMULAS, strict=True):
        desk.deliver([raw.replace(b"Subject: ", f"Subject: {formula} ".encode(), 1)])
    desk.sync()
    desk.work(at=MORNING)
    digest(readers=["direction"])
    sheet = open_book(letters(desk, "direction@atelier.example")[0])["Tickets"]
    cells = [row[1] for row in sheet.iter_rows(min_row=2) if str(row[1].value).startswith(FORMULAS)]
    assert len(cells) == len(FORMULAS)
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.quotePrefix for cell in cells)


def test_the_artifact_of_a_digest_holds_figures_and_no_person(desk: Scene) -> None:
    digest(readers=["direction"])
    (row,) = show("digest")
    assert (row.pop("reader"), row.pop("period")) == ("direction", "2026-11-17")
    assert row["new"] == len(list_tickets(desk.store))
    assert {type(value) for value in row.values()} <= {int, float, type(None)}


# --- retention-cleanup ---------------------------------------------------------------------------------------


def forget(moment: datetime = FORGETTING, dry_run: bool = False) -> State[Any]:
    state: State[Any] = retention_cleanup(at=moment, dry_run=dry_run, return_state=True)
    return state


def close_all(scene: Scene) -> None:
    for one in list_tickets(scene.store):
        change_status(scene.store, one.number, Status.CLOSED, "by-hand", NEXT_DAY)


def find_remains(scene: Scene) -> set[bytes]:
    """People who are still somewhere in the desk's folder, be it in a page that the database no longer uses."""
    scene.store.engine.dispose()
    held = b"".join(file.read_bytes() for file in scene.home.rglob("*") if file.is_file())
    assert held
    return {one for one in PEOPLE if one in held}


def age_packs(scene: Scene) -> None:
    """The packs were written two days ago."""
    before = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for file in (scene.home / "packs").iterdir():
        os.utime(file, (before, before))


def packs(scene: Scene) -> set[str]:
    return {file.name for file in (scene.home / "packs").iterdir()} - {"erasures.jsonl"}


def count_day(scene: Scene) -> Digest:
    policy = open_policy()
    span = range_period(TUESDAY, TUESDAY, policy.calendar.timezone)
    return count_period(scene.store, find_reader(policy, "direction"), span, NEXT_DAY)[0]


@pytest.mark.usefixtures("story")
def test_a_dry_run_lists_what_would_go_and_changes_nothing(desk: Scene) -> None:
    close_all(desk)
    before, packed = dump(desk, "retention_run"), packs(desk)
    state = forget(dry_run=True)
    listed = {row["what"]: row for row in show("retention")}
    assert (dump(desk, "retention_run"), packs(desk)) == (before, packed)
    assert str(state.message).startswith("Would go: ")
    assert listed["mails"]["count"] == count_rows(desk.store, "message")
    assert listed["tickets"]["count"] == count_rows(desk.store, "ticket")
    assert listed["tickets"]["ids"] == ", ".join(map(str, look_up(desk.store, "ticket", "id")[:50]))


@pytest.mark.usefixtures("story")
def test_what_is_settled_is_closed_then_forgotten_and_the_rest_stays(desk: Scene) -> None:
    settled = {one.number for one in list_tickets(desk.store) if one.status in ("solution_proposed", "resolved")}
    assert settled
    assert f"{len(settled)} closed" in str(forget(CLOSING).message)
    assert {one.number for one in list_tickets(desk.store) if one.status == "closed"} == settled
    forget(FORGETTING)
    for number, subject, contact in ask(desk, "SELECT number, subject, contact_id FROM ticket"):
        assert (subject == "" and contact is None) == (number in settled)
    query = "SELECT message.state, number FROM message LEFT JOIN ticket ON ticket.id = message.ticket_id"
    for state, number in ask(desk, query):
        assert (state == "anonymised") == (number is None or number in settled)


@pytest.mark.usefixtures("story")
def test_of_forgotten_people_nothing_is_left_and_the_figures_are_the_same(desk: Scene) -> None:
    sweep(AFTERNOON)
    figures = count_day(desk)
    assert find_remains(desk) > set()
    close_all(desk)
    forget()
    assert find_remains(desk) == set()
    assert kept_places(desk) == {}
    assert count_day(desk) == figures
    assert figures.total.new == count_rows(desk.store, "ticket")


def kept_places(scene: Scene) -> dict[tuple[str, str], int]:
    """Columns that may tell of a person, and how many rows of them still do."""
    filled = "SELECT count(*) FROM {} WHERE coalesce({}, '') <> ''"
    places = [(table, column) for table, columns in PLACES.items() for column in columns]
    counts = {place: ask(scene, filled.format(*place))[0][0] for place in places}
    return {place: count for place, count in counts.items() if count}


@pytest.mark.usefixtures("story")
def test_a_held_ticket_stays_until_it_is_released(desk: Scene) -> None:
    close_all(desk)
    held = next(one.number for one in list_tickets(desk.store) if one.category == "technical")
    hold_ticket(desk.store, held, "court", MORNING)
    whole = "SELECT subject, contact_id FROM ticket WHERE number = :number"
    before = ask(desk, whole, number=held)
    forget()
    assert ask(desk, whole, number=held) == before
    assert ask(desk, "SELECT DISTINCT number FROM ticket WHERE subject <> ''") == [(held,)]
    kept = ask(desk, "SELECT number FROM delivery JOIN message ON message.id = message_id "
                     "JOIN ticket ON ticket.id = ticket_id WHERE wrapped_key IS NOT NULL")  # fmt: skip
    assert set(kept) == {(held,)}
    release_ticket(desk.store, held, MORNING)
    forget()
    assert find_remains(desk) == set()


@pytest.mark.usefixtures("story")
def test_an_erased_mail_that_is_delivered_again_is_sent_away(desk: Scene) -> None:
    close_all(desk)
    forget()
    before, tickets = len(desk.mails), list_tickets(desk.store)
    desk.deliver(one.raw for one in SAMPLES)
    desk.sync()
    state = desk.work(at=NEXT_DAY)
    assert state.is_completed()
    assert len(desk.mails) == before + len(SAMPLES)
    assert {one.state for one in desk.mails} == {"erased"}
    assert list_tickets(desk.store) == tickets
    assert desk.sink.accepted == []


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("step", ["forget_mails", "forget_letters", "forget_contacts"])
def test_a_retention_that_was_interrupted_goes_on(desk: Scene, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    close_all(desk)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.forgetting.CHUNK", 10)
        patch.setattr(f"tasks.forgetting.{step}", break_down(step))
        assert forget().is_failed()
    assert find_remains(desk) > set()
    assert forget().is_completed()
    assert find_remains(desk) == set()


def break_down(step: str) -> Any:
    """Works once where a step comes once per chunk, and then no more."""
    import tasks.forgetting

    works, calls = getattr(tasks.forgetting, step), iter([step != "forget_contacts"])

    def run(*arguments: Any) -> Any:
        if next(calls, False):
            return works(*arguments)
        raise OSError("pulled the plug")

    return run


@pytest.mark.usefixtures("story")
def test_packs_go_when_nothing_in_them_can_be_opened_any_more(desk: Scene) -> None:
    living, folder = packs(desk), desk.home / "packs"
    for name in ("crashed.pack", ".cut.part"):
        (folder / name).write_bytes(b"noise")
    age_packs(desk)
    (folder / ".being-written.part").write_bytes(b"noise")
    forget(MORNING)
    assert packs(desk) == living | {".being-written.part"}
    close_all(desk)
    forget()
    assert packs(desk) == {".being-written.part"}
    assert {row["what"]: row["count"] for row in show("retention")}["packs"] == len(living)


def test_a_moment_to_come_is_for_dry_runs_only(desk: Scene) -> None:
    close_all(desk)
    before, tomorrow = dump(desk), datetime.now(UTC) + timedelta(days=1)
    state = forget(tomorrow)
    assert state.is_failed()
    assert "Tick dry run" in str(state.message)
    assert dump(desk) == before
    assert forget(tomorrow, dry_run=True).is_completed()
