"""One reader's digest of one period: figures, workbook, chart and letter, kept once whatever is run again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from desk.drift import SPAN, Spike, find_spikes
from desk.errors import ConfigurationError
from desk.figures import Ledger
from desk.mail import Address
from desk.periods import Period, last_period, weeks_before
from desk.plan import Purpose
from desk.policy import Policy, Reader
from letters.compose import Part, compose_letter
from letters.manners import choose_signature, read_manners
from letters.render import render_letter
from letters.words import say_word
from reports.chart import draw_chart
from reports.digest import Digest, count_ledger
from reports.page import digest_slots
from reports.workbook import build_workbook
from store.corrections import list_opened
from store.ledgers import has_digest, keep_digest, read_ledger
from store.memory import Store
from store.outcomes import ReadyLetter
from tasks.guard import guarded
from tasks.opening import open_policy, open_store
from tasks.unanswered import find_unanswered

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHART = "chart"


@dataclass(frozen=True, slots=True)
class DigestDone:
    """A digest that was made, or was there already; `figures` hold no person."""

    reader: str
    period: str
    made: bool
    figures: dict[str, Any]


@task(name="make digest", task_run_name="digest for {reader}", cache_policy=NO_CACHE)
@guarded("make digest")
def make_digest(reader: str, at: datetime | None = None, period: Period | None = None) -> DigestDone:
    """The digest of `period`, or of the reader's last one; once per reader and period."""
    store, policy = open_store(), open_policy()
    now = at or datetime.now(UTC)
    who = find_reader(policy, reader)
    span = period or last_period(who.frequency, who.weekday, policy.calendar.timezone, now)
    if span is None or has_digest(store, reader, span.label):
        return DigestDone(reader, span.label if span else "", made=False, figures={})
    digest, ledger = count_period(store, who, span, now)
    letter = write_digest(policy, who, digest, ledger, now)
    made = keep_digest(store, reader, span.label, digest.as_dict(), letter, now)
    get_run_logger().info("digest of %s for %s: %s", span.label, reader, "made" if made else "there already")
    return DigestDone(reader, span.label, made, digest.as_dict())


def find_reader(policy: Policy, name: str) -> Reader:
    """Raises ConfigurationError naming the readers there are."""
    for reader in policy.digest.readers:
        if reader.name == name:
            return reader
    known = ", ".join(reader.name for reader in policy.digest.readers)
    raise ConfigurationError(f"no digest reader of that name; policy.yaml has {known}")


def count_period(store: Store, reader: Reader, span: Period, now: datetime) -> tuple[Digest, Ledger]:
    ledger = name_categories(read_ledger(store, span.start, span.end), reader.language)
    earlier = tuple(read_ledger(store, one.start, one.end) for one in weeks_before(span))
    teams = frozenset(reader.teams) or None
    digest = count_ledger(ledger, earlier, now, teams=teams, timezone=span.timezone)
    unanswered = find_unanswered(store, reader, span.start, digest.at)
    return replace(digest, spikes=find_unusual(store, reader, digest.at), unanswered=unanswered), ledger


def find_unusual(store: Store, reader: Reader, at: datetime) -> tuple[Spike, ...]:
    """Categories with more tickets than usual in the 24 hours before; for readers of all teams."""
    if reader.teams:
        return ()
    found = find_spikes(list_opened(store, at - SPAN), at)
    return tuple(replace(one, category=say_word(one.category, reader.language)) for one in found)


def name_categories(ledger: Ledger, language: str) -> Ledger:
    """Categories in the reader's words."""
    named = tuple(replace(one, category=say_word(one.category, language)) for one in ledger.tickets)
    return replace(ledger, tickets=named)


def write_digest(policy: Policy, reader: Reader, digest: Digest, ledger: Ledger, now: datetime) -> ReadyLetter:
    """A multipart mail with chart and workbook; a line when there is nothing to report."""
    pictured = reader.format == "html" and not digest.is_empty
    slots = digest_slots(
        digest, reader.language, reader.types, policy.organisation.name, chart_cid=CHART if pictured else ""
    )
    book = build_workbook(digest, ledger, reader.language, policy.calendar.timezone)
    header_id = f"<digest.{uuid.uuid4().hex}@{policy.organisation.domain}>"
    inline = (Part("chart.png", "image/png", draw_chart(digest, reader.language), CHART),) if pictured else ()
    signed = {**slots, "signature": choose_signature(policy.organisation, reader.language, reader)}
    sender = policy.organisation.sender
    body = compose_letter(
        render_letter("digest", reader.language, signed, folder=policy.letters.templates, gaps=True),
        message_id=header_id,
        sender=Address(policy.organisation.name, sender),
        recipients=(reader.address,),
        date=now,
        inline=inline,
        attachments=() if digest.is_empty else (Part(f"digest-{digest.label}.xlsx", XLSX, book),),
        **read_manners(reader, sender),
    )
    to, language = (reader.address,), reader.language
    return ReadyLetter(
        Purpose.DIGEST, header_id, sender, to, body, automatic=False, template="digest", language=language
    )
