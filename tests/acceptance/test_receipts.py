"""What becomes of our letters, as the mail system and their readers tell it: by mail, into the same mailbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo.samples import list_samples, redate
from desk.plan import Purpose
from store.engine import writing
from store.outcomes import keep_letter
from tests.acceptance.command import Command, make_command
from tests.acceptance.scene import House, Scene, open_scene
from tests.stores import look_up, make_letter, tables

SAMPLES = {one.name: one.raw for one in list_samples()}
READER, GONE = "01-programme-ce1", "02-timetable-weeks"

REPORT = """\
Return-Path: <>
From: Mail Delivery System <mailer-daemon@mx.atelier.example>
To: support@atelier.example
Subject: Delivery report
Date: {date}
Message-ID: <report-{number}@mx.atelier.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=report
MIME-Version: 1.0

--report
Content-Type: text/plain

This is the mail system at host mx.atelier.example.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.atelier.example
{envelope}
Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}

--report
Content-Type: text/rfc822-headers

From: support@atelier.example
To: {address}
{letter}Subject: your request

--report--
"""
RECEIPT = """\
From: {address}
To: support@atelier.example
Subject: Lu : votre demande
Date: {date}
Message-ID: <read-{number}@reader.example>
Content-Type: multipart/report; report-type=disposition-notification; boundary=receipt
MIME-Version: 1.0

--receipt
Content-Type: text/plain; charset=utf-8

Votre message a été lu.

--receipt
Content-Type: message/disposition-notification

Final-Recipient: rfc822; {address}
Original-Message-ID: {letter}
Disposition: manual-action/MDN-sent-manually; displayed

--receipt--
"""


class Answered:
    """A desk that has answered two requests; who sent them, and the Message-IDs of what they got."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.number = scene, 0
        self.people = [self.ask(name) for name in (READER, GONE)]
        self.work()
        self.letters = [self.find_answer(address) for address in self.people]

    def ask(self, name: str, subject: str = "") -> str:
        """A request, written now; its sender."""
        raw = redate(SAMPLES[name], datetime.now(UTC))
        mail = message_from_bytes(raw)
        if subject:
            del mail["Message-ID"], mail["Subject"]
            mail["Subject"] = subject
            mail["Message-ID"] = f"<{subject}@again.example>"
        self.scene.deliver([mail.as_bytes() if subject else raw])
        return str(mail["From"]).rpartition("<")[2].strip(">")

    def work(self) -> None:
        assert self.scene.sync().is_completed()
        assert self.scene.work().is_completed()

    def find_answer(self, address: str) -> str:
        (found,) = [one.raw for one in self.scene.sink.accepted if one.recipients == (address,)]
        return str(message_from_bytes(found)["Message-ID"])

    def tell(self, form: str, **values: str) -> None:
        """A report comes in and is worked on."""
        self.number += 1
        date = format_datetime(datetime.now(UTC))
        text = form.format(date=date, number=self.number, **values).replace("\n", "\r\n")
        self.scene.deliver([text.encode()])
        self.work()

    def show(self, person: int) -> tuple[str, str]:
        """State of a reader, and of the ticket."""
        store, address = self.scene.store, self.people[person]
        (state,) = look_up(store, "letter_recipient", "state", address=address)
        (letter,) = look_up(store, "letter", "ticket_id", header_id=self.letters[person])
        (status,) = look_up(store, "ticket", "status", id=letter)
        return state, status


@pytest.fixture(scope="module")
def desk(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answered]:
    with open_scene(house, tmp_path_factory.mktemp("receipts")) as scene:
        yield Answered(scene)


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


def test_what_became_of_letters_is_told_by_mail_and_kept(desk: Answered, byreturn: Command, tmp_path: Path) -> None:
    (reader, gone), (read, lost) = desk.people, desk.letters
    assert [desk.show(one) for one in (0, 1)] == [("sent", "solution_proposed")] * 2

    # who guesses a Message-ID tells us nothing
    forged = lost.replace(lost.split(".")[1], "0" * 32)
    desk.tell(REPORT, address=reader, action="failed", status="5.1.1", envelope="", letter=f"Message-ID: {forged}\n")
    assert desk.show(0) == ("sent", "solution_proposed")
    assert look_up(desk.scene.store, "suppression", "address") == []

    envelope = f"Original-Envelope-Id: {read.strip('<>')}\n"
    desk.tell(REPORT, address=reader, action="delivered", status="2.0.0", envelope=envelope, letter="")
    assert desk.show(0) == ("delivered", "solution_proposed")
    desk.tell(RECEIPT, address=reader, letter=read)
    desk.tell(REPORT, address=reader, action="delayed", status="4.4.1", envelope=envelope, letter="")
    assert desk.show(0) == ("read", "solution_proposed")

    desk.tell(REPORT, address=gone, action="failed", status="5.1.1", envelope="", letter=f"Message-ID: {lost}\n")
    assert desk.show(1) == ("bounced", "in_analysis")
    assert look_up(desk.scene.store, "suppression", "address") == [gone]

    # nothing more is sent to an address that is gone
    before = count_sent(desk, gone)
    desk.ask(GONE, "timetable")
    desk.work()
    assert count_sent(desk, gone) == before == 1

    check_command(desk, byreturn, tmp_path)


def count_sent(desk: Answered, address: str) -> int:
    return sum(address in one.recipients for one in desk.scene.sink.accepted)


def check_command(desk: Answered, byreturn: Command, tmp_path: Path) -> None:
    """The same as an operator sees it."""
    (letter,) = look_up(desk.scene.store, "letter", "id", header_id=desk.letters[0])
    listed = load(byreturn("letters", "--json").out)
    assert listed == load(byreturn("letters", "list", "--json").out)
    assert letter in [one["id"] for one in listed]
    assert load(byreturn("letters", "--state", "unknown", "--json").out) == []

    card = load(byreturn("letters", "show", str(letter), "--body", "--json").out)
    assert [(one["address"], one["state"]) for one in card["readers"]] == [(desk.people[0], "read")]
    assert [one["word"] for one in card["steps"] if one["word"] in ("delivered", "read", "delayed")] == [
        "delivered", "read", "delayed",
    ]  # fmt: skip
    assert card["ticket"] in card["text"]
    assert "read displayed" in byreturn("letters", "show", str(letter)).out
    assert byreturn("letters", "show", "999").status == 2

    check_stats(byreturn, tmp_path)
    check_addresses(desk, byreturn)


def check_stats(byreturn: Command, tmp_path: Path) -> None:
    picture = tmp_path / "letters.png"
    stats = load(byreturn("letters", "stats", "--json", "--picture", str(picture)).out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (stats["deliveries"][0]["read"], stats["deliveries"][0]["bounced"]) == (1, 1)
    assert stats["waits"][0]["tickets"] == 1  # an answer that came back is none
    assert sum(one["read"] for one in stats["wordings"]) == 1
    assert "From the question to the first answer" in byreturn("letters", "stats", "--days", "7").out


def check_addresses(desk: Answered, byreturn: Command) -> None:
    (one,) = load(byreturn("letters", "suppressed", "--json").out)
    assert (one["address"], one["reason"], one["code"]) == (desk.people[1], "bounced", "5.1.1")
    assert byreturn("letters", "allow", one["address"]).status == 0
    assert byreturn("letters", "allow", one["address"]).status == 2
    assert byreturn("letters", "suppress", "leave.me@school.example", "--reason", "unsubscribed").status == 0
    assert byreturn("letters", "suppress", "no address").status == 2
    assert "leave.me@school.example unsubscribed" in byreturn("letters", "suppressed").out


def load(text: str) -> Any:
    return json.loads(text)


@pytest.mark.parametrize(("how", "state"), [("sent", "sent"), ("drop", "withdrawn"), ("resend", "queued")])
def test_a_letter_of_unknown_fate_is_settled_by_a_person(
    how: str, state: str, desk: Answered, byreturn: Command
) -> None:
    store, ready = desk.scene.store, make_letter(f"lost-{how}", Purpose.ALARM)
    with writing(store.engine) as connection:
        letter = keep_letter(connection, ready, f"test:{how}", datetime.now(UTC))
        of_letter = tables()["letter_recipient"].c.letter_id == letter
        connection.execute(sa.update(tables()["letter_recipient"]).where(of_letter).values(state="unknown"))
        connection.execute(
            sa.update(tables()["letter"]).where(tables()["letter"].c.id == letter).values(state="unknown")
        )
    assert letter in [one["id"] for one in load(byreturn("letters", "--state", "unknown", "--json").out)]
    assert byreturn("letters", "settle", str(letter), how).status == 0
    assert look_up(store, "letter", "state", id=letter) == [state]
    assert byreturn("letters", "settle", str(letter), how).status == 2  # its fate is known now
    assert byreturn("letters", "settle", "999", how).status == 2
