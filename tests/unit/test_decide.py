"""The table of decisions: which row holds, what it plans, and what the guard never lets out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.classification import Classification, Complexity, Impact, Source
from desk.clock import BusinessClock
from desk.decide import HINDRANCES, RULES, Case, as_draft, decide, may_write, needs_judgement, weigh_signals
from desk.facts import Arrival, Facts, Organisation, Status, TicketFacts, Trust
from desk.mail import Address, Bounce, Forward, Kind, Mail
from desk.passing import find_writer, hear_writer
from desk.plan import Fate, OpenTicket, Plan, Purpose, Report, TouchTicket, Verdict
from desk.policy import load_policy

POLICY = load_policy((Path(__file__).parents[2] / "policy.yaml").read_text(encoding="utf-8"))
CLOCK = BusinessClock(POLICY.calendar)
NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)

MAIL = Mail(
    message_id="<m1@school.example>", references=(), sender=Address("Ada Martin", "ada@school.example"),
    reply_to=(), to=(Address("", "support@atelier.example"),), cc=(), subject="Emploi du temps", date=NOW,
    text="Bonjour", reply_text="Bonjour", attachments=(), kind=Kind.PERSON, evidence="", bounce=None,
    authentication=(), size_bytes=100, fingerprint="f" * 64,
)  # fmt: skip
FACTS = Facts(mailbox="support", trust=Trust.VERIFIED)
SURE = Classification("timetable", "normal", "fr", 0.95, Source.LOCAL)
TICKET = TicketFacts(
    7, "2026-000007", 3, Status.SOLUTION_PROPOSED, "technical", "normal", 1, "support-technique", "ada@school.example"
)
JOINED = replace(FACTS, ticket=TICKET, participant=True)
QUOTING = replace(FACTS, quoted=TICKET, quoted_participant=True)
WRITER = Address("Paul Petit", "paul@school.example")
PASSED = replace(
    MAIL, sender=Address("Agent", "agent@atelier.example"), subject="TR: Facture",
    reply_text="Pour vous", text="Pour vous", forwarded=Forward(WRITER, "Facture", "", "Notre facture est fausse."),
)  # fmt: skip
PASSING = replace(FACTS, from_agent=True, passed_on_for=WRITER)
NOSY = replace(MAIL, reply_text="Pouvez-vous me donner l'adresse e-mail du professeur de ma fille ?")
CROWD = tuple(Address("", f"{name}@school.example") for name in "abcdefgh")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REQUESTER_LETTERS = {Purpose.ANSWER, Purpose.ACKNOWLEDGEMENT}


def plan_for(mail: Mail = MAIL, facts: Facts = FACTS, judged: Classification | None = SURE) -> Plan:
    return decide(mail, facts, judged, POLICY, CLOCK, NOW)


def purposes(plan: Plan) -> list[Purpose]:
    return [letter.purpose for letter in plan.letters]


@pytest.mark.parametrize(
    ("mail", "facts", "judged", "verdict", "reason"),
    [
        (MAIL, FACTS, SURE, "answered", "confident"),
        (MAIL, replace(FACTS, own=True), None, "ignored", "own"),
        (replace(MAIL, kind=Kind.AUTO_REPLY), FACTS, None, "ignored", "auto-reply"),
        (replace(MAIL, kind=Kind.BOUNCE), FACTS, None, "ignored", "bounce"),
        (replace(MAIL, kind=Kind.LIST), FACTS, None, "ignored", "list"),
        (replace(MAIL, kind=Kind.RECEIPT), FACTS, None, "ignored", "receipt"),
        (replace(MAIL, kind=Kind.CALENDAR), FACTS, None, "ignored", "calendar"),
        (MAIL, replace(FACTS, trust=Trust.FORGED), None, "held", "forged"),
        (MAIL, JOINED, SURE, "appended", "reply"),
        (MAIL, JOINED, replace(SURE, confirms_solved=True), "confirmed", "confirmed"),
        (MAIL, replace(JOINED, participant=False, from_agent=True), SURE, "appended", "agent"),
        (MAIL, QUOTING, SURE, "appended", "reply"),
        (MAIL, QUOTING, replace(SURE, confirms_solved=True), "confirmed", "confirmed"),
        (MAIL, replace(QUOTING, quoted_participant=False, from_agent=True), SURE, "appended", "agent"),
        (MAIL, replace(QUOTING, quoted_participant=False), SURE, "answered", "confident"),
        (MAIL, replace(QUOTING, trust=Trust.UNVERIFIED), SURE, "drafted", "unverified"),
        (PASSED, PASSING, SURE, "drafted", "passed-on"),
        (PASSED, PASSING, replace(SURE, category="technical"), "drafted", "passed-on"),
        (PASSED, PASSING, replace(SURE, confidence=0.2), "drafted", "doubt"),
        (PASSED, PASSING, replace(SURE, category="spam"), "handed_over", "doubt"),
        (PASSED, PASSING, replace(SURE, category="urgent"), "handed_over", "urgent"),
        (PASSED, PASSING, replace(SURE, wants_human=True), "handed_over", "human"),
        (PASSED, replace(PASSING, ticket=TICKET), SURE, "appended", "agent"),
        (PASSED, replace(FACTS, from_agent=True), SURE, "answered", "confident"),
        (MAIL, replace(FACTS, too_large=True), SURE, "handed_over", "too-large"),
        (MAIL, replace(JOINED, too_large=True), SURE, "appended", "too-large"),
        (replace(MAIL, kind=Kind.LIST), replace(FACTS, too_large=True), None, "ignored", "list"),
        (MAIL, FACTS, replace(SURE, steering=True), "handed_over", "steering"),
        (replace(MAIL, kind=Kind.MACHINE), FACTS, SURE, "handed_over", "machine"),
        (MAIL, FACTS, replace(SURE, category="urgent"), "handed_over", "urgent"),
        (MAIL, FACTS, replace(SURE, priority="urgent"), "handed_over", "urgent"),
        (MAIL, FACTS, replace(SURE, category="spam"), "ignored", "spam"),
        (MAIL, FACTS, replace(SURE, category="thanks"), "ignored", "thanks"),
        (MAIL, FACTS, replace(SURE, category="spam", confidence=0.2), "handed_over", "doubt"),
        (MAIL, FACTS, replace(SURE, wants_human=True), "handed_over", "human"),
        (MAIL, replace(FACTS, agent_active=True), SURE, "handed_over", "agent"),
        (MAIL, FACTS, replace(SURE, confidence=0.2), "drafted", "doubt"),
        (MAIL, FACTS, replace(SURE, category="technical"), "drafted", "mode"),
        (MAIL, replace(FACTS, trust=Trust.UNVERIFIED), SURE, "drafted", "unverified"),
        (replace(MAIL, date=NOW - timedelta(days=4)), FACTS, SURE, "drafted", "old"),
        (MAIL, replace(FACTS, arrival=Arrival.BACKFILL), SURE, "drafted", "old"),
        (MAIL, replace(FACTS, arrival=Arrival.HISTORY), None, "ignored", "history"),
        (MAIL, replace(JOINED, arrival=Arrival.HISTORY), None, "ignored", "history"),
        (MAIL, replace(FACTS, sent_to_sender=(NOW,) * 3), SURE, "drafted", "cap"),
        (MAIL, replace(FACTS, sent_on_ticket=(NOW,) * 3), SURE, "drafted", "cap"),
        (MAIL, replace(FACTS, sent_by_mailbox=((HOUR, 200),)), SURE, "drafted", "mailbox-cap"),
        (MAIL, replace(FACTS, sent_in_all=((DAY, 2000),)), SURE, "drafted", "day-cap"),
        (MAIL, replace(FACTS, suppressed=True), SURE, "drafted", "suppressed"),
        (MAIL, replace(FACTS, own_reader=True), SURE, "drafted", "own-address"),
        (replace(MAIL, reply_to=(Address("", "noreply@school.example"),)), FACTS, SURE, "drafted", "noreply"),
        (replace(MAIL, cc=CROWD[:5]), FACTS, SURE, "drafted", "many-recipients"),
        (MAIL, replace(FACTS, addressed=False), SURE, "drafted", "many-recipients"),
        (MAIL, replace(FACTS, writers=6), SURE, "drafted", "many-recipients"),
        (NOSY, FACTS, SURE, "drafted", "others-data"),
        (NOSY, FACTS, replace(SURE, category="technical"), "drafted", "others-data"),
        (NOSY, FACTS, replace(SURE, confidence=0.2), "drafted", "others-data"),
        (NOSY, JOINED, SURE, "appended", "reply"),
        (replace(MAIL, sender=Address("", "")), FACTS, SURE, "handed_over", "no-sender"),
        (MAIL, FACTS, replace(SURE, source=Source.NOBODY), "handed_over", "unjudged"),
        (MAIL, JOINED, replace(SURE, steering=True), "appended", "steering"),
    ],
)
def test_each_row_of_the_table_decides_as_it_says(
    mail: Mail, facts: Facts, judged: Classification | None, verdict: str, reason: str
) -> None:
    plan = plan_for(mail, facts, judged)
    assert (plan.verdict.value, plan.reason) == (verdict, reason)


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


# What makes each row hold, from the first to the last: the words it decides by, and changes of the mail, the facts and
# the judgement. Each takes back what would make a row above it hold.
NO_REPLY = (Address("", "noreply@school.example"),)
ON_TICKET: dict[str, Any] = {"ticket": TICKET, "participant": True, "trust": Trust.VERIFIED}
LADDER: tuple[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]], ...] = (
    ("ignored", "own", {}, {"own": True}, {}),
    ("ignored", "auto-reply", {"kind": Kind.AUTO_REPLY}, {}, {}),
    ("held", "forged", {}, {"trust": Trust.FORGED}, {}),
    ("ignored", "history", {}, {"arrival": Arrival.HISTORY}, {}),
    ("appended", "agent", {}, ON_TICKET | {"from_agent": True}, {}),
    ("appended", "too-large", {}, {"too_large": True, "from_agent": False}, {}),
    ("appended", "steering", {}, ON_TICKET, {"steering": True}),
    ("confirmed", "confirmed", {}, ON_TICKET, {"confirms_solved": True, "steering": False}),
    ("appended", "reply", {}, ON_TICKET | {"from_agent": False}, {"steering": False}),
    ("handed_over", "steering", {}, {}, {"steering": True}),
    ("handed_over", "unjudged", {}, {}, {"source": Source.NOBODY}),
    ("handed_over", "machine", {"kind": Kind.MACHINE}, {}, {}),
    ("handed_over", "urgent", {}, {}, {"priority": "urgent", "confidence": 0.95}),
    ("ignored", "spam", {}, {"passed_on_for": None}, {"category": "spam", "confidence": 0.95}),
    ("handed_over", "human", {}, {}, {"wants_human": True}),
    ("handed_over", "agent", {}, {"agent_active": True}, {}),
    ("handed_over", "no-sender", {"sender": Address("", "")}, {"passed_on_for": None}, {}),
    ("handed_over", "doubt", {}, {}, {"category": "spam"}),
    ("drafted", "others-data", {"reply_text": NOSY.reply_text}, {"passed_on_for": None}, {"category": "timetable"}),
    ("drafted", "doubt", {}, {}, {"confidence": 0.1}),
    ("handed_over", "off", {}, {}, {"category": "programme"}),
    (
        "drafted",
        "passed-on",
        {"forwarded": PASSED.forwarded},
        {"from_agent": True, "passed_on_for": WRITER, "trust": Trust.VERIFIED},
        {"category": "technical"},
    ),
    ("drafted", "mode", {}, {}, {"category": "technical"}),
    ("drafted", "unverified", {}, {"trust": Trust.UNVERIFIED}, {}),
    ("drafted", "own-address", {}, {"own_reader": True}, {}),
    ("drafted", "noreply", {"reply_to": NO_REPLY}, {}, {}),
    ("drafted", "suppressed", {}, {"suppressed": True}, {}),
    ("drafted", "many-recipients", {}, {"writers": 6}, {}),
    ("drafted", "old", {}, {"arrival": Arrival.BACKFILL}, {}),
    ("drafted", "cap", {}, {"sent_to_sender": (NOW,) * 3}, {}),
    ("drafted", "mailbox-cap", {}, {"sent_by_mailbox": ((HOUR, 200),)}, {}),
    ("drafted", "day-cap", {}, {"sent_in_all": ((DAY, 2000),)}, {}),
    ("drafted", "ungrounded", {}, {}, {}),
)
STRICT = POLICY.model_copy(
    update={
        "categories": {
            **POLICY.categories,
            "programme": POLICY.categories["programme"].model_copy(update={"mode": "off"}),
            "timetable": POLICY.categories["timetable"].model_copy(update={"answers": "articles"}),
        }
    }
)


@pytest.mark.parametrize("step", range(len(LADDER) + 1))
def test_of_all_rows_that_hold_the_first_decides(step: int) -> None:
    """Everything from the step's row on holds at once."""
    mail, facts, judged = MAIL, FACTS, SURE
    for _, _, written, known, said in reversed(LADDER[step:]):
        mail, facts, judged = replace(mail, **written), replace(facts, **known), replace(judged, **said)
    plan = decide(mail, facts, judged, STRICT, CLOCK, NOW, step == len(LADDER))
    verdict, reason = LADDER[step][:2] if step < len(LADDER) else ("answered", "confident")
    assert (plan.verdict.value, plan.reason, plan.rule) == (verdict, reason, RULES[step].name)
    assert len(RULES) == len(LADDER) + 1


@pytest.mark.parametrize(
    ("mail", "facts"),
    [
        *((replace(MAIL, kind=kind), FACTS) for kind in Kind if kind is not Kind.PERSON),
        (MAIL, replace(FACTS, own=True)),
        (MAIL, replace(FACTS, trust=Trust.FORGED)),
        (replace(MAIL, sender=Address("", "")), FACTS),
        (replace(MAIL, date=NOW - timedelta(days=30)), FACTS),
        (MAIL, replace(FACTS, arrival=Arrival.BACKFILL)),
        (MAIL, replace(FACTS, arrival=Arrival.HISTORY)),
        (MAIL, replace(FACTS, sent_to_sender=(NOW,) * 12)),
        (MAIL, replace(FACTS, sent_on_ticket=(NOW,) * 12)),
        (MAIL, replace(FACTS, sent_by_mailbox=((DAY, 500),))),
        (MAIL, replace(FACTS, sent_in_all=((DAY, 2000),))),
        (MAIL, replace(FACTS, suppressed=True)),
        (MAIL, replace(FACTS, own_reader=True)),
        (MAIL, replace(FACTS, addressed=False)),
        (MAIL, replace(FACTS, writers=30)),
        (MAIL, replace(FACTS, agent_active=True)),
        (replace(MAIL, to=CROWD), FACTS),
        (replace(MAIL, sender=Address("", "bounces+ada=school.example@host.example")), FACTS),
        (PASSED, PASSING),
    ],
)
@pytest.mark.parametrize("category", sorted(POLICY.categories))
@pytest.mark.parametrize("twist", [{}, {"wants_human": True}, {"steering": True}, {"confidence": 0.1}])
def test_nothing_goes_out_by_itself_to_machines_ourselves_forgers_old_mail_or_beyond_the_caps(
    mail: Mail, facts: Facts, category: str, twist: dict[str, object]
) -> None:
    judged = replace(SURE, category=category, **twist)  # type: ignore[arg-type]  # a table of changes
    plan = plan_for(mail, facts, judged)
    assert not {letter.purpose for letter in plan.letters if not letter.draft} & REQUESTER_LETTERS
    assert plan.verdict is not Verdict.ANSWERED


def test_a_stranger_or_unproven_sender_who_names_a_ticket_gets_a_new_one_linked_to_it() -> None:
    stranger = replace(JOINED, participant=False)
    unproven = replace(JOINED, trust=Trust.UNVERIFIED)
    quoting = replace(FACTS, quoted=TICKET)
    for facts in (stranger, unproven, quoting):
        opened = plan_for(facts=facts).ticket
        assert isinstance(opened, OpenTicket)
        assert opened.linked_to == TICKET.id


def test_a_closed_ticket_is_not_joined_again() -> None:
    facts = replace(JOINED, ticket=replace(TICKET, status=Status.CLOSED))
    opened = plan_for(facts=facts).ticket
    assert isinstance(opened, OpenTicket)
    assert opened.linked_to == TICKET.id


def test_a_reply_reopens_its_ticket_and_tells_the_team_not_the_requester() -> None:
    plan = plan_for(facts=JOINED)
    assert plan.ticket == TouchTicket(7, 3, "2026-000007", Status.IN_ANALYSIS, "support-technique", "reply")
    assert purposes(plan) == [Purpose.HANDOVER]


def test_a_draft_comes_with_an_acknowledgement_and_a_handover() -> None:
    plan = plan_for(judged=replace(SURE, category="technical"))
    assert purposes(plan) == [Purpose.ACKNOWLEDGEMENT, Purpose.HANDOVER, Purpose.DRAFT]
    assert [letter.draft for letter in plan.letters] == [False, False, True]


@pytest.mark.parametrize("facts", [FACTS, JOINED])
def test_the_writer_of_a_mail_too_large_is_told_so_and_the_team_too(facts: Facts) -> None:
    plan = plan_for(facts=replace(facts, too_large=True))
    assert [(one.purpose, one.template) for one in plan.letters] == [
        (Purpose.ACKNOWLEDGEMENT, "too_large"),
        (Purpose.HANDOVER, "handover"),
    ]
    assert plan.letters[0].recipients == ("ada@school.example",)
    assert plan.ticket is not None


@pytest.mark.parametrize(
    ("mail", "facts"),
    [
        (replace(MAIL, kind=Kind.MACHINE), FACTS),
        (replace(MAIL, date=NOW - timedelta(days=4)), FACTS),
        (MAIL, replace(FACTS, sent_to_sender=(NOW,) * 3)),
        (MAIL, replace(FACTS, arrival=Arrival.BACKFILL)),
    ],
)
def test_of_its_size_nobody_is_told_who_may_not_be_written_to(mail: Mail, facts: Facts) -> None:
    assert purposes(plan_for(mail, replace(facts, too_large=True))) == [Purpose.HANDOVER]


def test_a_pilot_school_goes_to_its_own_team_and_an_urgency_before_it() -> None:
    pilot = replace(FACTS, organisation=Organisation("École", "pilot"))
    normal, urgent = plan_for(facts=pilot).ticket, plan_for(facts=pilot, judged=replace(SURE, category="urgent")).ticket
    assert isinstance(normal, OpenTicket)
    assert isinstance(urgent, OpenTicket)
    assert (normal.team, urgent.team) == ("support-premium", "urgence")


@pytest.mark.parametrize(
    ("twist", "level"),
    [({}, 1), ({"complexity": Complexity.COMPLEX}, 2), ({"impact": Impact.MANY}, 2)],
)
def test_complex_or_widely_felt_matters_start_a_level_up(twist: dict[str, object], level: int) -> None:
    opened = plan_for(judged=replace(SURE, **twist)).ticket  # type: ignore[arg-type]  # a table of changes
    assert isinstance(opened, OpenTicket)
    assert opened.level == level


@pytest.mark.parametrize(
    ("reply_to", "answered"),
    [
        ((), "ada@school.example"),
        ((Address("", "office@school.example"),), "office@school.example"),
        ((Address("", "victim@elsewhere.example"),), "ada@school.example"),
    ],
)
def test_a_mail_does_not_choose_whom_we_write_to(reply_to: tuple[Address, ...], answered: str) -> None:
    plan = plan_for(replace(MAIL, reply_to=reply_to))
    assert plan.letters[0].recipients == (answered,)


# --- what keeps a letter from going out by itself, to the very edge ---


def tell_reason(mail: Mail = MAIL, facts: Facts = FACTS) -> str:
    return plan_for(mail, facts).reason


@pytest.mark.parametrize("fact", ["sent_to_sender", "sent_on_ticket"])
@pytest.mark.parametrize(("span", "most"), [(timedelta(minutes=10), 3), (HOUR, 6), (DAY, 12)])
def test_a_cap_holds_from_its_last_letter_on_until_that_many_are_old_enough(
    fact: str, span: timedelta, most: int
) -> None:
    def told(count: int, age: timedelta) -> str:
        sent: dict[str, Any] = {fact: (NOW - age,) * count}
        return tell_reason(facts=replace(FACTS, **sent))

    instant = timedelta(microseconds=1)
    assert told(most - 1, span - instant) == "confident"
    assert told(most, span - instant) == "cap"
    assert told(most, span) == "confident"


@pytest.mark.parametrize(
    ("fact", "span", "most", "word"),
    [
        ("sent_by_mailbox", HOUR, 200, "mailbox-cap"),
        ("sent_by_mailbox", DAY, 500, "mailbox-cap"),
        ("sent_in_all", DAY, 2000, "day-cap"),
    ],
)
def test_a_mailbox_and_the_whole_desk_have_caps_of_their_own(fact: str, span: timedelta, most: int, word: str) -> None:
    for sent, told in ((most - 1, "confident"), (most, word), (most + 1, word)):
        known: dict[str, Any] = {fact: ((span, sent),)}
        assert tell_reason(facts=replace(FACTS, **known)) == told


def test_a_mail_is_too_old_only_beyond_its_span() -> None:
    span = POLICY.limits.answer_within
    assert tell_reason(replace(MAIL, date=NOW - span)) == "confident"
    assert tell_reason(replace(MAIL, date=NOW - span - timedelta(microseconds=1))) == "old"
    assert tell_reason(replace(MAIL, date=None)) == "confident"


def test_a_handful_of_readers_is_no_crowd_and_one_more_is() -> None:
    assert tell_reason(replace(MAIL, cc=CROWD[:4])) == "confident"
    assert tell_reason(replace(MAIL, cc=CROWD[:2], to=(*MAIL.to, *CROWD[2:5]))) == "many-recipients"
    assert tell_reason(replace(MAIL, to=MAIL.to * 9)) == "confident"
    assert tell_reason(facts=replace(FACTS, writers=5)) == "confident"


def test_confidence_at_the_threshold_is_enough() -> None:
    threshold = POLICY.categories["timetable"].threshold
    for confidence, verdict in ((threshold, "answered"), (threshold - 0.001, "drafted")):
        assert plan_for(judged=replace(SURE, confidence=confidence)).verdict == verdict


@pytest.mark.parametrize(
    "local",
    [
        "noreply", "no-reply", "no.reply", "donotreply", "do-not-reply", "noreply+42", "ne-pas-repondre",
        "nepasrepondre", "ne_pas_repondre", "NePasRepondre", "pas-de-reponse", "sans-reponse", "notifications-noreply",
        "mailer-daemon", "maildaemon-daemon", "bounce", "bounces+x=y", "news-bounces", "postmaster", "owner-parents",
        "parents-owner", "parents-request", "majordomo", "listserv", "nicht-antworten", "autoreply",
    ],
)  # fmt: skip
def test_nothing_is_written_by_itself_to_an_address_that_nobody_reads(local: str) -> None:
    for mail in (
        replace(MAIL, sender=Address("", f"{local}@school.example")),
        replace(MAIL, reply_to=(Address("", f"{local}@school.example"),)),
    ):
        assert tell_reason(mail) == "noreply"
        assert Purpose.ACKNOWLEDGEMENT not in purposes(plan_for(mail, judged=replace(SURE, category="technical")))


@pytest.mark.parametrize(
    "local", ["norbert", "ada.request", "john.reply", "noemie", "bouncer", "null.part", "reponse", "nora.ply", "owner"]
)
def test_people_with_names_like_machines_are_answered(local: str) -> None:
    assert tell_reason(replace(MAIL, sender=Address("", f"{local}@school.example"))) == "confident"


@pytest.mark.parametrize("domain", ["gmail.com", "orange.fr", "yahoo.co.uk", "hotmail.fr", "laposte.net"])
def test_where_anybody_gets_an_address_answers_go_to_the_sender(domain: str) -> None:
    mail = replace(MAIL, sender=Address("", f"eve@{domain}"), reply_to=(Address("", f"victim@{domain}"),))
    assert plan_for(mail).letters[0].recipients == (f"eve@{domain}",)


@pytest.mark.parametrize("grounded", [None, False, True])
def test_a_category_that_answers_from_articles_needs_ground(grounded: bool | None) -> None:
    categories = {
        **POLICY.categories,
        "timetable": POLICY.categories["timetable"].model_copy(update={"answers": "articles"}),
    }
    policy = POLICY.model_copy(update={"categories": categories})
    plan = decide(MAIL, FACTS, SURE, policy, CLOCK, NOW, grounded)
    assert plan.reason == ("confident" if grounded else "ungrounded")
    assert plan_for().reason == "confident"
    assert decide(MAIL, FACTS, SURE, POLICY, CLOCK, NOW, grounded).reason == "confident"


def test_only_the_sender_is_written_to_whoever_else_got_the_mail() -> None:
    mail = replace(MAIL, to=(*MAIL.to, *CROWD[:2]), cc=CROWD[2:4])
    for category in ("timetable", "technical"):
        plan = plan_for(mail, judged=replace(SURE, category=category))
        requesters = [one for one in plan.letters if one.purpose is not Purpose.HANDOVER]
        assert {one.recipients for one in requesters} == {("ada@school.example",)}


def test_an_answer_that_may_not_go_out_after_all_becomes_the_draft_it_would_have_been() -> None:
    answered = plan_for()
    drafted = as_draft(answered, "hole")
    capped = plan_for(facts=replace(FACTS, own_reader=True))
    assert (drafted.verdict, drafted.reason, drafted.rule) == (Verdict.DRAFTED, "hole", answered.rule)
    assert drafted.ticket == capped.ticket
    assert purposes(drafted) == [Purpose.ACKNOWLEDGEMENT, Purpose.HANDOVER, Purpose.DRAFT]
    assert [one.draft for one in drafted.letters] == [False, False, True]
    assert drafted.instead is None
    assert as_draft(capped, "hole") == capped


def test_the_folder_of_a_draft_that_was_to_be_an_answer_is_that_of_drafts() -> None:
    policy = POLICY.model_copy(update={"filing": {Verdict.DRAFTED: "Drafted", Verdict.ANSWERED: "Answered"}})
    plan = decide(MAIL, FACTS, SURE, policy, CLOCK, NOW)
    assert (plan.folder, as_draft(plan, "hole").folder) == ("Answered", "Drafted")


def test_who_is_of_a_listed_organisation_gets_letters_of_its_segment() -> None:
    pilot = replace(FACTS, organisation=Organisation("École", "pilot"))
    assert {one.segment for one in plan_for(facts=pilot).letters} == {"pilot"}
    drafted = plan_for(facts=pilot, judged=replace(SURE, category="technical")).letters
    assert {one.purpose: one.segment for one in drafted} == {
        Purpose.ACKNOWLEDGEMENT: "pilot", Purpose.HANDOVER: "", Purpose.DRAFT: "pilot",
    }  # fmt: skip
    assert {one.segment for one in plan_for().letters} == {""}


def test_whom_a_person_of_ours_answers_gets_no_acknowledgement_either() -> None:
    active = replace(FACTS, agent_active=True)
    for judged in (SURE, replace(SURE, wants_human=True), replace(SURE, category="urgent")):
        assert purposes(plan_for(facts=active, judged=judged)) == [Purpose.HANDOVER]


# --- a program behind an address of our own people ---

TEAM = "administration@atelier.example"
FROM_TEAM = replace(MAIL, sender=Address("", TEAM))
ACCOUNT = replace(SURE, category="account", confidence=0.1)


def test_a_team_is_not_told_of_its_own_mail_and_others_only_within_the_caps() -> None:
    agent = replace(FACTS, from_agent=True)
    assert Purpose.HANDOVER not in purposes(plan_for(FROM_TEAM, agent, ACCOUNT))
    other = replace(ACCOUNT, category="technical")
    assert Purpose.HANDOVER in purposes(plan_for(FROM_TEAM, agent, other))
    capped = replace(agent, sent_to_sender=(NOW,) * 3)
    assert purposes(plan_for(FROM_TEAM, capped, other)) == [Purpose.DRAFT]
    assert Purpose.HANDOVER in purposes(plan_for(MAIL, replace(FACTS, sent_to_sender=(NOW,) * 3), other))
    assert Purpose.HANDOVER in purposes(plan_for(PASSED, replace(PASSING, sent_to_sender=(NOW,) * 3), other))


@pytest.mark.parametrize("facts", [replace(FACTS, trust=Trust.FORGED), replace(FACTS, own=True), PASSING])
def test_the_guard_holds_by_itself_wherever_it_is_asked(facts: Facts) -> None:
    assert not may_write(Case(PASSED, facts, SURE, POLICY, CLOCK, NOW))
    assert may_write(Case(PASSED, FACTS, SURE, POLICY, CLOCK, NOW))


def test_a_judge_is_asked_only_where_a_row_may_need_it() -> None:
    assert needs_judgement(MAIL, FACTS)
    assert not needs_judgement(replace(MAIL, kind=Kind.BOUNCE), FACTS)
    assert not needs_judgement(MAIL, replace(FACTS, trust=Trust.FORGED))
    assert not needs_judgement(MAIL, replace(FACTS, own=True))


def test_what_the_text_says_plainly_is_heard_whatever_the_judge_made_of_it() -> None:
    mail = replace(MAIL, reply_text="Je souhaite parler à un conseiller, merci de me rappeler.")
    assert weigh_signals(mail, SURE).wants_human
    assert not weigh_signals(MAIL, SURE).wants_human


def test_the_same_facts_give_the_same_plan() -> None:
    assert plan_for() == plan_for()


def test_an_answer_proposes_a_solution_and_drafts_wait_for_a_person() -> None:
    answered, drafted = plan_for().ticket, plan_for(judged=replace(SURE, category="billing")).ticket
    assert isinstance(answered, OpenTicket)
    assert isinstance(drafted, OpenTicket)
    assert (answered.status, drafted.status) == (Status.SOLUTION_PROPOSED, Status.NEW)


def test_the_folder_of_a_verdict_comes_from_policy() -> None:
    policy = POLICY.model_copy(update={"filing": {Verdict.IGNORED: "Byreturn/Notices"}})
    plan = decide(replace(MAIL, kind=Kind.LIST), FACTS, None, policy, CLOCK, NOW)
    assert plan.folder == "Byreturn/Notices"


# --- whom a mail may join ---

OTHER = replace(TICKET, id=8, number="2026-000008")
CLOSED = replace(TICKET, id=9, number="2026-000009", status=Status.CLOSED)
tickets = st.sampled_from([None, TICKET, OTHER, CLOSED])


def make_facts(**changes: object) -> st.SearchStrategy[Facts]:
    """Facts of any sort, but for what `changes` fix."""
    free: dict[str, st.SearchStrategy[object]] = {
        "trust": st.sampled_from(Trust),
        "ticket": tickets,
        "quoted": tickets,
        "participant": st.booleans(),
        "quoted_participant": st.booleans(),
        "from_agent": st.booleans(),
        "passed_on_for": st.sampled_from([None, WRITER]),
        "arrival": st.sampled_from(Arrival),
        "agent_active": st.booleans(),
        "suppressed": st.booleans(),
        "own_reader": st.booleans(),
        "addressed": st.booleans(),
        "writers": st.sampled_from([1, 5, 6]),
        "too_large": st.booleans(),
    }
    return st.builds(Facts, mailbox=st.just("support"), **free | {name: st.just(one) for name, one in changes.items()})


mails = st.builds(
    lambda mail, kind, subject: replace(mail, kind=kind, subject=subject),
    st.sampled_from([MAIL, PASSED]),
    st.sampled_from(Kind),
    st.sampled_from(["Panne", "Re: [#2026-000007] Panne", "Ticket 2026-000007"]),
)
judgements = st.builds(
    lambda category, solved, human: replace(SURE, category=category, confirms_solved=solved, wants_human=human),
    st.sampled_from(sorted(POLICY.categories)),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    mails,
    make_facts(trust=Trust.UNVERIFIED) | make_facts(trust=Trust.FORGED)
    | make_facts(participant=False, quoted_participant=False, from_agent=False),
    judgements,
)  # fmt: skip
def test_no_stranger_and_nobody_unproven_touches_a_ticket(mail: Mail, facts: Facts, judged: Classification) -> None:
    assert not isinstance(plan_for(mail, facts, judged).ticket, TouchTicket)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(mails, make_facts(), judgements)
def test_whatever_is_touched_is_open_and_named_by_somebody_proven(
    mail: Mail, facts: Facts, judged: Classification
) -> None:
    touched = plan_for(mail, facts, judged).ticket
    if not isinstance(touched, TouchTicket):
        return
    known = {
        named.id
        for named, takes_part in ((facts.ticket, facts.participant), (facts.quoted, facts.quoted_participant))
        if named and named.status is not Status.CLOSED and (takes_part or facts.from_agent)
    }
    assert touched.ticket_id in known
    assert facts.trust is Trust.VERIFIED


def test_references_go_before_a_number_in_the_subject() -> None:
    both = replace(JOINED, quoted=OTHER, quoted_participant=True)
    for facts, ticket in ((both, TICKET), (replace(both, participant=False), OTHER)):
        touched = plan_for(facts=facts).ticket
        assert isinstance(touched, TouchTicket)
        assert touched.ticket_id == ticket.id


def test_a_closed_ticket_is_not_joined_by_its_number_either() -> None:
    opened = plan_for(facts=replace(QUOTING, quoted=CLOSED)).ticket
    assert isinstance(opened, OpenTicket)
    assert opened.linked_to == CLOSED.id


# --- what an agent passes on ---


def test_what_an_agent_passes_on_is_a_request_of_its_writer_who_gets_a_draft_and_no_letter() -> None:
    plan = plan_for(PASSED, PASSING)
    assert isinstance(plan.ticket, OpenTicket)
    assert plan.ticket.requester == WRITER
    assert [(one.purpose, one.draft) for one in plan.letters] == [(Purpose.HANDOVER, False), (Purpose.DRAFT, True)]
    assert plan.letters[1].recipients == ("paul@school.example",)


def test_what_an_agent_passes_on_is_judged_and_named_by_the_mail_in_it() -> None:
    heard = hear_writer(PASSED, PASSING)
    assert (heard.sender, heard.subject, heard.reply_text) == (WRITER, "Facture", "Notre facture est fausse.")
    assert (heard.message_id, heard.references, heard.reply_to) == ("", (), ())


@pytest.mark.parametrize(
    ("mail", "facts"),
    [
        (PASSED, FACTS),
        (PASSED, replace(PASSING, ticket=TICKET)),
        (PASSED, replace(PASSING, passed_on_for=None)),
        (replace(PASSED, forwarded=None), PASSING),
        (PASSED, replace(PASSING, from_agent=False)),
        (PASSED, replace(PASSING, trust=Trust.UNVERIFIED)),
    ],
)
def test_any_other_mail_is_heard_as_it_is(mail: Mail, facts: Facts) -> None:
    assert hear_writer(mail, facts) == mail


def test_the_requester_of_any_other_mail_is_its_sender() -> None:
    for facts in (FACTS, replace(FACTS, from_agent=True), replace(PASSING, passed_on_for=None)):
        opened = plan_for(PASSED, facts).ticket
        assert isinstance(opened, OpenTicket)
        assert opened.requester is None


@pytest.mark.parametrize(
    ("address", "believed"),
    [
        ("paul@school.example", True),
        ("john.reply@school.example", True),
        ("norbert@school.example", True),
        ("", False),
        ("Paul Petit", False),
        ("paul@school", False),
        ("support@atelier.example", False),
        ("support+2026-000007.k1.abc@atelier.example", False),
        ("agent@atelier.example", False),
        ("noreply@school.example", False),
        ("no-reply+x@school.example", False),
        ("ne-pas-repondre@school.example", False),
        ("notifications-noreply@school.example", False),
        ("mailer-daemon@school.example", False),
        ("postmaster@school.example", False),
    ],
)
def test_a_request_is_somebody_s_who_is_not_one_of_us_and_reads_mail(address: str, believed: bool) -> None:
    told = Address("", address)
    mail = replace(PASSED, forwarded=Forward(told))
    own = frozenset({"support@atelier.example", "agent@atelier.example"})
    assert find_writer(mail, own) == (told if believed else None)


def test_a_mail_that_passes_nothing_on_has_no_other_writer() -> None:
    assert find_writer(MAIL, frozenset()) is None


def test_a_bounce_of_a_letter_of_ours_says_of_which_and_why() -> None:
    bounce = Bounce(("ada@school.example",), True, "", "<1@atelier.example>", "mailbox-full")
    plan = decide(
        replace(MAIL, kind=Kind.BOUNCE, bounce=bounce), replace(FACTS, bounced_letter=7), None, POLICY, CLOCK, NOW
    )
    until = NOW + POLICY.letters.suppress_for
    assert plan.reports == (Report(7, ("ada@school.example",), Fate.BOUNCED, "mailbox-full", "mailbox-full", until),)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(mails, make_facts(), judgements)
def test_whatever_goes_out_by_itself_to_a_requester_passed_every_guard(
    mail: Mail, facts: Facts, judged: Classification
) -> None:
    plan = plan_for(mail, facts, judged)
    written = [one for one in plan.letters if one.purpose in REQUESTER_LETTERS and not one.draft]
    assert plan == plan_for(mail, facts, judged)
    if not written:
        return
    case = Case(mail, facts, judged, POLICY, CLOCK, NOW)
    assert [reason for _, reason, holds in HINDRANCES if holds(case)] == []
    assert facts.trust is not Trust.FORGED
    assert mail.kind is Kind.PERSON
    assert {one.recipients for one in written} == {(mail.sender.address,)}
    if plan.verdict is Verdict.ANSWERED:
        assert facts.trust is Trust.VERIFIED
        assert POLICY.categories[judged.category].mode == "auto"
        assert not facts.agent_active
