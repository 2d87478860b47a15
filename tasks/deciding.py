"""Doors 4–7 for a chunk of conversations: gather facts, ask a judge, decide, carry out; each mail in its own try."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
from desk.passing import find_writer, hear_writer, is_passed_on
from desk.plan import OpenTicket, Plan, PlannedLetter, Purpose, TouchTicket
from desk.policy import Policy
from desk.routing import know_organisation
from desk.tokens import (
    TokenKeys,
    find_number,
    list_bases,
    make_message_id,
    make_plus_address,
    read_message_id,
    read_plus_address,
)
from desk.trust import NO_ANSWERS, Answers, Grounds, judge_sender
from letters.compose import compose_letter
from letters.render import render_letter
from store.facts import gather_facts
from store.intake import Claimed, open_mail, read_places
from store.mailboxes import list_mailboxes
from store.memory import Store
from store.messages import (
    Waiting,
    claim_conversations,
    extend_claims,
    find_places,
    postpone_message,
    quarantine_message,
    release_claims,
)
from store.numbers import NumberStock
from store.outcomes import Outcome, ReadyLetter, Work, carry_all
from tasks.alarm import report_quarantine
from tasks.guard import guarded, keep_cause
from tasks.judging import Bench, judge_mail, open_bench, report_judges
from tasks.lookups import Names, learn_answers, share_names
from tasks.opening import open_policy, open_store, open_tokens

BATCH = 25  # mails that are committed together
HELD_SECONDS = 2.0  # that a decision waits for the others of its batch
FILES = 10  # named in a letter
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
    names: Names | None = None  # where signatures are checked

    @property
    def grounds(self) -> Grounds:
        return Grounds.of(self.policy.trust.authserv_ids, self.own)


@dataclass(slots=True)
class Hold:
    """The claims of a chunk, kept while it lasts: a slow judge takes longer than they do."""

    desk: Desk
    token: str
    until: datetime

    def renew(self) -> None:
        span = self.desk.policy.limits.claim
        if self.until - datetime.now(UTC) < span / 2:
            self.until = datetime.now(UTC) + span
            extend_claims(self.desk.store, self.token, self.until)


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail with the bytes that it was read from; not `whole` when only its header was fetched."""

    mail: Mail
    raw: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """A waiting mail as far as it is the same however often facts change: what it says, what it proves, what a judge
    made of it.
    """

    waiting: Waiting
    opened: Opened
    answers: Answers
    judged: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mail and what is to be committed about it."""

    heard: Heard
    work: Work


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
    if desk.names and desk.names.take_notice():
        get_run_logger().warning("no name server answers: senders that only a signature proves count as unverified")
    if waiting:
        get_run_logger().info("decided %d mails: %s", len(waiting), verdicts)
    return DecideCount(len(waiting), verdicts, tally["postponed"], tally["lost"], degraded)


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
        share_names() if policy.trust.check_dkim else None,
    )


def _decide_all(desk: Desk, token: str, waiting: tuple[Waiting, ...], at: datetime | None) -> Counter[str]:
    tally: Counter[str] = Counter()
    desk.numbers.expect(len(waiting))
    hold = Hold(desk, token, datetime.now(UTC) + desk.policy.limits.claim)
    for batch in split_batches(waiting):
        tally.update(_decide_batch(desk, batch, hold, at))
    return tally


def split_batches(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Mails that can be decided side by side: of each conversation and of each sender one, the oldest first, for what
    is decided about it matters to the next.
    """
    left = list(waiting)
    while left:
        batch: list[Waiting] = []
        taken: set[tuple[str, int | None]] = set()
        for one in left:
            keys = {("conversation", one.conversation_id), ("contact", one.contact_id or -one.id)}
            if taken.isdisjoint(keys) and len(batch) < BATCH:
                batch.append(one)
            taken |= keys
        yield batch
        chosen = {one.id for one in batch}
        left = [one for one in left if one.id not in chosen]


def _decide_batch(desk: Desk, batch: Sequence[Waiting], hold: Hold, at: datetime | None) -> list[str]:
    """What became of each: decided one by one, committed together, for a commit takes longer than a decision."""
    words: list[str] = []
    drawn: list[Drawn] = []
    begun, places = time.monotonic(), locate(desk.store, batch)
    for one in batch:
        hold.renew()
        try:
            drawn.append(draw_up(desk, hear_mail(desk, one, places.get(one.id)), at))
        except Exception as trouble:  # noqa: BLE001 - promise 3
            words.append(_set_aside(desk, one, trouble))
        if time.monotonic() - begun > HELD_SECONDS:  # a slow judge: what is decided is not held back
            words += _commit_batch(desk, drawn, at)
            drawn, begun = [], time.monotonic()
    return words + _commit_batch(desk, drawn, at)


def _commit_batch(desk: Desk, drawn: Sequence[Drawn], at: datetime | None) -> list[str]:
    """All of them together; when something stands against that, each in its own try."""
    if drawn and not _share_readers(drawn):
        with suppress(Exception):  # whose it is shows when each is tried
            carry_all(desk.store, [one.work for one in drawn], datetime.now(UTC) + desk.policy.limits.claim)
            return [one.work.outcome.plan.verdict.value for one in drawn]
    return [_decide_safely(desk, one, at) for one in drawn]


def _share_readers(drawn: Sequence[Drawn]) -> bool:
    """Whether two of them write to one address by themselves: the caps of the second must know of the first."""
    letters = [letter for one in drawn for letter in one.work.outcome.letters if letter.automatic]
    readers = [reader for letter in letters for reader in letter.recipients]
    return len(readers) != len(set(readers))


def _decide_safely(desk: Desk, drawn: Drawn, at: datetime | None) -> str:
    """The verdict's word, or what became of the mail instead."""
    try:
        return decide_heard(desk, drawn.heard, at)
    except ClaimLost:
        return "lost"
    except Exception as trouble:  # noqa: BLE001 - promise 3
        return _set_aside(desk, drawn.heard.waiting, trouble)


def decide_waiting(desk: Desk, waiting: Waiting, at: datetime | None) -> str:
    """Decide one mail and commit it alone; its verdict's word."""
    return decide_heard(desk, hear_mail(desk, waiting, locate(desk.store, [waiting]).get(waiting.id)), at)


def decide_heard(desk: Desk, heard: Heard, at: datetime | None) -> str:
    """Decide; when facts changed meanwhile, look again (the judgement stands, it does not depend on them)."""
    for left in reversed(range(TRIES)):
        drawn = draw_up(desk, heard, at)
        try:
            carry_all(desk.store, [drawn.work], datetime.now(UTC) + desk.policy.limits.claim)
        except StaleDecision:
            heard = drawn.heard
            if not left:
                raise
        else:
            return drawn.work.outcome.plan.verdict.value
    raise StaleDecision("unreachable")


def hear_mail(desk: Desk, waiting: Waiting, place: Claimed | None) -> Heard:
    """A waiting mail, opened, with what its signatures prove."""
    opened = open_waiting(desk.store, place)
    return Heard(waiting, opened, look_up(desk, opened))


def draw_up(desk: Desk, heard: Heard, at: datetime | None) -> Drawn:
    """Doors 4–6: facts, a judgement unless there is one, a pure decision, its letters rendered; nothing committed."""
    now, mail = at or datetime.now(UTC), heard.opened.mail
    facts = gather(desk, heard.waiting, mail, heard.answers, now)
    facts = replace(facts, too_large=not heard.opened.whole)
    if heard.judged is None and needs_judgement(mail, facts):
        heard = replace(heard, judged=judge_mail(desk.bench, hear_writer(mail, facts), desk.policy))
    return Drawn(heard, Work(heard.waiting, decide_one(desk, heard, facts, now), now))


def decide_one(desk: Desk, heard: Heard, facts: Facts, now: datetime) -> Outcome:
    """A pure decision and its letters."""
    waiting, mail, judged = heard.waiting, heard.opened.mail, heard.judged
    said = judged.classification if judged else None
    plan = decide(mail, facts, said, desk.policy, desk.clock, now)
    number = desk.numbers.take(now) if isinstance(plan.ticket, OpenTicket) else ""
    written = hear_writer(mail, facts)
    letters = tuple(write_letter(desk, waiting, written, facts, plan, one, number, now) for one in plan.letters)
    return Outcome(
        plan,
        facts,
        said,
        judged.troubles if judged else (),
        letters,
        number,
        written.subject,
        desk.policy.fingerprint,
    )


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


def locate(store: Store, waiting: Sequence[Waiting]) -> dict[int, Claimed]:
    """Where the bytes of these messages lie; erased ones are passed over."""
    found = find_places(store, [one.id for one in waiting])
    places = {one.id: one for one in read_places(store, list(found.values()))}
    return {of: places[delivery_id] for of, delivery_id in found.items() if delivery_id in places}


def open_waiting(store: Store, place: Claimed | None) -> Opened:
    """The mail of a message, read again from its pack."""
    raw = open_mail(store, place) if place else b""
    mail = read_mail(raw)
    if place is None or isinstance(mail, Unreadable):
        raise MailTrouble("its bytes are gone")
    return Opened(mail, raw, place.part != "head")


# --- facts ---------------------------------------------------------------------------------------------------


def look_up(desk: Desk, opened: Opened) -> Answers:
    """What signatures prove of the sender; nothing for a header alone, which they do not stand for."""
    if desk.names is None or not opened.whole:
        return NO_ANSWERS
    return learn_answers(opened.mail, opened.raw, desk.grounds, desk.names)


def gather(desk: Desk, waiting: Waiting, mail: Mail, answers: Answers, now: datetime) -> Facts:
    """Door 4: what the store knows, weighed with who the sender really is."""
    policy = desk.policy
    standing = judge_sender(mail, desk.grounds, answers)
    known = gather_facts(
        desk.store.engine,
        mail,
        waiting.mailbox_id,
        number=_read_token(desk, mail),
        quoted=find_number(mail.subject) or "",
        since=now - _widest_cap(policy),
        thread=waiting.conversation_id,
    )
    verified = standing.trust is Trust.VERIFIED
    from_agent = verified and mail.sender.address in desk.agents
    writer = find_writer(mail, desk.own) if from_agent else None
    return Facts(
        mailbox=known.mailbox,
        trust=standing.trust,
        evidence=standing.evidence,
        own=known.own_letter or (verified and not desk.letterboxes.isdisjoint(list_bases(mail.sender.address))),
        ticket=known.ticket,
        participant=known.participant,
        from_agent=from_agent,
        passed_on_for=writer,
        quoted=known.quoted,
        quoted_participant=known.quoted_participant,
        bounced_letter=known.bounced_letter,
        organisation=know_organisation(policy, (writer or mail.sender).domain) if verified else None,
        sent_to_sender=known.sent_to_sender,
        sent_on_ticket=known.sent_on_ticket,
        arrival=Arrival(waiting.arrival),
    )


def _read_token(desk: Desk, mail: Mail) -> str:
    """The number in a valid token: of a letter that the references name, else of the address that it was sent to."""
    by_reference = (read_message_id(reference, desk.tokens) for reference in reversed(mail.references))
    sent_to = (*mail.delivered_to, *mail.to, *mail.cc)
    by_address = (read_plus_address(one.address, desk.tokens) for one in sent_to)
    return next((number for number in (*by_reference, *by_address) if number), "")


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
        reply_to="" if internal else _make_reply_to(desk, sender, of_ticket),
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


def _make_reply_to(desk: Desk, address: str, number: str) -> str:
    """Where answers on a ticket go, if the organisation's server takes such addresses; empty for the plain one."""
    wanted = desk.policy.letters.plus_address and bool(number)
    return (make_plus_address(address, number, desk.tokens) or "") if wanted else ""


def _fill_slots(
    desk: Desk, waiting: Waiting, mail: Mail, facts: Facts, plan: Plan, planned: PlannedLetter, number: str
) -> dict[str, object]:
    """Checked fields and store facts only; see letters.slots for what each means."""
    policy, ticket = desk.policy, plan.ticket
    opened = ticket if isinstance(ticket, OpenTicket) else None
    return {
        "organisation": policy.organisation.name,
        "signature": policy.organisation.signature.get(planned.language, policy.organisation.name),
        "requester_name": mail.sender.name if facts.trust is Trust.VERIFIED and not is_passed_on(facts) else "",
        "requester_organisation": facts.organisation.name if facts.organisation else "",
        "number": number,
        "subject": mail.subject,
        "received_at": mail.date or waiting.received_at,  # the day that its writer remembers
        "respond_by": opened.respond_by if opened else None,
        "timezone": policy.calendar.timezone,
        "retention_days": policy.retention.mails.days,
        "automatic": not planned.draft,
        "category": opened.category if opened else facts.joined.category if facts.joined else "",
        "priority": opened.priority if opened else facts.joined.priority if facts.joined else "",
        "sender": mail.sender.address,
        "requester_phone": mail.signature.phone if mail.signature else "",
        "files": [{"name": one.name, "warning": one.warning} for one in mail.attachments if not one.inline][:FILES],
        "excerpt": mail.reply_text,
        "reason": plan.reason,
        "drafted": any(one.draft for one in plan.letters),
        "limit_mb": policy.limits.mail_bytes // 10**6,
    }
