"""The intake before odd servers: nothing is lost, nothing comes twice, the queue goes on, and logins are few."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.logging import disable_run_logger
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from store.engine import writing
from store.intake import open_mail, read_places
from store.mailboxes import MailboxState, list_holes, list_mailboxes, pending
from store.memory import Store
from store.troubles import list_quarantine
from tasks import fetching, intake
from tasks.idling import watch_mailbox
from tasks.intake import SyncReport, sync_mailbox
from tasks.tending import Tender
from tests.acceptance.workers import change_policy
from tests.scripted_imap import Quirks, ScriptedImap, Turn, bye, cut, drip, refuse, say, silence
from tests.stores import count_rows, look_up

NAME = "support"
UIDS = (2, 3, 5)  # of the mails that lie there: as sequence numbers 2 and 3 are other mails
BODY = "BODY.PEEK[]"
LIMIT = 100_000  # bytes, of a policy that takes no larger mail
MINUTE = timedelta(minutes=1)
SOON = 15 * MINUTE


def write_mail(name: object, size_bytes: int = 0) -> bytes:
    line = "é" * 35 + "\r\n"
    return f"From: lea@ecole.example\r\nSubject: {name}\r\n\r\n{line * (1 + size_bytes // 72)}".encode()


@dataclass(slots=True)
class Desk:
    """A desk with one mailbox; what it told the operator."""

    store: Store
    imap: ScriptedImap
    block: ImapMailbox
    told: list[str] = field(default_factory=list)

    def sync(self, *, force: bool = True) -> SyncReport:
        """One visit, whether it is due or not. Whatever happens the lease is given back."""
        with disable_run_logger():
            report = sync_mailbox.fn(NAME, force)
        assert look_up(self.store, "mailbox", "lease_token") == [""]
        return report

    def come_due(self) -> SyncReport:
        return self.sync(force=False)

    def change_block(self, **more: object) -> None:
        self.block = self.block.model_copy(update=more)

    def let_holes_come_due(self) -> None:
        with writing(self.store.engine) as connection:
            connection.execute(sa.update(pending).values(next_try_at=datetime.now(UTC)))

    @property
    def state(self) -> MailboxState:
        return list_mailboxes(self.store.engine)[0]

    @property
    def rest(self) -> timedelta:
        """Until the next visit."""
        assert self.state.next_due_at is not None
        return self.state.next_due_at - datetime.now(UTC)

    @property
    def holes(self) -> list[int]:
        return [hole.uid for hole in list_holes(self.store.engine)]

    @property
    def uids(self) -> list[int]:
        """Of what is kept, each as often as it is."""
        return sorted(look_up(self.store, "delivery", "uid"))

    @property
    def mails(self) -> list[bytes]:
        """Everything kept, opened from the packs."""
        places = read_places(self.store, look_up(self.store, "delivery", "id"))
        return [open_mail(self.store, place) for place in places]

    @property
    def has_all(self) -> bool:
        """Every mail of the server's INBOX is here, once, byte by byte; no other is."""
        return sorted(self.mails) == sorted(raw for raw, _ in self.imap.inbox.mails.values())


@pytest.fixture(params=["sqlite"])  # what differs between databases has its own tests
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def imap() -> Iterator[ScriptedImap]:
    with ScriptedImap("&AOk-l&AOg-ves", "Gone") as server:
        for uid in UIDS:
            server.deliver(write_mail(uid), uid=uid)
        yield server
        server.behave(Quirks())
        assert server.unplayed == []  # a script that was not played shows nothing


@pytest.fixture
def desk(store: Store, imap: ScriptedImap, monkeypatch: pytest.MonkeyPatch) -> Desk:
    block = ImapMailbox(
        address="support@atelier.example", host=imap.host, port=imap.port, security="none", timeout_seconds=20,
        credentials=PasswordCredentials(user=NAME, password=SecretStr("secret")),
    )  # fmt: skip
    desk = Desk(store, imap, block)
    replaced: dict[str, Any] = {
        "tasks.intake.open_store": lambda: store,
        "tasks.idling.open_store": lambda: store,
        "tasks.idling.announce_mail": lambda _kept: None,
        "tasks.intake.load_block": lambda _kind, _name: desk.block,
        "tasks.intake.tell_trouble": lambda _store, _key, code, _remedy: desk.told.append(code),
        "tasks.guard.open_database": lambda: store.engine,
    }
    for name, other in replaced.items():
        monkeypatch.setattr(name, other)
    return desk


def play(desk: Desk, *turns: Turn) -> None:
    desk.imap.behave(Quirks(turns=turns))


@pytest.fixture
def singly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of one mail, two on their way."""
    monkeypatch.setattr(fetching, "BATCH_MAILS", 1)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that sets larger mails aside."""
    file = change_policy(tmp_path, ("mail_bytes: 52428800", f"mail_bytes: {LIMIT}"))
    monkeypatch.setenv("BYRETURN_POLICY", str(file))


# --- mails that are named and not handed out -----------------------------------------------------------------------


def test_a_withheld_mail_is_a_hole_and_holds_up_no_other(desk: Desk) -> None:
    desk.imap.behave(Quirks(withhold={3}))
    report = desk.sync()
    assert (report.status, report.error_code, report.kept, report.withheld) == ("partial", "withheld", 2, 1)
    assert "UIDs" in report.remedy
    assert (desk.uids, desk.holes, desk.told) == ([2, 5], [3], [])
    desk.imap.deliver(write_mail("later"))
    assert desk.sync().kept == 1
    assert desk.uids == [2, 5, 6]


def test_a_withheld_mail_is_asked_for_again_in_its_time_and_fills_its_hole_once(desk: Desk) -> None:
    desk.imap.behave(Quirks(withhold={3}, withhold_times=2))
    desk.sync()
    desk.sync()
    assert desk.imap.count("UID FETCH 3 ") == 0  # not so soon
    desk.let_holes_come_due()
    assert (desk.sync().withheld, desk.holes) == (1, [3])
    desk.let_holes_come_due()
    assert (desk.sync().status, desk.state.withheld) == ("synced", 0)
    assert desk.has_all
    assert desk.sync().kept == 0


def test_a_mail_is_withheld_for_ever_and_asked_for_ever_more_seldom(desk: Desk) -> None:
    desk.imap.behave(Quirks(withhold={3}))
    waits = []
    for _ in range(4):
        desk.sync()
        (hole,) = list_holes(desk.store.engine)
        waits.append(hole.next_try_at - datetime.now(UTC))
        desk.let_holes_come_due()
    assert waits == sorted(waits)
    assert waits[0] > 5 * MINUTE
    assert waits[3] > 5 * waits[0]


def test_all_mails_of_a_folder_are_withheld_and_come_later(desk: Desk) -> None:
    desk.imap.behave(Quirks(withhold=UIDS, withhold_times=1))
    assert (desk.sync().status, desk.holes) == ("partial", list(UIDS))
    desk.let_holes_come_due()
    desk.sync()
    assert desk.has_all


def test_a_header_is_withheld_too(desk: Desk, small: None) -> None:
    desk.imap.deliver(write_mail("large", 2 * LIMIT), uid=4)
    desk.imap.behave(Quirks(withhold={4}))
    assert (desk.sync().status, desk.uids, desk.holes) == ("partial", list(UIDS), [4])
    desk.imap.behave(Quirks())
    desk.let_holes_come_due()
    assert (desk.sync().too_large, desk.holes) == (1, [])


def test_a_withheld_mail_that_is_deleted_is_a_hole_no_more(desk: Desk) -> None:
    desk.imap.behave(Quirks(withhold={3}))
    desk.sync()
    desk.imap.inbox.take(3)
    desk.let_holes_come_due()
    assert (desk.sync().status, desk.holes) == ("synced", [])


def test_a_mail_that_search_names_late_comes_late(desk: Desk) -> None:
    desk.imap.behave(Quirks(unnamed={5}))
    assert desk.sync().kept == 2
    desk.imap.behave(Quirks())
    assert desk.sync().kept == 1


def test_nothing_new_costs_one_look_at_the_folder(desk: Desk) -> None:
    desk.sync()
    before = len(desk.imap.commands)
    assert desk.sync().kept == 0
    beside = ("CAPABILITY", "LOGIN", "LOGOUT")
    assert [one.split()[0] for one in desk.imap.commands[before:] if not one.startswith(beside)] == ["EXAMINE"]


# --- what FETCH answers --------------------------------------------------------------------------------------------

ODD_ANSWERS = {
    "UID last": Quirks(order=("BODY[]", "INTERNALDATE", "RFC822.SIZE", "UID")),
    "date last": Quirks(order=("BODY[]", "UID", "INTERNALDATE")),
    "more than asked": Quirks(extra="FLAGS (\\Seen $Junk) MODSEQ (12345678901)"),
    "news between": Quirks(between=("* 99 EXISTS", "* 0 RECENT")),
    "flags between": Quirks(between=("* 2 FETCH (FLAGS (\\Seen))", "* 3 FETCH (MODSEQ (9) FLAGS ())")),
    "flags with UIDs between": Quirks(between=("* 1 FETCH (UID 2 FLAGS (\\Seen))", "* 3 FETCH (FLAGS () UID 5)")),
    "flags of unknown mails between": Quirks(between=("* 77 FETCH (FLAGS (\\Seen))",)),
    "two commands at once": Quirks(mingled=True),
    "an alert between": Quirks(turns=(say("UID FETCH", "* OK [ALERT] Maintenance", uid=3),)),
    "all at once": Quirks(
        order=("BODY[]", "UID"), extra="FLAGS ()", between=("* 9 EXISTS", "* 2 FETCH (FLAGS (\\Seen))")
    ),
}


@pytest.mark.parametrize("batch", [1, 2, 200])
@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_answers_may_come_in_any_order_with_anything_between(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, odd: str, batch: int
) -> None:
    monkeypatch.setattr(fetching, "BATCH_MAILS", batch)
    arrived = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
    desk.imap.deliver(write_mail("large", 3 * fetching.SMALL_BYTES), uid=7, arrived=arrived)
    desk.imap.behave(ODD_ANSWERS[odd])
    assert (desk.sync().status, desk.holes) == ("synced", [])
    assert desk.has_all
    assert look_up(desk.store, "delivery", "received_at", uid=7) == [arrived]


@pytest.mark.usefixtures("singly")
def test_flags_told_while_two_commands_are_answered_at_once_cost_no_mail(desk: Desk) -> None:
    desk.imap.behave(Quirks(mingled=True, between=("* 3 FETCH (FLAGS (\\Seen))",)))
    assert (desk.sync().status, desk.holes) == ("synced", [])


@pytest.mark.parametrize("size", [0, 1, 40_000, 40_000_000])
@pytest.mark.parametrize("large", [False, True])
def test_a_size_is_a_hint_only(desk: Desk, size: int, large: bool) -> None:
    if large:
        desk.imap.deliver(write_mail("large", 300_000), uid=7)
    desk.imap.behave(Quirks(sizes={3: size, 7: size}))
    assert desk.sync().status == "synced"
    assert desk.has_all


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [None, 0, LIMIT - 1, 10 * LIMIT])
@pytest.mark.parametrize("odd", ["UID last", "flags between", "all at once"])
def test_a_mail_above_the_limit_is_set_aside_with_its_header_whatever_its_size_is_said_to_be(
    desk: Desk, size: int | None, odd: str
) -> None:
    desk.imap.deliver(write_mail("large", 2 * LIMIT), uid=4)
    quirks = ODD_ANSWERS[odd]
    sizes = {} if size is None else {4: size}
    desk.imap.behave(Quirks(sizes=sizes, order=quirks.order, extra=quirks.extra, between=quirks.between))
    report = desk.sync()
    assert (report.status, report.kept, report.too_large) == ("partial", 3, 1)
    assert (desk.uids, desk.holes) == ([2, 3, 4, 5], [])
    assert write_mail("large").split(b"\r\n\r\n")[0] + b"\r\n\r\n" in desk.mails
    assert [aside.cause for aside in list_quarantine(desk.store.engine)] == ["too-large"]
    assert desk.sync().too_large == 0


@pytest.mark.usefixtures("small")
def test_a_small_mail_that_is_said_to_be_too_large_is_set_aside_and_not_lost(desk: Desk) -> None:
    desk.imap.behave(Quirks(sizes={3: 10 * LIMIT}))
    assert (desk.sync().too_large, desk.uids) == (1, list(UIDS))
    assert [aside.cause for aside in list_quarantine(desk.store.engine)] == ["too-large"]
    assert desk.imap.inbox.uids == list(UIDS)


# --- connections that end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("into", [0, 1, 60])
@pytest.mark.parametrize("uid", UIDS)
def test_a_mail_that_was_cut_off_once_comes_whole_with_the_same_visit(desk: Desk, uid: int, into: int) -> None:
    play(desk, cut(BODY, uid=uid, into=into, times=1))
    assert desk.sync().status == "synced"
    assert desk.has_all
    assert len(desk.imap.logins) <= 3


@pytest.mark.usefixtures("singly")
@pytest.mark.parametrize("uid", UIDS)
def test_a_mail_that_was_cut_off_between_batches_comes_too(desk: Desk, uid: int) -> None:
    play(desk, cut(BODY, uid=uid, into=10, times=1))
    assert desk.sync().status == "synced"
    assert desk.has_all


@pytest.mark.parametrize("turn", [cut(BODY, uid=3, into=10), cut(BODY, uid=3, into=0), bye(BODY, uid=3)])
def test_a_mail_that_always_breaks_the_connection_is_a_hole_until_it_does_not(desk: Desk, turn: Turn) -> None:
    play(desk, turn)
    report = desk.sync()
    assert (report.status, report.error_code) == ("partial", "withheld")
    assert (desk.uids, desk.holes) == ([2, 5], [3])
    assert len(desk.imap.logins) <= 8
    play(desk)
    desk.let_holes_come_due()
    desk.sync()
    assert (desk.has_all, desk.holes) == (True, [])


def test_many_mails_that_break_the_connection_are_passed_visit_by_visit(desk: Desk) -> None:
    bad = range(11, 31, 2)
    for uid in range(11, 31):
        desk.imap.deliver(write_mail(uid), uid=uid)
    play(desk, *(cut(BODY, uid=uid, into=10) for uid in bad))
    visits: list[int] = []
    while len(desk.uids) < 13 and len(visits) < 6:
        before = len(desk.imap.logins)
        desk.sync()
        visits.append(len(desk.imap.logins) - before)
    assert desk.uids == [2, 3, 5, *range(12, 32, 2)]
    assert max(visits) <= 2 * intake.BARREN
    play(desk)
    desk.let_holes_come_due()
    desk.sync()
    assert (desk.has_all, desk.holes) == (True, [])


def test_new_mail_does_not_wait_for_holes_that_break_the_connection(desk: Desk) -> None:
    bad = range(11, 31)
    for uid in bad:
        desk.imap.deliver(write_mail(uid), uid=uid)
    desk.imap.behave(Quirks(withhold=bad))
    desk.sync()
    desk.let_holes_come_due()
    desk.imap.deliver(write_mail("new"))
    play(desk, *(cut(BODY, uid=uid, into=10) for uid in bad))
    desk.sync()
    assert desk.uids == [*UIDS, 31]


@pytest.mark.parametrize("turn", [cut("RFC822.SIZE"), refuse("RFC822.SIZE", "NO Server error")])
def test_a_size_that_the_server_cannot_tell_holds_up_nothing(desk: Desk, turn: Turn) -> None:
    desk.imap.deliver(write_mail("large", 3 * fetching.SMALL_BYTES))
    play(desk, turn)
    desk.sync()
    assert desk.has_all


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("turn", [
    cut("BODY.PEEK[HEADER]", uid=4, into=5), refuse("BODY.PEEK[HEADER]", "NO Server error"),
])  # fmt: skip
def test_a_header_that_breaks_the_connection_is_cut_from_the_whole_mail(desk: Desk, turn: Turn) -> None:
    desk.imap.deliver(write_mail("large", 2 * LIMIT), uid=4)
    play(desk, turn)
    report = desk.sync()
    assert (report.error_code, report.too_large, desk.uids, desk.holes) == ("", 1, [2, 3, 4, 5], [])


@pytest.mark.parametrize("text", ["NO [NOPERM] Access denied", "NO [SERVERBUG] Internal error occurred"])
def test_a_folder_that_cannot_be_opened_holds_up_no_other(desk: Desk, text: str) -> None:
    play(desk, refuse('EXAMINE "Gone"', text))
    desk.change_block(folders=["Gone", "INBOX"])
    desk.sync()
    assert desk.has_all


def test_a_goodbye_may_ask_for_a_pause(desk: Desk) -> None:
    play(desk, bye("GREETING", "[UNAVAILABLE] Too many connections from your address"))
    assert (desk.sync().error_code, desk.rest > SOON - MINUTE) == ("too-many-connections", True)


GOODBYES = {
    "greeting": bye("GREETING", "Too busy"),
    "after sign-in": bye("LOGIN", after=True),
    "opening": bye("EXAMINE"),
    "search": bye("SEARCH"),
    "fetch": bye(BODY),
    "greeting cut": cut("GREETING"),
    "sign-in cut": cut("LOGIN"),
    "search cut": cut("SEARCH"),
}


@pytest.mark.parametrize("when", GOODBYES)
def test_a_server_that_says_goodbye_for_good_is_told_of_and_left_alone(desk: Desk, when: str) -> None:
    play(desk, GOODBYES[when])
    report = desk.sync()
    assert (report.status, report.error_code, report.kept) == ("error", "network", 0)
    assert report.remedy
    assert desk.told == ["network"]
    sign_ins = len(desk.imap.logins)
    assert sign_ins <= intake.BARREN
    assert desk.come_due().status == "not due"
    assert len(desk.imap.logins) == sign_ins
    play(desk)
    desk.let_holes_come_due()
    desk.sync()
    assert desk.has_all


@pytest.mark.parametrize("uid", UIDS)
def test_a_goodbye_in_the_middle_of_fetch_costs_nothing(desk: Desk, uid: int) -> None:
    play(desk, bye(BODY, "Session expired, please login again.", uid=uid, times=1))  # Gmail
    assert desk.sync().status == "synced"
    assert desk.has_all


# --- refusals ------------------------------------------------------------------------------------------------------

REFUSALS = {
    "NO [OVERQUOTA] Account exceeded command or bandwidth limits": "overquota",
    "NO [THROTTLED] Account is throttled": "throttled",
    "NO [UNAVAILABLE] Temporary authentication failure, come back": "throttled",
    "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded": "too-many-connections",
    "BAD User is authenticated but not connected": "too-many-connections",
}


@pytest.mark.parametrize("at", ["LOGIN", "EXAMINE", BODY])
@pytest.mark.parametrize("text", REFUSALS)
def test_a_server_that_asks_for_a_pause_gets_one(desk: Desk, at: str, text: str) -> None:
    play(desk, refuse(at, text))
    report = desk.sync()
    assert (report.status, report.error_code, report.kept) == ("error", REFUSALS[text], 0)
    assert "the desk waits and tries again" in report.remedy
    assert desk.rest > SOON - MINUTE
    assert desk.come_due().status == "not due"
    assert len(desk.imap.logins) == 1
    play(desk)
    desk.sync()
    assert (desk.has_all, desk.holes) == (True, [])


@pytest.mark.usefixtures("singly")
@pytest.mark.parametrize("text", REFUSALS)
def test_what_came_before_a_refusal_stays_and_the_rest_comes_later(desk: Desk, text: str) -> None:
    play(desk, refuse(BODY, text, uid=5))
    report = desk.sync()
    assert (report.error_code, report.kept, desk.uids, desk.holes) == (REFUSALS[text], 2, [2, 3], [])
    play(desk)
    assert desk.sync().kept == 1
    assert desk.has_all


@pytest.mark.parametrize("uid", UIDS)
def test_a_refusal_in_the_middle_of_fetch_loses_nothing(desk: Desk, uid: int) -> None:
    play(desk, refuse(BODY, "NO [OVERQUOTA] Enough", uid=uid, times=1))
    assert desk.sync().error_code == "overquota"
    desk.sync()
    assert (desk.has_all, desk.holes) == (True, [])


def test_one_mail_that_is_refused_is_a_hole(desk: Desk) -> None:
    play(desk, refuse(BODY, "NO Server error, message is damaged", uid=3))
    report = desk.sync()
    assert (report.status, report.error_code) == ("partial", "withheld")
    assert (desk.uids, desk.holes) == ([2, 5], [3])
    assert len(desk.imap.logins) == 2  # with all others, then mail by mail


@pytest.mark.parametrize(
    ("text", "code", "remedy"),
    [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", "auth", "Renew the password"),
        ("NO [ALERT] Application-specific password required: see the help", "app-password", "Create an app password"),
    ],
)
def test_a_refused_sign_in_is_not_tried_again_until_the_block_is_changed(
    desk: Desk, text: str, code: str, remedy: str
) -> None:
    play(desk, refuse("LOGIN", text))
    report = desk.sync()
    assert (report.status, report.error_code, report.remedy[: len(remedy)]) == ("error", code, remedy)
    for _ in range(2):
        resting = desk.come_due()
        assert (resting.status, resting.error_code) == ("not due", code)
    assert (len(desk.imap.logins), desk.told) == (1, [code])
    play(desk)
    desk.change_block(credentials=PasswordCredentials(user=NAME, password=SecretStr("renewed")))
    assert desk.come_due().status == "synced"
    assert len(desk.imap.logins) == 2
    assert desk.has_all


@pytest.mark.parametrize("at", ["GREETING", "LOGIN", "EXAMINE", "SEARCH", BODY, "LOGOUT"])
@pytest.mark.parametrize("after", [False, True])
def test_an_alert_is_no_trouble(desk: Desk, at: str, after: bool) -> None:
    play(desk, say(at, "* OK [ALERT] Your password will expire; too many connections", after=after))
    assert (desk.sync().status, desk.told) == ("synced", [])
    assert desk.has_all


# --- servers that keep us waiting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [
    silence("GREETING"), silence("LOGIN"), silence("EXAMINE"), silence("SEARCH"), silence(BODY, uid=3, into=10),
])  # fmt: skip
def test_a_server_that_falls_silent_is_waited_for_so_long(desk: Desk, turn: Turn) -> None:
    desk.change_block(timeout_seconds=0.2)
    play(desk, turn)
    report = desk.sync()
    if turn.uid:
        assert (report.error_code, desk.uids, desk.holes) == ("withheld", [2, 5], [3])
    else:
        assert (report.status, report.error_code, desk.told) == ("error", "network", ["network"])
    assert len(desk.imap.logins) <= intake.BARREN
    assert desk.come_due().status == "not due"
    desk.change_block(timeout_seconds=20)
    play(desk)
    desk.let_holes_come_due()
    desk.sync()
    assert (desk.has_all, desk.holes) == (True, [])


def test_a_silence_at_the_end_is_no_trouble(desk: Desk) -> None:
    desk.change_block(timeout_seconds=0.2)
    play(desk, silence("LOGOUT"))
    assert desk.sync().status == "synced"


@pytest.mark.parametrize("turn", [
    drip("GREETING"), drip("LOGIN"), drip("EXAMINE"), drip("SEARCH"), drip(BODY),
    drip(BODY, uid=3, into=10), drip(BODY, uid=5),
])  # fmt: skip
def test_a_server_that_drips_is_left_when_the_visit_has_lasted_long_enough(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, turn: Turn
) -> None:
    play(desk, turn)
    report = visit_shortly(desk, monkeypatch)
    assert report is not None
    assert (report.status, report.error_code, desk.told) == ("error", "time-limit", ["time-limit"])
    assert len(desk.imap.logins) <= 1
    play(desk)
    desk.sync()
    assert (desk.has_all, desk.holes) == (True, [])


@pytest.mark.usefixtures("singly")
def test_what_came_before_a_server_began_to_drip_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    play(desk, drip(BODY, uid=5))
    report = visit_shortly(desk, monkeypatch, seconds=3)  # enough for what comes before, on a busy machine too
    assert report is not None
    assert (report.status, report.error_code, desk.uids) == ("partial", "time-limit", [2, 3])
    play(desk)
    assert desk.come_due().kept == 1
    assert desk.has_all


def test_a_drip_at_the_end_is_no_trouble(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    play(desk, drip("LOGOUT"))
    report = visit_shortly(desk, monkeypatch)
    assert report is not None
    assert report.status == "synced"


def visit_shortly(desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.5) -> SyncReport | None:
    """A visit that may last so long; None when it does not end by itself."""
    done: list[SyncReport] = []
    with monkeypatch.context() as patch:
        patch.setattr(intake, "Tender", lambda renew, _limit: Tender(renew, timedelta(seconds=seconds)))
        visit = threading.Thread(target=lambda: done.append(desk.sync()))
        visit.start()
        visit.join(60)
        in_time = done[:]
        if not in_time:
            desk.imap.stopping.set()
        visit.join()
    return in_time[0] if in_time else None


# --- what a folder says of itself ----------------------------------------------------------------------------------


def test_folders_have_any_name_and_a_missing_one_holds_up_no_other(desk: Desk) -> None:
    desk.imap.deliver(write_mail("pupils"), "&AOk-l&AOg-ves")
    desk.imap.behave(Quirks(missing={"Gone"}))
    desk.change_block(folders=["Gone", "INBOX", "élèves"])
    report = desk.sync()
    assert (report.status, report.error_code, report.kept) == ("partial", "configuration", 4)
    assert "Gone" in report.remedy
    assert set(look_up(desk.store, "delivery", "folder")) == {"INBOX", "élèves"}
    desk.imap.behave(Quirks())
    assert desk.sync().status == "synced"


ODD_FOLDERS = {
    "as it should be": Quirks(),
    "no UIDNEXT": Quirks(unsaid={"UIDNEXT"}),
    "no EXISTS": Quirks(unsaid={"EXISTS"}),
    "EXISTS too low": Quirks(exists=0),
    "EXISTS too high": Quirks(exists=99),
    "HIGHESTMODSEQ": Quirks(modseq=True),
    "HIGHESTMODSEQ alone": Quirks(modseq=True, unsaid={"UIDNEXT", "EXISTS"}),
    "nothing below n": Quirks(star_below=False),
    "nothing below n nor UIDNEXT": Quirks(star_below=False, unsaid={"UIDNEXT"}),
    "one EXISTS for all": Quirks(exists=1, unsaid={"UIDNEXT"}),
}


@pytest.mark.parametrize("odd", ODD_FOLDERS)
def test_new_mail_is_found_whatever_a_folder_says_of_itself_and_no_mail_is_fetched_twice(desk: Desk, odd: str) -> None:
    desk.imap.behave(ODD_FOLDERS[odd])
    assert [desk.sync().kept for _ in range(3)] == [3, 0, 0]
    for name in ("four", "five"):
        desk.imap.deliver(write_mail(name))
        assert desk.sync().kept == 1
    assert desk.has_all
    assert count_rows(desk.store, "pack") == desk.imap.count(BODY) == 3


def test_a_folder_that_is_numbered_anew_brings_everything_again_and_keeps_what_was(desk: Desk) -> None:
    desk.imap.behave(Quirks(withhold={3}))
    desk.sync()
    desk.imap.inbox.uidvalidity = 8
    desk.imap.behave(Quirks())
    assert desk.sync().kept == 3
    assert (desk.uids, desk.holes) == ([2, 2, 3, 5, 5], [])
    assert desk.sync().kept == 0


def test_a_folder_that_is_numbered_anew_with_lower_uids_hides_none(desk: Desk) -> None:
    desk.sync()
    taken = [desk.imap.inbox.take(uid) for uid in UIDS]
    desk.imap.inbox.uidvalidity, desk.imap.inbox.last_uid = 8, 0
    for mail in taken:
        desk.imap.inbox.add(mail)
    assert desk.sync().kept == 3
    assert look_up(desk.store, "delivery", "uid", uidvalidity=8) == [1, 2, 3]


def test_a_folder_without_uidvalidity_is_told_of(desk: Desk) -> None:
    desk.imap.behave(Quirks(unsaid={"UIDVALIDITY"}))
    assert desk.sync().error_code == "protocol"


# --- many mails ----------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(imap: ScriptedImap) -> ScriptedImap:
    """Ten thousand mails, no two with neighbouring UIDs."""
    for uid in range(1_000_001, 1_020_001, 2):
        imap.deliver(b"Subject: %d\r\n\r\nhello\r\n" % uid, uid=uid)
    return imap


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("turn", [cut(BODY, uid=1_010_001, into=3, times=1), bye(BODY, uid=1_019_999, times=1)])
def test_ten_thousand_mails_come_once_though_the_connection_breaks(desk: Desk, turn: Turn) -> None:
    play(desk, turn)
    assert (desk.sync().status, desk.state.kept) == ("synced", 10_003)
    assert desk.uids == desk.imap.inbox.uids
    assert len(desk.imap.logins) == 2
    assert max(map(len, desk.imap.commands)) < 8_000  # RFC 2683 §3.2.1.5: servers take lines of 8000 octets at least


def test_a_search_may_be_answered_in_several_lines(desk: Desk) -> None:
    desk.imap.behave(Quirks(listed=2))
    assert desk.sync().status == "synced"
    assert desk.has_all


# --- watching ------------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that pauses and glances shortly."""
    monkeypatch.setattr("tasks.idling.GLANCE", timedelta(milliseconds=50))
    monkeypatch.setattr("tasks.idling.PAUSES", (timedelta(milliseconds=10),) * 3)


def watch(span: timedelta) -> None:
    with disable_run_logger():
        watch_mailbox.fn(NAME, datetime.now(UTC) + span)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("turn", [bye("IDLING"), cut("IDLING"), refuse("IDLE", "NO [THROTTLED] Not now")])
def test_a_server_that_never_lets_us_idle_is_not_hammered_with_sign_ins(desk: Desk, turn: Turn) -> None:
    play(desk, turn)
    watch(timedelta(seconds=2))
    assert desk.has_all
    assert 1 <= len(desk.imap.logins) <= 5
    assert desk.state.status == "error"


@pytest.mark.usefixtures("hasty")
def test_an_alert_while_we_idle_changes_nothing(desk: Desk) -> None:
    play(desk, say("IDLING", "* OK [ALERT] Maintenance at noon"))
    waiting = threading.Timer(0.5, partial(desk.imap.deliver, write_mail("later")))
    waiting.start()
    watch(timedelta(seconds=2))
    waiting.join()
    assert desk.has_all
    assert (len(desk.imap.logins), desk.state.status) == (1, "synced")
