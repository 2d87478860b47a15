"""What letters came to: how many arrived, were read, settled their ticket; which wording does better. Pure counting."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TypeVar

from desk.comparing import bound_share
from desk.delivery import ARRIVED

GONE = frozenset({"sent", "delivered", "read", "bounced"})  # a server took it, whatever came after
WAITING = frozenset({"queued", "deferred"})
ALL = "all"

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class LetterFate:
    """A letter and what became of it: `people` are its recipients' states, `solved` whether its ticket was settled with
    no further letter of ours. `category` is its ticket's, empty for letters on none.
    """

    category: str
    template: str
    segment: str
    variant: str
    for_requester: bool
    people: tuple[str, ...]
    solved: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A ticket: when it was asked for, when the first answer went out."""

    category: str
    asked_at: datetime
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `tries`, with Wilson's interval of 95 %."""

    hits: int
    tries: int
    share: float
    low: float
    high: float

    @staticmethod
    def of(hits: int, tries: int) -> Share:
        return Share(hits, tries, hits / tries if tries else 0.0, *bound_share(hits, tries))


@dataclass(frozen=True, slots=True)
class Delivery:
    """Letters of one group, counted by recipients. `sent` were taken by a server; of these `delivered` (read ones too),
    `read` and `bounced` as far as we were told. `rate`: neither bounced nor refused.
    """

    name: str
    letters: int
    sent: int
    delivered: int
    read: int
    bounced: int
    refused: int
    waiting: int
    unknown: int
    suppressed: int
    rate: Share


@dataclass(frozen=True, slots=True)
class Wait:
    """Minutes from the question to the first answer; None of none."""

    name: str
    tickets: int
    mean: float | None
    median: float | None


@dataclass(frozen=True, slots=True)
class Wording:
    """One wording of a template beside its others: of the letters that went out, how many were read and how many
    settled their ticket.
    """

    template: str
    segment: str
    variant: str
    letters: int
    read: int
    solved: Share


@dataclass(frozen=True, slots=True)
class Results:
    """All of a period; the groups' lines after that of all."""

    start: datetime
    end: datetime
    deliveries: tuple[Delivery, ...]
    waits: tuple[Wait, ...]
    wordings: tuple[Wording, ...]


def sum_results(start: datetime, end: datetime, letters: Sequence[LetterFate], asked: Sequence[Asked]) -> Results:
    """Categories count letters to requesters only; "all" counts every letter."""
    told = [one for one in letters if one.for_requester]
    by_category = group_by(told, lambda one: one.category)
    by_question = group_by(asked, lambda one: one.category)
    by_wording = group_by(told, lambda one: (one.template, one.segment, one.variant))
    return Results(
        start=start,
        end=end,
        deliveries=(count_delivery(ALL, letters), *(count_delivery(*each) for each in by_category)),
        waits=(measure_wait(ALL, asked), *(measure_wait(*each) for each in by_question)),
        wordings=tuple(weigh_wording(*each) for each in by_wording if each[0][0]),
    )


def group_by(items: Iterable[Item], key: Callable[[Item], Key]) -> list[tuple[Key, list[Item]]]:
    """In the order of their keys."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return sorted(groups.items(), key=lambda each: str(each[0]))


def count_delivery(name: str, letters: Sequence[LetterFate]) -> Delivery:
    people = [state for one in letters for state in one.people]
    sent = sum(state in GONE for state in people)
    bounced, refused = people.count("bounced"), people.count("refused")
    return Delivery(
        name=name,
        letters=len(letters),
        sent=sent,
        delivered=sum(state in ARRIVED for state in people),
        read=people.count("read"),
        bounced=bounced,
        refused=refused,
        waiting=sum(state in WAITING for state in people),
        unknown=people.count("unknown"),
        suppressed=people.count("suppressed"),
        rate=Share.of(sent - bounced, sent + refused),
    )


def measure_wait(name: str, asked: Sequence[Asked]) -> Wait:
    minutes = [max((one.answered_at - one.asked_at).total_seconds(), 0) / 60 for one in asked]
    if not minutes:
        return Wait(name, 0, None, None)
    return Wait(name, len(minutes), math.fsum(minutes) / len(minutes), median(minutes))


def weigh_wording(name: tuple[str, str, str], letters: Sequence[LetterFate]) -> Wording:
    """Of letters that went out: one that bounced could not settle anything."""
    gone = [one for one in letters if GONE.intersection(one.people) - {"bounced"}]
    read = sum("read" in one.people for one in gone)
    return Wording(*name, len(gone), read, Share.of(sum(one.solved for one in gone), len(gone)))
