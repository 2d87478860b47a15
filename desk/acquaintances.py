"""Of all whom the desk knows, those whom a text may speak of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from desk.pseudonyms import Known

_WORD = re.compile(r"[^\W_]+")
_TELLING = 3  # letters of a word by which a name is found


@dataclass(frozen=True, slots=True)
class NameIndex:
    """Names by their longest word, each with all of its words, folded."""

    by_word: Mapping[str, tuple[tuple[str, frozenset[str]], ...]]

    def find(self, words: frozenset[str]) -> tuple[str, ...]:
        """Names all of whose words are among these, sorted."""
        near = (name for word in words for name in self.by_word.get(word, ()))
        return tuple(sorted(name for name, needed in near if needed <= words))


@dataclass(frozen=True, slots=True)
class Acquaintances:
    """Contacts and organisations that the desk knows."""

    names: NameIndex
    organisations: NameIndex

    def find(self, text: str, near: Iterable[str] = ()) -> Known:
        """Those whom this text names in full; those `near` it in any case, such as who takes part in its ticket."""
        words = fold_words(text)
        return Known(tuple(dict.fromkeys((*near, *self.names.find(words)))), self.organisations.find(words))


def index_names(names: Iterable[str]) -> NameIndex:
    found: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for name in dict.fromkeys(names):
        words = fold_words(name)
        longest = max(words, key=lambda one: (len(one), one), default="")
        if len(longest) >= _TELLING:
            found.setdefault(longest, []).append((name, words))
    return NameIndex({word: tuple(some) for word, some in found.items()})


def fold_words(text: str) -> frozenset[str]:
    """Its words without accents, whatever their case."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return frozenset(_WORD.findall("".join(one for one in plain if not unicodedata.combining(one))))
