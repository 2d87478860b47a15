"""Ring the levels whose share of a running deadline is gone: decided by desk.escalation, each level once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from desk.clock import BusinessClock
from desk.escalation import Ring, due_rings
from desk.mail import Address
from desk.plan import Purpose
from desk.policy import Policy
from desk.tokens import TokenKeys, make_message_id
from letters.compose import compose_letter
from letters.manners import choose_signature, read_manners
from letters.render import render_letter
from store.cases import TicketCard, keep_ring, list_running, read_card
from store.memory import Store
from store.outcomes import ReadyLetter
from tasks.guard import guarded
from tasks.opening import open_policy, open_store, open_tokens


@dataclass(frozen=True, slots=True)
class RingDone:
    """A level that was rung, or would be: ids and numbers only."""

    ticket: str
    level: int
    deadline: datetime
    late_minutes: int


@task(name="ring levels", cache_policy=NO_CACHE)
@guarded("ring levels")
def ring_levels(at: datetime | None = None, dry_run: bool = False) -> tuple[RingDone, ...]:
    """Queue a letter for every level that is due; a dry run only tells which."""
    store, policy, tokens = open_store(), open_policy(), open_tokens()
    clock = BusinessClock(policy.calendar)
    now = at or datetime.now(UTC)
    done: list[RingDone] = []
    for case in list_running(store):
        for ring in due_rings(policy, clock, case, now):
            if dry_run or _ring_once(store, policy, tokens, case.id, ring, now):
                minutes = round(ring.late_by.total_seconds() / 60)
                done.append(RingDone(case.number, ring.level, ring.deadline, minutes))
    get_run_logger().info("%d levels %s", len(done), "would be rung" if dry_run else "rung")
    return tuple(done)


def _ring_once(store: Store, policy: Policy, tokens: TokenKeys, ticket_id: int, ring: Ring, now: datetime) -> bool:
    letter = write_ring(policy, tokens, read_card(store, ticket_id), ring, now)
    return keep_ring(store, ticket_id, ring, letter, now)


def write_ring(policy: Policy, tokens: TokenKeys, card: TicketCard, ring: Ring, now: datetime) -> ReadyLetter:
    language, level = policy.organisation.languages[0], policy.levels[ring.level]
    rendered = render_letter(
        "ring",
        language,
        {
            "organisation": policy.organisation.name,
            "signature": choose_signature(policy.organisation, language, level),
            "number": card.number,
            "level": ring.level,
            "level_name": level.name,
            "category": card.category,
            "priority": card.priority,
            "deadline": ring.deadline,
            "late_by": ring.late_by,
            "timezone": policy.calendar.timezone,
        },
        folder=policy.letters.templates,
        gaps=True,
    )
    header_id = make_message_id(card.number, uuid.uuid4().hex, tokens, policy.organisation.domain)
    sender = policy.organisation.sender
    body = compose_letter(
        rendered,
        message_id=header_id,
        sender=Address(policy.organisation.name, sender),
        recipients=(ring.address,),
        date=now,
        **read_manners(level, sender, importance="high"),
    )
    return ReadyLetter(
        Purpose.RING, header_id, sender, (ring.address,), body, automatic=False, template="ring", language=language
    )
