"""Agents answer from their mail client: what lies in a real Sent folder closes the loop, once, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from blocks.folders import find_sent
from desk.facts import Status
from desk.following import PATIENCE
from desk.mail import Mail
from desk.plan import Purpose, Verdict
from desk.policy import Policy, read_policy
from store.cases import change_status
from store.corrections import find_messages
from store.engine import writing
from store.facts import gather_facts
from store.following import find_named, list_cases, list_unknown, withdraw_overtaken
from store.memory import Store
from store.messages import hash_ref
from store.outcomes import ReadyLetter
from tasks.following import Answered, find_unknown, follow_folder
from tasks.looking import Visit
from tests.dovecot import Dovecot, run_dovecot
from tests.stores import (
    HANDED_OVER,
    IGNORED,
    NAME,
    PERSON,
    add_mailbox,
    bring_in,
    bring_one,
    claim_all,
    count_rows,
    look_up,
    make_letter,
    make_mail,
    make_outcome,
    name_id,
    settle,
    tables,
    touch_plan,
)

USERS = tuple(f"agent{number}" for number in range(150))  # one a test
SERIAL = count()
WORD = "following"
SENT = "Partis"  # no name that tells anything: the server flags it
FLAGGED = f"namespace inbox {{\n  mailbox {SENT} {{\n    auto = create\n    special_use = \\Sent\n  }}\n}}\n"
SUPPORT, COLLEAGUE, STRANGER = "support@atelier.example", "dev@atelier.example", "paul@autre.example"
NUMBER = "2026-000001"
OWN_WORDS = f"Bonjour {NAME}, ma collègue vous rappelle demain matin à neuf heures précises."
DRAFTED = "Bonjour, votre installation demande une clé nouvelle, que nous joignons à cette réponse."
OPENED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
ANSWERED_AT = OPENED + timedelta(hours=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Office:
    """A mailbox on a real server, and the desk's memory of it."""

    store: Store
    dovecot: Dovecot
    user: str
    mailbox_id: int
    policy: Policy

    @contextmanager
    def visit(self) -> Iterator[Visit]:
        block = ImapMailbox(
            address=SUPPORT, host="127.0.0.1", port=self.dovecot.port, security="none",
            credentials=PasswordCredentials(user=self.user, password=SecretStr(WORD)),
        )  # fmt: skip
        with block.connect() as client:
            yield Visit(self.store, self.policy, block, client, self.mailbox_id)

    def keep(self, *raws: bytes, folder: str = SENT) -> None:
        """As the agent's client keeps what it sent."""
        self.dovecot.deliver(self.user, *raws, folder=folder)

    def follow(self, folder: str = SENT) -> list[Answered]:
        with self.visit() as visit:
            return list(follow_folder(visit, folder))

    def read(self, name: str, column: str, **where: Any) -> list[Any]:
        return look_up(self.store, name, column, **where)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(USERS, WORD), more=FLAGGED) as server:
        yield server


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(Path("policy.yaml")).model_copy(update={"agents": (COLLEAGUE,)})


@pytest.fixture
def empty(store: Store, dovecot: Dovecot, policy: Policy) -> Office:
    return Office(store, dovecot, USERS[next(SERIAL)], add_mailbox(store), policy)


@pytest.fixture
def office(empty: Office) -> Office:
    """One ticket, asked for by one mail, with a draft that waits."""
    open_case(empty.store, make_draft())
    return empty


def open_case(store: Store, *letters: ReadyLetter, name: str = "help", number: str = NUMBER) -> None:
    outcome = make_outcome(HANDED_OVER, *letters, number=number)
    settle(store, bring_one(store, name), outcome, OPENED)


def make_draft(name: str = "draft", answers: str = "help") -> ReadyLetter:
    body = write_letter(DRAFTED, header_id=name_id(name), answers=name_id(answers), date=OPENED)
    return make_letter(name, Purpose.DRAFT, draft=True, automatic=False, body=body)


def write_letter(
    text: str = OWN_WORDS,
    *,
    header_id: str | None = "<own@client.example>",
    answers: str = name_id("help"),
    references: Sequence[str] = (),
    to: str = PERSON,
    subject: str = "Re: help",
    date: datetime | None = ANSWERED_AT,
    sender: str = SUPPORT,
    **headers: str,
) -> bytes:
    """What a mail client keeps of a letter."""
    named = {
        "From": sender, "To": to, "Subject": subject, "Message-ID": header_id, "In-Reply-To": answers,
        "References": " ".join(references), "Date": format_datetime(date) if date else "",
    }  # fmt: skip
    mail = EmailMessage(policy=SMTP)
    for name, value in {**named, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
        if value:
            mail[name] = value
    mail.set_content(text)
    return mail.as_bytes()


def change_rows(store: Store, name: str, **values: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()[name]).values(**values))


# --- the loop ------------------------------------------------------------------------------------------------


def test_an_agent_s_letter_is_told_to_its_ticket(office: Office) -> None:
    office.keep(write_letter())
    assert office.follow() == [Answered(1, 1, 1, "rewritten")]
    assert [office.read("event", name)[-1] for name in ("word", "at", "status")] == [
        "agent", ANSWERED_AT, "solution_proposed",
    ]  # fmt: skip
    assert [office.read("ticket", name) for name in ("status", "responded_at", "touched_at", "version")] == [
        ["solution_proposed"], [ANSWERED_AT], [ANSWERED_AT], [2],
    ]  # fmt: skip


def test_a_letter_is_followed_once_however_often_the_folder_is_looked_through(office: Office) -> None:
    office.keep(write_letter())
    assert len(office.follow()) == 1
    change_rows(office.store, "meta", value="1 0")  # as if nothing had been looked through
    office.keep(write_letter())
    assert office.follow() == []
    assert office.read("event", "word").count("agent") == 1
    assert office.read("ticket", "version") == [2]


def test_what_an_agent_wrote_is_kept_under_pseudonyms(office: Office) -> None:
    office.keep(write_letter())
    office.follow()
    (text,) = office.read("agent_letter", "text")
    assert "ma collègue vous rappelle demain matin" in text
    assert [word for word in (*NAME.split(), "@") if word in text] == []
    columns = ("ref", "mailbox_id", "ticket_id", "message_id", "letter_id", "at")
    assert [office.read("agent_letter", name)[0] for name in columns] == [
        hash_ref("<own@client.example>"), office.mailbox_id, 1, 1, 1, ANSWERED_AT,
    ]  # fmt: skip


def test_a_first_response_stays_the_first(office: Office) -> None:
    earlier = ANSWERED_AT - timedelta(minutes=30)
    change_rows(office.store, "ticket", responded_at=earlier)
    office.keep(write_letter())
    office.follow()
    assert office.read("ticket", "responded_at") == [earlier]


def test_a_closed_ticket_hears_of_the_letter_and_stays_closed(office: Office) -> None:
    change_status(office.store, NUMBER, Status.CLOSED, "by-hand", ANSWERED_AT - SECOND)
    office.keep(write_letter())
    assert len(office.follow()) == 1
    assert office.read("ticket", "status") == ["closed"]
    assert office.read("ticket", "resolved_at") != [None]
    assert office.read("event", "word")[-1] == "agent"


def test_a_resolved_ticket_that_an_agent_takes_up_again_is_not_resolved(office: Office) -> None:
    change_status(office.store, NUMBER, Status.RESOLVED, "by-hand", ANSWERED_AT - SECOND)
    office.keep(write_letter())
    office.follow()
    assert office.read("ticket", "status") == ["solution_proposed"]
    assert office.read("ticket", "resolved_at") == [None]


def test_what_happened_after_the_letter_counts_more_than_it(office: Office) -> None:
    bring_in(office.store, make_mail("thanks-but", "help"))
    (waiting,) = claim_all(office.store)
    reply = touch_plan(1, 1, Verdict.APPENDED, status=Status.IN_ANALYSIS, event="reply", number=NUMBER)
    settle(office.store, waiting, make_outcome(reply), ANSWERED_AT + SECOND)
    office.keep(write_letter())
    office.follow()
    assert office.read("ticket", "status") == ["in_analysis"]
    assert office.read("ticket", "touched_at") == [ANSWERED_AT + SECOND]
    assert office.read("ticket", "responded_at") == [ANSWERED_AT]


@pytest.mark.parametrize(
    ("date", "least"),
    [(OPENED - timedelta(days=1), OPENED), (datetime.now(UTC) + timedelta(days=2), None), (None, None)],
    ids=["before its ticket", "in times to come", "none"],
)
def test_a_wrong_clock_makes_no_wrong_history(office: Office, date: datetime | None, least: datetime | None) -> None:
    before = datetime.now(UTC)
    office.keep(write_letter(date=date))
    office.follow()
    (at,) = office.read("ticket", "responded_at")
    assert at == least if least else before <= at <= datetime.now(UTC)


def test_mails_that_answer_an_agent_s_letter_join_its_conversation(office: Office) -> None:
    office.keep(write_letter())
    office.follow()
    reply = make_mail("thanks", references=("<own@client.example>",))
    bring_in(office.store, reply)
    first, second = office.read("message", "conversation_id")
    assert first == second
    known = gather_facts(
        office.store.engine, reply, office.mailbox_id, number="", quoted="", since=OPENED, thread=second
    )
    assert known.ticket is not None
    assert known.ticket.number == NUMBER


def test_a_letter_without_message_id_is_followed_once(office: Office) -> None:
    office.keep(write_letter(header_id=""))
    assert len(office.follow()) == 1
    change_rows(office.store, "meta", value="1 0")
    assert office.follow() == []
    assert count_rows(office.store, "agent_letter") == 1


def test_a_letter_that_came_in_as_mail_too_is_one_answer(office: Office) -> None:
    bring_in(office.store, make_mail("copied", "help", sender=COLLEAGUE))
    (waiting,) = claim_all(office.store)
    told = touch_plan(1, 1, Verdict.APPENDED, status=Status.SOLUTION_PROPOSED, event="agent", number=NUMBER)
    settle(office.store, waiting, make_outcome(told), ANSWERED_AT)
    office.keep(write_letter(header_id=name_id("copied")))
    assert len(office.follow()) == 1
    assert office.read("event", "word").count("agent") == 1
    assert count_rows(office.store, "agent_letter") == 1


# --- how it is matched ----------------------------------------------------------------------------------------

WAYS = {
    "by In-Reply-To": {"answers": name_id("help")},
    "by References": {"answers": "", "references": (name_id("help"), "<between@elsewhere.example>")},
    "by our own letter": {"answers": name_id("told")},
    "by the draft's Message-ID": {"answers": "", "header_id": name_id("draft")},
    "by the number": {"answers": "", "subject": f"Votre demande [#{NUMBER}]"},
    "by the number though its references are unknown": {
        "answers": "<unknown@elsewhere.example>", "subject": f"Votre demande [#{NUMBER}]",
    },
    "in copy": {"to": COLLEAGUE, "Cc": PERSON},
    "in blind copy": {"to": COLLEAGUE, "Bcc": PERSON},
    "in capitals": {"to": PERSON.upper()},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_letter_is_matched(empty: Office, way: dict[str, Any]) -> None:
    open_case(empty.store, make_letter("told"), make_draft())
    empty.keep(write_letter(**way))
    assert [one.ticket_id for one in empty.follow()] == [1]
    assert empty.read("letter", "id", purpose="draft") == empty.read("agent_letter", "letter_id")


@pytest.mark.parametrize("header_id", ["<rewritten@client.example>", name_id("draft")])
def test_a_client_that_names_its_letters_anew_and_drops_references_is_followed(office: Office, header_id: str) -> None:
    office.keep(write_letter(DRAFTED, header_id=header_id))
    assert office.follow() == [Answered(1, 1, 1, "sent")]


def test_the_latest_mail_that_a_letter_names_counts(empty: Office) -> None:
    open_case(empty.store)
    open_case(empty.store, name="other", number="2026-000002")
    empty.keep(write_letter(answers=name_id("other"), references=(name_id("help"), name_id("other"))))
    assert [one.ticket_id for one in empty.follow()] == [2]


def test_the_second_letter_of_an_agent_follows_the_first(office: Office) -> None:
    office.keep(write_letter())
    office.keep(write_letter(header_id="<more@client.example>", answers="<own@client.example>"))
    assert [one.ticket_id for one in office.follow()] == [1, 1]
    office.keep(write_letter(header_id="<last@client.example>", answers="<more@client.example>"))
    assert [one.ticket_id for one in office.follow()] == [1]


def test_an_answer_address_that_our_letters_went_to_is_the_requester_s(empty: Office) -> None:
    open_case(empty.store, make_letter("told", recipients=("office@ecole.example",)))
    empty.keep(write_letter(to="office@ecole.example"))
    assert len(empty.follow()) == 1


STRANGE = {
    "to colleagues only": {"to": COLLEAGUE},
    "to a stranger": {"to": STRANGER},
    "to a stranger, by the number": {"to": STRANGER, "answers": "", "subject": f"Votre demande [#{NUMBER}]"},
    "on nothing that is known": {"answers": "", "subject": "Votre demande"},
    "on a number that is nobody's": {"answers": "", "subject": "Votre demande [#2026-999999]"},
    "what a requester wrote": {"sender": PERSON, "to": f"{SUPPORT}, {PERSON}"},
    "an absence note": {"Auto_Submitted": "auto-replied", "subject": "Absent"},
    "an absence note of Exchange": {"X_Auto_Response_Suppress": "All", "subject": "Réponse automatique : help"},
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_no_answer_to_the_requester_changes_nothing(office: Office, strange: dict[str, Any]) -> None:
    office.keep(write_letter(**strange))
    assert office.follow() == []
    assert office.read("ticket", "version") == [1]
    assert [count_rows(office.store, name) for name in ("agent_letter", "correction")] == [0, 0]


def test_a_read_receipt_of_the_agent_s_client_is_no_answer(office: Office) -> None:
    receipt = Path("tests/mails/receipt-thunderbird-fr.eml").read_bytes()
    head, _, rest = receipt.partition(b"\n")
    names = f"In-Reply-To: {name_id('help')}\r\nReferences: {name_id('help')}".encode()
    kept = b"\n".join(line for line in (head + b"\n" + rest).split(b"\n") if not line.lower().startswith(
        (b"in-reply-to:", b"references:", b"to:", b"from:")))  # fmt: skip
    office.keep(f"From: {SUPPORT}\r\nTo: {PERSON}\r\n".encode() + names + b"\r\n" + kept)
    assert office.follow() == []


def test_a_colleague_who_took_part_by_mail_is_no_requester(office: Office) -> None:
    bring_in(office.store, make_mail("inside", "help", sender=COLLEAGUE))
    (waiting,) = claim_all(office.store)
    settle(office.store, waiting, make_outcome(touch_plan(1, 1, number=NUMBER)), OPENED + SECOND)
    assert count_rows(office.store, "participant") == 2
    office.keep(write_letter(to=COLLEAGUE))
    assert office.follow() == []


@pytest.mark.parametrize("state", ["sent", "queued", "unknown"])
def test_our_own_copies_are_nobody_s_answers(empty: Office, state: str) -> None:
    open_case(empty.store, make_letter("told"))
    change_rows(empty.store, "letter", state=state)
    empty.keep(write_letter(header_id=name_id("told")))
    assert empty.follow() == []


def test_our_own_letter_that_a_provider_has_named_anew_is_nobody_s_answer(empty: Office) -> None:
    open_case(empty.store, make_letter("told"))
    empty.keep(write_letter(header_id="<new@provider.example>", Auto_Submitted="auto-replied"))
    assert empty.follow() == []


def test_a_mail_that_was_worth_no_ticket_has_no_answer(empty: Office) -> None:
    settle(empty.store, bring_one(empty.store, "help"), make_outcome(IGNORED), OPENED)
    empty.keep(write_letter(date=datetime.now(UTC)))
    assert empty.follow() == []


# --- answered before it was decided ---------------------------------------------------------------------------


def test_an_answer_to_a_mail_that_is_not_decided_waits_for_it(empty: Office) -> None:
    empty.keep(write_letter(date=datetime.now(UTC)), write_letter(answers="", header_id="<else@client.example>"))
    assert empty.follow() == []  # not even here
    waiting = bring_one(empty.store, "help")
    assert empty.follow() == []  # not decided
    settle(empty.store, waiting, make_outcome(HANDED_OVER, make_draft()), OPENED)
    assert [one.ticket_id for one in empty.follow()] == [1]
    assert count_rows(empty.store, "filing", action="withdraw") == 1


def test_an_answer_to_what_never_comes_is_forgotten_in_time(empty: Office) -> None:
    empty.keep(write_letter(date=datetime.now(UTC) - PATIENCE - SECOND))
    assert empty.follow() == []
    open_case(empty.store)
    assert empty.follow() == []
    assert empty.read("meta", "value")[-1].endswith(" 1")


# --- what the desk had ready ----------------------------------------------------------------------------------


def test_automatic_letters_that_wait_are_withdrawn(empty: Office) -> None:
    letters = [make_letter("told"), make_letter("said", Purpose.ANSWER), make_letter("team", Purpose.HANDOVER)]
    letters[2] = replace(letters[2], automatic=False)
    open_case(empty.store, *letters)
    with writing(empty.store.engine) as connection:
        letter = tables()["letter"]
        connection.execute(sa.update(letter).where(letter.c.purpose == "answer").values(state="deferred"))
    empty.keep(write_letter())
    empty.follow()
    states = dict(zip(empty.read("letter", "purpose"), empty.read("letter", "state"), strict=True))
    assert states == {"acknowledgement": "withdrawn", "answer": "withdrawn", "handover": "queued"}
    assert empty.read("letter", "reason", state="withdrawn") == ["agent", "agent"]
    assert empty.read("letter_event", "word") == ["withdrawn", "withdrawn"]
    assert empty.read("letter_event", "code") == ["agent", "agent"]


@pytest.mark.parametrize("state", ["sending", "sent", "unknown", "refused"])
def test_what_is_on_its_way_or_done_is_left_alone(empty: Office, state: str) -> None:
    open_case(empty.store, make_letter("told"))
    change_rows(empty.store, "letter", state=state)
    empty.keep(write_letter())
    empty.follow()
    assert empty.read("letter", "state") == [state]


def test_letters_of_other_tickets_stay(empty: Office) -> None:
    open_case(empty.store)
    open_case(empty.store, make_letter("told"), make_draft("other-draft", "other"), name="other", number="2026-000002")
    empty.keep(write_letter())
    empty.follow()
    assert empty.read("letter", "state") == ["queued", "draft"]
    assert count_rows(empty.store, "filing", action="withdraw") == 0


def test_the_draft_is_to_be_withdrawn_and_is_laid_no_more(office: Office) -> None:
    office.keep(write_letter())
    office.follow()
    assert dict(zip(office.read("filing", "action"), office.read("filing", "state"), strict=True)) == {
        "draft": "done",
        "withdraw": "open",
    }


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_the_draft_of_a_ticket_that_a_person_settles_is_withdrawn(office: Office, status: Status) -> None:
    assert withdraw_overtaken(office.store, office.mailbox_id, OPENED) == 0
    change_status(office.store, NUMBER, status, "by-hand", ANSWERED_AT)
    assert withdraw_overtaken(office.store, office.mailbox_id + 1, ANSWERED_AT) == 0
    assert withdraw_overtaken(office.store, office.mailbox_id, ANSWERED_AT) == 1
    assert withdraw_overtaken(office.store, office.mailbox_id, ANSWERED_AT) == 0


def test_the_draft_of_a_ticket_that_an_agent_answers_by_mail_is_withdrawn(office: Office) -> None:
    bring_in(office.store, make_mail("answer", "help", sender=COLLEAGUE))
    (waiting,) = claim_all(office.store)
    told = touch_plan(1, 1, Verdict.APPENDED, status=Status.SOLUTION_PROPOSED, event="agent", number=NUMBER)
    settle(office.store, waiting, make_outcome(told), ANSWERED_AT)
    assert withdraw_overtaken(office.store, office.mailbox_id, ANSWERED_AT) == 1


def test_a_reply_of_the_requester_withdraws_nothing(office: Office) -> None:
    bring_in(office.store, make_mail("more", "help"))
    (waiting,) = claim_all(office.store)
    settle(office.store, waiting, make_outcome(touch_plan(1, 1, number=NUMBER)), ANSWERED_AT)
    assert withdraw_overtaken(office.store, office.mailbox_id, ANSWERED_AT) == 0


# --- what is learnt -------------------------------------------------------------------------------------------


def test_a_draft_that_went_as_it_was_confirms_its_category_and_is_learnt_from(office: Office) -> None:
    office.keep(write_letter(DRAFTED))
    assert [one.kind for one in office.follow()] == ["sent"]
    assert [office.read("correction", name) for name in ("kind", "was", "became")] == [
        ["sent"], ["installation"], ["installation"],
    ]  # fmt: skip
    assert office.read("correction", "text") != [""]


def test_a_draft_that_was_edited_a_little_went_as_it_was(office: Office) -> None:
    office.keep(write_letter(DRAFTED.replace("Bonjour", "Bonsoir"), header_id="<edited@client.example>"))
    assert [one.kind for one in office.follow()] == ["sent"]


def test_another_letter_than_the_draft_is_no_word_on_the_category(office: Office) -> None:
    office.keep(write_letter())
    assert [one.kind for one in office.follow()] == ["rewritten"]
    assert office.read("correction", "text") == [""]


def test_what_is_quoted_below_an_answer_is_not_the_agent_s(office: Office) -> None:
    quoted = "\n".join(["> Je n'arrive pas à installer le logiciel sur mon poste"] * 30)
    text = f"{DRAFTED}\n\nLe 3 novembre 2026 à 10:00, {NAME} a écrit :\n{quoted}\n"
    office.keep(write_letter(text))
    assert [one.kind for one in office.follow()] == ["sent"]
    assert "installer le logiciel" not in office.read("agent_letter", "text")[0]


def test_a_letter_of_nothing_but_files_closes_the_loop_and_says_nothing_of_the_draft(office: Office) -> None:
    office.keep(write_letter("\n"))
    assert [one.kind for one in office.follow()] == [""]
    assert office.read("ticket", "status") == ["solution_proposed"]
    assert count_rows(office.store, "correction") == 0


def test_a_letter_that_answers_a_later_mail_says_nothing_of_the_draft(office: Office) -> None:
    bring_in(office.store, make_mail("more", "help"))
    (waiting,) = claim_all(office.store)
    settle(office.store, waiting, make_outcome(touch_plan(1, 1, number=NUMBER)), OPENED + SECOND)
    office.keep(write_letter(answers=name_id("more")))
    assert office.follow() == [Answered(1, 2, None, "")]
    assert count_rows(office.store, "correction") == 0


def test_the_words_of_a_withdrawn_draft_are_still_known(office: Office) -> None:
    change_rows(office.store, "letter", state="withdrawn")
    office.keep(write_letter(DRAFTED))
    assert office.follow() == [Answered(1, 1, 1, "sent")]


# --- all or nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["_answer_ticket", "_withdraw_answers", "queue_withdrawals", "insert_answer"])
def test_a_loop_is_closed_in_one_transaction_or_not_at_all(
    office: Office, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(step)

    office.keep(write_letter())
    with monkeypatch.context() as patch:
        patch.setattr(f"store.following.{step}", fail)
        with pytest.raises(OSError, match=step):
            office.follow()
    assert [count_rows(office.store, name) for name in ("agent_letter", "correction")] == [0, 0]
    assert office.read("event", "word").count("agent") == 0
    assert office.read("ticket", "version") == [1]
    assert len(office.follow()) == 1


def test_a_letter_whose_words_can_t_be_taken_in_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []

    def stumble(mail: Mail, _case: object) -> str:
        if mail.message_id == "<own@client.example>":
            raise ValueError("of all things")
        return "words"

    monkeypatch.setattr("tasks.following.hide_answer", stumble)
    monkeypatch.setattr("tasks.following.keep_cause", lambda place, _cause: kept.append(place))
    office.keep(write_letter(), write_letter(header_id="<next@client.example>"))
    assert len(office.follow()) == 1
    assert kept == ["follow letters"]


# --- cost -----------------------------------------------------------------------------------------------------


def test_a_folder_without_news_is_opened_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.keep(write_letter())
    office.follow()
    asked: list[str] = []

    def refuse(name: str) -> Callable[..., object]:
        return lambda *_args, **_more: asked.append(name)

    for name in ("tasks.looking.search_uids", "imapclient.IMAPClient.fetch", "imapclient.IMAPClient.search"):
        monkeypatch.setattr(name, refuse(name))
    assert office.follow() == []
    assert asked == []


def test_looking_leaves_no_mark(office: Office) -> None:
    office.keep(write_letter())
    office.follow()
    assert office.dovecot.read_flags(office.user, SENT) == {1: set()}


# --- letters of unknown fate ----------------------------------------------------------------------------------


def test_an_unknown_letter_that_lies_in_sent_did_go_out(empty: Office) -> None:
    open_case(empty.store, make_letter("told"), make_letter("said", Purpose.ANSWER))
    change_rows(empty.store, "letter", state="unknown", created_at=datetime.now(UTC))
    change_rows(empty.store, "letter_recipient", state="unknown")
    empty.keep(write_letter(header_id=name_id("told")))
    with empty.visit() as visit:
        assert find_unknown(visit, [SENT]) == 1
        assert find_unknown(visit, [SENT]) == 0
    states = dict(zip(empty.read("letter", "purpose"), empty.read("letter", "state"), strict=True))
    assert states == {"acknowledgement": "sent", "answer": "unknown"}


def test_only_unknown_letters_of_this_mailbox_are_looked_for_and_not_for_ever(empty: Office) -> None:
    open_case(empty.store, make_letter("told"))
    assert list_unknown(empty.store, empty.mailbox_id, OPENED) == {}
    change_rows(empty.store, "letter", state="unknown", sender="else@atelier.example")
    (letter_id,) = empty.read("letter", "id")
    assert list_unknown(empty.store, empty.mailbox_id, OPENED) == {name_id("told"): letter_id}
    assert list_unknown(empty.store, empty.mailbox_id, OPENED + SECOND) == {}
    assert list_unknown(empty.store, add_mailbox(empty.store, "sales"), OPENED) == {}


# --- folders --------------------------------------------------------------------------------------------------


def test_sent_folders_are_told_by_the_block_by_flag_and_else_by_name(empty: Office) -> None:
    empty.keep(write_letter(), folder="Sent")
    with empty.visit() as visit:
        assert find_sent(visit.client) == [SENT]
        assert visit.block.list_sent(visit.client) == (SENT,)
        named = visit.block.model_copy(update={"sent_folder": "Sent"})
        assert named.list_sent(visit.client) == ("Sent",)


def test_what_a_message_id_stands_for(office: Office) -> None:
    office.keep(write_letter())
    office.follow()
    wanted = [name_id("help"), name_id("draft"), "<own@client.example>", "<nobody@client.example>", ""]
    found = find_named(office.store, office.mailbox_id, wanted)
    assert {name: (one.ticket_id, one.message_id) for name, one in found.items()} == dict.fromkeys(wanted[:3], (1, 1))
    assert find_messages(office.store, office.mailbox_id, wanted) == {name_id("help"): 1}


def test_a_ticket_that_is_erased_has_nobody_to_answer(office: Office) -> None:
    change_rows(office.store, "contact", address=None)
    change_rows(office.store, "letter_recipient", address=None)
    assert list_cases(office.store, [1])[1].people == ()
    office.keep(write_letter())
    assert office.follow() == []
