"""Degrade, don't stop: whatever is down, whoever misbehaves, the rest goes on, once, and the operator hears it once."""

from __future__ import annotations

import email
import email.policy
import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State
from pydantic import SecretStr

import tasks.deciding
import tasks.reading
from blocks import ImapMailbox, PasswordCredentials, SmtpServer
from demo.house import MAILBOXES, save_desk
from demo.once import MORNING
from demo.samples import list_samples
from demo.servers import Accepted, SmtpSink, open_mailbox, read_folder
from desk.mail import read_mail
from desk.plan import Purpose
from store.engine import writing
from store.outcomes import ReadyLetter, keep_letter
from store.troubles import list_quarantine, read_incident, replay_quarantined
from tasks.judging import judge_mail
from tasks.opening import DESK
from tests.acceptance.mistral import ask_mistral
from tests.acceptance.scene import PASSWORD, Scene
from tests.fake_mistral import FakeMistral
from tests.stores import look_up, tables

OPERATOR = "exploitation@atelier.example"
LEA = "lea@ecole.example"
SUBJECT = "Mot de passe oublié"
TEXT = "Bonjour,\n\nJe n'arrive plus à me connecter à e-carnet, mon mot de passe est refusé."
BILLING = "Bonjour,\n\nLe montant de notre facture ne correspond pas au devis signé en septembre."
FRAME = """\
Authentication-Results: mx.atelier.example; dmarc=pass header.from={domain}
From: Léa <{sender}>
To: support@atelier.example
Subject: {subject}
Date: {date}
Message-ID: <{name}@{domain}>
{more}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{text}
Demande {name}
"""


def write_mail(name: str = "1", sender: str = LEA, subject: str = SUBJECT, text: str = TEXT, more: str = "") -> bytes:
    """A mail of a proven sender that the desk answers by itself, written now."""
    now = format_datetime(datetime.now(UTC))
    domain = sender.partition("@")[2]
    filled = FRAME.format(
        name=name, sender=sender, domain=domain, subject=subject, text=text, date=now, more=more
    )  # fmt: skip
    return filled.replace("\n", "\r\n").encode()


def handle(scene: Scene, *mails: bytes) -> State[Any]:
    """Deliver mails to the first mailbox and let the desk work on them."""
    scene.deliver(mails)
    scene.sync()
    return scene.work()


def is_partial(state: State[Any]) -> bool:
    return (state.type.value, state.name) == ("FAILED", "Partial")


def hear(scene: Scene, key: str) -> list[str]:
    """What the operator was told of one trouble, over the webhook."""
    alarms = [json.loads(post.body) for post in scene.hook.posts]
    return [alarm["subject"].removeprefix(f"Byreturn: {key}: ") for alarm in alarms if alarm["key"] == key]


def parse(raw: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def get_letters(sink: SmtpSink, *recipients: str) -> list[Accepted]:
    """What the sink took but for alarms, in order; to these recipients only, if any are named."""
    letters = [one for one in sink.accepted if OPERATOR not in one.recipients]
    return [one for one in letters if not recipients or set(recipients) & set(one.recipients)]


def get_ids(letters: Sequence[Accepted]) -> list[str]:
    return [str(parse(one.raw)["Message-ID"]) for one in letters]


def get_states(scene: Scene) -> list[str]:
    return [one.state for one in scene.letters]


def change_rows(scene: Scene, name: str, **values: object) -> None:
    """Set columns of every row of a table, such as the time of a next try."""
    with writing(scene.store.engine) as connection:
        connection.execute(sa.update(tables()[name]).values(**values))


@contextmanager
def refuse_port() -> Iterator[int]:
    """A port that nobody else gets and where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


# --- SMTP is down ------------------------------------------------------------------------------------------------


def test_with_smtp_down_the_outbox_waits_and_is_sent_once_and_in_order_when_it_is_back(scene: Scene) -> None:
    with refuse_port() as port:
        save_desk(scene.home, port, (OPERATOR,), scene.hook.url)
        states = [handle(scene, write_mail(str(run), f"lea@ecole-{run}.example")) for run in range(3)]
    assert all(is_partial(state) for state in states)
    assert all("SMTP: network" in str(state.message) for state in states)
    assert set(get_states(scene)) == {"queued"}
    assert hear(scene, "smtp") == ["network"]

    save_desk(scene.home, scene.sink.port, (OPERATOR,), scene.hook.url)
    assert scene.work().is_completed()
    assert set(get_states(scene)) == {"sent"}
    assert get_ids(get_letters(scene.sink)) == look_up(scene.store, "letter", "header_id")
    assert scene.work().is_completed()
    assert len(get_letters(scene.sink)) == len(scene.letters)
    assert hear(scene, "smtp") == ["network", "well again"]


def test_a_refused_smtp_sign_in_is_told_with_its_remedy(scene: Scene) -> None:
    with SmtpSink(users={"desk": "right"}) as strict:
        who = PasswordCredentials(user="desk", password=SecretStr("wrong"))
        SmtpServer(host=strict.host, port=strict.port, security="none", sender=LEA, credentials=who).save(
            DESK, overwrite=True
        )
        state = handle(scene, write_mail())
    assert is_partial(state)
    assert "SMTP: auth" in str(state.message)
    assert get_states(scene) == ["queued"]
    assert hear(scene, "smtp") == ["auth"]


# --- a mailbox is down ---------------------------------------------------------------------------------------------


def save_mailbox(scene: Scene, name: str = "contact", **more: Any) -> None:
    given = {
        "address": MAILBOXES.get(name, LEA),
        "host": scene.imap.host,
        "port": scene.imap.port,
        "security": "none",
        "credentials": PasswordCredentials(user=name, password=SecretStr(PASSWORD)),
    }
    ImapMailbox.model_validate(given | more).save(name, overwrite=True)


def sync_due() -> State[Any]:
    """As the schedule does."""
    from flows.sync_inbox import sync_inbox

    return sync_inbox(return_state=True)


def get_mailbox(scene: Scene, column: str) -> Any:
    """A column of the second mailbox."""
    return look_up(scene.store, "mailbox", column, address=MAILBOXES["contact"])[0]


WRONG: dict[str, Any] = {"credentials": PasswordCredentials(user="contact", password=SecretStr("wrong"))}


@pytest.mark.parametrize("code", ["auth", "network"])
def test_one_mailbox_down_is_named_with_its_remedy_told_once_and_the_other_goes_on(scene: Scene, code: str) -> None:
    with refuse_port() as port:
        save_mailbox(scene, **(WRONG if code == "auth" else {"port": port}))
        for name in ("1", "2"):
            scene.deliver([write_mail(name)])
            state = scene.sync()
            assert is_partial(state)
            assert str(state.message).startswith("1 mails kept from 2 mailboxes; contact: ")
            assert f"contact: {code}. {get_mailbox(scene, 'remedy')}" in str(state.message)
    assert get_mailbox(scene, "remedy")
    assert scene.work().is_completed()
    assert [one.verdict for one in scene.mails] == ["answered", "answered"]
    assert hear(scene, "mailbox:contact") == [code]

    save_mailbox(scene)
    assert [scene.sync().is_completed() for _ in range(2)] == [True, True]
    assert hear(scene, "mailbox:contact") == [code, "well again"]
    assert hear(scene, "mailbox:support") == []


def test_a_refused_sign_in_is_left_alone_until_somebody_changes_the_block_or_runs_it_by_hand(scene: Scene) -> None:
    save_mailbox(scene, **WRONG)
    assert is_partial(sync_due())
    first = get_mailbox(scene, "last_sync_at")
    assert get_mailbox(scene, "next_due_at") - first > timedelta(hours=23)
    assert is_partial(sync_due())  # it stays named
    assert get_mailbox(scene, "last_sync_at") == first

    assert is_partial(scene.sync())
    second = get_mailbox(scene, "last_sync_at")
    assert second > first

    save_mailbox(scene, credentials=PasswordCredentials(user="contact", password=SecretStr("mistyped")))
    assert is_partial(sync_due())
    third = get_mailbox(scene, "last_sync_at")
    assert third > second
    save_mailbox(scene)
    assert sync_due().is_completed()
    assert get_mailbox(scene, "status") == "synced"


@pytest.fixture
def double(scene: Scene) -> Iterator[str]:
    """A second block for an account that another one reads already."""
    save_mailbox(scene, "double", credentials=PasswordCredentials(user="support", password=SecretStr(PASSWORD)))
    yield "double"
    ImapMailbox.delete("double")


def test_a_block_that_cannot_be_used_holds_up_no_other_mailbox(scene: Scene, double: str) -> None:
    scene.deliver([write_mail()], "contact")
    scene.sync()
    scene.deliver([write_mail("2")], "contact")
    change_rows(scene, "mailbox", next_due_at=None)
    for _ in range(2):
        state = sync_due()
        assert is_partial(state)
        assert f"{double}: configuration. Delete or disable one of the two blocks." in str(state.message)
    assert len(scene.mails) == 2
    assert hear(scene, f"mailbox:{double}") == ["configuration"]


# --- letters ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """How the server refuses, and what becomes of the letter."""

    refusals: dict[str, str] = field(default_factory=dict)
    reply: str = ""
    state: str = ""
    error_code: str = ""
    code: str = ""  # of the recipient


REFUSALS = (
    Refusal({LEA: "550 5.1.1 No such user"}, "", "refused", "smtp-550", "550"),
    Refusal({LEA: "451 4.7.1 Try again later"}, "", "deferred", "smtp-451", "451"),
    Refusal({}, "554 5.6.0 Rejected", "refused", "smtp-554", "554"),
    Refusal({}, "452 4.3.1 Disk full", "deferred", "smtp-452", "452"),
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.error_code + one.code)
def test_a_refused_letter_is_never_sent_again_and_a_deferred_one_later(scene: Scene, refusal: Refusal) -> None:
    manners = scene.sink.manners
    manners.refusals, manners.reply = refusal.refusals, refusal.reply
    handle(scene, write_mail())
    (letter,) = scene.letters
    assert (letter.state, letter.error_code, letter.attempts) == (refusal.state, refusal.error_code, 1)
    assert look_up(scene.store, "letter_recipient", "code") == [refusal.code]

    manners.refusals, manners.reply = {}, ""
    scene.work()
    assert get_letters(scene.sink) == []  # refused, or its next try has not come

    later = look_up(scene.store, "letter", "next_try_at")[0]
    assert (later is not None and later > datetime.now(UTC) + timedelta(minutes=3)) == (refusal.state == "deferred")
    change_rows(scene, "letter", next_try_at=None)
    scene.work()
    assert len(get_letters(scene.sink, LEA)) == (refusal.state == "deferred")


def try_days_later(scene: Scene) -> None:
    """The next try comes two days after the first."""
    change_rows(scene, "letter_event", at=datetime.now(UTC) - timedelta(days=2))
    change_rows(scene, "letter", next_try_at=None)
    scene.work()


@pytest.mark.parametrize("refusal", [REFUSALS[1], REFUSALS[3]], ids=lambda one: one.error_code)
def test_a_letter_that_is_always_deferred_is_given_up_in_the_end(scene: Scene, refusal: Refusal) -> None:
    scene.sink.manners.refusals, scene.sink.manners.reply = refusal.refusals, refusal.reply
    handle(scene, write_mail())
    change_rows(scene, "letter", next_try_at=None)
    scene.work()
    assert get_states(scene) == ["deferred"]
    try_days_later(scene)
    assert get_states(scene) == ["refused"]


def queue_letter(scene: Scene, *recipients: str) -> None:
    """A letter of ours to several, such as none of the desk's own yet."""
    body = b"From: support@atelier.example\r\nMessage-ID: <several@atelier.example>\r\n\r\nBonjour\r\n"
    letter = ReadyLetter(Purpose.ALARM, "<several@atelier.example>", MAILBOXES["support"], recipients, body)
    with writing(scene.store.engine) as connection:
        keep_letter(connection, letter, "test", datetime.now(UTC))


def get_recipients(scene: Scene) -> list[str]:
    return look_up(scene.store, "letter_recipient", "state")


def test_of_several_recipients_each_is_served_once_and_refused_or_deferred_for_itself(scene: Scene) -> None:
    queue_letter(scene, LEA, "refused@ecole.example", "later@ecole.example")
    scene.work()
    assert get_states(scene) == ["deferred"]
    assert get_recipients(scene) == ["sent", "refused", "deferred"]

    scene.sink.manners.refusals = {}
    change_rows(scene, "letter", next_try_at=None)
    scene.work()
    assert [one.recipients for one in get_letters(scene.sink)] == [(LEA,), ("later@ecole.example",)]
    assert get_recipients(scene) == ["sent", "refused", "sent"]
    assert get_states(scene) == ["partly"]


def test_a_letter_given_up_that_some_have_got_says_so(scene: Scene) -> None:
    queue_letter(scene, LEA, "later@ecole.example")
    scene.work()
    try_days_later(scene)
    assert get_states(scene) == ["partly"]
    assert get_recipients(scene) == ["sent", "refused"]


def test_a_recipient_refused_for_good_is_not_tried_again_with_those_deferred_at_data(scene: Scene) -> None:
    scene.sink.manners.reply = "452 4.3.1 Disk full"
    queue_letter(scene, LEA, "refused@ecole.example")
    scene.work()
    assert get_states(scene) == ["deferred"]
    assert get_recipients(scene) == ["deferred", "refused"]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_letter_of_unknown_fate_is_shown_and_never_sent_again(scene: Scene, keeps: bool) -> None:
    scene.sink.manners.drops, scene.sink.manners.keeps = 1, keeps
    state = handle(scene, write_mail("1"), write_mail("2", "zoe@lycee.example"))
    assert is_partial(state)
    assert "1 of unknown fate" in str(state.message)
    assert sorted(get_states(scene)) == ["sent", "unknown"]
    (lost,) = [one for one in scene.letters if one.state == "unknown"]
    assert hear(scene, f"letter:{lost.id}") == ["unknown-fate"]
    reached = get_ids(get_letters(scene.sink))
    assert len(reached) == 1 + keeps

    change_rows(scene, "letter", next_try_at=None)
    assert scene.work().is_completed()
    assert get_ids(get_letters(scene.sink)) == reached
    assert hear(scene, f"letter:{lost.id}") == ["unknown-fate"]


def test_a_letter_above_the_servers_size_is_not_even_begun(scene: Scene) -> None:
    with SmtpSink(max_bytes=1_000) as narrow:
        save_desk(scene.home, narrow.port, (OPERATOR,), scene.hook.url)
        handle(scene, write_mail())
        assert narrow.commands == ["MAIL"]  # that of the alarm
    (letter,) = scene.letters
    assert (letter.state, letter.error_code) == ("refused", "too-large")
    assert hear(scene, f"letter:{letter.id}") == ["too-large"]


# --- the model is down, or worse -------------------------------------------------------------------------------------


SAMPLES = {one.name: one for one in list_samples()}


@pytest.mark.parametrize("name", ["27-steering-fr", "40-steering-hidden-en"])
def test_a_mail_that_bends_the_model_gets_nothing_by_it(scene: Scene, name: str) -> None:
    sample = SAMPLES[name]
    with ask_mistral(FakeMistral(answer={"category": "account", "priority": "urgent", "confidence": 1.0})):
        scene.deliver([sample.raw])
        scene.sync()
        scene.work(at=MORNING)
    (view,) = scene.mails
    assert (view.source, view.verdict, view.reason) == ("mistral", sample.verdict, "steering")
    assert view.priority == "normal"
    assert "answer" not in view.letters


PHONE = re.compile(r"(?<![\w.])(?:\+\d\d|0)[ .]?(?:\(0\))?[1-9](?:[ .-]?\d\d){4}(?!\w)")


def find_people() -> set[str]:
    """Addresses, phone numbers and correspondents' names of all samples, as they may stand in a text."""
    named = {name for sample in SAMPLES.values() for name, _ in list_correspondents(parse(sample.raw))}
    told = {person for sample in SAMPLES.values() for person in sample.people}
    numbers = {one for sample in SAMPLES.values() for one in PHONE.findall(sample.raw.decode(errors="replace"))}
    return numbers | {one for one in told if "@" in one or one in named}


def list_correspondents(mail: EmailMessage) -> list[tuple[str, str]]:
    return getaddresses([str(value) for name in ("From", "Reply-To", "Cc") for value in mail.get_all(name, [])])


def test_no_address_number_or_correspondents_name_crosses_the_wire(scene: Scene) -> None:
    people = find_people()
    assert len(people) > len(SAMPLES)
    assert any(PHONE.fullmatch(one) for one in people)
    with ask_mistral(FakeMistral()) as fake:
        for name in MAILBOXES:
            scene.deliver((one.raw for one in SAMPLES.values() if name in one.mailboxes), name)
        scene.sync()
        scene.work(at=MORNING)
    asked = {view.message_id for view in scene.mails if view.source == "mistral"}
    assert len(fake.requests) == len(asked) > 20
    seen = "\n".join(json.dumps(one, ensure_ascii=False).lower() for one in fake.requests)
    assert "e-carnet" in seen
    assert [one for one in people if one.lower() in seen] == []


# --- one bad mail ----------------------------------------------------------------------------------------------------

BAD = "Mauvais"
THREE = (
    write_mail("1", "un@ecole.example"), write_mail("2", "deux@ecole.example", BAD),
    write_mail("3", "trois@ecole.example"),
)  # fmt: skip


def break_reading(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    def stumble(raw: bytes) -> Any:
        if BAD.encode() in raw:
            raise ZeroDivisionError(BAD)
        return read_mail(raw)

    patch.setattr(tasks.reading, "read_mail", stumble)


def refuse_row(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    plant = "CREATE TRIGGER refuse BEFORE INSERT ON {} WHEN NEW.subject = '{}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    with writing(scene.store.engine) as connection:
        connection.exec_driver_sql(plant.format("message", BAD))


def refuse_ticket(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    plant = "CREATE TRIGGER refuse BEFORE INSERT ON {} WHEN NEW.subject = '{}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    with writing(scene.store.engine) as connection:
        connection.exec_driver_sql(plant.format("ticket", BAD))


def break_judging(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    def stumble(bench: Any, mail: Any, *more: Any) -> Any:
        if mail.subject == BAD:
            raise ZeroDivisionError(BAD)
        return judge_mail(bench, mail, *more)

    patch.setattr(tasks.deciding, "judge_mail", stumble)


def mend(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.undo()
    with writing(scene.store.engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS refuse")


def get_verdicts(scene: Scene) -> list[str]:
    return [one.verdict for one in scene.mails]


QUARANTINES = (
    (break_reading, "ZeroDivisionError"),
    (refuse_row, "IntegrityError"),
    (break_judging, "ZeroDivisionError"),
    (refuse_ticket, "IntegrityError"),
)


@pytest.mark.parametrize("policy", [[("attempts: 5", "attempts: 1")]], indirect=True)
@pytest.mark.parametrize(("spoil", "cause"), QUARANTINES)
def test_one_bad_mail_is_set_aside_with_its_cause_the_others_are_answered_and_it_can_be_replayed(
    scene: Scene, policy: None, spoil: Any, cause: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        spoil(scene, patch)
        state = handle(scene, *THREE)
        assert is_partial(state)
        assert "1 in quarantine" in str(state.message)
        assert get_verdicts(scene) == ["answered", "", "answered"]
        (aside,) = list_quarantine(scene.store.engine)
        assert (aside.cause, aside.attempts) == (cause, 1)
        kept = read_incident(scene.store.engine, aside.incident)
        assert kept is not None
        assert "Traceback" in kept.cause
        mend(scene, patch)
    assert replay_quarantined(scene.store.engine, aside.id)
    assert scene.work().is_completed()
    assert get_verdicts(scene) == ["answered"] * 3
    assert list_quarantine(scene.store.engine) == ()
    assert len(get_letters(scene.sink)) == 3


@pytest.mark.parametrize("spoil", [break_judging, refuse_ticket])
def test_one_mail_that_cannot_be_decided_is_tried_again_later(scene: Scene, spoil: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        spoil(scene, patch)
        state = handle(scene, *THREE)
        mend(scene, patch)
    assert is_partial(state)
    assert "1 to be tried again" in str(state.message)
    assert get_verdicts(scene) == ["answered", "", "answered"]
    assert list_quarantine(scene.store.engine) == ()
    assert scene.work().is_completed()
    assert get_verdicts(scene) == ["answered", "", "answered"]  # its next try has not come
    change_rows(scene, "message", next_try_at=None)
    change_rows(scene, "conversation", claimed_until=None)
    scene.work()
    assert get_verdicts(scene) == ["answered"] * 3


# --- caps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "Reply-To: accueil@ecole.example\n"], ids=["sender", "reply-to"])
def test_a_sender_who_writes_much_gets_no_more_letters_than_the_policy_allows(scene: Scene, more: str) -> None:
    now = datetime.now(UTC)
    counts = []
    for round_, minutes in enumerate((0, 20, 40)):
        scene.deliver(write_mail(f"{round_}-{one}", more=more) for one in range(10 - 3 * round_))
        scene.sync()
        scene.work(at=now + timedelta(minutes=minutes))
        counts.append(len(get_letters(scene.sink, LEA, "accueil@ecole.example")))
    assert counts == [3, 6, 6]  # letters_per_sender: {10m: 3, 1h: 6}
    assert get_verdicts(scene).count("answered") == 6
    assert {one.reason for one in scene.mails if one.verdict == "drafted"} == {"cap"}


@pytest.mark.parametrize("threaded", [True, False], ids=["threaded", "unthreaded"])
def test_two_desks_that_answer_each_other_fall_silent(scene: Scene, threaded: bool) -> None:
    now, answered = datetime.now(UTC), 0
    scene.deliver([write_mail("first")])
    for round_ in range(8):
        scene.sync()
        scene.work(at=now + timedelta(minutes=round_))
        letters = get_letters(scene.sink, LEA)
        if len(letters) == answered:
            break
        scene.deliver(answer_back(parse(one.raw), f"r{round_}", threaded) for one in letters[answered:])
        answered = len(letters)
    assert 1 <= answered <= 3
    assert len(get_letters(scene.sink, LEA)) == answered


def answer_back(letter: EmailMessage, name: str, threaded: bool) -> bytes:
    """What a careless desk makes of our letter: no sign that a machine wrote it."""
    plain = letter.get_body(("plain",))
    assert plain is not None
    more = f"In-Reply-To: {letter['Message-ID']}\n" if threaded else ""
    return write_mail(name, subject=f"Re: {letter['Subject']}", text=plain.get_content(), more=more)


# --- what lay there before, and the end of the way -------------------------------------------------------------------


def append_at(scene: Scene, name: str, arrived: datetime) -> None:
    with open_mailbox(scene.imap, "support") as client:
        client.append("INBOX", write_mail(name, f"{name}@ecole.example"), msg_time=arrived)


def test_mail_from_before_the_desk_is_kept_and_left_alone_and_what_comes_later_is_not(scene: Scene) -> None:
    now = datetime.now(UTC)
    append_at(scene, "lay", now - timedelta(days=4))
    append_at(scene, "came", now - timedelta(days=2))
    handle(scene)
    assert [(one.verdict, one.reason) for one in scene.mails] == [("ignored", "history"), ("answered", "confident")]

    append_at(scene, "late", now - timedelta(days=40))
    handle(scene)
    assert scene.mails[-1].verdict == "answered"
    assert [one.recipients for one in get_letters(scene.sink)] == [("came@ecole.example",), ("late@ecole.example",)]


def test_a_mailbox_made_anew_makes_no_ticket_twice(scene: Scene) -> None:
    from demo.house import FOLDERS, save_mailboxes
    from demo.servers import ImapServer, deliver_all

    mails = [write_mail("1"), write_mail("2", "zoe@lycee.example")]
    handle(scene, *mails)
    with ImapServer(dict.fromkeys(MAILBOXES, PASSWORD), FOLDERS) as anew:
        save_mailboxes(anew.port, PASSWORD)
        deliver_all(anew, "support", [*mails, write_mail("3", "ali@lycee.example")])
        scene.sync()
        scene.work()
    assert len(look_up(scene.store, "delivery", "id")) == 5
    assert len(look_up(scene.store, "ticket", "id")) == 3
    assert len(get_letters(scene.sink)) == 3


def read_flags(scene: Scene, folder: str = "INBOX") -> list[set[bytes]]:
    with open_mailbox(scene.imap, "support") as client:
        client.select_folder(folder, readonly=True)
        return [set(flags) - {b"\\Recent"} for flags in client.get_flags(client.search("ALL")).values()]


@pytest.mark.parametrize(
    ("action", "left"),
    [("mark_seen", ([{b"\\Seen"}], [])), ("flag", ([{b"\\Flagged"}], [])), ("move", ([], [set()]))],
)
def test_what_is_done_after_intake_is_done_last_and_may_be_done_again(
    scene: Scene, action: str, left: tuple[list[set[bytes]], list[set[bytes]]]
) -> None:
    save_mailbox(scene, "support", after_intake=action, after_intake_folder="Traité")
    with open_mailbox(scene.imap, "support") as client:
        client.create_folder("Traité")
    scene.deliver([write_mail()])
    scene.sync()
    assert read_flags(scene) == [set()]  # nothing before its verdict
    for _ in range(2):
        assert scene.work().is_completed()
        assert (read_flags(scene), read_flags(scene, "Traité")) == left
        change_rows(scene, "filing", state="open")  # as when the worker died before it could say so
    assert len(get_letters(scene.sink)) == 1


@pytest.mark.parametrize("policy", [[('ignored: ""', "ignored: Junk")]], indirect=True)
def test_a_verdict_is_filed_where_the_policy_says(scene: Scene, policy: None) -> None:
    save_mailbox(scene, "support", after_intake="flag")
    handle(scene, write_mail("1"), write_mail("2", more="Auto-Submitted: auto-replied\n"))
    assert get_verdicts(scene) == ["answered", "ignored"]
    (junk,) = read_folder(scene.imap, "support", "Junk").values()
    assert parse(junk)["Auto-Submitted"] == "auto-replied"
    assert read_flags(scene) == [{b"\\Flagged"}]


def test_one_thing_that_cannot_be_filed_holds_up_no_other_in_its_mailbox(scene: Scene) -> None:
    save_mailbox(scene, "support", after_intake="flag")
    handle_unfiled(scene)
    first = look_up(scene.store, "filing", "id")[0]
    with writing(scene.store.engine) as connection:
        filing = tables()["filing"]
        connection.execute(sa.update(filing).where(filing.c.id == first).values(**IMPOSSIBLE))
    states = [scene.work()]
    assert [look_up(scene.store, "filing", "state", id=one) for one in range(first, first + 2)] == [["open"], ["done"]]
    for _ in range(4):
        change_rows(scene, "filing", next_try_at=None)
        states.append(scene.work())
    assert all(is_partial(state) for state in states)
    assert all("1 not filed" in str(state.message) for state in states)
    assert look_up(scene.store, "filing", "state", id=first) == ["given_up"]
    assert hear(scene, f"filing:support:{first}") == ["given-up"]
    assert hear(scene, "filing:support") == []


IMPOSSIBLE = {"action": "draft", "delivery_id": None}  # without a letter: pymap refuses an empty APPEND


def handle_unfiled(scene: Scene) -> None:
    """Two mails decided, nothing done in the mailbox yet."""
    from tasks.deciding import decide_mails
    from tasks.reading import read_mails

    scene.deliver([write_mail("1"), write_mail("2", "zoe@lycee.example")])
    scene.sync()
    read_mails()
    decide_mails()


def test_a_mailbox_that_is_down_for_long_gets_its_drafts_when_it_is_back(scene: Scene) -> None:
    scene.deliver([write_mail(subject="Facture", text=BILLING)])
    scene.sync()
    with refuse_port() as port:
        save_mailbox(scene, "support", port=port)
        for _ in range(6):
            assert is_partial(scene.work())
            change_rows(scene, "filing", next_try_at=None)
    assert hear(scene, "filing:support") == ["network"]
    save_mailbox(scene, "support")
    assert scene.work().is_completed()
    assert hear(scene, "filing:support") == ["network", "well again"]
    assert len(read_folder(scene.imap, "support", "Drafts")) == 1
