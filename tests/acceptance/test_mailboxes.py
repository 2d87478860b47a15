"""What the operator sees and sets off around mailboxes: checks, silence, watches, and a mail that is too large."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials, load_block
from demo.house import MAILBOXES, save_mailboxes
from demo.servers import open_mailbox
from flows.check_mailboxes import check_mailboxes
from flows.mailbox_watchdog import mailbox_watchdog
from flows.sync_inbox import sync_inbox
from flows.watch_inbox import watch_inbox
from store.engine import writing
from store.intake import keep_batch
from store.mailboxes import mailboxes
from store.troubles import list_quarantine, replay_quarantined
from tests.acceptance.again import empty_desk
from tests.acceptance.artifacts import read_table
from tests.acceptance.command import make_command
from tests.acceptance.scene import PASSWORD, Scene
from tests.acceptance.workers import change_policy
from tests.stores import count_rows, look_up

LIMIT = 1_000_000
WRONG: dict[str, Any] = {"credentials": PasswordCredentials(user="contact", password=SecretStr("wrong"))}


@pytest.fixture
def scene(standing: Scene) -> Scene:
    return empty_desk(standing)


def write_mail(name: str, size_bytes: int = 0) -> bytes:
    now = email.utils.format_datetime(datetime.now(UTC))
    filler = ("x" * 70 + "\r\n") * (size_bytes // 72)
    return (
        "Authentication-Results: mx.atelier.example; dmarc=pass header.from=ecole.example\r\n"
        f"From: Lea Martin <lea@ecole.example>\r\nTo: support@atelier.example\r\nSubject: {name}\r\nDate: {now}\r\n"
        f"Message-ID: <{name}@ecole.example>\r\n\r\nBonjour, comment importer le nouvel emploi du temps ?\r\n{filler}"
    ).encode()


def read_letters(scene: Scene, to: str) -> list[EmailMessage]:
    raws = [one.raw for one in scene.sink.accepted if to in one.recipients]
    return [email.message_from_bytes(raw, policy=email.policy.default) for raw in raws]


@pytest.fixture
def broken(scene: Scene) -> Iterator[str]:
    """`contact`, whose password is wrong."""
    known = load_block(ImapMailbox, "contact")
    known.model_copy(update=WRONG).save("contact", overwrite=True)
    yield "contact"
    save_mailboxes(scene.imap.port, PASSWORD)


# --- checks ----------------------------------------------------------------------------------------------------------


def test_a_check_says_what_each_server_says_and_touches_nothing(scene: Scene, broken: str) -> None:
    scene.deliver([write_mail("one")])
    state: State[Any] = check_mailboxes(return_state=True)
    assert state.name == "Partial"
    rows = {row["mailbox"]: row for row in read_table("connections")}
    assert {name: (row["well"], row["code"]) for name, row in rows.items()} == {
        "support": (True, ""),
        broken: (False, "auth"),
    }
    assert "INBOX: 1" in rows["support"]["found"]
    assert "Renew the password" in rows[broken]["found"]
    assert (count_rows(scene.store, "delivery"), scene.hook.posts) == (0, [])
    with open_mailbox(scene.imap, "support") as client:
        client.select_folder("INBOX", readonly=True)
        assert set(client.get_flags(client.search("ALL")).popitem()[1]) <= {b"\\Recent"}


# --- silence ---------------------------------------------------------------------------------------------------------


def test_the_watchdog_names_the_silent_and_a_visit_ends_the_silence(scene: Scene) -> None:
    scene.sync()
    assert mailbox_watchdog(return_state=True).is_completed()
    with writing(scene.store.engine) as connection:
        long_ago = datetime.now(UTC) - timedelta(hours=2)
        connection.execute(sa.update(mailboxes).where(mailboxes.c.name == "contact").values(last_good_at=long_ago))
    for _ in range(2):
        state = mailbox_watchdog(return_state=True)
        assert (state.name, state.message) == ("Partial", "silent: contact")
    assert sum(b"silent:contact: no good visit" in post.body for post in scene.hook.posts) == 1
    sync_inbox(mailboxes=["contact"], return_state=True)
    assert b"silent:contact: well again" in scene.hook.posts[-1].body
    assert mailbox_watchdog(return_state=True).is_completed()


# --- watches ---------------------------------------------------------------------------------------------------------


def test_a_watch_brings_in_what_comes_and_ends_with_its_time(scene: Scene) -> None:
    scene.deliver([write_mail("one")])
    state: State[Any] = watch_inbox(minutes=0.05, return_state=True)
    assert (state.is_completed(), state.message) == (True, "1 mails kept by 2 watches")
    assert {row["mailbox"]: row["kept"] for row in read_table("watches")} == {"support": 1, "contact": 0}
    assert look_up(scene.store, "mailbox", "watch_token") == ["", ""]


# --- what a run shows ------------------------------------------------------------------------------------------------


def test_the_run_shows_each_mailbox_with_its_counts_its_lag_and_its_trouble(scene: Scene, broken: str) -> None:
    scene.deliver([write_mail("one"), write_mail("two")])
    assert scene.sync().name == "Partial"
    rows = {row["mailbox"]: row for row in read_table("mailboxes")}
    assert set(rows) == set(MAILBOXES)
    well, ill = rows["support"], rows[broken]
    assert (well["status"], well["kept now"], well["kept in all"], well["withheld"]) == ("synced", 2, 2, 0)
    assert well["last sync"] == well["last good sync"] != ""
    assert 0 <= well["lag s"] < 3600
    assert (ill["status"], ill["error"], ill["last good sync"]) == ("error", "auth", "")
    assert "Renew the password" in ill["remedy"]


def test_a_run_from_cron_tells_what_each_mailbox_gave_and_fails_with_one_that_is_not_well(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    byreturn = make_command(capsys, monkeypatch)
    scene.deliver([write_mail("one")])
    said = byreturn("sync", "--json")
    rows = {row["mailbox"]: row for row in json.loads(said.out)}
    assert said.status == 0
    assert {name: (row["status"], row["kept_last"]) for name, row in rows.items()} == {
        "support": ("synced", 1),
        "contact": ("synced", 0),
    }
    known = load_block(ImapMailbox, "contact")
    known.model_copy(update=WRONG).save("contact", overwrite=True)
    said = byreturn("sync", "contact", "--json")
    save_mailboxes(scene.imap.port, PASSWORD)
    assert said.status == 1
    assert {row["error"] for row in json.loads(said.out)} == {"", "auth"}


def test_the_operator_does_not_hear_of_a_mailbox_that_another_worker_took_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*given: Any, **named: Any) -> int:
        with writing(scene.store.engine) as connection:
            until = datetime.now(UTC) + timedelta(minutes=2)
            connection.execute(sa.update(mailboxes).values(lease_token="other", lease_until=until))
        return keep_batch(*given, **named)

    monkeypatch.setattr("tasks.intake.keep_batch", lose)
    scene.deliver([write_mail("one")])
    assert scene.sync().is_completed()
    assert (scene.hook.posts, count_rows(scene.store, "delivery")) == ([], 0)


# --- too large -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy whose limit a test can pass."""
    file = change_policy(tmp_path, ("mail_bytes: 52428800", f"mail_bytes: {LIMIT}"))
    monkeypatch.setenv("BYRETURN_POLICY", str(file))


@pytest.mark.usefixtures("small")
def test_the_sender_of_a_mail_too_large_is_told_the_team_has_it_and_it_can_still_be_had(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.deliver([write_mail("before"), write_mail("large", 2 * LIMIT), write_mail("after")])
    assert scene.sync().is_completed()  # nothing failed
    scene.work()
    assert [one.verdict for one in scene.mails if one.reason == "too-large"] == ["handed_over"]
    assert len(scene.mails) == 3  # the others went on
    told = [one for one in read_letters(scene, "lea@ecole.example") if "large" in str(one["Subject"])]
    assert len(told) == 1
    body = told[0].get_body(("plain",))
    text = " ".join(body.get_content().split()) if body else ""
    assert "1 MB" in text or "1 Mo" in text
    assert [row["cause"] for row in read_table("quarantine")] == ["too-large"]
    tickets = count_rows(scene.store, "ticket")

    monkeypatch.delenv("BYRETURN_POLICY")  # the limit is raised, and the mail asked for
    (aside,) = list_quarantine(scene.store.engine)
    assert replay_quarantined(scene.store.engine, aside.id)
    scene.sync()
    scene.work()
    assert look_up(scene.store, "delivery", "part") == ["whole"] * 3
    assert list_quarantine(scene.store.engine) == ()
    assert count_rows(scene.store, "ticket") == tickets  # it joined the one its head had opened
