"""SIGKILL at every step of sending: no letter is lost, none is doubled, at most one is of unknown fate."""

from __future__ import annotations

import multiprocessing
import pkgutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from store.engine import open_engine
from store.memory import Store
from store.packs import PackFolder
from tests.acceptance.dying import PATIENCE, Point, die, lay_mine
from tests.integration.conftest import engine, postgres, postgres_template, sqlite_template, store, url
from tests.offices import Desk, open_block, write_body
from tests.outboxes import queue_letters
from tests.smtp_server import EXTENSIONS, ScriptedSmtp
from tests.stores import look_up, make_keys, make_letter

__all__ = ["engine", "postgres", "postgres_template", "sqlite_template", "store", "url"]  # fixtures

LETTERS = 4
PLAIN = tuple(one for one in EXTENSIONS if one != "PIPELINING")
CLAIM, LOOK, TURN, RELEASE = (
    f"tasks.sending.{one}" for one in ("claim_letters", "look_again", "turn_letters", "release_letters")
)
PUSH, HEAR = "blocks.carrier.Carrier._push", "blocks.carrier.Carrier._read_reply"


@dataclass(frozen=True, slots=True)
class Errand:
    """A worker that sends a chunk and dies at a point."""

    url: str
    port: int
    point: Point


def run_errand(errand: Errand) -> None:
    """In a process of its own."""
    desk = Store(open_engine(errand.url), PackFolder(Path("/nowhere")), make_keys())
    stay_silent(desk)
    lay_mine(errand.point, die)
    Desk(desk, open_block(errand.port)).send()


def stay_silent(desk: Store) -> None:
    """Nobody is told, and causes are kept in this store."""
    alarm, guard = map(pkgutil.resolve_name, ("tasks.alarm", "tasks.guard"))
    alarm._send_alert = lambda *_: True
    guard.open_database = lambda: desk.engine


@pytest.fixture
def database() -> str:
    """SQLite, unless a test names another."""
    return "sqlite"


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with ScriptedSmtp() as scripted:
        yield scripted


@pytest.fixture
def desk(store: Store, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Letters wait."""
    monkeypatch.setattr("tasks.alarm._send_alert", lambda *_: True)
    monkeypatch.setattr("tasks.guard.open_database", lambda: store.engine)
    people = [f"{one}@ecole.example" for one in range(LETTERS)]
    bodies = [write_body(str(one), recipients=(person,)) for one, person in enumerate(people)]
    written = [make_letter(str(one), recipients=(people[one],), body=body) for one, body in enumerate(bodies)]
    queue_letters(store, *written)
    return Desk(store, open_block(server.port))


def be_killed(errand: Errand) -> None:
    nursery = multiprocessing.get_context("forkserver")
    nursery.set_forkserver_preload([__name__])
    worker = nursery.Process(target=run_errand, args=(errand,))
    worker.start()
    worker.join(PATIENCE)
    assert worker.exitcode == -signal.SIGKILL


def settle_up(desk: Desk, server: ScriptedSmtp) -> Counter[str]:
    """Another worker goes on once the dead one's claims have lapsed; what arrived, by Message-ID."""
    desk.now += timedelta(hours=1)
    desk.send_all()
    return Counter(one.message_id for one in server.letters)


def find_flaws(desk: Desk, arrived: Counter[str]) -> list[str]:
    """What must not be, in words."""
    states = dict(zip(look_up(desk.store, "letter", "header_id"), desk.states, strict=True))
    unknown = {one for one, state in states.items() if state == "unknown"}
    flaws = {
        "doubled": any(count > 1 for count in arrived.values()),
        "unsettled": set(states.values()) - {"sent", "unknown"},
        "more than one unknown": len(unknown) > 1,
        "said to be sent and not there": {one for one, state in states.items() if state == "sent"} - set(arrived),
        "there and not said to be": set(arrived) - set(states),
        "told of as what it is not": look_up(desk.store, "letter_recipient", "state") != list(states.values()),
    }
    return [name for name, found in flaws.items() if found]


POINTS = [
    *(Point(name, when) for name in (CLAIM, RELEASE, "blocks.smtp.SmtpServer._enter") for when in ("before", "after")),
    *(Point(LOOK, when, turn) for turn in (1, 3) for when in ("before", "after")),
    *(Point(TURN, when, turn) for turn in range(1, LETTERS + 2) for when in ("before", "after")),
    *(Point(f"store.outbox.{name}", "after", 2) for name in ("_end", "_begin")),  # within the transaction
    *(Point(PUSH, when, turn) for turn in range(1, LETTERS + 2) for when in ("before", "after")),
    *(Point(HEAR, "before", turn) for turn in range(1, 4 * LETTERS + 1)),
]
SOME = [
    Point(TURN, "before", 2),
    Point(TURN, "after", 2),
    Point(PUSH, "after", 2),
    Point("store.outbox._end", "after", 2),
]
ONE_BY_ONE = [Point(PUSH, when, turn) for turn in range(1, 4 * LETTERS + 1, 3) for when in ("before", "after")]


def name_point(point: Point) -> str:
    return f"{point.when} {point.function.rpartition('.')[2]} {point.turn}"


def check_crash(desk: Desk, server: ScriptedSmtp, url: str, point: Point) -> None:
    be_killed(Errand(url, server.port, point))
    assert find_flaws(desk, settle_up(desk, server)) == []


@pytest.mark.parametrize("point", POINTS, ids=name_point)
def test_after_sigkill_letters_and_states_add_up(desk: Desk, server: ScriptedSmtp, url: str, point: Point) -> None:
    check_crash(desk, server, url, point)


@pytest.mark.parametrize("point", ONE_BY_ONE, ids=name_point)
def test_they_add_up_with_a_server_that_takes_one_command_at_a_time(
    desk: Desk, server: ScriptedSmtp, url: str, point: Point
) -> None:
    server.script.extensions = PLAIN
    check_crash(desk, server, url, point)


@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("point", SOME, ids=name_point)
def test_they_add_up_on_the_other_database(desk: Desk, server: ScriptedSmtp, url: str, point: Point) -> None:
    check_crash(desk, server, url, point)


def test_a_letter_that_was_on_its_way_is_the_one_nobody_knows_of(desk: Desk, server: ScriptedSmtp, url: str) -> None:
    """The point between a letter's end and its answer: here the doubt is, and only here."""
    be_killed(Errand(url, server.port, Point(PUSH, "after", 3)))
    arrived = settle_up(desk, server)
    assert desk.states == ["sent", "unknown", "sent", "sent"]
    assert set(arrived.values()) == {1}
