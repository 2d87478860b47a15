"""What judges said, kept and found again: beside the verdicts also those in the shadow, ahead of time and once more."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from desk.classification import Classification, Complexity, Impact, Role, Source, Trouble, Usage
from desk.comparing import Opinion, Pair
from store.corrections import corrections
from store.engine import insert_new, reading, writing
from store.engines import MICRO, spending
from store.memory import Store
from store.messages import messages
from store.outcomes import describe_judgement, judgements

Said = Classification | Trouble


@dataclass(frozen=True, slots=True)
class JudgementView:
    """One answer of one judge as `byreturn judgements` shows it; `reason` is the judge's own line about the mail."""

    id: int
    at: datetime
    role: str
    source: str
    model: str
    prompt: str
    policy_version: str
    category: str
    priority: str
    confidence: float
    trouble: str
    input_tokens: int
    output_tokens: int
    cost_eur: float
    latency_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class SpendingView:
    """What one judge cost on one day of the business calendar."""

    day: str
    engine: str
    calls: int
    input_tokens: int
    output_tokens: int
    euros: float


@dataclass(frozen=True, slots=True)
class Price:
    """What one question to Mistral has cost on average, of `calls` that are remembered."""

    calls: int
    euros: float


def keep_judgements(
    store: Store, said: Mapping[int, Said], role: Role, policy_version: str, now: datetime
) -> tuple[int, ...]:
    """Keep answers about messages, a trouble under this role too; those of mails erased meanwhile are dropped. Ids of
    the messages whose answers were kept.
    """
    with writing(store.engine) as connection:
        return add_judgements(connection, said, role, policy_version, now)


def add_judgements(
    connection: sa.Connection, said: Mapping[int, Said], role: Role, policy_version: str, now: datetime
) -> tuple[int, ...]:
    """The same within a transaction."""
    there = sa.select(messages.c.id).where(messages.c.id.in_(list(said)), messages.c.state != "anonymised")
    kept = tuple(connection.execute(there.order_by(messages.c.id)).scalars())
    rows = [
        {"message_id": one, "at": now, "policy_version": policy_version, **describe_judgement(said[one], role)}
        for one in kept
    ]
    if rows:
        connection.execute(sa.insert(judgements), rows)
    return kept


def find_ahead(
    engine: sa.Engine, message_ids: Sequence[int], prompt: str, policy_version: str
) -> dict[int, Classification]:
    """What a batch has said of these messages to this version of the instructions and of the policy."""
    same = sa.and_(judgements.c.prompt == prompt, judgements.c.policy_version == policy_version)
    return _find_latest(engine, message_ids, sa.and_(judgements.c.role == Role.AHEAD.value, same))


def find_again(
    engine: sa.Engine, message_ids: Sequence[int], judges: Sequence[tuple[Source, str]], policy_version: str,
    since: datetime,
) -> dict[int, Classification]:  # fmt: skip
    """What these judges (source, version of the prompt) said since then, when asked once more under this policy."""
    named = sa.or_(
        sa.false(),
        *(sa.and_(judgements.c.source == source.value, judgements.c.prompt == prompt) for source, prompt in judges),
    )
    fresh = sa.and_(judgements.c.policy_version == policy_version, judgements.c.at >= since)
    return _find_latest(engine, message_ids, sa.and_(judgements.c.role == Role.AGAIN.value, fresh, named))


def _find_latest(
    engine: sa.Engine, message_ids: Sequence[int], where: sa.ColumnElement[bool]
) -> dict[int, Classification]:
    """The last answer about each; what is erased by now, or is a trouble, is none."""
    of = sa.and_(judgements.c.message_id.in_(message_ids), judgements.c.trouble == "", messages.c.state != "anonymised")
    joined = sa.select(judgements).join(messages, messages.c.id == judgements.c.message_id)
    with reading(engine) as connection:
        rows = connection.execute(joined.where(of, where).order_by(judgements.c.id)).all()
    return {row.message_id: read_judgement(row) for row in rows}


def read_judgement(row: Any) -> Classification:
    """A row of table judgement as the answer that it keeps."""
    return Classification(
        category=row.category,
        priority=row.priority,
        language=row.language,
        confidence=row.confidence,
        source=Source(row.source),
        wants_human=row.wants_human,
        confirms_solved=row.confirms_solved,
        steering=row.steering,
        complexity=Complexity(row.complexity),
        impact=Impact(row.impact),
        reason=row.explanation,
        fields=tuple(json.loads(row.fields).items()) if row.fields else (),
        answer=row.answer,
        usage=Usage(row.model, row.prompt, row.input_tokens, row.output_tokens, row.latency_ms, row.cost_eur),
    )


# --- what is looked at ---------------------------------------------------------------------------------------


def list_judgements(engine: sa.Engine, message_id: int) -> tuple[JudgementView, ...] | None:
    """Everything every judge said about one mail, in order; None when there is no such mail."""
    names = [name for name in JudgementView.__slots__ if name != "reason"]
    columns = [*(judgements.c[name] for name in names), judgements.c.explanation]
    with reading(engine) as connection:
        if connection.execute(sa.select(messages.c.id).where(messages.c.id == message_id)).first() is None:
            return None
        of = sa.select(*columns).where(judgements.c.message_id == message_id).order_by(judgements.c.id)
        return tuple(JudgementView(*row) for row in connection.execute(of))


def list_spending(engine: sa.Engine, since: date) -> tuple[SpendingView, ...]:
    """Calls, tokens and euros of each judge and day from `since` on."""
    names = ("day", "engine", "calls", "input_tokens", "output_tokens", "micro_eur")
    query = sa.select(*(spending.c[name] for name in names)).where(spending.c.day >= since.isoformat())
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(spending.c.day, spending.c.engine)).all()
    return tuple(
        SpendingView(one.day, one.engine, one.calls, one.input_tokens, one.output_tokens, one.micro_eur / MICRO)
        for one in rows
    )


def add_spending(connection: sa.Connection, day: str, engine: str, usages: Sequence[Usage]) -> None:
    """Put what several answers cost into the account of a day, all at once."""
    sums = {
        "calls": len(usages),
        "input_tokens": sum(one.input_tokens for one in usages),
        "output_tokens": sum(one.output_tokens for one in usages),
        "micro_eur": math.ceil(MICRO * math.fsum(one.cost_eur for one in usages)),
    }
    insert_new(connection, spending, [{"day": day, "engine": engine, **dict.fromkeys(sums, 0)}])
    this = sa.update(spending).where(spending.c.day == day, spending.c.engine == engine)
    connection.execute(this.values({name: spending.c[name] + more for name, more in sums.items()}))


def tell_price(engine: sa.Engine, model: str) -> Price:
    """Of the latest questions to a model, asked one by one: a batch, whose answers took no time, is charged less."""
    asked = sa.and_(judgements.c.model == model, judgements.c.input_tokens > 0, judgements.c.latency_ms > 0)
    latest = sa.select(judgements.c.cost_eur).where(asked).order_by(judgements.c.id.desc()).limit(1_000).subquery()
    with reading(engine) as connection:
        row = connection.execute(sa.select(sa.func.count(), sa.func.avg(latest.c.cost_eur))).one()
    return Price(int(row[0]), float(row[1] or 0.0))


# --- verdict and shadow --------------------------------------------------------------------------------------


def list_pairs(engine: sa.Engine, start: datetime, end: datetime) -> tuple[Pair, ...]:
    """Verdicts from `start` (included) to `end` (excluded) with what a shadow said of the same mails, and what people
    made of them. Of a mail that was judged twice, the last words of each count.
    """
    verdict, shadow = judgements.alias("verdict"), judgements.alias("shadow")
    query = (
        sa.select(
            verdict.c.message_id,
            *(verdict.c[name].label(f"verdict_{name}") for name in _COMPARED),
            *(shadow.c[name].label(f"shadow_{name}") for name in _COMPARED),
        )
        .join(shadow, shadow.c.message_id == verdict.c.message_id)
        .where(verdict.c.role == Role.VERDICT.value, shadow.c.role == Role.SHADOW.value, shadow.c.trouble == "")
        .where(verdict.c.at >= start, verdict.c.at < end)
        .order_by(verdict.c.message_id, verdict.c.id, shadow.c.id)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        became = _list_corrected(connection, start, end)
    last = {(row.message_id, *_name_judge(row, "shadow")): row for row in rows}
    return tuple(_pair(row, became.get(row.message_id, "")) for row in last.values())


def count_silences(engine: sa.Engine, start: datetime, end: datetime) -> int:
    """How often a shadow had no usable answer."""
    failed = sa.and_(judgements.c.role == Role.SHADOW.value, judgements.c.trouble != "")
    query = sa.select(sa.func.count()).where(failed, judgements.c.at >= start, judgements.c.at < end)
    with reading(engine) as connection:
        return int(connection.execute(query).scalar_one())


def _list_corrected(connection: sa.Connection, start: datetime, end: datetime) -> dict[int, str]:
    """Category as people have it, of the mails that were judged in this time."""
    judged = sa.select(judgements.c.message_id).where(judgements.c.at >= start, judgements.c.at < end)
    query = sa.select(corrections.c.message_id, corrections.c.became).where(
        corrections.c.message_id.in_(judged), corrections.c.kind.in_(_TOLD), corrections.c.became != ""
    )
    return {row.message_id: row.became for row in connection.execute(query.order_by(corrections.c.id))}


def _pair(row: Any, became: str) -> Pair:
    return Pair(row.message_id, _read_opinion(row, "verdict"), _read_opinion(row, "shadow"), became)


def _read_opinion(row: Any, part: str) -> Opinion:
    return Opinion(**{name: getattr(row, f"{part}_{name}") for name in _COMPARED})


def _name_judge(row: Any, part: str) -> tuple[str, ...]:
    return _read_opinion(row, part).judge


_TOLD = ("moved", "command", "sent")  # what says a category: a rewritten letter may be of the right one
_COMPARED = ("source", "model", "prompt", "policy_version", "category", "confidence", "latency_ms", "cost_eur")
