"""Doors 4–7 for a chunk of conversations: facts, a judgement, a decision, all committed; each mail in its own try."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from desk.classification import Classification
from desk.decide import as_draft, decide, needs_judgement
from desk.errors import ByreturnError, ClaimLost, LetterHole, StaleDecision
from desk.facts import Facts
from desk.knowledge import Found
from desk.mail import Mail
from desk.passing import hear_writer
from desk.plan import OpenTicket
from store.intake import Claimed
from store.messages import (
    Waiting,
    claim_conversations,
    extend_claims,
    postpone_message,
    quarantine_message,
    release_claims,
)
from store.outcomes import Outcome, ReadyLetter, Work, carry_all
from tasks.alarm import report_quarantine
from tasks.batching import hold_backfill, look_ahead
from tasks.guard import guarded, keep_cause
from tasks.hearing import Desk, Heard, gather, gather_hints, hear_mail, locate, names_ticket, open_desk
from tasks.judging import judge_mail, open_bench, report_judges
from tasks.knowing import find_passages
from tasks.writing import Occasion, write_letter

BATCH = 25  # mails that are committed together
HELD_SECONDS = 2.0  # that a decision waits for the others of its batch
TRIES = 3  # facts may change under a decision that often before the mail waits for the next round

Ears = Callable[[Waiting], Heard]


@dataclass(frozen=True, slots=True)
class DecideCount:
    """What became of a chunk; `claimed` 0 means that nothing waits."""

    claimed: int = 0
    verdicts: Mapping[str, int] | None = None
    postponed: int = 0
    lost: int = 0
    degraded: str = ""  # why the local model stood in for Mistral


@dataclass(slots=True)
class Hold:
    """The claims of a chunk, kept while it lasts: a slow judge takes longer than they do."""

    desk: Desk
    token: str
    until: datetime

    def await_heard(self, future: Future[Heard]) -> Heard:
        """What another thread hears; its claim is kept meanwhile."""
        while not wait([future], timeout=self.desk.policy.limits.claim.total_seconds() / 4).done:
            self.renew()
        return future.result()

    def renew(self) -> None:
        span = self.desk.policy.limits.claim
        if self.until - datetime.now(UTC) < span / 2:
            self.until = datetime.now(UTC) + span
            extend_claims(self.desk.store, self.token, self.until)


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
        hold_backfill(desk.store, desk.policy, bench)
        waiting = claim_conversations(desk.store, token, datetime.now(UTC), limits.claim, limits.chunk)
        tally = decide_claimed(desk, token, waiting, at)
        release_claims(desk.store, token)
        degraded = report_judges(desk.store, bench) if waiting else ""
        report_quarantine(desk.store)
    verdicts = {word: tally[word] for word in sorted(tally) if word not in ("postponed", "lost")}
    if desk.names and desk.names.take_notice():
        get_run_logger().warning("no name server answers: senders that only a signature proves count as unverified")
    if waiting:
        get_run_logger().info("decided %d mails: %s", len(waiting), verdicts)
    return DecideCount(len(waiting), verdicts, tally["postponed"], tally["lost"], degraded)


def decide_claimed(desk: Desk, token: str, waiting: Sequence[Waiting], at: datetime | None) -> Counter[str]:
    """How many mails of a chunk came to which verdict; "postponed", "quarantined" and "lost" count as words too."""
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
    begun = time.monotonic()
    desk.sent.forget()
    with open_ears(desk, batch, hold, at) as hear:
        for one in batch:
            hold.renew()
            try:
                heard = hear(one)
                # A slow judge does not hold back what is decided; who names a ticket may name one of this batch.
                if time.monotonic() - begun > HELD_SECONDS or names_ticket(desk, heard.opened.mail):
                    words += _commit_batch(desk, drawn, at)
                    drawn, begun = [], time.monotonic()
                drawn.append(draw_up(desk, heard, at))
            except Exception as trouble:  # noqa: BLE001 - promise 3
                words.append(_set_aside(desk, one, trouble))
    return words + _commit_batch(desk, drawn, at)


@contextmanager
def open_ears(desk: Desk, batch: Sequence[Waiting], hold: Hold, at: datetime | None) -> Iterator[Ears]:
    """How a mail of the batch is heard: when its turn comes; where a judge is far away, all are judged abreast at once
    and each turn waits for its own.
    """
    hear = partial(hear_waiting, desk, locate(desk.store, batch), look_ahead(desk, batch))
    if not desk.bench.threads:
        yield hear
        return
    pool = ThreadPoolExecutor(desk.bench.threads, thread_name_prefix="judging")
    try:
        heard = {one.id: pool.submit(copy_context().run, hear_judged, desk, hear, one, at) for one in batch}
        yield lambda one: hold.await_heard(heard[one.id])
    finally:
        pool.shutdown(cancel_futures=True)


def hear_waiting(
    desk: Desk, places: Mapping[int, Claimed], ahead: Mapping[int, Classification], waiting: Waiting
) -> Heard:
    return replace(hear_mail(desk, waiting, places.get(waiting.id)), ahead=ahead.get(waiting.id))


def hear_judged(desk: Desk, hear: Ears, waiting: Waiting, at: datetime | None) -> Heard:
    """A mail with what the judges say by the facts of now; when it is decided they may be others."""
    heard = hear(waiting)
    return judge_heard(desk, heard, gather_heard(desk, heard, at or datetime.now(UTC)))


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
        return _decide_again(desk, drawn.heard, at)
    except ClaimLost:
        return "lost"
    except Exception as trouble:  # noqa: BLE001 - promise 3
        return _set_aside(desk, drawn.heard.waiting, trouble)


def _decide_again(desk: Desk, heard: Heard, at: datetime | None) -> str:
    """Decide; when facts changed meanwhile, look again (the judgement stands, it does not depend on them)."""
    for left in reversed(range(TRIES)):
        desk.sent.forget()
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


def draw_up(desk: Desk, heard: Heard, at: datetime | None) -> Drawn:
    """Doors 4–6: facts, a judgement unless there is one, a pure decision, its letters rendered; nothing committed."""
    now = at or datetime.now(UTC)
    facts = gather_heard(desk, heard, now)
    heard = judge_heard(desk, heard, facts)
    return Drawn(heard, Work(heard.waiting, decide_one(desk, heard, facts, now), now))


def gather_heard(desk: Desk, heard: Heard, now: datetime) -> Facts:
    facts = gather(desk, heard.waiting, heard.opened.mail, heard.answers, now)
    return replace(facts, too_large=not heard.opened.whole)


def judge_heard(desk: Desk, heard: Heard, facts: Facts) -> Heard:
    """With a judgement, where one is needed and there is none."""
    mail = heard.opened.mail
    if heard.judged is not None or not needs_judgement(mail, facts):
        return heard
    hints = gather_hints(desk, heard.opened, facts)
    written = hear_writer(mail, facts)
    judged = judge_mail(desk.bench, written, desk.policy, hints, heard.ahead)
    return replace(heard, judged=judged, found=find_said(desk, heard.waiting, written, facts, judged.classification))


def find_said(desk: Desk, waiting: Waiting, mail: Mail, facts: Facts, said: Classification) -> Found | None:
    """What the articles say to it, where a letter to its writer may quote them."""
    if facts.joined is not None or said.wants_human or desk.policy.categories[said.category].mode == "off":
        return None
    return find_passages(desk.library, desk.store, desk.policy, desk.bench, waiting.id, mail, said)


def decide_one(desk: Desk, heard: Heard, facts: Facts, now: datetime) -> Outcome:
    """A pure decision and its letters."""
    waiting, mail, judged = heard.waiting, heard.opened.mail, heard.judged
    said = judged.classification if judged else None
    found = heard.found
    plan = decide(mail, facts, said, desk.policy, desk.clock, now, grounded=found.sound if found else None)
    number = desk.numbers.take(now) if isinstance(plan.ticket, OpenTicket) else ""
    fields, passages = said.fields if said else (), found.passages if found else ()
    occasion = Occasion(waiting, hear_writer(mail, facts), facts, plan, number, fields, passages)
    try:
        letters = write_letters(desk, occasion, now)
    except LetterHole:
        occasion = replace(occasion, plan=as_draft(plan, "hole"))
        letters = write_letters(desk, occasion, now)
    return Outcome(
        occasion.plan,
        facts,
        said,
        judged.troubles if judged else (),
        letters,
        number,
        occasion.mail.subject,
        desk.policy.fingerprint,
        judged.shadows if judged else (),
        desk.policy.limits,
        found,
    )


def write_letters(desk: Desk, occasion: Occasion, now: datetime) -> tuple[ReadyLetter, ...]:
    """Raises LetterHole when one that would go out by itself lacks a value."""
    return tuple(write_letter(desk, occasion, one, now) for one in occasion.plan.letters)


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
