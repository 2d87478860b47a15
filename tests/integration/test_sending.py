"""Door 8 against a server that does as it is told: each letter once, to each recipient for itself, whatever happens."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest

import tasks.alarm
import tasks.guard
from blocks.sharing import FileSharing
from desk.errors import LetterTrouble
from desk.plan import Purpose
from letters.compose import Part
from store.engine import writing
from store.memory import Store
from store.outbox import claim_letters, turn_letters
from store.outcomes import ReadyLetter
from store.sharing import list_shared
from tasks.sealing import Sealer
from tasks.sharing import clear_shared
from tests.offices import SENDER, Desk, change_policy, open_block, read_letter, write_body
from tests.outboxes import queue_letters, tell_steps
from tests.smtp_server import ScriptedSmtp
from tests.stores import (
    ANSWERED,
    HANDED_OVER,
    LEASE,
    NOW,
    PERSON,
    bring_one,
    look_up,
    make_letter,
    make_outcome,
    open_ticket,
    settle,
    tables,
)

PAUL, MARIE = "paul@ecole.example", "marie@ecole.example"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SPAM = "550 5.7.1 Message rejected as spam"
NOISE = bytes(range(256)) * 200  # packs well
STATIC = b"".join(bytes([one * 7 % 256, one * one % 251, one % 253]) for one in range(9_000))


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with ScriptedSmtp() as scripted:
        yield scripted


@pytest.fixture
def desk(store: Store, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch) -> Desk:
    opened = Desk(store, open_block(server.port))

    def hear(subject: str, *_: str) -> bool:
        opened.told.append(subject)
        return True

    monkeypatch.setattr(tasks.alarm, "_send_alert", hear)
    monkeypatch.setattr(tasks.guard, "open_database", lambda: store.engine)
    return opened


def write(name: str = "letter", *files: Part, purpose: Purpose = Purpose.ACKNOWLEDGEMENT, **more: Any) -> ReadyLetter:
    recipients = more.get("recipients", (PERSON,))
    return make_letter(name, purpose, body=write_body(name, *files, recipients=recipients), **more)


def get_names(server: ScriptedSmtp) -> list[str]:
    """Of letters that arrived, in order."""
    return [one.message_id.strip("<>").partition("@")[0] for one in server.letters]


def get_people(desk: Desk) -> list[str]:
    return look_up(desk.store, "letter_recipient", "state")


def add_row(store: Store, name: str, **row: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(tables()[name].insert().values(**row))


# --- all is well -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [True, False])
def test_every_letter_goes_once_in_its_order(desk: Desk, server: ScriptedSmtp, pipelining: bool) -> None:
    if not pipelining:
        server.script.extensions = ()
    names = [str(one) for one in range(5)]
    queue_letters(desk.store, *map(write, names))
    count = desk.send()
    assert (count.claimed, count.sent, desk.states) == (5, 5, ["sent"] * 5)
    assert (get_names(server), server.connections) == (names, 1)
    assert desk.send().claimed == 0
    assert tell_steps(desk.store) == ["sending", "sent"]


def test_a_letter_arrives_as_it_was_written(desk: Desk, server: ScriptedSmtp) -> None:
    queue_letters(desk.store, write(recipients=(PERSON, PAUL)))
    desk.send()
    assert server.letters[0].raw == write_body(recipients=(PERSON, PAUL))
    assert (server.letters[0].sender, server.letters[0].recipients) == (SENDER, (PERSON, PAUL))


def test_an_empty_outbox_asks_for_no_server(desk: Desk, server: ScriptedSmtp) -> None:
    assert desk.send().claimed == 0
    assert server.connections == 0


def test_each_letter_costs_one_transaction_beside_that_of_its_claim(
    desk: Desk, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned: list[int] = []

    def count(*given: Any, **more: Any) -> Any:
        turned.append(len(server.letters))
        return turn_letters(*given, **more)

    monkeypatch.setattr("tasks.sending.turn_letters", count)
    queue_letters(desk.store, *(write(str(one)) for one in range(4)))
    desk.send()
    assert turned == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("asked", [("delivery",), ()])
def test_reports_of_delivery_are_asked_for_where_the_policy_wants_them(
    desk: Desk, server: ScriptedSmtp, asked: tuple[str, ...]
) -> None:
    desk.policy = change_policy(letters={"receipts": asked})
    queue_letters(desk.store, write(), write("ring", purpose=Purpose.RING))
    desk.send()
    told = {name: one.rcpt_parameters[PERSON] for name, one in zip(get_names(server), server.letters, strict=True)}
    assert bool(told["letter"]) == bool(asked)
    assert not told["ring"]


# --- recipients ------------------------------------------------------------------------------------------------------


def test_of_several_recipients_each_is_served_once_and_refused_or_deferred_for_itself(
    desk: Desk, server: ScriptedSmtp
) -> None:
    server.script.replies = {f"RCPT TO:<{PAUL}": "550 5.1.1 No such user", f"RCPT TO:<{MARIE}": "451 4.2.1 Later"}
    queue_letters(desk.store, write(recipients=(PERSON, PAUL, MARIE)))
    desk.send()
    assert (desk.states, get_people(desk)) == (["deferred"], ["sent", "refused", "deferred"])
    assert look_up(desk.store, "letter_recipient", "code") == ["250", "550", "451"]

    server.script.replies = {}
    desk.send_later(HOUR)
    assert [one.recipients for one in server.letters] == [(PERSON,), (MARIE,)]
    assert (desk.states, get_people(desk)) == (["partly"], ["sent", "refused", "sent"])


@pytest.mark.parametrize(
    ("command", "reply", "state"),
    [
        ("RCPT", "550 5.1.1 No such user", "refused"),
        ("RCPT", "450 4.2.1 Greylisted", "deferred"),
        ("MAIL", "550 5.7.60 not have permissions to send as this sender", "refused"),
        ("MAIL", "451 4.3.0 Try again", "deferred"),
        (".", "554 5.6.0 Rejected", "refused"),
        (".", "452 4.3.1 Disk full", "deferred"),
    ],
)
def test_a_refused_letter_is_never_sent_again_and_a_deferred_one_later(
    desk: Desk, server: ScriptedSmtp, command: str, reply: str, state: str
) -> None:
    server.script.replies = {command: reply}
    queue_letters(desk.store, write(), write("next", recipients=(PAUL,)))
    desk.send()
    assert desk.states == [state] * 2
    assert set(look_up(desk.store, "letter", "error_code")) == {f"smtp-{reply[:3]}"}

    server.script.replies = {}
    assert desk.send_later(MINUTE).claimed == 0
    assert len(desk.send_later(HOUR).error_code) == 0
    assert get_names(server) == (["letter", "next"] if state == "deferred" else [])


def test_tries_grow_apart_and_end_when_the_policy_says(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.replies = {"RCPT": "450 4.2.1 Greylisted"}
    desk.policy = change_policy(letters={"give_up_after": 2 * DAY}, limits={"answer_within": 30 * DAY})
    queue_letters(desk.store, write())
    tries = []
    while desk.states != ["refused"]:
        if desk.send().claimed:
            tries.append(desk.now)
        desk.now += MINUTE
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps[0] < 7 * MINUTE < gaps[1] < gaps[2] < gaps[3] < gaps[4]
    assert max(gaps) < 8 * HOUR
    assert 2 * DAY <= tries[-1] - tries[0] < 2 * DAY + 8 * HOUR
    assert look_up(desk.store, "letter", "reason") == ["given-up"]
    assert get_people(desk) == ["refused"]


# --- the server is down ----------------------------------------------------------------------------------------------


def test_with_smtp_refused_for_hours_nothing_is_counted_or_lost_and_the_operator_hears_it_once(
    desk: Desk, server: ScriptedSmtp
) -> None:
    names = [str(one) for one in range(4)]
    queue_letters(desk.store, *map(write, names))
    up = desk.server
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        desk.server = up.model_copy(update={"port": held.getsockname()[1]})
        for _ in range(3 * 60):
            assert desk.send_later(MINUTE).error_code == "network"
    assert desk.states == ["queued"] * 4
    assert set(look_up(desk.store, "letter", "attempts")) == {0}
    assert look_up(desk.store, "letter_event", "word") == []
    assert desk.told == ["smtp: network"]

    desk.server = up
    desk.send_all()
    desk.send_all()
    assert get_names(server) == names
    assert desk.told == ["smtp: network", "smtp: well again"]


def test_a_server_that_hangs_up_on_every_letter_costs_one_its_place_and_none_an_attempt(
    desk: Desk, server: ScriptedSmtp
) -> None:
    server.script.drops = {("MAIL", number) for number in range(1, 10)}
    queue_letters(desk.store, write("a"), write("b"))
    count = desk.send()
    assert count.error_code == "network"
    assert desk.states == ["deferred", "queued"]
    assert look_up(desk.store, "letter", "attempts") == [0, 0]

    server.script.drops = set()
    desk.send_later(MINUTE)
    desk.send_later(HOUR)
    assert get_names(server) == ["b", "a"]


def test_a_connection_that_is_lost_between_letters_is_opened_again(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.drops = {("answer", 2)}
    names = [str(one) for one in range(5)]
    queue_letters(desk.store, *map(write, names))
    desk.send_all()
    assert (get_names(server), desk.states) == (names, ["sent"] * 5)
    assert server.connections == 2
    assert desk.told == []


def test_a_server_that_closes_after_each_letter_gets_them_all(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.drops = {("answer", number) for number in range(1, 10)}
    names = [str(one) for one in range(4)]
    queue_letters(desk.store, *map(write, names))
    desk.send_all()
    assert (get_names(server), desk.states) == (names, ["sent"] * 4)


# --- unknown fate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False])
def test_a_letter_whose_answer_is_lost_is_told_of_and_never_resent_and_the_others_go(
    desk: Desk, server: ScriptedSmtp, kept: bool
) -> None:
    server.script.drops = {(".", 2)}
    server.script.keeps = kept
    names = [str(one) for one in range(4)]
    queue_letters(desk.store, *map(write, names))
    desk.send_all()
    assert desk.states == ["sent", "unknown", "sent", "sent"]
    assert get_names(server) == [one for one in names if kept or one != "1"]
    assert desk.told == ["letter:2: unknown-fate"]
    assert desk.send_later(DAY).claimed == 0


def test_a_letter_that_broke_off_in_the_middle_did_not_go_and_goes_later(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.drops = {("body", 1)}
    files = [Part(f"{one}.bin", "application/octet-stream", STATIC * 200) for one in range(1)]
    queue_letters(desk.store, write("large", *files), write("next", recipients=(PAUL,)))
    desk.send_all()
    assert desk.states == ["deferred", "sent"]
    desk.send_later(HOUR)
    assert (get_names(server), desk.states) == (["next", "large"], ["sent", "sent"])


# --- the gate --------------------------------------------------------------------------------------------------------


def suppress(desk: Desk, address: str) -> None:
    add_row(desk.store, "suppression", address=address, reason="bounced", code="", since=NOW, until=None)


def test_a_letter_to_a_suppressed_address_alone_is_withdrawn(desk: Desk, server: ScriptedSmtp) -> None:
    suppress(desk, PERSON)
    queue_letters(desk.store, write(), write("next", recipients=(PAUL,)))
    count = desk.send()
    assert (desk.states, count.withdrawn, get_names(server)) == (["withdrawn", "sent"], 1, ["next"])
    assert look_up(desk.store, "letter", "reason")[0] == "suppressed"
    assert get_people(desk)[0] == "suppressed"
    assert tell_steps(desk.store) == ["suppressed", "withdrawn:suppressed"]
    assert desk.told == []


def test_of_several_only_the_suppressed_one_is_left_out(desk: Desk, server: ScriptedSmtp) -> None:
    suppress(desk, PAUL)
    queue_letters(desk.store, write(recipients=(PERSON, PAUL)))
    desk.send()
    assert (desk.states, get_people(desk)) == (["partly"], ["sent", "suppressed"])
    assert [one.recipients for one in server.letters] == [(PERSON,)]


def test_a_word_to_our_own_people_that_goes_nowhere_is_told(desk: Desk) -> None:
    suppress(desk, PERSON)
    queue_letters(desk.store, write(purpose=Purpose.HANDOVER))
    desk.send()
    assert (desk.states, desk.told) == (["withdrawn"], ["letter:1: suppressed"])


@pytest.mark.parametrize(
    ("purpose", "state"),
    [
        (Purpose.ANSWER, "withdrawn"),
        (Purpose.ACKNOWLEDGEMENT, "withdrawn"),
        (Purpose.HANDOVER, "sent"),
        (Purpose.DIGEST, "sent"),
    ],
)
def test_an_automatic_letter_to_a_requester_that_grew_too_old_is_withdrawn(
    desk: Desk, purpose: Purpose, state: str
) -> None:
    queue_letters(desk.store, write(purpose=purpose))
    desk.send_later(desk.policy.limits.answer_within + MINUTE)
    assert desk.states == [state]
    assert look_up(desk.store, "letter", "reason") == ["old" if state == "withdrawn" else ""]
    assert desk.told == (["letters:old: withdrawn"] if state == "withdrawn" else [])


def test_a_ticket_whose_answer_grew_too_old_to_go_out_is_not_answered(desk: Desk) -> None:
    ticket = open_ticket(desk.store, write(purpose=Purpose.ANSWER), plan=ANSWERED)
    answered = look_up(desk.store, "ticket", "responded_at", id=ticket)
    desk.send_later(desk.policy.limits.answer_within + MINUTE)
    assert (answered, look_up(desk.store, "ticket", "responded_at", id=ticket)) == ([NOW], [None])
    assert look_up(desk.store, "event", "word")[-1] == "unsent"


def test_neither_is_one_whose_answer_every_server_refused(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.replies = {f"RCPT TO:<{PERSON}": "550 5.1.1 No such user"}
    ticket = open_ticket(desk.store, write(purpose=Purpose.ANSWER), plan=ANSWERED)
    desk.send()
    assert desk.states == ["refused"]
    assert look_up(desk.store, "ticket", "responded_at", id=ticket) == [None]


def test_one_whose_acknowledgement_is_withdrawn_stays_as_it_is(desk: Desk) -> None:
    ticket = open_ticket(desk.store, write(), plan=ANSWERED)
    desk.send_later(desk.policy.limits.answer_within + MINUTE)
    assert desk.states == ["withdrawn"]
    assert look_up(desk.store, "ticket", "responded_at", id=ticket) == [NOW]


def test_a_letter_just_young_enough_goes(desk: Desk) -> None:
    queue_letters(desk.store, write(purpose=Purpose.ANSWER))
    desk.send_later(desk.policy.limits.answer_within)
    assert desk.states == ["sent"]


def test_an_answer_is_withdrawn_when_a_person_took_the_case_and_other_letters_are_not(desk: Desk) -> None:
    ticket = open_ticket(desk.store)
    queue_letters(desk.store, write("answer", purpose=Purpose.ANSWER), ticket_id=ticket)
    queue_letters(desk.store, write("word", recipients=(PAUL,)), ticket_id=ticket)
    add_row(desk.store, "event", ticket_id=ticket, at=NOW + MINUTE, word="agent", status="new", message_id=None)
    desk.send_later(HOUR)
    assert desk.states == ["withdrawn", "sent"]
    assert look_up(desk.store, "letter", "reason") == ["agent", ""]


def test_a_letter_withdrawn_while_it_was_claimed_does_not_go(
    desk: Desk, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else changes its state between its claim and its turn."""
    queue_letters(desk.store, write("a"), write("b"), write("c"))

    def claim_and_lose(*given: Any) -> Any:
        claimed = claim_letters(*given)
        with writing(desk.store.engine) as connection:
            letter = tables()["letter"]
            connection.execute(letter.update().where(letter.c.id == 2).values(state="withdrawn"))
        return claimed

    monkeypatch.setattr("tasks.sending.claim_letters", claim_and_lose)
    desk.send()
    assert (get_names(server), desk.states) == (["a", "c"], ["sent", "withdrawn", "sent"])


def test_a_letter_whose_words_were_erased_does_not_go(desk: Desk, server: ScriptedSmtp) -> None:
    queue_letters(desk.store, write())
    with writing(desk.store.engine) as connection:
        connection.execute(tables()["letter"].update().values(body=None))
    desk.send()
    assert (server.letters, desk.states) == ([], ["withdrawn"])


# --- quotas ----------------------------------------------------------------------------------------------------------


def answer_mails(desk: Desk, *letters: ReadyLetter) -> None:
    """One letter each for as many mails, all from one mailbox."""
    for number, letter in enumerate(letters):
        mail = bring_one(desk.store, letter.header_id, sender=f"{number}@ecole.example")
        settle(desk.store, mail, make_outcome(HANDED_OVER, letter, number=f"2026-{number:06}"))


def test_a_mailbox_whose_quota_is_used_up_sends_on_when_its_window_opens_again(
    desk: Desk, server: ScriptedSmtp
) -> None:
    desk.policy = change_policy(limits={"sent_per_mailbox": {DAY: 2}})
    answer_mails(desk, *(write(str(one), recipients=(f"{one}@ecole.example",)) for one in range(5)))
    desk.send_all()
    assert (get_names(server), desk.states) == (["0", "1"], ["sent"] * 2 + ["deferred"] * 3)
    assert look_up(desk.store, "letter", "reason")[2:] == ["quota"] * 3
    assert set(look_up(desk.store, "letter", "attempts")[2:]) == {0}
    assert desk.told == ["quota:support: quota"]

    assert desk.send_later(DAY - MINUTE).claimed == 0
    desk.send_later(MINUTE)
    assert get_names(server) == ["0", "1", "2", "3"]
    desk.send_later(DAY)
    assert get_names(server) == ["0", "1", "2", "3", "4"]
    assert desk.told == ["quota:support: quota", "quota:support: well again"]


def test_under_a_quota_what_is_urgent_goes_first(desk: Desk, server: ScriptedSmtp) -> None:
    desk.policy = change_policy(limits={"sent_per_mailbox": {DAY: 2}})
    plain = [write(str(one), recipients=(f"{one}@ecole.example",)) for one in range(3)]
    answer_mails(desk, *plain, write("handover", purpose=Purpose.HANDOVER, recipients=("team@atelier.example",)))
    desk.send_all()
    assert get_names(server) == ["handover", "0"]


def test_a_quota_holds_back_no_other_mailbox_and_no_letter_without_one(desk: Desk, server: ScriptedSmtp) -> None:
    desk.policy = change_policy(limits={"sent_per_mailbox": {DAY: 1}})
    answer_mails(desk, write("a"), write("b"))
    queue_letters(desk.store, write("digest", purpose=Purpose.DIGEST))
    desk.send_all()
    assert get_names(server) == ["a", "digest"]


# --- taken for spam --------------------------------------------------------------------------------------------------


def test_a_letter_refused_as_spam_goes_once_more_as_plain_text_under_its_own_name(
    desk: Desk, server: ScriptedSmtp
) -> None:
    server.script.replies = {".": SPAM}
    queue_letters(desk.store, write("letter", Part("notice.txt", "text/plain", b"hello")))
    desk.send()
    assert (desk.states, look_up(desk.store, "letter", "shape")) == (["deferred"], ["plain"])

    server.script.replies = {}
    desk.send()
    (arrived,) = server.letters
    parsed = read_letter(arrived.raw)
    assert arrived.message_id == "<letter@mail.example>"
    assert not any(one.get_content_type() == "text/html" for one in parsed.walk())
    assert [one.get_filename() for one in parsed.iter_attachments()] == ["notice.txt"]
    assert tell_steps(desk.store) == ["sending", "deferred:spam", "plain", "sending", "sent"]


def test_a_letter_refused_as_spam_twice_is_refused(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.replies = {".": SPAM}
    queue_letters(desk.store, write())
    desk.send_all()
    desk.send_later(DAY)
    assert (desk.states, get_people(desk)) == (["refused"], ["refused"])
    assert look_up(desk.store, "letter", "reason") == ["spam"]
    assert server.verbs.count("DATA") == 2


def test_a_letter_that_is_plain_already_is_not_sent_again_for_spam(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.replies = {".": SPAM}
    queue_letters(desk.store, make_letter(body=write_body(html=False)))
    desk.send_all()
    assert (desk.states, server.verbs.count("DATA")) == (["refused"], 1)


# --- too large -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sharing(tmp_path: Path) -> FileSharing:
    return FileSharing(folder=str(tmp_path / "shared"), base_url="https://files.atelier.example/d")


def get_files(raw: bytes) -> dict[str, bytes]:
    return {str(one.get_filename()): one.get_content() for one in read_letter(raw).iter_attachments()}


def get_texts(raw: bytes) -> tuple[str, str]:
    """Plain text and page of a letter."""
    parsed = read_letter(raw)
    plain, page = (parsed.get_body((kind,)) for kind in ("plain", "html"))
    assert plain
    assert page
    return plain.get_content(), page.get_content()


def test_a_letter_too_large_for_the_server_has_its_files_packed(desk: Desk, server: ScriptedSmtp) -> None:
    server.script.size = 30_000
    queue_letters(desk.store, write("letter", Part("list.csv", "text/csv", NOISE)))
    desk.send()
    ((name, data),) = get_files(server.letters[0].raw).items()
    assert name == "list.csv.zip"
    assert ZipFile(io.BytesIO(data)).read("list.csv") == NOISE
    assert look_up(desk.store, "letter", "shape") == ["zipped"]
    assert tell_steps(desk.store) == ["zipped", "sending", "sent"]


def test_what_packing_does_not_make_small_enough_goes_behind_a_link(
    desk: Desk, server: ScriptedSmtp, sharing: FileSharing
) -> None:
    desk.policy, desk.sharing = change_policy(letters={"most_bytes": 20_000}), sharing
    files = Part("plan à jour.pdf", "application/pdf", STATIC), Part("note.bin", "application/octet-stream", b"small")
    queue_letters(desk.store, write("letter", *files, language="fr"))
    desk.send()
    raw = server.letters[0].raw
    assert get_files(raw) == {"note.bin": b"small"}
    assert look_up(desk.store, "letter", "shape") == ["linked"]
    text, page = get_texts(raw)
    (place,) = list_shared(desk.store)
    link = f"https://files.atelier.example/d/{place}/"
    assert link in text
    assert link in page
    assert "plan à jour.pdf (27\N{NO-BREAK SPACE}ko)" in text
    assert "jusqu'au mardi 1er décembre 2026 inclus" in text
    laid = Path(sharing.folder, urlsplit(next(word for word in text.split() if link in word)).path.removeprefix("/d/"))
    assert laid.read_bytes() == STATIC


def test_without_a_place_to_share_the_letter_says_in_its_language_what_it_leaves_out(
    desk: Desk, server: ScriptedSmtp
) -> None:
    desk.policy = change_policy(letters={"most_bytes": 20_000})
    queue_letters(desk.store, write("letter", Part("plan.pdf", "application/pdf", STATIC), language="en"))
    desk.send()
    text, page = get_texts(server.letters[0].raw)
    for words in (text, page):
        assert "Too large for an e-mail" in words
        assert "plan.pdf (27\N{NO-BREAK SPACE}kB)" in words
    assert get_files(server.letters[0].raw) == {}
    assert look_up(desk.store, "letter", "shape") == ["noted"]


@pytest.mark.parametrize("reply", ["552 5.3.4 Message size exceeds fixed limit", "552 Message too large"])
def test_a_server_that_says_only_afterwards_that_a_letter_is_too_large_gets_it_without_files(
    desk: Desk, server: ScriptedSmtp, sharing: FileSharing, reply: str
) -> None:
    desk.sharing, server.script.replies = sharing, {".": reply}
    queue_letters(desk.store, write("letter", Part("plan.pdf", "application/pdf", STATIC)))
    desk.send()
    assert desk.states == ["deferred"]
    server.script.replies = {}
    desk.send()
    assert (get_files(server.letters[0].raw), len(list_shared(desk.store))) == ({}, 1)
    assert (desk.states, look_up(desk.store, "letter", "shape")) == (["sent"], ["linked"])


def test_a_letter_that_is_too_large_even_without_its_files_is_refused_and_nothing_is_laid(
    desk: Desk, server: ScriptedSmtp, sharing: FileSharing
) -> None:
    desk.sharing, server.script.size = sharing, 400
    queue_letters(desk.store, write("letter", Part("plan.pdf", "application/pdf", STATIC)))
    desk.send()
    assert (desk.states, server.letters) == (["refused"], [])
    assert look_up(desk.store, "letter", "reason") == ["too-large"]
    assert list_shared(desk.store) == frozenset()
    assert not Path(sharing.folder).exists()
    assert desk.told == ["letter:1: too-large"]


def test_a_letter_that_is_tried_again_leads_to_the_file_that_was_laid_first(
    desk: Desk, server: ScriptedSmtp, sharing: FileSharing
) -> None:
    desk.policy, desk.sharing = change_policy(letters={"most_bytes": 20_000}), sharing
    server.script.replies = {".": "451 4.3.0 Later"}
    queue_letters(desk.store, write("letter", Part("plan.pdf", "application/pdf", STATIC)))
    desk.send()
    server.script.replies = {}
    desk.send_later(HOUR)
    (place,) = list_shared(desk.store)
    assert [place for place, _ in sharing.list_places()] == [place]
    assert place in get_texts(server.letters[0].raw)[0]


def test_shared_files_are_gone_when_their_links_have_expired(
    desk: Desk, sharing: FileSharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.sharing.open_sharing", lambda: sharing)
    desk.policy, desk.sharing = change_policy(letters={"most_bytes": 20_000}), sharing
    queue_letters(desk.store, write("letter", Part("plan.pdf", "application/pdf", STATIC)))
    desk.send()
    assert clear_shared(desk.store, NOW + 14 * DAY - MINUTE) == 0
    assert len(list(sharing.list_places())) == 1
    assert clear_shared(desk.store, NOW + 14 * DAY) == 1
    assert list(sharing.list_places()) == []
    assert look_up(desk.store, "shared_file", "state") == ["gone"]
    assert clear_shared(desk.store, NOW + 14 * DAY) == 0


# --- sealing ---------------------------------------------------------------------------------------------------------


def test_a_letter_that_cannot_be_sealed_is_refused_with_its_reason_and_the_others_go(
    desk: Desk, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seal(_: Sealer, body: bytes, recipients: tuple[str, ...]) -> bytes:
        if PERSON in recipients:
            raise LetterTrouble("no certificate", code="no-certificate", remedy="Add it.")
        return body.replace(b"Subject: ", b"X-Sealed: yes\r\nSubject: ")

    monkeypatch.setattr(Sealer, "seal", seal)
    queue_letters(desk.store, write("a"), write("b", recipients=(PAUL,)))
    desk.send()
    assert (get_names(server), desk.states) == (["b"], ["refused", "sent"])
    assert b"X-Sealed: yes" in server.letters[0].raw
    assert look_up(desk.store, "letter", "reason") == ["no-certificate", ""]
    assert desk.told == ["letter:1: no-certificate"]


def test_a_letter_that_nobody_foresaw_waits_and_holds_up_no_other(
    desk: Desk, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seal(_: Sealer, body: bytes, recipients: tuple[str, ...]) -> bytes:
        if PERSON in recipients:
            raise ValueError(f"what is this to {PERSON}")
        return body

    monkeypatch.setattr(Sealer, "seal", seal)
    queue_letters(desk.store, write("a"), write("b", recipients=(PAUL,)))
    desk.send()
    assert (get_names(server), desk.states) == (["b"], ["deferred", "sent"])
    assert desk.told == ["letter:1: incident"]
    assert look_up(desk.store, "incident", "error_type") == ["ValueError"]


# --- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
def test_a_copy_for_the_sent_folder_is_queued_where_the_policy_wants_one(desk: Desk, wanted: bool) -> None:
    desk.policy = change_policy(letters={"sent_copy": wanted})
    answer_mails(desk, write())
    queue_letters(desk.store, write("digest", purpose=Purpose.DIGEST))
    desk.send()
    copies = look_up(desk.store, "filing", "letter_id", action="sent")
    assert copies == ([1] if wanted else [])


# --- slow servers ----------------------------------------------------------------------------------------------------


def test_a_slow_server_does_not_cost_the_claims_of_the_letters_behind(
    desk: Desk, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each letter takes half a claim by the clock; another worker looks for work all the while."""
    queue_letters(desk.store, *(write(str(one)) for one in range(6)))

    def dawdle(*given: Any, **more: Any) -> Any:
        desk.now += desk.policy.limits.claim * 0.6
        assert claim_letters(desk.store, "other", desk.now, LEASE, 10) == ()
        return turn_letters(*given, **more)

    monkeypatch.setattr("tasks.sending.turn_letters", dawdle)
    desk.send()
    assert (len(server.letters), desk.states) == (6, ["sent"] * 6)
