"""Doors 4–7 for a chunk of conversations: gather facts, ask a judge, decide, carry out; each mail in its own try."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from classifiers.judge import Judgement
from desk.clock import BusinessClock
from desk.decide import decide, needs_judgement
from desk.errors import ByreturnError, ClaimLost, MailTrouble, StaleDecision
from desk.facts import Arrival, Facts, Trust
from desk.mail import Address, Mail, Unreadable, read_mail
from desk.plan import OpenTicket, Plan, PlannedLetter, Purpose, TouchTicket
from desk.policy import Policy
from desk.routing import know_organisation
from desk.tokens import TokenKeys, find_number, make_message_id, read_message_id
from desk.trust import judge_sender
from letters.compose import compose_letter
from letters.render import render_letter
from store.facts import gather_facts
from store.intake import open_mail, read_places
from store.mailboxes import list_mailboxes
from store.memory import Store
from store.messages import (
    Waiting,
    claim_conversations,
    extend_claims,
    find_place,
    postpone_message,
    quarantine_message,
    release_claims,
)
from store.numbers import NumberStock
from store.outcomes import Outcome, ReadyLetter, carry_out
from tasks.alarm import report_quarantine
from tasks.guard import guarded, keep_cause
from tasks.judging import Bench, judge_mail, open_bench, report_judges
from tasks.opening import open_policy, open_store, open_tokens

TRIES = 3  # facts may change under a decision that often before the mail waits for the next round


@dataclass(frozen=True, slots=True)
class DecideCount:
    """What became of a chunk; `claimed` 0 means that nothing waits."""

    claimed: int = 0
    verdicts: Mapping[str, int] | None = None
    postponed: int = 0
    lost: int = 0
    degraded: str = ""  # why the local model stood in for Mistral


@dataclass(frozen=True, slots=True)
class Desk:
    """What every decision of a run stands on."""

    store: Store
    policy: Policy
    clock: BusinessClock
    bench: Bench
    tokens: TokenKeys
    addresses: Mapping[int, str]  # of our mailboxes
    letterboxes: frozenset[str]  # addresses that the desk itself writes from
    own: frozenset[str]  # every address that is ours
    agents: frozenset[str]  # of them and others, those behind which a person of ours writes
    numbers: NumberStock


@task(name="decide mails", cache_policy=NO_CACHE)
@guarded("decide mails")
def decide_mails(at: datetime | None = None) -> DecideCount:
    """Decide one chunk. `at` is the moment decisions are made for; claims go by the real clock."""
    with open_bench() as bench:
        desk = open_desk(bench)
        limits = desk.policy.limits
        token = uuid.uuid4().hex
        waiting = claim_conversations(desk.store, token, datetime.now(UTC), limits.claim, limits.chunk)
        tally = _decide_all(desk, token, waiting, at)
        release_claims(desk.store, token)
        degraded = report_judges(desk.store, bench) if waiting else ""
        report_quarantine(desk.store)
    verdicts = {word: tally[word] for word in sorted(tally) if word not in ("postponed", "lost")}
    if waiting:
        get_run_logger().info("decided %d mails: %s", len(waiting), verdicts)
    return DecideCount(len(waiting), verdicts, tally.get("postponed", 0), tally.get("lost", 0), degraded)


def open_desk(bench: Bench) -> Desk:
    store, policy = open_store(), open_policy()
    addresses = {one.id: one.address for one in list_mailboxes(store.engine)}
    letterboxes = frozenset({policy.organisation.sender, *addresses.values()})
    people = {
        *policy.agents,
        *(team.address for team in policy.teams.values()),
        *(level.address for level in policy.levels.values()),
    }
    return Desk(
        store,
        policy,
        BusinessClock(policy.calendar),
        bench,
        open_tokens(),
        addresses,
        letterboxes,
        letterboxes | people | {policy.organisation.operator},
        frozenset(people),
        NumberStock(store),
    )


def _decide_all(desk: Desk, token: str, waiting: tuple[Waiting, ...], at: datetime | None) -> dict[str, int]:
    tally: dict[str, int] = {}
    held_until = datetime.now(UTC) + desk.policy.limits.claim
    for one in waiting:
        if held_until - datetime.now(UTC) < desk.policy.limits.claim / 2:
            held_until = datetime.now(UTC) + desk.policy.limits.claim
            extend_claims(desk.store, token, held_until)
        word = _decide_safely(desk, one, at)
        tally[word] = tally.get(word, 0) + 1
    return tally


def _decide_safely(desk: Desk, waiting: Waiting, at: datetime | None) -> str:
    """The verdict's word, or what became of the mail instead."""
    try:
        return _decide_again(desk, waiting, at)
    except ClaimLost:
        return "lost"
    except Exception as trouble:  # noqa: BLE001 - promise 3
        return _set_aside(desk, waiting, trouble)


def _decide_again(desk: Desk, waiting: Waiting, at: datetime | None) -> str:
    """Decide; when facts changed meanwhile, look again (the judgement stands, it does not depend on them)."""
    mail, part = open_waiting(desk.store, waiting)
    judged: Judgement | None = None
    for left in reversed(range(TRIES)):
        facts = replace(gather(desk, waiting, mail, at or datetime.now(UTC)), too_large=part == "head")
        if judged is None and needs_judgement(mail, facts):
            judged = judge_mail(desk.bench, mail, desk.policy)
        try:
            return decide_one(desk, waiting, mail, facts, judged, at or datetime.now(UTC)).verdict.value
        except StaleDecision:
            if not left:
                raise
    raise StaleDecision("unreachable")


def decide_one(desk: Desk, waiting: Waiting, mail: Mail, facts: Facts, judged: Judgement | None, now: datetime) -> Plan:
    """Doors 6–7: a pure decision, its letters rendered, all committed together."""
    said = judged.classification if judged else None
    plan = decide(mail, facts, said, desk.policy, desk.clock, now)
    number = desk.numbers.take(now) if isinstance(plan.ticket, OpenTicket) else ""
    letters = tuple(write_letter(desk, waiting, mail, facts, plan, one, number, now) for one in plan.letters)
    outcome = Outcome(
        plan,
        facts,
        said,
        judged.troubles if judged else (),
        letters,
        number,
        mail.subject,
        desk.policy.fingerprint,
    )
    carry_out(desk.store, waiting, outcome, now, datetime.now(UTC) + desk.policy.limits.claim)
    return plan


def _set_aside(desk: Desk, waiting: Waiting, trouble: Exception) -> str:
    """Later, or after too many attempts into quarantine; the rest of the chunk goes on."""
    incident = keep_cause("decide mails", trouble)
    now = datetime.now(UTC)
    if waiting.attempts + 1 < desk.policy.limits.attempts:
        postpone_message(desk.store, waiting, now + timedelta(minutes=2**waiting.attempts))
        return "postponed"
    cause = trouble.code if isinstance(trouble, ByreturnError) else type(trouble).__name__
    quarantine_message(desk.store, waiting, cause, incident, now)
    return "quarantined"


def open_waiting(store: Store, waiting: Waiting) -> tuple[Mail, str]:
    """The mail of a message, read again from its pack, and whether that is the whole of it or its head alone."""
    delivery_id = find_place(store, waiting.id)
    places = read_places(store, [delivery_id] if delivery_id is not None else [])
    mail = read_mail(open_mail(store, places[0])) if places else None
    if mail is None or isinstance(mail, Unreadable):
        raise MailTrouble("its bytes are gone")
    return mail, places[0].part


# --- facts ---------------------------------------------------------------------------------------------------


def gather(desk: Desk, waiting: Waiting, mail: Mail, now: datetime) -> Facts:
    """Door 4: what the store knows, weighed with who the sender really is."""
    policy = desk.policy
    trust = judge_sender(mail, policy.trust.authserv_ids, desk.own)
    known = gather_facts(
        desk.store.engine,
        mail,
        waiting.mailbox_id,
        number=_read_token(desk, mail),
        quoted=find_number(mail.subject) or "",
        since=now - _widest_cap(policy),
        thread=waiting.conversation_id,
    )
    verified = trust is Trust.VERIFIED
    return Facts(
        mailbox=known.mailbox,
        trust=trust,
        own=known.own_letter or (verified and mail.sender.address in desk.letterboxes),
        ticket=known.ticket,
        participant=known.participant,
        from_agent=verified and mail.sender.address in desk.agents,
        quoted=known.quoted,
        bounced_letter=known.bounced_letter,
        organisation=know_organisation(policy, mail.sender.domain) if verified else None,
        sent_to_sender=known.sent_to_sender,
        sent_on_ticket=known.sent_on_ticket,
        arrival=Arrival(waiting.arrival),
    )


def _read_token(desk: Desk, mail: Mail) -> str:
    found = (read_message_id(reference, desk.tokens) for reference in reversed(mail.references))
    return next((number for number in found if number), "")


def _widest_cap(policy: Policy) -> timedelta:
    return max((*policy.limits.letters_per_sender, *policy.limits.letters_per_ticket))


# --- letters -------------------------------------------------------------------------------------------------


def write_letter(
    desk: Desk,
    waiting: Waiting,
    mail: Mail,
    facts: Facts,
    plan: Plan,
    planned: PlannedLetter,
    number: str,
    now: datetime,
) -> ReadyLetter:
    """Render a planned letter and fix its Message-ID."""
    of_ticket = plan.ticket.number if isinstance(plan.ticket, TouchTicket) else number
    slots = _fill_slots(desk, waiting, mail, facts, plan, planned, of_ticket)
    rendered = render_letter(planned.template, planned.language, slots)
    internal = planned.purpose is Purpose.HANDOVER
    sender = desk.policy.organisation.sender if internal else desk.addresses[waiting.mailbox_id]
    header_id = make_message_id(of_ticket, uuid.uuid4().hex, desk.tokens, desk.policy.organisation.domain)
    body = compose_letter(
        rendered,
        message_id=header_id,
        sender=Address(desk.policy.organisation.name, sender),
        recipients=planned.recipients,
        date=now,
        in_reply_to="" if internal else mail.message_id,
        references=() if internal else mail.references,
        automatic=not planned.draft,
    )
    return ReadyLetter(
        planned.purpose,
        header_id,
        sender,
        planned.recipients,
        body,
        planned.draft,
        automatic=not internal and not planned.draft,
    )


def _fill_slots(
    desk: Desk, waiting: Waiting, mail: Mail, facts: Facts, plan: Plan, planned: PlannedLetter, number: str
) -> dict[str, object]:
    """Checked fields and store facts only; see letters.slots for what each means."""
    policy, ticket = desk.policy, plan.ticket
    opened = ticket if isinstance(ticket, OpenTicket) else None
    return {
        "organisation": policy.organisation.name,
        "signature": policy.organisation.signature.get(planned.language, policy.organisation.name),
        "requester_name": mail.sender.name if facts.trust is Trust.VERIFIED else "",
        "requester_organisation": facts.organisation.name if facts.organisation else "",
        "number": number,
        "subject": mail.subject,
        "received_at": mail.date or waiting.received_at,  # the day that its writer remembers
        "respond_by": opened.respond_by if opened else None,
        "timezone": policy.calendar.timezone,
        "retention_days": policy.retention.mails.days,
        "automatic": not planned.draft,
        "category": opened.category if opened else facts.ticket.category if facts.ticket else "",
        "priority": opened.priority if opened else facts.ticket.priority if facts.ticket else "",
        "sender": mail.sender.address,
        "excerpt": mail.reply_text,
        "reason": plan.reason,
        "drafted": any(one.draft for one in plan.letters),
        "limit_mb": policy.limits.mail_bytes // 10**6,
    }
