"""While mails are judged elsewhere their claims are kept, so that nobody else takes them."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from desk.policy import Policy, read_policy
from store.engine import reading
from store.memory import Store
from store.messages import claim_conversations, conversations
from tasks.deciding import Hold
from tasks.hearing import Desk, Heard
from tests.stores import bring_in, make_mail

CLAIM = timedelta(milliseconds=200)


def shorten_claims(policy: Policy) -> Policy:
    return policy.model_copy(update={"limits": policy.limits.model_copy(update={"claim": CLAIM})})


class Room:
    """As much of a desk as holds claims."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.policy = shorten_claims(read_policy(Path("policy.yaml")))


def read_claim(store: Store) -> datetime:
    with reading(store.engine) as connection:
        until = connection.execute(sa.select(conversations.c.claimed_until)).scalar_one()
    return cast(datetime, until)


class Slow(Future[Heard]):
    """Is done as soon as its claim lasts longer than it did."""

    def __init__(self, store: Store, heard: Heard) -> None:
        super().__init__()
        self.store, self.heard, self.begun = store, heard, read_claim(store)

    def look(self) -> None:
        if read_claim(self.store) > self.begun and not self.done():
            self.set_result(self.heard)


def test_who_waits_for_a_judge_keeps_the_claims(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_in(store, make_mail("help"))
    until = datetime.now(UTC) + CLAIM
    (waiting,) = claim_conversations(store, "worker", datetime.now(UTC), CLAIM, 1)
    heard = cast(Heard, waiting)  # only handed on
    slow = Slow(store, heard)
    hold = Hold(cast(Desk, Room(store)), "worker", until)
    renew = Hold.renew

    def renew_and_look(self: Hold) -> None:
        renew(self)
        slow.look()

    monkeypatch.setattr(Hold, "renew", renew_and_look)
    assert hold.await_heard(slow) is heard
    assert read_claim(store) > until


def test_what_breaks_elsewhere_breaks_where_it_is_waited_for(store: Store) -> None:
    broken: Future[Heard] = Future()
    broken.set_exception(ZeroDivisionError())
    hold = Hold(cast(Desk, Room(store)), "worker", datetime.now(UTC) + CLAIM)
    with pytest.raises(ZeroDivisionError):
        hold.await_heard(broken)
