"""Mails that were decided, judged once more: what would be said of them now, and what of that is carried out.

Every answer is kept under the role "again", so that what was asked for a rehearsal is not asked for the real thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from classifiers.mistral import name_prompt
from desk.classification import Classification, Role, Source
from desk.decide import needs_judgement
from desk.errors import ConfigurationError, MailTrouble
from desk.passing import hear_writer
from desk.periods import range_period
from desk.policy import Policy
from store.intake import Claimed
from store.judgings import find_again, keep_judgements, tell_price
from store.reclassify import Change, Decided, Window, carry_change, list_decided, look_untouched
from tasks.batching import find_mistral, make_empty
from tasks.guard import guarded
from tasks.hearing import Desk, gather, gather_hints, hear_mail, locate, open_desk
from tasks.judging import Bench, judge_mail, open_bench
from tasks.opening import open_policy, open_store
from tasks.progress import Progress

CHUNK = 25  # mails whose answers are kept together
FRESH = timedelta(days=1)  # that an answer stands for
JUDGES = ("", "local")
WOULD, DONE, LEFT = "would change", "changed", "left alone"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to judge again: days of arrival, both included; all mailboxes where none is named; every judge but `local`
    is the desk's own table of them.
    """

    start: date
    end: date
    mailbox: str = ""
    classifier: str = ""
    apply: bool = False

    def check(self) -> None:
        """Raises ConfigurationError."""
        if self.classifier not in JUDGES:
            raise ConfigurationError(
                "no such judge", remedy="Leave it empty for rules, Mistral and local model, or say local."
            )


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mails to judge, of how many an answer is here, and what the others may cost: by what questions to this model have
    cost until now, of which `known` are remembered.
    """

    mails: int
    reused: int
    erased: int
    unjudged: int
    model: str
    known: int
    euros: float


@dataclass(frozen=True, slots=True)
class Row:
    """One mail that is judged otherwise now. `result`: would change | changed | left alone, and why."""

    message: int
    ticket: str
    category_was: str
    category: str
    priority_was: str
    priority: str
    confidence: float
    source: str
    result: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class AgainCount:
    """What came of it; `cost_eur` is that of the answers asked for now."""

    rows: tuple[Row, ...] = ()
    judged: int = 0
    reused: int = 0
    same: int = 0
    unreadable: int = 0
    unsure: int = 0  # nobody had a usable answer
    cost_eur: float = 0.0

    def tally(self) -> dict[str, int]:
        return dict(Counter(row.result for row in self.rows))


@dataclass(slots=True)
class Session:
    """Everything one run stands on; `bench` holds the judges that were chosen."""

    desk: Desk
    apply: bool
    now: datetime
    rows: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    cost_eur: float = 0.0

    @property
    def policy(self) -> Policy:
        return self.desk.policy


@task(name="estimate again", cache_policy=NO_CACHE)
@guarded("estimate again")
def estimate_again(choice: Choice) -> Estimate:
    """Before anybody is asked. Raises ConfigurationError."""
    choice.check()
    store, policy = open_store(), open_policy()
    with open_bench(store, policy) as full:
        bench = choose_judges(full, choice.classifier)
        desk, mistral = open_desk(bench), find_mistral(bench)
        window = list_window(desk, choice)
        reused = len(find_fresh(desk, window.mails, datetime.now(UTC)))
        model = mistral.model if mistral else ""
        price = tell_price(store.engine, model)
        euros = price.euros * (len(window.mails) - reused) if mistral else 0.0
        return Estimate(len(window.mails), reused, window.erased, window.unjudged, model, price.calls, euros)


@task(name="judge again", cache_policy=NO_CACHE)
@guarded("judge again")
def judge_again(choice: Choice) -> AgainCount:
    """Raises ConfigurationError."""
    choice.check()
    with open_bench(open_store(), open_policy()) as full:
        desk = open_desk(choose_judges(full, choice.classifier))
        session = Session(desk, choice.apply, datetime.now(UTC))
        mails = list_window(desk, choice).mails
        bar = Progress.begin("again", len(mails), f"{len(mails)} mails judged again")
        for start in range(0, len(mails), CHUNK):
            judge_chunk(session, mails[start : start + CHUNK])
            bar.move(min(CHUNK, len(mails) - start))
    counts: dict[str, Any] = dict(session.counts)
    return AgainCount(tuple(session.rows), **counts, cost_eur=session.cost_eur)


def choose_judges(bench: Bench, classifier: str) -> Bench:
    """Without a shadow: it compares with verdicts, and these are none."""
    engines = tuple(one for one in bench.engines if not classifier or one.source == classifier)
    return replace(bench, engines=engines, shadow=None)


def list_window(desk: Desk, choice: Choice) -> Window:
    period = range_period(choice.start, choice.end, desk.policy.calendar.timezone)
    return list_decided(desk.store, period.start, period.end, choice.mailbox)


# --- answers -------------------------------------------------------------------------------------------------


def find_fresh(desk: Desk, mails: Sequence[Decided], now: datetime) -> dict[int, Classification]:
    """Answers of a day that these judges gave to the same question."""
    ids = [one.waiting.id for one in mails]
    found: dict[int, Classification] = {}
    for start in range(0, len(ids), 500):
        some, since = ids[start : start + 500], now - FRESH
        found |= find_again(desk.store.engine, some, list_judges(desk), desk.policy.fingerprint, since)
    return found


def list_judges(desk: Desk) -> list[tuple[Source, str]]:
    """Source and version of the prompt; where Mistral judges, what the local model said without it is no answer."""
    mistral = find_mistral(desk.bench)
    judge = (Source.MISTRAL, name_prompt(make_empty(desk.policy), mistral.terms)) if mistral else (Source.LOCAL, "")
    return [(Source.RULE, ""), judge]


def judge_chunk(session: Session, mails: Sequence[Decided]) -> None:
    desk = session.desk
    known = find_fresh(desk, mails, session.now)
    missing = [one for one in mails if one.waiting.id not in known]
    places = locate(desk.store, [one.waiting for one in missing])
    asked = {one.waiting.id: ask_again(session, one, places.get(one.waiting.id)) for one in missing}
    said = {number: one for number, one in asked.items() if one is not None}
    keep_judgements(desk.store, said, Role.AGAIN, session.policy.fingerprint, datetime.now(UTC))
    session.counts.update(judged=len(said), reused=len(known), unreadable=len(asked) - len(said))
    for one in mails:
        compare(session, one, said.get(one.waiting.id) or known.get(one.waiting.id))


def ask_again(session: Session, mail: Decided, place: Claimed | None) -> Classification | None:
    """As the desk would be told now; None for a mail that can't be read any more, or needs no judge."""
    desk = session.desk
    try:
        heard = hear_mail(desk, mail.waiting, place)
    except MailTrouble:
        return None
    opened = heard.opened
    facts = gather(desk, mail.waiting, opened.mail, heard.answers, session.now)
    if not needs_judgement(opened.mail, facts):
        return None
    written, hints = hear_writer(opened.mail, facts), gather_hints(desk, opened, facts)
    said = judge_mail(desk.bench, written, session.policy, hints).classification
    session.cost_eur += said.usage.cost_eur
    return said


# --- changes -------------------------------------------------------------------------------------------------


def compare(session: Session, mail: Decided, said: Classification | None) -> None:
    """Note what is said otherwise than it was, and carry it out when that is asked for."""
    if said is None:
        return
    if said.source is Source.NOBODY:
        session.counts["unsure"] += 1
        return
    change = tell_change(mail, said, session.policy)
    if (change.category, change.priority) == (change.category_was, change.priority_was):
        session.counts["same"] += 1
        return
    session.rows.append(settle(session, change, said))


def tell_change(mail: Decided, said: Classification, policy: Policy) -> Change:
    """Priorities are those of tickets: of a mail that opened none nobody asks."""
    priority = policy.categories[said.category].priority or said.priority
    return Change(
        message_id=mail.waiting.id,
        number=mail.number,
        category_was=mail.category,
        category=said.category,
        priority_was=mail.priority,
        priority=priority if mail.number else "",
    )


def settle(session: Session, change: Change, said: Classification) -> Row:
    store = session.desk.store
    why = carry_change(store, change, session.now) if session.apply else look_untouched(store, change, session.now)
    result = LEFT if why else DONE if session.apply else WOULD
    return Row(
        message=change.message_id,
        ticket=change.number,
        category_was=change.category_was,
        category=change.category,
        priority_was=change.priority_was,
        priority=change.priority,
        confidence=round(said.confidence, 3),
        source=said.source.value,
        result=result,
        why=why,
    )


def count_pairs(rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """How many went from which category to which, the most first."""
    counts = Counter((row.category_was, row.category) for row in rows)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"was": was, "would be": now, "mails": mails} for (was, now), mails in ordered]
