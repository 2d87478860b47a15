"""Old mail brought in on purpose: nothing twice, nobody written to, and a run that was killed goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State
from prefect.logging import disable_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from demo.servers import open_mailbox
from desk.facts import Arrival
from flows.backfill import backfill
from store.backfill import FILES
from store.engine import writing
from store.mailboxes import mailboxes
from store.retention import forget_mails
from tasks.intake import sync_mailbox
from tests.acceptance.again import empty_desk
from tests.acceptance.artifacts import read_latest, read_table
from tests.acceptance.scene import House, Scene
from tests.acceptance.workers import write_mail
from tests.stores import count_rows, look_up

NOW = datetime.now(UTC).replace(microsecond=0)
NOON = NOW.replace(hour=12, minute=0, second=0) - timedelta(days=20)
COUNT = 5


@pytest.fixture
def scene(standing: Scene) -> Scene:
    return empty_desk(standing)


def write(thread: int, at: datetime) -> bytes:
    return write_mail(thread, 0, at).raw


def deliver_days(scene: Scene, days: int = COUNT) -> None:
    """A mail a day, from twenty days ago on."""
    with open_mailbox(scene.imap, "support") as client:
        for day in range(days):
            at = NOON + timedelta(days=day)
            client.append("INBOX", write(day, at), msg_time=at)


def fill_folder(folder: Path, mails: Sequence[bytes]) -> str:
    folder.mkdir()
    for number, raw in enumerate(mails):
        (folder / f"{number:03}.eml").write_bytes(raw)
    return str(folder)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return fill_folder(tmp_path / "archive", [write(day, NOON + timedelta(days=day)) for day in range(COUNT)])


def run(**choice: Any) -> State[Any]:
    return backfill(mailbox="support", return_state=True, **choice)


def count(**choice: Any) -> dict[str, Any]:
    """What a run that went well counted."""
    assert run(**choice).name == "Completed"
    (row,) = read_table("backfilled")
    assert row.pop("mailbox") == "support"
    return {name: value for name, value in row.items() if value}


def sync() -> None:
    with disable_run_logger():
        sync_mailbox.fn("support", force=True)


def list_purposes(scene: Scene) -> set[str]:
    return {letter.purpose for letter in scene.letters}


def list_written_to(scene: Scene) -> set[str]:
    """Domains that letters went to."""
    return {one.rpartition("@")[2] for mail in scene.sink.accepted for one in mail.recipients}


# --- a window of a mailbox -----------------------------------------------------------------------------------


def test_a_window_brings_its_days_and_leaves_the_rest_to_the_sync(scene: Scene) -> None:
    deliver_days(scene)
    window = {"first_day": date.fromordinal(NOON.toordinal() + 1), "last_day": date.fromordinal(NOON.toordinal() + 3)}
    assert count(**window, dry_run=True) == {"named": 3, "kept": 3}
    assert count_rows(scene.store, "delivery") == 0
    assert count(**window) == {"named": 3, "kept": 3}
    assert look_up(scene.store, "delivery", "arrival") == [Arrival.BACKFILL] * 3
    assert count(**window) == {"named": 3, "known": 3}
    assert look_up(scene.store, "folder", "last_uid") == [0]
    sync()
    assert count_rows(scene.store, "delivery") == COUNT
    assert count_rows(scene.store, "delivery", arrival=Arrival.HISTORY.value) == 2
    assert read_latest("backfill") == 100.0


def test_backfilled_mail_gets_tickets_and_nobody_is_written_to(scene: Scene) -> None:
    deliver_days(scene)
    assert count() == {"named": COUNT, "kept": COUNT}
    scene.work()
    assert count_rows(scene.store, "ticket") == COUNT
    assert list_purposes(scene) <= {"draft", "handover"}
    assert list_written_to(scene) <= {"atelier.example"}


def test_history_is_woken_once_and_then_worked_on(scene: Scene) -> None:
    deliver_days(scene)
    sync()
    scene.work()
    assert [one.reason for one in scene.mails] == ["history"] * COUNT
    assert count(dry_run=True) == {"named": COUNT, "known": COUNT, "woken": COUNT}
    assert count(last_day=NOON.date()) == {"named": 1, "known": 1, "woken": 1}
    assert count() == {"named": COUNT, "known": COUNT, "woken": COUNT - 1}
    assert count() == {"named": COUNT, "known": COUNT}
    scene.work()
    assert count_rows(scene.store, "ticket") == COUNT
    assert list_written_to(scene) <= {"atelier.example"}


def test_replies_are_for_mail_that_may_still_be_answered(scene: Scene) -> None:
    undated = b"\r\n".join(line for line in write(9, NOON).split(b"\r\n") if not line.startswith(b"Date:"))
    with open_mailbox(scene.imap, "support") as client:
        for raw, arrived in ((write(0, NOW), NOW), (write(1, NOON), NOW), (write(8, NOON), NOON), (undated, NOON)):
            client.append("INBOX", raw, msg_time=arrived)
    assert count(replies=True) == {"named": 4, "kept": 4}
    assert look_up(scene.store, "delivery", "arrival") == ["backfill", "backfill", "live", "live"]
    scene.work()
    assert list_written_to(scene) - {"atelier.example"} == {"ecole-0.example"}


# --- files ---------------------------------------------------------------------------------------------------


def test_files_come_once_wherever_they_lie_and_whatever_is_added(scene: Scene, archive: str, tmp_path: Path) -> None:
    assert count(path=archive, dry_run=True) == {"named": COUNT, "kept": COUNT}
    assert count(path=archive) == {"named": COUNT, "kept": COUNT}
    moved = tmp_path / "moved"
    Path(archive).rename(moved)
    (moved / "0.eml").write_bytes(write(COUNT, NOON))
    (moved / "copy.eml").write_bytes(write(0, NOON))
    assert count(path=str(moved)) == {"named": COUNT + 1, "known": COUNT, "kept": 1}


def test_a_window_holds_for_files_too(scene: Scene, archive: str) -> None:
    assert count(path=archive, first_day=NOON.date(), last_day=NOON.date()) == {"named": 1, "kept": 1}


def test_a_mail_that_a_server_showed_us_too_is_one_message(scene: Scene, archive: str) -> None:
    deliver_days(scene)
    sync()
    assert count(path=archive) == {"named": COUNT, "kept": COUNT}
    scene.work()
    assert (count_rows(scene.store, "delivery"), count_rows(scene.store, "message")) == (2 * COUNT, COUNT)


def test_an_erased_mail_does_not_come_back_out_of_a_file(scene: Scene, archive: str, tmp_path: Path) -> None:
    run(path=archive)
    scene.work()
    forget_mails(scene.store, look_up(scene.store, "message", "id"), NOW)
    (Path(archive) / "000.eml").write_bytes(write(0, NOON) + b"\r\n")  # other bytes, the same mail
    assert count(path=archive) == {"named": COUNT, "known": COUNT - 1, "kept": 1}
    scene.work()
    assert count_rows(scene.store, "message", state="anonymised") == count_rows(scene.store, "message") == COUNT


def test_what_lies_in_no_mailbox_is_not_moved_there(scene: Scene, archive: str) -> None:
    block = load_block(ImapMailbox, "support")
    block.after_intake = "flag"
    block.save("support", overwrite=True)
    try:
        run(path=archive)
        scene.work()
    finally:
        block.after_intake = "keep"
        block.save("support", overwrite=True)
    assert count_rows(scene.store, "message", state="decided") == COUNT
    assert count_rows(scene.store, "filing", action="after_intake") == 0
    assert count_rows(scene.store, "filing", state="done") == count_rows(scene.store, "filing")


def test_a_mail_above_the_limit_is_kept_aside_once(
    scene: Scene, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("policy.yaml").read_text(encoding="utf-8")
    assert "mail_bytes: 52428800" in text
    policy = tmp_path / "policy.yaml"
    policy.write_text(text.replace("mail_bytes: 52428800", "mail_bytes: 5000"), encoding="utf-8")
    monkeypatch.setenv("BYRETURN_POLICY", str(policy))
    (Path(archive) / "large.eml").write_bytes(write(7, NOON) + b"x" * 5000)
    assert count(path=archive) == {"named": COUNT + 1, "kept": COUNT, "too_large": 1}
    assert count(path=archive) == {"named": COUNT + 1, "known": COUNT + 1}
    assert look_up(scene.store, "quarantine", "cause") == ["too-large"]


def test_a_path_that_nobody_can_read_fails_and_says_so(scene: Scene) -> None:
    state = run(path="/nowhere/archive.mbox")
    assert state.is_failed()
    assert "the path can't be read" in str(state.message)
    assert "/nowhere" not in str(state.message)


# --- killed in the middle ------------------------------------------------------------------------------------

# Runs the flow in batches of ten, and is killed dead after that many of them were written: `before` or `after` their
# commit.
DYING = """
import os, signal, sys
import store.intake, tasks.backfilling, tasks.keeping
from flows.backfill import backfill

count, when, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
tasks.backfilling.BATCH_MAILS = 10
place, name = (store.intake, "move_cursor") if when == "before" else (tasks.keeping, "release_lease")
real = getattr(place, name)

def die(*args, **kwargs):
    global count
    count -= 1
    if not count:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

setattr(place, name, die)
backfill(mailbox="support", path=path)
"""
MANY = 45


def end_lease(scene: Scene) -> None:
    """As a minute does: the dead run's lease is over."""
    with writing(scene.store.engine) as connection:
        connection.execute(sa.update(mailboxes).values(lease_until=NOW - timedelta(hours=1)))


@pytest.mark.parametrize(("batch", "when", "kept"), [(1, "before", 0), (3, "before", 20), (2, "after", 20)])
def test_a_run_that_was_killed_is_run_again_and_nothing_is_lost_or_twice(
    scene: Scene, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, when: str, kept: int
) -> None:
    path = fill_folder(tmp_path / "many", [write(thread, NOON) for thread in range(MANY)])
    ended = subprocess.run(
        [sys.executable, "-c", DYING, str(batch), when, path],
        env={**os.environ, "PREFECT_API_URL": house.url},
        capture_output=True,
    )
    assert ended.returncode == -signal.SIGKILL
    assert count_rows(scene.store, "delivery") == kept
    end_lease(scene)
    counted = {"named": MANY, "known": kept, "kept": MANY - kept}
    assert count(path=path) == {name: value for name, value in counted.items() if value}
    assert count_rows(scene.store, "delivery", folder=FILES) == MANY
    assert len(set(look_up(scene.store, "delivery", "uid"))) == MANY
