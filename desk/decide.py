"""Door 6: what to do with one mail. RULES is read from top to bottom; the first row that holds decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from desk.classification import Classification, Complexity, Impact, Source
from desk.clock import BusinessClock
from desk.corrections import name_folder
from desk.escalation import tell_deadlines
from desk.facts import Arrival, Facts, Status, TicketFacts, Trust
from desk.languages import tell_language
from desk.mail import Kind, Mail
from desk.passing import hear_writer, is_passed_on
from desk.plan import Fate, OpenTicket, Plan, PlannedLetter, Purpose, Report, TouchTicket, Verdict
from desk.policy import Category, Policy
from desk.routing import find_route
from desk.signals import argues_with_model, confirms_solved, wants_human

SILENT_KINDS = frozenset({Kind.AUTO_REPLY, Kind.BOUNCE, Kind.RECEIPT, Kind.LIST, Kind.CALENDAR})
NORMAL, URGENT = "normal", "urgent"
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
) -> Plan:
    """The plan for one mail. Pure: the same arguments give the same plan, so every verdict can be replayed."""
    case = Case(hear_writer(mail, facts), facts, judged, policy, clock, now)
    rule = next(rule for rule in RULES if rule.holds(case))
    plan = replace(rule.plan(case), rule=rule.name)
    return replace(plan, folder=name_folder(plan, facts, policy))


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


def may_write(case: Case) -> bool:
    """The guard of every automatic letter to a requester (promise 4)."""
    writable = case.mail.kind is Kind.PERSON and bool(case.mail.sender.address) and not case.passed_on
    trusted = not case.facts.own and case.facts.trust is not Trust.FORGED
    return writable and trusted and not is_old(case) and not is_capped(case)


def _exceeds(sent: tuple[datetime, ...], caps: Mapping[timedelta, int], now: datetime) -> bool:
    return any(sum(now - at < span for at in sent) >= most for span, most in caps.items())


# --- plans ---------------------------------------------------------------------------------------------------


def _ignore(reason: str) -> Callable[[Case], Plan]:
    return lambda _case: Plan(Verdict.IGNORED, reason, "")


def _ignore_kind(case: Case) -> Plan:
    reason = case.mail.kind.value.replace("_", "-")
    return Plan(Verdict.IGNORED, reason, "", report=_tell_bounce(case))


def _tell_bounce(case: Case) -> Report | None:
    bounce, letter_id = case.mail.bounce, case.facts.bounced_letter
    if bounce is None or letter_id is None:
        return None
    fate = Fate.BOUNCED if bounce.permanent else Fate.DELAYED
    return Report(letter_id, bounce.recipients, fate, bounce.status or bounce.reason, bounce.reason)


def _ignore_category(case: Case) -> Plan:
    return Plan(Verdict.IGNORED, case.meaning.category, "")


def _hold(_case: Case) -> Plan:
    return Plan(Verdict.HELD, "forged", "")


def _touch(verdict: Verdict, reason: str, status: Callable[[TicketFacts], Status]) -> Callable[[Case], Plan]:
    def plan(case: Case) -> Plan:
        ticket = case.own_ticket
        change = TouchTicket(ticket.id, ticket.version, ticket.number, status(ticket), ticket.team, reason)
        told = (_hand_over(case, ticket.team, ticket.category, ticket.priority),) if reason in TOLD else ()
        return Plan(verdict, reason, "", ticket=change, letters=told)

    return plan


def _reopen(ticket: TicketFacts) -> Status:
    return Status.NEW if ticket.status is Status.NEW else Status.IN_ANALYSIS


def _answer(case: Case) -> Plan:
    letter = PlannedLetter(Purpose.ANSWER, case.meaning.category, _language(case), (_answer_to(case.mail),))
    ticket = _open_ticket(case, Status.SOLUTION_PROPOSED)
    return Plan(Verdict.ANSWERED, "confident", "", ticket=ticket, letters=(letter,))


def _draft(reason: str) -> Callable[[Case], Plan]:
    def plan(case: Case) -> Plan:
        draft = PlannedLetter(
            Purpose.DRAFT, case.meaning.category, _language(case), (_answer_to(case.mail),), draft=True
        )
        ticket = _open_ticket(case, Status.NEW)
        return Plan(Verdict.DRAFTED, reason, "", ticket=ticket, letters=(*_introduce(case, ticket), draft))

    return plan


def _pass_on(reason: str) -> Callable[[Case], Plan]:
    def plan(case: Case) -> Plan:
        ticket = _open_ticket(case, Status.NEW)
        return Plan(Verdict.HANDED_OVER, reason, "", ticket=ticket, letters=_introduce(case, ticket))

    return plan


def _pass_quietly(reason: str) -> Callable[[Case], Plan]:
    """Hand over without a word to the sender: a machine, or what may well be noise."""

    def plan(case: Case) -> Plan:
        ticket = _open_ticket(case, Status.NEW)
        told = _hand_over(case, ticket.team, ticket.category, ticket.priority)
        return Plan(Verdict.HANDED_OVER, reason, "", ticket=ticket, letters=(told,))

    return plan


def _tell_size(case: Case) -> Plan:
    """The requester hears that the mail was not read, whoever has the case knows of it."""
    ticket = case.joined
    told = PlannedLetter(Purpose.ACKNOWLEDGEMENT, "too_large", _language(case), (_answer_to(case.mail),))
    plan = _touch(Verdict.APPENDED, "reply", _reopen)(case) if ticket else _pass_quietly("too-large")(case)
    letters = (*((told,) if may_write(case) else ()), *plan.letters)
    return replace(plan, reason="too-large", letters=letters)


def _introduce(case: Case, ticket: OpenTicket) -> tuple[PlannedLetter, ...]:
    """Tell the requester their number, where we may write, and the team that it has work."""
    told = PlannedLetter(Purpose.ACKNOWLEDGEMENT, "acknowledgement", ticket.language, (_answer_to(case.mail),))
    return (
        *((told,) if may_write(case) else ()),
        _hand_over(case, ticket.team, ticket.category, ticket.priority),
    )


def _hand_over(case: Case, team: str, category: str, priority: str) -> PlannedLetter:
    routed = find_route(case.policy, category, priority, case.facts.organisation)
    address = routed.address if routed.team == team else case.policy.teams[team].address
    return PlannedLetter(Purpose.HANDOVER, "handover", case.policy.organisation.languages[0], (address,))


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


def _answer_to(mail: Mail) -> str:
    """Reply-To only within the sender's own domain: elsewhere it would let a mail choose whom we write to."""
    same = [one.address for one in mail.reply_to if one.domain == mail.sender.domain]
    return same[0] if same else mail.sender.address


# --- the table -----------------------------------------------------------------------------------------------

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
    Rule("agent has it", lambda c: c.facts.agent_active, _pass_on("agent")),
    Rule("nobody to answer", lambda c: not c.mail.sender.address, _pass_quietly("no-sender")),
    Rule("may be noise", lambda c: not c.category.ticket, _pass_quietly("doubt")),
    Rule("doubt", lambda c: not is_confident(c), _draft("doubt")),
    Rule("mode off", lambda c: c.category.mode == "off", _pass_on("off")),
    Rule("passed on by an agent", lambda c: c.passed_on, _draft("passed-on")),
    Rule("mode draft", lambda c: c.category.mode == "draft", _draft("mode")),
    Rule("sender unproven", lambda c: c.facts.trust is not Trust.VERIFIED, _draft("unverified")),
    Rule("too old", is_old, _draft("old")),
    Rule("letters capped", is_capped, _draft("cap")),
    Rule("confident", lambda _case: True, _answer),
)
