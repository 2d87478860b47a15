"""Figures: what the digest counts, before and after the people in it are forgotten."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from desk.facts import Status
from desk.figures import Ledger
from desk.plan import Purpose, Verdict
from store.cases import change_status
from store.ledgers import has_digest, keep_digest, read_ledger
from store.memory import Store
from store.messages import quarantine_message
from store.retention import forget_contacts, forget_letters, forget_mails, forget_tickets
from tests.stores import (
    IGNORED,
    LATER,
    NOW,
    bring_one,
    count_rows,
    look_up,
    make_letter,
    make_outcome,
    open_ticket,
    run_together,
    settle,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
PERIOD = "2026-11-17"


def fill_day(store: Store) -> None:
    """A ticket with its letter, a mail that was ignored, one in quarantine."""
    open_ticket(store, make_letter())
    settle(store, bring_one(store, "news"), make_outcome(IGNORED))
    quarantine_message(store, bring_one(store, "bad"), "mail", "", NOW)


def read_day(store: Store) -> Ledger:
    return read_ledger(store, NOW, NOW + DAY)


def test_a_day_is_counted_whole(store: Store) -> None:
    fill_day(store)
    day = read_day(store)
    assert [one.number for one in day.tickets] == ["2026-000001"]
    assert [(one.mailbox, one.verdict) for one in day.mails] == [("support", "handed_over"), ("support", "ignored")]
    assert [(one.purpose, one.state) for one in day.letters] == [("acknowledgement", "queued")]
    assert (day.rings, day.quarantined) == ((), 1)


def test_figures_stay_when_the_people_in_them_are_forgotten(store: Store) -> None:
    fill_day(store)
    before = read_day(store)
    forget_mails(store, look_up(store, "message", "id"), LATER)
    forget_letters(store, look_up(store, "letter", "id"), LATER)
    forget_tickets(store, look_up(store, "ticket", "id"), LATER)
    forget_contacts(store)
    after = read_day(store)
    assert before.tickets[0].subject != ""
    assert after == replace(before, tickets=tuple(replace(one, subject="") for one in before.tickets))


@pytest.mark.parametrize(
    ("start", "counted"), [(NOW - SECOND, 1), (NOW, 1), (NOW + SECOND, 0)], ids=["before", "at", "after"]
)
def test_a_period_holds_its_start(store: Store, start: datetime, counted: int) -> None:
    fill_day(store)
    day = read_ledger(store, start, start + DAY)
    assert (len(day.letters), len(day.mails) // 2, day.quarantined) == (counted,) * 3


@pytest.mark.parametrize(("end", "counted"), [(NOW, 0), (NOW + SECOND, 1)], ids=["at", "after"])
def test_a_period_does_not_hold_its_end(store: Store, end: datetime, counted: int) -> None:
    fill_day(store)
    day = read_ledger(store, NOW - DAY, end)
    assert (len(day.tickets), len(day.letters), len(day.mails) // 2, day.quarantined) == (counted,) * 4


def test_a_ticket_counts_every_day_until_it_is_closed(store: Store) -> None:
    open_ticket(store)
    change_status(store, "2026-000001", Status.CLOSED, "closed", NOW + DAY)
    days = [read_ledger(store, NOW + one * DAY, NOW + (one + 1) * DAY) for one in range(-1, 3)]
    assert [len(day.tickets) for day in days] == [0, 1, 1, 0]


def test_a_reader_gets_one_digest_of_a_period(store: Store) -> None:
    def keep(name: str, reader: str = "direction", period: str = PERIOD) -> bool:
        return keep_digest(store, reader, period, {"mails": 3}, make_letter(name, Purpose.DIGEST), NOW)

    assert not has_digest(store, "direction", PERIOD)
    assert [keep("a"), keep("b"), keep("c", "support"), keep("d", period="2026-11-18")] == [True, False, True, True]
    assert has_digest(store, "direction", PERIOD)
    assert look_up(store, "letter", "origin")[0] == f"digest:direction:{PERIOD}"
    assert [json.loads(one) for one in look_up(store, "digest_issue", "figures")] == [{"mails": 3}] * 3


def test_of_two_digests_at_once_one_is_made(store: Store) -> None:
    def keep(name: str) -> bool:
        return keep_digest(store, "direction", PERIOD, {}, make_letter(name, Purpose.DIGEST), NOW)

    assert sorted(run_together(lambda: keep("a"), lambda: keep("b"))) == [False, True]
    assert count_rows(store, "letter") == 1


def test_a_verdict_is_counted_by_its_word(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(replace(IGNORED, verdict=Verdict.HELD, reason="threat")))
    (mail,) = read_day(store).mails
    assert (mail.verdict, mail.reason, mail.kind, mail.category) == ("held", "threat", "person", "installation")
