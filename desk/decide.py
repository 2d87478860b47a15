"""Door 6: what to do with one mail. RULES is read from top to bottom; the first row that holds decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from desk.classification import Classification, Complexity, Impact, Source
from desk.clock import BusinessClock
from desk.corrections import name_folder
from desk.delivery import tell_reports
from desk.escalation import tell_deadlines
from desk.facts import Arrival, Facts, Status, TicketFacts, Trust
from desk.languages import tell_language
from desk.mail import Kind, Mail
from desk.passing import hear_writer, is_passed_on
from desk.plan import OpenTicket, Plan, PlannedLetter, Purpose, Report, TouchTicket, Verdict
from desk.policy import Category, Policy
from desk.routing import find_route
from desk.signals import argues_with_model, asks_for_data, confirms_solved, is_public, is_unread, wants_human

SILENT_KINDS = frozenset({Kind.AUTO_REPLY, Kind.BOUNCE, Kind.RECEIPT, Kind.LIST, Kind.CALENDAR})
NORMAL, URGENT = "normal", "urgent"
HANDFUL = 5  # more people in To and Cc, or writing in a thread within a day, are a crowd
TOLD = frozenset({"reply", "steering"})  # what a team hears of on a ticket that it has already


@dataclass(frozen=True, slots=True)
class Case:
    """One mail with all that a decision may look at."""

    mail: Mail
    facts: Facts
    judged: Classification | None
    policy: Policy
    clock: BusinessClock
    now: datetime
    grounded: bool | None = None

    @property
    def meaning(self) -> Classification:
        """The judgement, for rows that stand below those which need none."""
        if self.judged is None:
            raise LookupError("a row that needs a judgement was reached without one")
        return self.judged

    @property
    def category(self) -> Category:
        return self.policy.categories[self.meaning.category]

    @property
    def joined(self) -> TicketFacts | None:
        """The ticket this mail belongs to."""
        return self.facts.joined

    @property
    def own_ticket(self) -> TicketFacts:
        """The same, for rows that hold only with one."""
        if self.joined is None:
            raise LookupError("a row that needs a ticket was reached without one")
        return self.joined

    @property
    def passed_on(self) -> bool:
        """One of our people sent it in for somebody else: `mail` is that one's, whose word nothing proves."""
        return is_passed_on(self.facts)


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: its name, when it holds, and what follows."""

    name: str
    holds: Callable[[Case], bool]
    plan: Callable[[Case], Plan]


def decide(
    mail: Mail,
    facts: Facts,
    judged: Classification | None,
    policy: Policy,
    clock: BusinessClock,
    now: datetime,
    grounded: bool | None = None,
) -> Plan:
    """The plan for one mail. Pure: the same arguments give the same plan, so every verdict can be replayed.

    `grounded` tells whether all that an answer would quote is in approved articles; None where nobody looked.
    """
    case = Case(hear_writer(mail, facts), facts, judged, policy, clock, now, grounded)
    rule = next(rule for rule in RULES if rule.holds(case))
    return _complete(rule.plan(case), rule, case)


def as_draft(plan: Plan, reason: str) -> Plan:
    """An answer that may not go out by itself after all, as the draft it would have been; any other plan as it is."""
    return replace(plan.instead, reason=reason) if plan.instead else plan


def _complete(plan: Plan, rule: Rule, case: Case) -> Plan:
    """With the row's name and the folder that its verdict means."""
    instead = _complete(plan.instead, rule, case) if plan.instead else None
    return replace(plan, rule=rule.name, folder=name_folder(plan, case.facts, case.policy), instead=instead)


def answer_to(mail: Mail) -> str:
    """Reply-To only within the sender's own domain, and not where everybody gets an address: elsewhere it would let a
    mail choose whom we write to.
    """
    domain = "" if is_public(mail.sender.domain) else mail.sender.domain
    same = [one.address for one in mail.reply_to if domain and one.domain == domain]
    return same[0] if same else mail.sender.address


def needs_judgement(mail: Mail, facts: Facts) -> bool:
    """Whether any row that could hold looks at the mail's meaning."""
    silent = mail.kind in SILENT_KINDS or facts.own or facts.trust is Trust.FORGED
    return not silent and facts.arrival is not Arrival.HISTORY


def weigh_signals(mail: Mail, judged: Classification) -> Classification:
    """Add what the text says plainly, whatever the judge made of it.

    A mail that argues with the judge may have bent its answer: of that only the category is believed.
    """
    if judged.steering or any(map(argues_with_model, _list_texts(mail))):
        return _distrust(mail, judged)
    text = f"{mail.subject}\n{mail.reply_text}"
    return replace(
        judged,
        wants_human=judged.wants_human or wants_human(text),
        confirms_solved=judged.confirms_solved or confirms_solved(mail.reply_text),
    )


def _distrust(mail: Mail, judged: Classification) -> Classification:
    """Whoever bends a judge says that all is solved as well."""
    return replace(
        judged,
        priority=NORMAL,
        language=tell_language(f"{mail.subject}\n{mail.reply_text}"),
        wants_human=False,
        confirms_solved=False,
        steering=True,
        complexity=Complexity.NORMAL,
        impact=Impact.ONE,
        fields=(),
    )


def _list_texts(mail: Mail) -> tuple[str, ...]:
    """All that may be shown to a judge, and what its reader does not see beside it."""
    names = (name for one in mail.attachments for name in (one.name, *one.entries))
    listed = "\n".join(names)
    spelled = re.sub(r"[_.+-]+", " ", listed)  # file names have no spaces
    own = "" if mail.reply_text in mail.text else mail.reply_text
    texts = (f"{mail.subject}\n{mail.text}", own, mail.hidden_text, listed, spelled)
    return tuple(text for text in texts if text)


# --- conditions ----------------------------------------------------------------------------------------------


def is_confident(case: Case) -> bool:
    return case.meaning.confidence >= case.category.threshold


def is_urgent(case: Case) -> bool:
    return _priority(case) == URGENT and is_confident(case)


def has_nothing_to_do(case: Case) -> bool:
    """Noise, unless one of our people thought it worth passing on."""
    return not case.category.ticket and is_confident(case) and not case.passed_on


def is_old(case: Case) -> bool:
    written = case.mail.date or case.now
    return case.facts.arrival is not Arrival.LIVE or case.now - written > case.policy.limits.answer_within


def is_capped(case: Case) -> bool:
    limits = case.policy.limits
    return _exceeds(case.facts.sent_to_sender, limits.letters_per_sender, case.now) or _exceeds(
        case.facts.sent_on_ticket, limits.letters_per_ticket, case.now
    )


def is_mailbox_capped(case: Case) -> bool:
    return _fills(case.facts.sent_by_mailbox, case.policy.limits.letters_per_mailbox)


def is_all_capped(case: Case) -> bool:
    return _fills(case.facts.sent_in_all, case.policy.limits.letters_in_all)


def is_crowded(case: Case) -> bool:
    """A letter would join many voices, or answer what was sent to others (RFC 3834 §2)."""
    told = {one.address for one in (*case.mail.to, *case.mail.cc)}
    return len(told) > HANDFUL or case.facts.writers > HANDFUL or not case.facts.addressed


def wants_others_data(case: Case) -> bool:
    """Whatever the category: a judge may have taken it for another."""
    return case.category.mode != "off" and asks_for_data(f"{case.mail.subject}\n{case.mail.reply_text}")


def is_ungrounded(case: Case) -> bool:
    return case.category.answers == "articles" and case.grounded is not True


def may_write(case: Case) -> bool:
    """The guard of every automatic letter to a requester (promise 4), also to an unproven one: an acknowledgement tells
    them nothing but what they wrote above it, and the caps keep what somebody has sent under another's name few.
    """
    writable = case.mail.kind is Kind.PERSON and bool(case.mail.sender.address) and not case.passed_on
    trusted = not case.facts.own and case.facts.trust is not Trust.FORGED
    return writable and trusted and not any(holds(case) for _, _, holds in HINDRANCES)


def is_echo(case: Case, address: str) -> bool:
    """A letter to our own people about what they wrote themselves: to the same address, or more of them than the caps
    allow. Where a program there answers each letter, every answer would make another one.
    """
    asking = case.facts.from_agent and not case.passed_on
    return asking and (address == case.mail.sender.address or is_capped(case))


def _fills(sent: tuple[tuple[timedelta, int], ...], caps: Mapping[timedelta, int]) -> bool:
    counts = dict(sent)
    return any(counts.get(span, 0) >= most for span, most in caps.items())


def _exceeds(sent: tuple[datetime, ...], caps: Mapping[timedelta, int], now: datetime) -> bool:
    return any(sum(now - at < span for at in sent) >= most for span, most in caps.items())


# --- plans ---------------------------------------------------------------------------------------------------


def _ignore(reason: str) -> Callable[[Case], Plan]:
    return lambda _case: Plan(Verdict.IGNORED, reason, "")


def _ignore_kind(case: Case) -> Plan:
    reason = case.mail.kind.value.replace("_", "-")
    return Plan(Verdict.IGNORED, reason, "", reports=_tell_bounce(case))


def _tell_bounce(case: Case) -> tuple[Report, ...]:
    letter_id, until = case.facts.bounced_letter, case.now + case.policy.letters.suppress_for
    return () if letter_id is None else tell_reports(letter_id, case.mail, until)


def _ignore_category(case: Case) -> Plan:
    return Plan(Verdict.IGNORED, case.meaning.category, "")


def _hold(_case: Case) -> Plan:
    return Plan(Verdict.HELD, "forged", "")


def _touch(verdict: Verdict, reason: str, status: Callable[[TicketFacts], Status]) -> Callable[[Case], Plan]:
    def plan(case: Case) -> Plan:
        ticket = case.own_ticket
        change = TouchTicket(ticket.id, ticket.version, ticket.number, status(ticket), ticket.team, reason)
        told = _hand_over(case, ticket.team, ticket.category, ticket.priority) if reason in TOLD else ()
        return Plan(verdict, reason, "", ticket=change, letters=told)

    return plan


def _reopen(ticket: TicketFacts) -> Status:
    return Status.NEW if ticket.status is Status.NEW else Status.IN_ANALYSIS


def _answer(case: Case) -> Plan:
    letter = _write(case, Purpose.ANSWER, case.meaning.category)
    ticket = _open_ticket(case, Status.SOLUTION_PROPOSED)
    instead = _draft("confident")(case)
    return Plan(Verdict.ANSWERED, "confident", "", ticket=ticket, letters=(letter,), instead=instead)


def _draft(reason: str) -> Callable[[Case], Plan]:
    def plan(case: Case) -> Plan:
        draft = replace(_write(case, Purpose.DRAFT, case.meaning.category), draft=True)
        ticket = _open_ticket(case, Status.NEW)
        return Plan(Verdict.DRAFTED, reason, "", ticket=ticket, letters=(*_introduce(case, ticket), draft))

    return plan


def _pass_on(reason: str) -> Callable[[Case], Plan]:
    def plan(case: Case) -> Plan:
        ticket = _open_ticket(case, Status.NEW)
        return Plan(Verdict.HANDED_OVER, reason, "", ticket=ticket, letters=_introduce(case, ticket))

    return plan


def _pass_quietly(reason: str) -> Callable[[Case], Plan]:
    """Hand over without a word to the sender: a machine, what may well be noise, or whom a person of ours answers."""

    def plan(case: Case) -> Plan:
        ticket = _open_ticket(case, Status.NEW)
        told = _hand_over(case, ticket.team, ticket.category, ticket.priority)
        return Plan(Verdict.HANDED_OVER, reason, "", ticket=ticket, letters=told)

    return plan


def _tell_size(case: Case) -> Plan:
    """The requester hears that the mail was not read, whoever has the case knows of it."""
    ticket = case.joined
    told = (_write(case, Purpose.ACKNOWLEDGEMENT, "too_large"),) if may_write(case) else ()
    plan = _touch(Verdict.APPENDED, "reply", _reopen)(case) if ticket else _pass_quietly("too-large")(case)
    return replace(plan, reason="too-large", letters=(*told, *plan.letters))


def _introduce(case: Case, ticket: OpenTicket) -> tuple[PlannedLetter, ...]:
    """Tell the requester their number, where we may write and nobody of ours does, and the team that it has work."""
    silent = case.facts.agent_active or not may_write(case)
    told = () if silent else (_write(case, Purpose.ACKNOWLEDGEMENT, "acknowledgement"),)
    return (*told, *_hand_over(case, ticket.team, ticket.category, ticket.priority))


def _hand_over(case: Case, team: str, category: str, priority: str) -> tuple[PlannedLetter, ...]:
    routed = find_route(case.policy, category, priority, case.facts.organisation)
    address = routed.address if routed.team == team else case.policy.teams[team].address
    told = PlannedLetter(Purpose.HANDOVER, "handover", case.policy.organisation.languages[0], (address,))
    return () if is_echo(case, address) else (told,)


def _write(case: Case, purpose: Purpose, template: str) -> PlannedLetter:
    """A letter to the sender alone, whoever else got the mail."""
    segment = case.facts.organisation.segment if case.facts.organisation else ""
    return PlannedLetter(purpose, template, _language(case), (answer_to(case.mail),), segment=segment)


def _open_ticket(case: Case, status: Status) -> OpenTicket:
    priority = _priority(case)
    routed = find_route(case.policy, case.meaning.category, priority, case.facts.organisation)
    respond_by, resolve_by = tell_deadlines(case.policy, case.clock, priority, case.now)
    linked = case.facts.ticket or case.facts.quoted
    return OpenTicket(
        category=case.meaning.category,
        priority=priority,
        level=_level(case.meaning),
        team=routed.team,
        language=_language(case),
        respond_by=respond_by,
        resolve_by=resolve_by,
        status=status,
        linked_to=linked.id if linked else None,
        requester=case.mail.sender if case.passed_on else None,
    )


def _level(judged: Classification) -> int:
    """Complex matters and those that touch many people start one level up."""
    return 2 if judged.complexity is Complexity.COMPLEX or judged.impact is Impact.MANY else 1


def _priority(case: Case) -> str:
    """A category that a mail talked the judge into brings no priority of its own."""
    return NORMAL if case.meaning.steering else case.category.priority or case.meaning.priority


def _language(case: Case) -> str:
    known = case.policy.organisation.languages
    return case.meaning.language if case.meaning.language in known else known[0]


# --- the table -----------------------------------------------------------------------------------------------

# Why no letter goes out by itself to whoever may be written to otherwise: the row's name, its word, when it holds.
HINDRANCES: tuple[tuple[str, str, Callable[[Case], bool]], ...] = (
    ("answers would come to us", "own-address", lambda c: c.facts.own_reader),
    ("nobody reads it", "noreply", lambda c: is_unread(answer_to(c.mail))),
    ("letters come back", "suppressed", lambda c: c.facts.suppressed),
    ("many recipients", "many-recipients", is_crowded),
    ("too old", "old", is_old),
    ("letters capped", "cap", is_capped),
    ("mailbox capped", "mailbox-cap", is_mailbox_capped),
    ("all capped", "day-cap", is_all_capped),
)

RULES: tuple[Rule, ...] = (
    Rule("own mail", lambda c: c.facts.own, _ignore("own")),
    Rule("not a person", lambda c: c.mail.kind in SILENT_KINDS, _ignore_kind),
    Rule("forged sender", lambda c: c.facts.trust is Trust.FORGED, _hold),
    Rule("before our time", lambda c: c.facts.arrival is Arrival.HISTORY, _ignore("history")),
    Rule(
        "agent's answer",
        lambda c: c.joined is not None and c.facts.from_agent,
        _touch(Verdict.APPENDED, "agent", lambda _ticket: Status.SOLUTION_PROPOSED),
    ),
    Rule("too large", lambda c: c.facts.too_large, _tell_size),
    Rule(
        "argues on a ticket",
        lambda c: c.joined is not None and c.meaning.steering,
        _touch(Verdict.APPENDED, "steering", _reopen),
    ),
    Rule(
        "confirmed",
        lambda c: c.joined is not None and c.meaning.confirms_solved,
        _touch(Verdict.CONFIRMED, "confirmed", lambda _ticket: Status.RESOLVED),
    ),
    Rule("reply", lambda c: c.joined is not None, _touch(Verdict.APPENDED, "reply", _reopen)),
    Rule("argues with the judge", lambda c: c.meaning.steering, _pass_on("steering")),
    Rule("nobody could judge", lambda c: c.meaning.source is Source.NOBODY, _pass_on("unjudged")),
    Rule("machine's notice", lambda c: c.mail.kind is Kind.MACHINE, _pass_quietly("machine")),
    Rule("urgent", is_urgent, _pass_on("urgent")),
    Rule("nothing to do", has_nothing_to_do, _ignore_category),
    Rule("wants a person", lambda c: c.meaning.wants_human, _pass_on("human")),
    Rule("agent has it", lambda c: c.facts.agent_active, _pass_quietly("agent")),
    Rule("nobody to answer", lambda c: not c.mail.sender.address, _pass_quietly("no-sender")),
    Rule("may be noise", lambda c: not c.category.ticket, _pass_quietly("doubt")),
    Rule("asks for others' data", wants_others_data, _draft("others-data")),
    Rule("doubt", lambda c: not is_confident(c), _draft("doubt")),
    Rule("mode off", lambda c: c.category.mode == "off", _pass_on("off")),
    Rule("passed on by an agent", lambda c: c.passed_on, _draft("passed-on")),
    Rule("mode draft", lambda c: c.category.mode == "draft", _draft("mode")),
    Rule("sender unproven", lambda c: c.facts.trust is not Trust.VERIFIED, _draft("unverified")),
    *(Rule(name, holds, _draft(reason)) for name, reason, holds in HINDRANCES),
    Rule("ungrounded", is_ungrounded, _draft("ungrounded")),
    Rule("confident", lambda _case: True, _answer),
)
