"""Two workers on PostgreSQL over the same mails: no double ticket, no double letter."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks import Database
from tasks.opening import DESK
from tests.acceptance.books import find_flaws, read_books
from tests.acceptance.scene import Scene
from tests.acceptance.workers import Written, change_policy, start_pair, write_mail, write_mails
from tests.integration.conftest import lend_database, postgres, postgres_template
from tests.stores import count_rows

__all__ = ["postgres", "postgres_template"]  # fixtures

THREADS = 250
LATEST = 900
DECIDED = re.compile(r"^(\d+) mails decided, (\d+) letters sent")


@pytest.fixture
def shared(
    scene: Scene, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """A desk whose memory is on PostgreSQL; processes started now find the same house.

    They work in small chunks, so that they meet at every door and come to the outbox together.
    """
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
    monkeypatch.setenv("PREFECT_API_URL", scene.house.url)
    more = (  # there are more mails and letters than that
        ("letters_per_mailbox: {1h: 200,", "letters_per_mailbox: {1h: 400,"),
        ("sent_per_mailbox: {1d: 500,", "sent_per_mailbox: {1d: 5000,"),
    )
    monkeypatch.setenv("BYRETURN_POLICY", str(change_policy(tmp_path, ("chunk: 200", "chunk: 25"), *more)))
    for url in lend_database(server, template):
        Database(url=SecretStr(url)).save(DESK, overwrite=True)
        yield scene
        scene.store.engine.dispose()


def run_pair(home: Path) -> list[list[str]]:
    """What the rounds of each worker ended with, both let go at once."""
    with start_pair(home) as pair:
        assert [hear(one) for one in pair] == ["ready", "ready"]
        for one in pair:
            tell_start(one)
        return [json.loads(one.communicate(timeout=LATEST)[0]) for one in pair]


def hear(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def tell_start(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()


def count_share(rounds: list[str]) -> tuple[int, int]:
    """Mails decided and letters sent by one worker."""
    found = [match for said in rounds if (match := DECIDED.match(said))]
    return sum(int(one[1]) for one in found), sum(int(one[2]) for one in found)


@pytest.mark.timeout(2 * LATEST)
def test_two_workers_over_the_same_mails_open_no_ticket_and_send_no_letter_twice(shared: Scene, tmp_path: Path) -> None:
    mails = write_mails(THREADS, datetime.now(UTC))
    shared.deliver(one.raw for one in mails)
    shared.sync()
    shares = [count_share(rounds) for rounds in run_pair(tmp_path)]
    assert find_flaws(shared, mails) == {}
    assert count_rows(shared.store, "ticket") == THREADS
    assert count_rows(shared.store, "letter", state="unknown") == 0
    assert all(decided for decided, _ in shares)
    assert sum(decided for decided, _ in shares) == len(mails)


def test_a_reply_that_overtakes_its_opening_is_on_one_ticket_with_it(scene: Scene) -> None:
    opening, reply = (write_mail(2, turn, datetime.now(UTC)) for turn in (0, 1))
    for mail in (reply, opening):
        scene.deliver([mail.raw])
        scene.sync()
        scene.work()
    assert ticket_count(scene, (opening, reply)) == 1


def ticket_count(scene: Scene, mails: tuple[Written, ...]) -> int:
    books = read_books(scene, mails)
    assert {one.header_id for one in books.messages} == {one.header_id for one in mails}
    return len(books.tickets)
