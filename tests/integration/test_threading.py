"""Which ticket a mail joins and whose a new one is: from raw mails to rows, on a store of each kind."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from desk.classification import Classification, Question, Source
from desk.clock import BusinessClock
from desk.facts import Status
from desk.mail import Address, Forward, Mail, read_mail
from desk.policy import load_policy
from desk.tokens import TokenKeys, make_plus_address, read_plus_address
from desk.trust import NO_ANSWERS
from store.cases import change_status
from store.engine import reading
from store.facts import participants, tickets
from store.intake import Batch, RawMail, claim_deliveries
from store.memory import Store
from store.messages import ReadMail, Waiting, claim_conversations, contacts, release_claims, save_read
from store.numbers import NumberStock
from store.outcomes import Work, carry_all
from tasks.deciding import decide_claimed
from tasks.hearing import Desk, Opened
from tasks.hearing import look_up as look_up_names
from tasks.judging import Bench
from tests.nameserver import serve_names
from tests.signing import KEY_NAME, publish, sign
from tests.stores import LEASE, add_mailbox, keep_mails, look_up

ADA, EVE, AGENT, WRITER = "ada@school.example", "eve@elsewhere.example", "agent@atelier.example", "paul@school.example"
OURS = "support@atelier.example"
NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
KEYS = TokenKeys("1", {"1": b"k" * 32})
POLICY = load_policy(
    (Path(__file__).parents[2] / "policy.yaml")
    .read_text(encoding="utf-8")
    .replace("agents: []", f"agents: [{AGENT}]")
    .replace("plus_address: false", "plus_address: true")
)


@dataclass
class Judge:
    """Says the same of every mail and remembers what it was asked."""

    source: Source = Source.LOCAL
    asked: list[Question] = field(default_factory=list)

    def classify(self, question: Question) -> Classification:
        self.asked.append(question)
        return Classification("technical", "normal", "fr", 0.95, self.source)


@dataclass
class Office:
    """A desk without Prefect: mails go in as bytes, what it wrote and decided can be asked for."""

    desk: Desk
    judge: Judge
    mailbox: int
    uids: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def store(self) -> Store:
        return self.desk.store

    def receive(self, raw: bytes) -> str:
        """The verdict on one more mail."""
        (verdict,) = self.receive_all(raw)
        return verdict

    def receive_all(self, *raws: bytes) -> Counter[str]:
        """How often which verdict on mails that come together."""
        verdicts = decide_claimed(self.desk, "worker", self.take_in(*raws), NOW)
        release_claims(self.store, "worker")
        return verdicts

    def take_in(self, *raws: bytes) -> tuple[Waiting, ...]:
        """The mails kept, read and claimed."""
        kept = tuple(RawMail(next(self.uids), NOW, raw) for raw in raws)
        keep_mails(self.store, self.mailbox, Batch(kept, (), (), 0), now=NOW)
        places = claim_deliveries(self.store, "reader", NOW, LEASE, len(raws))
        mails = [mail for raw in raws if isinstance(mail := read_mail(raw), Mail)]
        save_read(self.store, "reader", [ReadMail(*one) for one in zip(places, mails, strict=True)])
        return claim_conversations(self.store, "worker", NOW, LEASE, len(raws))

    @property
    def tickets(self) -> list[tuple[str, str, str | None, int | None]]:
        """(number, status, requester, number of the linked one's id) of every ticket."""
        columns = (tickets.c.number, tickets.c.status, contacts.c.address, tickets.c.linked_to)
        query = sa.select(*columns).join(contacts, contacts.c.id == tickets.c.contact_id).order_by(tickets.c.id)
        with reading(self.store.engine) as connection:
            return [tuple(row) for row in connection.execute(query)]

    def list_participants(self, number: str) -> set[str]:
        query = (
            sa.select(contacts.c.address)
            .join(participants, participants.c.contact_id == contacts.c.id)
            .join(tickets, tickets.c.id == participants.c.ticket_id)
            .where(tickets.c.number == number)
        )
        with reading(self.store.engine) as connection:
            return set(connection.execute(query).scalars())

    def read_letters(self, purpose: str) -> list[EmailMessage]:
        bodies = look_up(self.store, "letter", "body", purpose=purpose)
        parsed = [email.message_from_bytes(body, policy=email.policy.default) for body in bodies]
        return [one for one in parsed if isinstance(one, EmailMessage)]


@pytest.fixture
def office(store: Store) -> Office:
    judge, mailbox = Judge(), add_mailbox(store)
    people = frozenset({AGENT, *(team.address for team in POLICY.teams.values())})
    ours = frozenset({OURS})
    clock, bench = BusinessClock(POLICY.calendar), Bench((judge,))
    desk = Desk(store, POLICY, clock, bench, KEYS, {mailbox: OURS}, ours, ours | people, people, NumberStock(store))
    return Office(desk, judge, mailbox)


names = count(1)


def write(
    sender: str = ADA, subject: str = "Panne", *fields: str, to: str = OURS, proven: bool = True, text: str = "Bonjour"
) -> bytes:
    """A mail that our server believes in or says nothing of."""
    result = f"dmarc=pass header.from={sender.rpartition('@')[2]}" if proven else "none"
    usual = (
        f"Authentication-Results: mx.atelier.example; {result}",
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{next(names)}@mail.example>",
        "Date: Tue, 17 Nov 2026 08:55:00 +0000",
        "Content-Type: text/plain; charset=utf-8",
    )
    return "\r\n".join([*usual, *fields, "", text, ""]).encode()


@pytest.fixture
def number(office: Office) -> str:
    """A ticket that Ada opened."""
    assert office.receive(write()) == "drafted"
    return office.tickets[0][0]


def tell_text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\N{NO-BREAK SPACE}", " ")


def find_address(office: Office) -> str:
    """Where our acknowledgement asks for answers."""
    (letter,) = office.read_letters("acknowledgement")
    return str(letter["Reply-To"].addresses[0].addr_spec)


def test_letters_to_the_requester_ask_for_answers_to_an_address_with_the_ticket_in_it(
    office: Office, number: str
) -> None:
    assert find_address(office).startswith(f"support+{number}.1.")
    assert read_plus_address(find_address(office), KEYS) == number
    assert office.read_letters("draft")[0]["Reply-To"] is not None
    assert office.read_letters("handover")[0]["Reply-To"] is None


def test_an_answer_to_that_address_joins_without_references_or_number(office: Office, number: str) -> None:
    assert office.receive(write(subject="Autre sujet", to=find_address(office))) == "appended"
    assert [one[0] for one in office.tickets] == [number]


@pytest.mark.parametrize("field_name", ["Cc", "Delivered-To"])
def test_that_address_counts_wherever_the_mail_says_that_it_went(office: Office, number: str, field_name: str) -> None:
    raw = write(ADA, "Autre sujet", f"{field_name}: {find_address(office).upper()}")
    assert office.receive(raw) == "appended"


def read(raw: bytes) -> Mail:
    mail = read_mail(raw)
    assert isinstance(mail, Mail)
    return mail


@pytest.mark.parametrize(
    "subject", ["[#{}] Panne", "Re: #{} toujours là", "Ticket {}", "Ma demande n° {}", "TICKET N°{} : relance"]
)
def test_a_proven_participant_joins_by_the_number_in_the_subject(office: Office, number: str, subject: str) -> None:
    assert office.receive(write(ADA, subject.format(number))) == "appended"
    assert [one[0] for one in office.tickets] == [number]
    assert "Catégorie : technique" in tell_text(office.read_letters("handover")[-1])


def test_a_reply_joins_by_its_references(office: Office, number: str) -> None:
    (letter,) = office.read_letters("acknowledgement")
    assert office.receive(write(ADA, "Sans rapport", f"In-Reply-To: {letter['Message-ID']}")) == "appended"
    assert [one[0] for one in office.tickets] == [number]


@pytest.mark.parametrize(
    ("sender", "proven"), [(EVE, True), (EVE, False), (ADA, False)], ids=["stranger", "unproven stranger", "unproven"]
)
@pytest.mark.parametrize("way", ["references", "token", "number", "all"])
def test_whoever_is_a_stranger_or_unproven_gets_a_ticket_of_their_own_linked_to_it(
    office: Office, number: str, sender: str, proven: bool, way: str
) -> None:
    (letter,) = office.read_letters("acknowledgement")
    fields = [f"References: {letter['Message-ID']}"] if way in ("references", "all") else []
    to = find_address(office) if way in ("token", "all") else OURS
    subject = f"Re: [#{number}] Panne" if way in ("number", "all") else "Panne"
    office.receive(write(sender, subject, *fields, to=to, proven=proven))
    first, second = office.tickets
    assert (first[0], first[1]) == (number, "new")
    assert (second[2], second[3]) == (sender, look_up(office.store, "ticket", "id", number=number)[0])
    assert office.list_participants(number) == {ADA}


@pytest.mark.parametrize("change", ["number", "mac"])
def test_a_guessed_address_names_no_ticket(office: Office, number: str, change: str) -> None:
    good = find_address(office)
    office.receive(write(EVE))
    other = make_plus_address(OURS, number, TokenKeys("1", {"1": b"x" * 32})) or ""
    guessed = other if change == "mac" else good.replace(number, office.tickets[1][0])
    assert office.receive(write(ADA, "Bonjour", to=guessed)) == "drafted"
    assert [one[3] for one in office.tickets] == [None, None, None]


def test_a_closed_ticket_is_linked_and_not_joined(office: Office, number: str) -> None:
    change_status(office.store, number, Status.CLOSED, "set", NOW)
    office.receive(write(ADA, f"[#{number}]", to=find_address(office)))
    first, second = office.tickets
    assert first[1] == "closed"
    assert second[3] == look_up(office.store, "ticket", "id", number=number)[0]


def test_our_own_address_with_a_detail_is_still_our_own(office: Office) -> None:
    """As a rule of ours would write, were it to answer itself."""
    address = make_plus_address(OURS, "2026-000001", KEYS) or ""
    assert office.receive(write(address)) == "ignored"
    assert office.receive(write(address, proven=False)) == "held"
    assert office.tickets == []


def test_a_signature_that_we_check_lets_a_participant_join(office: Office, number: str) -> None:
    raw = sign(write(ADA, f"[#{number}]", proven=False))
    with serve_names({KEY_NAME: publish()}) as server:
        office.desk = replace(office.desk, names=server.open_names())
        assert office.receive(raw.replace(b"Bonjour", b"Bonsoir")) == "drafted"
        assert office.receive(raw) == "appended"


def test_a_header_alone_is_not_held_against_a_signature(office: Office) -> None:
    raw = sign(write(proven=False))
    with serve_names({KEY_NAME: publish()}) as server:
        desk = replace(office.desk, names=server.open_names())
        assert look_up_names(desk, Opened(read(raw), raw, whole=False)) == NO_ANSWERS
        assert server.asked == []
        assert look_up_names(desk, Opened(read(raw), raw, whole=True)).signatures


def test_a_decision_tells_what_its_sender_was_worth_and_why(office: Office) -> None:
    office.receive(write())
    office.receive(write(proven=False))
    assert look_up(office.store, "decision", "trust") == ["verified: dmarc=pass", "unverified: no result of ours"]


def test_a_switch_keeps_the_desk_from_asking_anybody(office: Office, number: str) -> None:
    assert office.desk.names is None
    assert office.receive(sign(write(ADA, f"[#{number}]", proven=False))) == "drafted"


# --- what agents pass on ---


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a mail passes on is told here, whatever the reader makes of it."""
    told: dict[str, Any] = {"forwarded": Forward(Address("Paul Petit", WRITER), "Facture", "", "Elle est fausse.")}
    monkeypatch.setattr("tasks.hearing.read_mail", lambda raw: replace(read(raw), **told))
    return told


def test_a_mail_that_an_agent_passes_on_opens_a_ticket_of_its_writer(office: Office, passing: dict[str, Any]) -> None:
    assert passing
    assert office.receive(write(AGENT, "TR: Facture", text="Pour vous.")) == "drafted"
    ((number, status, requester, _),) = office.tickets
    assert (status, requester) == ("new", WRITER)
    assert office.list_participants(number) == {WRITER, AGENT}
    assert office.judge.asked[0].subject == "Facture"
    assert office.judge.asked[0].text == "Elle est fausse."
    assert look_up(office.store, "ticket", "subject", number=number) == ["Facture"]


def test_its_writer_gets_a_draft_and_the_team_a_letter_and_nobody_else_anything(
    office: Office, passing: dict[str, Any]
) -> None:
    assert passing
    office.receive(write(AGENT, "TR: Facture"))
    assert sorted(look_up(office.store, "letter", "purpose")) == ["draft", "handover"]
    (draft,) = office.read_letters("draft")
    assert draft["To"] == WRITER
    assert draft["In-Reply-To"] is None
    assert "Facture" in draft["Subject"]
    (handover,) = office.read_letters("handover")
    assert WRITER in tell_text(handover)


def test_what_an_agent_passes_on_counts_for_its_writer_s_organisation_and_greets_nobody_unproven(
    office: Office, passing: dict[str, Any]
) -> None:
    passing["forwarded"] = Forward(Address("Paul Petit", "paul@college-jean-moulin.example"), "Facture", "", "Fausse.")
    office.receive(write(AGENT, "TR: Facture"))
    assert look_up(office.store, "ticket", "organisation") == ["Collège Jean-Moulin"]
    (draft,) = office.read_letters("draft")
    assert "Petit" not in tell_text(draft)


def test_a_mail_that_an_agent_s_program_passes_on_is_read_as_such(office: Office) -> None:
    block = (
        f"---------- Forwarded message ---------\r\nFrom: Paul Petit <{WRITER}>\r\nSubject: Facture\r\nTo: {AGENT}\r\n"
    )
    office.receive(write(AGENT, "Fwd: Facture", text=f"FYI\r\n\r\n{block}\r\nElle est fausse."))
    assert [one[2] for one in office.tickets] == [WRITER]


def test_the_writer_who_answers_the_draft_joins(office: Office, passing: dict[str, Any]) -> None:
    office.receive(write(AGENT, "TR: Facture"))
    passing["forwarded"] = None
    (draft,) = office.read_letters("draft")
    assert office.receive(write(WRITER, "Merci", f"In-Reply-To: {draft['Message-ID']}")) == "appended"


@pytest.mark.parametrize(
    ("sender", "proven", "writer"),
    [
        (ADA, True, WRITER),
        (ADA, False, WRITER),
        (AGENT, True, OURS),
        (AGENT, True, "support+x@atelier.example"),
        (AGENT, True, "niveau1@atelier.example"),
        (AGENT, True, "noreply@school.example"),
        (AGENT, True, ""),
    ],
)
def test_otherwise_whoever_sent_it_stays_the_requester(
    office: Office, passing: dict[str, Any], sender: str, proven: bool, writer: str
) -> None:
    office.desk = replace(office.desk, own=office.desk.own | {"niveau1@atelier.example"})
    passing["forwarded"] = Forward(Address("", writer), "Facture", "", "Elle est fausse.")
    office.receive(write(sender, "TR: Facture", proven=proven))
    assert [one[2] for one in office.tickets] == [sender]


def test_an_unproven_agent_passes_nothing_on(office: Office, passing: dict[str, Any]) -> None:
    assert passing
    assert office.receive(write(AGENT, "TR: Facture", proven=False)) == "held"
    assert office.tickets == []


def test_what_is_passed_on_within_a_ticket_stays_there(office: Office, number: str, passing: dict[str, Any]) -> None:
    assert passing
    assert office.receive(write(AGENT, f"TR: [#{number}] Panne", to=find_address(office))) == "appended"
    assert [one[0] for one in office.tickets] == [number]


# --- several mails at once -----------------------------------------------------------------------------------


def test_mails_that_come_together_are_committed_together(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("tasks.deciding.HELD_SECONDS", 600.0)  # a busy machine is no slow judge
    monkeypatch.setattr("tasks.deciding.carry_all", count_works(sizes))
    senders = [f"{name}@school.example" for name in ("ada", "bea", "cleo")]
    assert office.receive_all(*(write(one) for one in senders)).total() == 3
    assert sizes == [3]
    assert sorted(str(one[2]) for one in office.tickets) == senders


def test_of_one_sender_the_second_mail_knows_of_the_first(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("tasks.deciding.HELD_SECONDS", 600.0)  # a busy machine is no slow judge
    monkeypatch.setattr("tasks.deciding.carry_all", count_works(sizes))
    office.receive_all(write(), write(), write(EVE))
    assert sizes == [2, 1]


def test_a_mail_knows_of_a_ticket_that_came_with_it(office: Office) -> None:
    office.receive_all(write(EVE), write(ADA, "Re: [#2026-000001] Panne"))
    assert [one[3] for one in sorted(office.tickets)] == [None, 1]


def test_a_mail_that_cannot_be_committed_does_not_hold_up_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.deciding.carry_all", refuse_second)
    monkeypatch.setattr("tasks.deciding.keep_cause", lambda *_: "incident")  # it needs Prefect, to find the database
    verdicts = office.receive_all(*(write(f"{name}@school.example") for name in ("ada", "bea", "cleo")))
    assert (verdicts["postponed"], verdicts.total()) == (1, 3)
    assert look_up(office.store, "message", "id", state="waiting") == [2]
    assert len(office.tickets) == 2


def count_works(sizes: list[int]) -> Callable[..., None]:
    def carry(store: Store, works: Sequence[Work], until: datetime) -> None:
        sizes.append(len(works))
        carry_all(store, works, until)

    return carry


def refuse_second(store: Store, works: Sequence[Work], until: datetime) -> None:
    if any(one.of == 2 for one in works):
        raise RuntimeError
    carry_all(store, works, until)
