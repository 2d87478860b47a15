"""Door 4 for one mail: opened from its pack, and all that is known of it and of its sender."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from classifiers.judge import Judgement
from desk.classification import Classification
from desk.clock import BusinessClock
from desk.decide import answer_to
from desk.errors import MailTrouble
from desk.facts import Arrival, Facts, Trust
from desk.knowledge import Found
from desk.mail import Mail, Unreadable, read_mail
from desk.mail.headers import decode_words, read_headers
from desk.passing import find_writer
from desk.policy import Policy
from desk.pseudonyms import Known
from desk.routing import know_organisation
from desk.sorting import Headers
from desk.tokens import (
    TokenKeys,
    find_number,
    list_bases,
    read_message_id,
    read_plus_address,
)
from desk.trust import NO_ANSWERS, Answers, Grounds, judge_sender
from store.caps import SentBook
from store.facts import Prospect, gather_facts
from store.intake import Claimed, open_mail, read_places
from store.mailboxes import list_mailboxes
from store.memory import Store
from store.messages import (
    Waiting,
    find_places,
)
from store.numbers import NumberStock
from store.people import list_participants
from tasks.judging import Bench, Hints
from tasks.knowing import CLOSED, Library, open_library
from tasks.lookups import Names, learn_answers, share_names
from tasks.opening import open_policy, open_store, open_tokens

_HEAD_END = re.compile(rb"\r?\n\r?\n")


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
    sent: SentBook = field(default_factory=SentBook)
    library: Library = CLOSED

    @property
    def grounds(self) -> Grounds:
        return Grounds.of(self.policy.trust.authserv_ids, self.own)


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
    ahead: Classification | None = None  # what a batch has said of it
    judged: Judgement | None = None
    found: Found | None = None  # what the articles say to it


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
        library=open_library(policy, store),
    )


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


def hear_mail(desk: Desk, waiting: Waiting, place: Claimed | None) -> Heard:
    """A waiting mail, opened, with what its signatures prove."""
    opened = open_waiting(desk.store, place)
    return Heard(waiting, opened, look_up(desk, opened))


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
        prospect=Prospect(answer_to(mail), now),
    )
    of_mailbox, in_all = desk.sent.tell(desk.store.engine, waiting.mailbox_id, now, policy.limits)
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
        sent_by_mailbox=of_mailbox,
        sent_in_all=in_all,
        agent_active=known.agent_active,
        suppressed=known.suppressed,
        own_reader=leads_home(desk, mail),
        addressed=is_addressed(desk, mail),
        writers=known.writers,
        arrival=Arrival(waiting.arrival),
    )


def leads_home(desk: Desk, mail: Mail) -> bool:
    """Whether its answer would go to one of our own addresses, where its sender does not write from."""
    reader = answer_to(mail)
    return reader != mail.sender.address and not desk.own.isdisjoint(list_bases(reader))


def is_addressed(desk: Desk, mail: Mail) -> bool:
    """Whether it was sent to us, not only shown to us: an address of ours, of our domains, or under which the mail was
    delivered, stands in To.
    """
    domains = {address.rpartition("@")[2] for address in desk.letterboxes}
    names = {one.address for one in mail.delivered_to}
    return any(one.address in names or one.domain in domains for one in mail.to)


def gather_hints(desk: Desk, opened: Opened, facts: Facts) -> Hints:
    """What judges are told of a mail besides itself, and whom they must not hear of."""
    return Hints(facts.organisation, read_asked(desk.policy, opened.raw), know_people(desk, opened.mail, facts))


def know_people(desk: Desk, mail: Mail, facts: Facts) -> Known:
    """Contacts that the mail may speak of; nobody where all judges are here."""
    if desk.bench.people is None:
        return Known()
    named = [ticket.id for ticket in (facts.ticket, facts.quoted) if ticket]
    files = " ".join(one.name for one in mail.attachments)
    return desk.bench.people().find(f"{mail.subject} {mail.text} {files}", list_participants(desk.store, named))


def read_asked(policy: Policy, raw: bytes) -> Headers:
    """The header fields that the policy's rules look at; read only where one does."""
    asked = {name.lower() for rule in policy.classification.rules for name in rule.when.header}
    if not asked:
        return {}
    headers = read_headers(_HEAD_END.split(raw, 1)[0])
    return {name: tuple(map(decode_words, headers.every(name))) for name in asked}


def names_ticket(desk: Desk, mail: Mail) -> bool:
    """Whether it names a ticket by its number, proven or not."""
    return bool(find_number(mail.subject) or _read_token(desk, mail))


def _read_token(desk: Desk, mail: Mail) -> str:
    """The number in a valid token: of a letter that the references name, else of the address that it was sent to."""
    by_reference = (read_message_id(reference, desk.tokens) for reference in reversed(mail.references))
    sent_to = (*mail.delivered_to, *mail.to, *mail.cc)
    by_address = (read_plus_address(one.address, desk.tokens) for one in sent_to)
    return next((number for number in (*by_reference, *by_address) if number), "")


def _widest_cap(policy: Policy) -> timedelta:
    return max((*policy.limits.letters_per_sender, *policy.limits.letters_per_ticket))
