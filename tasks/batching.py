"""Large backfills judged ahead of their decision, in jobs of the batch API: half the price, and nobody waits for it.

    hold_backfill   more than `batch_over` old mails wait: they are put into batches and held, before anybody is asked
    submit          a batch's questions become a job; which batch it is of, the job itself bears as its marker
    look_at         the job is polled, its answers are kept ahead of the decision, the mails let go

Everything is written down before the next step begins, so a run that dies is simply run again: a job whose id was not
kept is found by its marker. What fails, and what takes too long, goes the way of all other mails.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.logging import get_run_logger

from classifiers.batches import (
    PRICE_SHARE,
    Body,
    cancel_job,
    create_job,
    drop_job,
    find_job,
    read_job,
    read_results,
)
from classifiers.mistral import MistralClassifier, make_body, name_prompt, read_choice
from desk.classification import Classification, Question, Source, Trouble, Usage
from desk.decide import needs_judgement
from desk.errors import ClaimLost, MailTrouble, ModelAnswerInvalid, ModelTrouble, ModelUnavailable
from desk.facts import Arrival
from desk.passing import hear_writer
from desk.policy import Policy
from desk.sorting import sort_mail
from store.batches import (
    Batch,
    claim_batches,
    count_items,
    end_batch,
    extend_batches,
    keep_answers,
    list_mails,
    name_job,
    prepare_batch,
    release_batches,
    reserve_backfill,
)
from store.intake import Claimed
from store.judgings import find_ahead
from store.memory import Store
from store.messages import Waiting
from tasks.asking import ENGINE, Account
from tasks.guard import guarded
from tasks.hearing import Desk, gather, gather_hints, hear_mail, locate, open_desk
from tasks.judging import Bench, make_question, open_bench
from tasks.opening import open_policy, open_store
from tasks.progress import Progress
from tasks.shadowing import fill_sets

MAILS_HELD = "byreturn.mails.held"  # starts judge-backfill
HOLD = timedelta(hours=24)  # the longest that a mail waits for its batch
JOB = timedelta(hours=22)  # the longest that a job may take
LEASE = timedelta(minutes=10)
CLOCKS = timedelta(hours=1)  # by which the provider's may be behind ours
CHUNK = 100  # mails opened together
PAUSES = (5.0, 10.0, 20.0, 40.0)  # seconds between two looks at a job, then always LAST_PAUSE
LAST_PAUSE = 60.0
# The API does not take such a request, has no such model, or no such job any more: no use in asking again.
FINAL = frozenset({"model-rejected", "model-retired"})
FAILED = "batch-failed"


@dataclass(frozen=True, slots=True)
class BatchCount:
    """Batches ended and left open, and mails of those that ended: answered, failed, not asked about at all."""

    ended: int = 0
    left: int = 0
    answered: int = 0
    failed: int = 0
    spared: int = 0
    trouble: str = ""  # the last one's code


@dataclass(slots=True)
class Round:
    """One run's work on the batches in its hands; `batches` are those that have not ended."""

    desk: Desk
    mistral: MistralClassifier
    account: Account
    token: str
    batches: list[Batch]
    ended: list[Batch] = field(default_factory=list)
    done: dict[int, int] = field(default_factory=dict)  # answers that each batch's job has so far
    trouble: str = ""

    @property
    def store(self) -> Store:
        return self.desk.store

    def end(self, batch: Batch, state: str) -> None:
        """Let its mails go."""
        end_batch(self.store, batch, state, datetime.now(UTC))
        self.batches = [one for one in self.batches if one.id != batch.id]
        self.ended.append(batch)


def hold_backfill(store: Store, policy: Policy, bench: Bench) -> int:
    """Put old mails that wait into batches when they are many and Mistral judges; how many. Call it before mails are
    claimed for deciding: one that is decided is asked about at the full price.
    """
    if find_mistral(bench) is None:
        return 0
    held = reserve_backfill(store, policy.classification.batch_over, datetime.now(UTC), HOLD)
    if held:
        emit_event(MAILS_HELD, resource={"prefect.resource.id": "byreturn.desk"}, payload={"held": held})
    return held


def look_ahead(desk: Desk, waiting: Sequence[Waiting]) -> dict[int, Classification]:
    """What batches have said of these mails to this very version of instructions and policy: it need not be asked."""
    mistral = find_mistral(desk.bench)
    old = [one.id for one in waiting if one.arrival == Arrival.BACKFILL]
    if mistral is None or not old:
        return {}
    prompt = name_prompt(make_empty(desk.policy), mistral.terms)
    return find_ahead(desk.store.engine, old, prompt, desk.policy.fingerprint)


def find_mistral(bench: Bench) -> MistralClassifier | None:
    """The judge itself, out of whatever stands around it."""
    for engine in bench.engines:
        inner: object = engine
        while inner is not None and not isinstance(inner, MistralClassifier):
            inner = getattr(inner, "engine", None)
        if inner is not None:
            return inner
    return None


@task(name="judge batches", cache_policy=NO_CACHE)
@guarded("judge batches")
def judge_batches(watch: timedelta) -> BatchCount:
    """Go on with every batch that is under way, and look at their jobs for as long as `watch`."""
    store, policy, token = open_store(), open_policy(), uuid.uuid4().hex
    with open_bench(store, policy) as bench:
        hold_backfill(store, policy, bench)
        batches = claim_batches(store, token, datetime.now(UTC), LEASE)
        if not batches:
            return BatchCount()
        try:
            return _work(bench, token, batches, watch)
        finally:
            release_batches(store, token)


def _work(bench: Bench, token: str, batches: Sequence[Batch], watch: timedelta) -> BatchCount:
    desk, mistral = open_desk(bench), find_mistral(bench)
    if mistral is None or bench.account is None:  # it was switched off meanwhile
        for batch in batches:
            end_batch(desk.store, batch, "failed", datetime.now(UTC))
        return _count(desk.store, batches, 0, "")
    work = Round(desk, mistral, bench.account, token, list(batches))
    for batch in batches:
        _try(work, batch, submit)
    _watch(work, watch)
    return _count(desk.store, work.ended, len(work.batches), work.trouble)


def _watch(work: Round, watch: timedelta) -> None:
    """Look at the jobs until all have ended or the time is over; then the next run goes on."""
    until = time.monotonic() + watch.total_seconds()
    bar = Progress.begin("batches", _count_asked(work), "Mails judged in batches")
    for pause in chain(PAUSES, repeat(LAST_PAUSE)):
        for batch in [one for one in work.batches if one.job]:
            _try(work, batch, look_at)
        bar.reach(sum(work.done.values()))
        if not any(one.job for one in work.batches) or time.monotonic() + pause > until:
            return
        time.sleep(pause)
        extend_batches(work.store, work.token, datetime.now(UTC) + LEASE)


def _try(work: Round, batch: Batch, step: Callable[[Round, Batch], None]) -> None:
    """One batch's trouble is none of the others'."""
    try:
        step(work, batch)
    except ClaimLost:
        work.batches = [one for one in work.batches if one.id != batch.id]
    except ModelTrouble as trouble:
        work.trouble = trouble.code
        get_run_logger().warning("batch %d: %s", batch.id, trouble.code)
        over = datetime.now(UTC) - batch.created_at > HOLD
        if over or trouble.code in FINAL:
            with suppress(ClaimLost):
                work.end(batch, "failed")


# --- the job is made -----------------------------------------------------------------------------------------


def submit(work: Round, batch: Batch) -> None:
    """See to it that the batch has its job, once. Raises ModelTrouble, ClaimLost."""
    if batch.job or _find_again(work, batch):
        return
    if datetime.now(UTC) - batch.created_at > HOLD:
        work.end(batch, "failed")
        return
    if work.account.spent:
        raise ModelUnavailable("today's budget is spent", code="budget-spent")
    questions = _make_questions(work, batch)
    terms = work.mistral.terms
    bodies = {number: make_body(question, terms) for number, question in questions.items()}
    prompt = name_prompt(make_empty(work.desk.policy), terms)
    prepare_batch(work.store, batch, list(bodies), terms.model, prompt, work.desk.policy.fingerprint)
    if not bodies:
        work.end(batch, "done")
        return
    job = create_job(work.mistral.client, terms.model, batch.marker, bodies, JOB)
    prepared = replace(batch, model=terms.model, prompt=prompt, policy_version=work.desk.policy.fingerprint)
    _name(work, prepared, job)


def _find_again(work: Round, batch: Batch) -> bool:
    """Whether a run that died had made the job already."""
    if not batch.model:
        return False  # nobody was asked yet
    job = find_job(work.mistral.client, batch.marker, batch.created_at - CLOCKS)
    if job:
        _name(work, batch, job)
    return job is not None


def _name(work: Round, batch: Batch, job: str) -> None:
    try:
        name_job(work.store, batch, job)
    except ClaimLost:
        cancel_job(work.mistral.client, job)  # somebody else makes one
        raise
    named = replace(batch, job=job, state="asked")
    work.batches = [named if one.id == batch.id else one for one in work.batches]


def _make_questions(work: Round, batch: Batch) -> dict[int, Question]:
    """What the desk itself would ask, of those mails of which it would ask at all."""
    waiting = list_mails(work.store, batch, "held")
    found: dict[int, Question] = {}
    for start in range(0, len(waiting), CHUNK):
        some = waiting[start : start + CHUNK]
        places = locate(work.store, some)
        asked = {one.id: _make_question(work.desk, one, places.get(one.id)) for one in some}
        found |= {number: question for number, question in asked.items() if question is not None}
        extend_batches(work.store, work.token, datetime.now(UTC) + LEASE)
    return found


def _make_question(desk: Desk, waiting: Waiting, place: Claimed | None) -> Question | None:
    """None where no judge is asked: no row of the decision looks at what it means, or a rule of the policy knows."""
    try:
        heard = hear_mail(desk, waiting, place)
    except MailTrouble:
        return None  # it is set aside where it is decided
    opened, policy = heard.opened, desk.policy
    facts = gather(desk, waiting, opened.mail, heard.answers, datetime.now(UTC))
    if not needs_judgement(opened.mail, facts):
        return None
    hints, mail = gather_hints(desk, opened, facts), hear_writer(opened.mail, facts)
    ruled = sort_mail(mail, hints.organisation, hints.headers, policy)
    return None if ruled else make_question(mail, policy, hints.known).question


# --- its answers ---------------------------------------------------------------------------------------------


def look_at(work: Round, batch: Batch) -> None:
    """Keep the answers of a job that has ended, in part too. Raises ModelTrouble, ClaimLost."""
    client = work.mistral.client
    if not count_items(work.store, batch).get("asked"):
        return _finish_late(work, batch)
    job = read_job(client, batch.job)
    work.done[batch.id] = job.done
    if job.running:
        if datetime.now(UTC) - batch.created_at > HOLD:
            cancel_job(client, job.id)
            work.end(batch, "failed")
        return None
    said = {number: judge(work, batch, body) for number, body in read_results(client, job).items()}
    keep_answers(work.store, batch, said, datetime.now(UTC), work.account.day, ENGINE)
    drop_job(client, job)
    return work.end(batch, "done" if job.status == "SUCCESS" else "failed")


def _finish_late(work: Round, batch: Batch) -> None:
    """A run died when it had kept all answers; the job may be gone already."""
    client = work.mistral.client
    with suppress(ModelTrouble):
        drop_job(client, read_job(client, batch.job))
    work.end(batch, "done")


def judge(work: Round, batch: Batch, body: Body | None) -> Classification | Trouble:
    """One result as an answer, at the price of batches."""
    if body is None:
        return Trouble(Source.MISTRAL, FAILED, usage=Usage(model=batch.model, prompt=batch.prompt))
    try:
        said = read_choice(body, make_empty(work.desk.policy), work.mistral.terms)
    except ModelAnswerInvalid as trouble:
        return Trouble(Source.MISTRAL, trouble.code, trouble.answer, _charge(trouble.usage, batch))
    return replace(said, usage=_charge(said.usage, batch))


def make_empty(policy: Policy) -> Question:
    """The closed sets alone: what an answer is checked against, whatever mail it is about."""
    return fill_sets(Question("", "", (), (), ()), policy)


def _charge(usage: Usage, batch: Batch) -> Usage:
    return replace(usage, prompt=batch.prompt, cost_eur=usage.cost_eur * PRICE_SHARE)


def _count(store: Store, ended: Sequence[Batch], left: int, trouble: str) -> BatchCount:
    states = [count_items(store, batch) for batch in ended]
    sums = {name: sum(one.get(name, 0) for one in states) for name in ("answered", "failed", "spared")}
    return BatchCount(len(ended), left, **sums, trouble=trouble)


def _count_asked(work: Round) -> int:
    states = [count_items(work.store, batch) for batch in work.batches]
    return sum(one.get("asked", 0) + one.get("answered", 0) for one in states)
