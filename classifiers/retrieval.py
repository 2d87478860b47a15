"""Which passages of the articles answer a question: BM25 (Robertson & Zaragoza 2009) over stems and pieces of words.

Stems tell the matter, pieces of words bear typos, missing accents and words cut short ("synchro"). A passage counts
with its heading and title, and so does the article around it: a question seldom uses the words of the one sentence
that answers it. The shelf is small, so plain dictionaries do; nothing is loaded but this file.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from packaging.version import Version

from desk.knowledge import Article, Passage, holds_for, read_version, tell_newest
from desk.terms import list_terms

K1, B = 1.2, 0.75  # as is usual
PIECE = 4  # letters
WORD_WEIGHT, PIECE_WEIGHT = 1.0, 1.0
AROUND = 0.5  # of the whole article's score beside its passage's own
PRIOR = 1.5  # for an article of the mail's category
SHORT_TERMS = 8  # of a question; in longer ones much is said beside the matter
MOST_TERMS = 60  # of a question: what a mail is about stands at its beginning
# From here on a passage may be quoted by itself: chosen on the tuning half of knowledge/questions.csv, where it quoted
# nothing wrong and nothing at all for what no article answers
CLEAR, LEAD = 0.26, 1.4  # least score, and how many times the next article's
NEAR = 0.12  # worth to be read by a model or by a person
RANK_OFFSET = 60  # reciprocal rank fusion (Cormack, Clarke & Büttcher 2009)

Terms = Callable[[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is looked up; `version` of the application and `category` are empty when nothing tells them."""

    text: str
    language: str
    category: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found; `score` is about 0…1: the share of what the question asks for that the passage speaks of."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Weights:
    """BM25 of one vocabulary: for each term the documents that have it, each with its weight."""

    by_term: Mapping[str, Mapping[int, float]]
    rarity: Mapping[str, float]
    unknown: float  # rarity of a term that no document has

    def score(self, terms: Sequence[str]) -> dict[int, float]:
        """By document, as share of the best that any document could reach with these terms."""
        found: defaultdict[int, float] = defaultdict(float)
        for term in set(terms):
            for document, weight in self.by_term.get(term, {}).items():
                found[document] += weight
        whole = sum(self.rarity.get(term, self.unknown) for term in set(terms)) * (K1 + 1)
        return {document: score / whole for document, score in found.items()}


@dataclass(frozen=True, slots=True)
class Index:
    """All that can be found in one language, passage by passage and article by article."""

    passages: tuple[Passage, ...]
    articles: tuple[Article, ...]
    home: tuple[int, ...]  # of each passage its article's place
    near: tuple[tuple[Terms, float, Weights, Weights], ...]  # a vocabulary: its weight, of passages, of articles
    newest: Version = field(default_factory=lambda: Version("0"))

    def find(self, asked: Asked) -> list[Hit]:
        """All passages that hold for the version and share a word, best first."""
        usable = self._list_usable(asked)
        prior = [PRIOR if asked.category in one.categories else 1.0 for one in self.articles]
        scores = self._score(asked)
        hits = [
            Hit(self.passages[place], score * prior[self.home[place]])
            for place, score in scores.items()
            if usable[self.home[place]]
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.cites))

    def list_passages(self, asked: Asked) -> list[Passage]:
        """All that hold for the version."""
        usable = self._list_usable(asked)
        return [one for one, place in zip(self.passages, self.home, strict=True) if usable[place]]

    def _list_usable(self, asked: Asked) -> list[bool]:
        version = read_version(asked.version) or self.newest
        return [holds_for(one, version) for one in self.articles]

    def _score(self, asked: Asked) -> dict[int, float]:
        total: defaultdict[int, float] = defaultdict(float)
        for cut, weight, passages, articles in self.near:
            terms = cut(asked.text, asked.language)
            around = articles.score(terms)
            for place, score in passages.score(terms).items():
                total[place] += weight * (score + AROUND * around.get(self.home[place], 0.0))
        whole = (WORD_WEIGHT + PIECE_WEIGHT) * (1 + AROUND)
        long = max(1.0, len(cut_words(asked.text, asked.language)) / SHORT_TERMS)
        return {place: score * math.sqrt(long) / whole for place, score in total.items()}


def build_index(articles: Iterable[Article], language: str, newest: Version | None = None) -> Index:
    """Of the approved articles in this language."""
    shelf = tuple(one for one in articles if one.approved and one.language == language)
    passages = tuple(chain.from_iterable(one.passages for one in shelf))
    home = tuple(place for place, one in enumerate(shelf) for _ in one.passages)
    texts = [write_document(passage, shelf[place]) for passage, place in zip(passages, home, strict=True)]
    wholes = [" ".join(write_document(one, article) for one in article.passages) for article in shelf]
    near = tuple(
        (cut, weight, weigh([cut(one, language) for one in texts]), weigh([cut(one, language) for one in wholes]))
        for cut, weight in ((cut_words, WORD_WEIGHT), (cut_pieces, PIECE_WEIGHT))
    )
    return Index(passages, shelf, home, near, newest or tell_newest(shelf))


def write_document(passage: Passage, article: Article) -> str:
    heading = f"{article.title}. {passage.title}. " if passage.title != article.title else f"{article.title}. "
    return heading + " ".join(article.words) + " " + passage.text


def cut_words(text: str, language: str) -> Sequence[str]:
    return list_terms(text, language)[:MOST_TERMS]


def cut_pieces(text: str, language: str) -> Sequence[str]:
    """Pieces of the words as stems, bounded by a blank: short ones are a piece of their own."""
    words = [f" {one} " for one in list_terms(text, language)[:MOST_TERMS]]
    return [word[at : at + PIECE] for word in words for at in range(max(1, len(word) - PIECE + 1))]


def weigh(documents: Sequence[Sequence[str]]) -> Weights:
    counts = [Counter(one) for one in documents]
    having = Counter(term for one in counts for term in one)
    mean = sum(map(len, documents)) / max(len(documents), 1)
    rarity = {term: tell_rarity(count, len(documents)) for term, count in having.items()}
    by_term: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for place, told in enumerate(counts):
        long = K1 * (1 - B + B * len(documents[place]) / mean)
        for term, count in told.items():
            by_term[term][place] = rarity[term] * count * (K1 + 1) / (count + long)
    return Weights(dict(by_term), rarity, tell_rarity(0, len(documents)))


def tell_rarity(having: int, documents: int) -> float:
    return math.log(1 + (documents - having + 0.5) / (having + 0.5))


# --- several rankings in one ---------------------------------------------------------------------------------


def fuse_rankings(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Reciprocal rank fusion; each passage keeps the score that the first ranking gave it, zero where it did not."""
    standing: defaultdict[Passage, float] = defaultdict(float)
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            standing[hit.passage] += 1 / (RANK_OFFSET + rank)
    first = {hit.passage: hit.score for hit in rankings[0]} if rankings else {}
    ordered = sorted(standing, key=lambda one: (-standing[one], one.cites))
    return [Hit(one, first.get(one, 0.0)) for one in ordered]


def is_clear(hits: Sequence[Hit]) -> bool:
    """Whether the best passage answers well enough to be quoted without anybody's look at it."""
    best = hits[0] if hits else None
    next_best = next((hit.score for hit in hits if best and hit.passage.article != best.passage.article), 0.0)
    return best is not None and best.score >= max(CLEAR, LEAD * next_best)


def pick_passages(hits: Sequence[Hit], most: int) -> tuple[Passage, ...]:
    """What is quoted: the best passage and those of the same article that are clear as well."""
    best = hits[:1]
    more = [hit for hit in hits[1:] if hit.passage.article == best[0].passage.article and hit.score >= CLEAR]
    return tuple(hit.passage for hit in [*best, *more][:most])


def list_articles(hits: Iterable[Hit]) -> list[str]:
    """Names of the articles in the order in which their best passages stand."""
    return list(dict.fromkeys(hit.passage.article for hit in hits))
