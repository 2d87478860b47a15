"""Questions that no article answers: how many of which category, and the words that they share.

A word is told when so many different people used it that it is nobody's.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from desk.faq import hide_codes
from desk.signals import fold_text
from desk.terms import list_terms

LEAST = 2  # of a category: one question is not frequent
PEOPLE = 3  # different requesters, before a word is told
MOST_WORDS = 6
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A mail for which nothing was found; `text` is under pseudonyms, empty once it is gone."""

    message_id: int
    category: str
    language: str
    requester: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Questions of one category without an article; `words` are folded, the most shared first."""

    category: str
    count: int
    words: tuple[str, ...] = ()


def count_unanswered(asked: Sequence[Asked]) -> tuple[Unanswered, ...]:
    """The most asked first, then by name."""
    groups: defaultdict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[one.category].append(one)
    found = (Unanswered(name, len(some), find_shared(some)) for name, some in groups.items() if len(some) >= LEAST)
    return tuple(sorted(found, key=lambda one: (-one.count, one.category)))


def find_shared(asked: Iterable[Asked]) -> tuple[str, ...]:
    """Words of many, one for each stem: the writing that most people use."""
    people: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for one in asked:
        for stem, word in list_words(one) if one.requester is not None else ():
            people[stem, word].add(one.requester or 0)
    shared = Counter({pair: len(them) for pair, them in people.items() if len(them) >= PEOPLE})
    ordered = sorted(shared, key=lambda pair: (-shared[pair], pair))
    first: Mapping[str, str] = dict(reversed(ordered))
    return tuple(dict.fromkeys(first[stem] for stem, _ in ordered))[:MOST_WORDS]


def list_words(asked: Asked) -> Iterator[tuple[str, str]]:
    """(stem, word as it is folded) of those that say something."""
    for word in _WORD.findall(fold_text(hide_codes(asked.text))):
        yield from ((stem, word) for stem in list_terms(word, asked.language)[:1])
