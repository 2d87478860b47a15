"""Letters as they are queued: whose words and wishes they follow, and who is told what."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from desk.clock import BusinessClock
from desk.errors import LetterHole
from desk.escalation import Ring
from desk.facts import Facts, Status, Trust
from desk.knowledge import Passage
from desk.mail import Address, Mail
from desk.plan import OpenTicket, Plan, PlannedLetter, Purpose, TouchTicket, Verdict
from desk.policy import Policy, load_policy
from desk.tokens import TokenKeys
from letters.variants import choose_variant
from reports.digest import count_ledger
from store.cases import TicketCard, change_status
from store.ledgers import read_ledger
from store.memory import Store
from store.messages import Waiting
from store.numbers import NumberStock
from store.outcomes import ReadyLetter
from tasks.digesting import find_reader, write_digest
from tasks.hearing import Desk
from tasks.judging import Bench
from tasks.ringing import write_ring
from tasks.writing import Occasion, write_letter
from tests.stores import NAME, NOW, PERSON, bring_one, make_mail, make_outcome, settle

TEXT = (Path(__file__).parents[2] / "policy.yaml").read_text(encoding="utf-8")
OURS = "support@atelier.example"
KEYS = TokenKeys("1", {"1": b"k" * 32})
NUMBER = "2026-000042"
OPENED = OpenTicket("timetable", "normal", 1, "support", "fr", NOW + timedelta(hours=8), NOW + timedelta(days=3))
FACTS = Facts(mailbox="support", trust=Trust.VERIFIED)
FIELDS = (("day", "--11-24"), ("school_class", "CE2"))
PASSAGE = Passage("Échanger un créneau", "1. Ouvrez la semaine.\n2. Touchez le créneau.", "fr/swap", ("fr/swap#1",))
READER = "  readers:\n    - {name: direction,"


@dataclass
class Writer:
    """A desk that only writes, for one mail of one person."""

    desk: Desk
    waiting: Waiting
    mail: Mail
    facts: Facts = FACTS

    def write(
        self,
        purpose: Purpose = Purpose.ANSWER,
        template: str = "timetable",
        ticket: OpenTicket | TouchTicket = OPENED,
        *,
        segment: str = "",
        number: str = NUMBER,
    ) -> ReadyLetter:
        draft = purpose is Purpose.DRAFT
        planned = PlannedLetter(purpose, template, "fr", (PERSON,), draft, segment)
        plan = Plan(Verdict.DRAFTED if draft else Verdict.ANSWERED, "doubt", "rule", ticket, (planned,))
        occasion = Occasion(self.waiting, self.mail, self.facts, plan, number, FIELDS, (PASSAGE,))
        return write_letter(self.desk, occasion, planned, NOW)

    def with_policy(self, *changes: tuple[str, str]) -> Writer:
        return replace(self, desk=replace(self.desk, policy=change_policy(*changes)))


def change_policy(*changes: tuple[str, str]) -> Policy:
    text = TEXT
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load_policy(text)


def read(letter: ReadyLetter) -> EmailMessage:
    parsed = email.message_from_bytes(letter.body, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def tell_text(letter: ReadyLetter) -> str:
    part = read(letter).get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\N{NO-BREAK SPACE}", " ").replace("\r\n", "\n")


@pytest.fixture
def writer(store: Store) -> Writer:
    waiting = bring_one(store, "earlier")
    policy = change_policy()
    ours = frozenset({OURS})
    desk = Desk(
        store, policy, BusinessClock(policy.calendar), Bench(()), KEYS, {waiting.mailbox_id: OURS}, ours, ours,
        frozenset(), NumberStock(store),
    )  # fmt: skip
    return Writer(desk, waiting, make_mail("now", subject="Échange"))


def open_earlier(writer: Writer, number: str = "2026-000007") -> None:
    settle(writer.desk.store, writer.waiting, make_outcome(number=number))


# --- what they are made of -----------------------------------------------------------------------------------


def test_a_letter_remembers_the_words_it_is_made_of(writer: Writer) -> None:
    letter = writer.write(template="technical", segment="pilot")
    assert (letter.template, letter.segment, letter.variant, letter.language) == ("technical", "pilot", "", "fr")
    assert "avant les autres" in tell_text(letter)
    plain = writer.write(template="timetable", segment="pilot")
    assert (plain.template, plain.segment) == ("timetable", "")


def test_a_letter_is_the_variant_of_its_tickets_number(writer: Writer) -> None:
    numbers = [f"2026-{number:06}" for number in range(12)]
    letters = [writer.write(template="account", number=number) for number in numbers]
    assert [one.variant for one in letters] == [choose_variant("account", "fr", "", one) for one in numbers]
    assert {one.variant for one in letters} == {"", "short"}
    assert all(("Pour vous reconnecter" in tell_text(one)) == (one.variant == "short") for one in letters)


def test_only_a_draft_bears_the_reason_for_it(writer: Writer) -> None:
    assert writer.write(Purpose.DRAFT).reason == "doubt"
    assert writer.write(Purpose.ANSWER).reason == ""


def test_what_was_found_in_mail_and_articles_is_in_answers_and_drafts_only(writer: Writer) -> None:
    for purpose in (Purpose.ANSWER, Purpose.DRAFT):
        said = tell_text(writer.write(purpose))
        assert "la classe de CE2, le 24 novembre" in said
        assert "« Échanger un créneau » (fr/swap#1) :\n\n> 1. Ouvrez la semaine.\n> 2. Touchez le créneau." in said
    assert "créneau" not in tell_text(writer.write(Purpose.ACKNOWLEDGEMENT, "acknowledgement"))


@pytest.mark.parametrize(
    "changed", [{"trust": Trust.UNVERIFIED}, {"from_agent": True, "passed_on_for": Address("", PERSON)}]
)
def test_who_is_not_proven_is_told_nothing_of_himself(writer: Writer, changed: Mapping[str, object]) -> None:
    open_earlier(writer)
    stranger = replace(writer, facts=replace(FACTS, **changed))  # type: ignore[arg-type]  # names and values fit
    assert NAME in tell_text(writer.write())
    assert "2026-000007 reste ouverte" in tell_text(writer.write())
    said = tell_text(stranger.write())
    assert NAME not in said
    assert "reste ouverte" not in said
    assert "CE2" not in said
    assert "CE2" in tell_text(stranger.write(Purpose.DRAFT))  # a person reads it first


def test_an_earlier_request_is_told_while_it_is_open(writer: Writer) -> None:
    assert "reste ouverte" not in tell_text(writer.write())
    open_earlier(writer)
    assert "2026-000007 reste ouverte" in tell_text(writer.write())
    assert change_status(writer.desk.store, "2026-000007", Status.RESOLVED, "by-hand", NOW)
    assert "reste ouverte" not in tell_text(writer.write())


def test_another_persons_request_is_told_to_nobody_else(writer: Writer) -> None:
    open_earlier(writer)
    other = bring_one(writer.desk.store, "other", sender="paul@ecole.example")
    assert "reste ouverte" not in tell_text(replace(writer, waiting=other).write())


def test_on_a_known_ticket_no_other_is_told(writer: Writer) -> None:
    open_earlier(writer)
    known = TouchTicket(1, 1, NUMBER, Status.IN_ANALYSIS, "support", "joined")
    assert "reste ouverte" not in tell_text(writer.write(ticket=known))


# --- holes ---------------------------------------------------------------------------------------------------


def own_words(writer: Writer, tmp_path: Path, name: str) -> Writer:
    """With a template of the organisation's own that asks for what nobody knows."""
    file = tmp_path / "fr" / f"{name}.j2"
    file.parent.mkdir()
    file.write_text("{% extends layout %}{% block text %}Couleur : {{ fields.colour }}{% endblock %}", encoding="utf-8")
    return writer.with_policy(('templates: ""', f"templates: {tmp_path}"))


def test_an_answer_with_a_hole_does_not_go_out_and_its_draft_shows_it(writer: Writer, tmp_path: Path) -> None:
    holed = own_words(writer, tmp_path, "timetable")
    with pytest.raises(LetterHole, match=r"fr/timetable has nothing for fields\.colour"):
        holed.write()
    assert "Couleur : [… à compléter : fields.colour]" in tell_text(holed.write(Purpose.DRAFT))


def test_a_handover_with_a_hole_goes_and_shows_it(writer: Writer, tmp_path: Path) -> None:
    holed = own_words(writer, tmp_path, "handover")
    assert "[… à compléter : fields.colour]" in tell_text(holed.write(Purpose.HANDOVER, "handover"))


def test_an_acknowledgement_with_a_hole_goes_in_our_words(writer: Writer, tmp_path: Path) -> None:
    letter = own_words(writer, tmp_path, "acknowledgement").write(Purpose.ACKNOWLEDGEMENT, "acknowledgement")
    assert "Nous avons bien reçu votre message" in tell_text(letter)
    assert (letter.template, letter.segment, letter.variant) == ("acknowledgement", "", "")


# --- headers -------------------------------------------------------------------------------------------------

TELLING = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "Importance", "X-Priority",
           "Disposition-Notification-To")  # fmt: skip


def test_a_draft_says_nowhere_that_it_was_made_by_a_machine(writer: Writer) -> None:
    asking = writer.with_policy(("receipts: []  ", "receipts: [read]  "))
    draft = asking.write(Purpose.DRAFT)
    assert draft.draft
    assert not draft.automatic
    letter = read(draft)
    assert [name for name in TELLING if name in letter] == []
    assert not [name for name in letter.keys() if name.lower().startswith("x-")]  # noqa: SIM118 (of a message)
    assert "automatiquement" not in tell_text(draft).replace("triés automatiquement", "")
    assert "envoyée automatiquement" in tell_text(asking.write(Purpose.ANSWER))


def test_a_read_receipt_is_asked_of_requesters_where_the_policy_says_so(writer: Writer) -> None:
    asking = writer.with_policy(("receipts: []  ", "receipts: [read]  "))
    only_delivery = writer.with_policy(("receipts: []  ", "receipts: [delivery]  "))
    for purpose, template in ((Purpose.ANSWER, "timetable"), (Purpose.ACKNOWLEDGEMENT, "acknowledgement")):
        assert read(asking.write(purpose, template))["Disposition-Notification-To"] == OURS
        assert read(writer.write(purpose, template))["Disposition-Notification-To"] is None
        assert read(only_delivery.write(purpose, template))["Disposition-Notification-To"] is None
    assert read(asking.write(Purpose.HANDOVER, "handover"))["Disposition-Notification-To"] is None


WISHES = "format: text, reply_to: back@atelier.example, signature: Le standard, importance: high, receipts: [read]"


def test_a_team_is_written_to_as_it_likes(writer: Writer) -> None:
    fond = writer.with_policy(("address: support-n1@atelier.example}", f"address: n1@atelier.example, {WISHES}}}"))
    letter = fond.write(Purpose.HANDOVER, "handover")
    assert_wishes(letter)
    usual = read(writer.write(Purpose.HANDOVER, "handover"))
    assert usual.get_content_type() == "multipart/alternative"
    assert [usual[name] for name in ("Reply-To", "Importance", "Disposition-Notification-To")] == [None] * 3
    assert "L'équipe d'assistance" in tell_text(writer.write(Purpose.HANDOVER, "handover"))
    other = fond.write(Purpose.HANDOVER, "handover", replace(OPENED, team="administration"))
    assert read(other).get_content_type() == "multipart/alternative"


def assert_wishes(letter: ReadyLetter) -> None:
    mail = read(letter)
    assert mail.get_content_type() == "text/plain"
    assert mail["Reply-To"].addresses[0].addr_spec == "back@atelier.example"
    assert mail["Disposition-Notification-To"] == "back@atelier.example"
    assert (mail["Importance"], mail["X-Priority"]) == ("high", "1 (Highest)")
    assert "\nLe standard\n" in tell_text(letter)


def ring(policy: Policy) -> ReadyLetter:
    card = TicketCard(1, NUMBER, "new", "technical", "normal", 1, "support", "fr", NOW, NOW, NOW)
    return write_ring(policy, KEYS, card, Ring(2, "niveau2@atelier.example", 1.0, NOW, timedelta(hours=1)), NOW)


def test_a_level_is_rung_as_it_likes_and_loudly_if_it_does_not_say() -> None:
    fond = change_policy(("address: niveau2@atelier.example,", f"address: niveau2@atelier.example, {WISHES},"))
    assert_wishes(ring(fond))
    usual = ring(change_policy())
    assert read(usual)["Importance"] == "high"
    assert (usual.template, usual.language) == ("ring", "fr")
    calm = ("address: niveau2@atelier.example,", "address: niveau2@atelier.example, importance: normal,")
    assert read(ring(change_policy(calm)))["Importance"] is None


def test_a_reader_gets_the_digest_as_he_likes(store: Store) -> None:
    policy = change_policy()
    reader = policy.digest.readers[0]
    liked = reader.model_copy(
        update={"format": "text", "reply_to": "back@atelier.example", "signature": "Le standard",
                "importance": "high", "receipts": ("read",)}
    )  # fmt: skip
    ledger = read_ledger(store, NOW - timedelta(days=1), NOW)
    digest = count_ledger(ledger, (), NOW, teams=None, timezone="Europe/Paris")
    assert_wishes(write_digest(policy, liked, digest, ledger, NOW))
    usual = write_digest(policy, find_reader(policy, reader.name), digest, ledger, NOW)
    assert read(usual)["Importance"] is None
    assert (usual.template, usual.language) == ("digest", reader.language)
