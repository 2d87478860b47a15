"""Questions that people answered more than once, proposed as articles; all of it under pseudonyms.

Questions are alike when their telling words are, or when a few of them are and the same was answered: by the cosine of
TF-IDF, within a language and a category. One that was proposed once stands for all that are like it, whatever a person
said of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import log, sqrt

import yaml

from desk.errors import ConfigurationError
from desk.knowledge import FENCE, find_faults
from desk.pseudonyms import KINDS
from desk.terms import list_terms

# Least cosine of the questions and of the answers: one row is enough. Of the repository's examples, few of which
# ask the same, six pairs of a category in a thousand reach the first.
ALIKE: tuple[tuple[float, float], ...] = ((0.3, 0.0), (0.1, 0.5))
CODE = re.compile(rf"\b(?:{'|'.join(KINDS)})_[0-9]{{3,}}\b")
SLUG_CHARS = 60

Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answered:
    """A resolved ticket: what was asked and what a person answered; `candidate` is its number once it was proposed."""

    message_id: int
    at: datetime
    category: str
    language: str
    question: str
    answer: str
    candidate: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question to make an article of; `alike` resolved tickets asked it, this one included."""

    answered: Answered
    alike: int


def find_proposals(answered: Sequence[Answered], after: int) -> tuple[Proposal, ...]:
    """One for each question that `after` resolved tickets or more have asked: of those alike the one that is most like
    the others, unless one of them was proposed before, which then stands for them.
    """
    asked = [one for one in answered if one.question and one.answer]
    circles = find_circles(asked)
    order = sorted(range(len(asked)), key=lambda at: (len(circles[at]), asked[at].at, at), reverse=True)
    proposals: list[Proposal] = []
    taken: set[int] = set()
    for at in order:
        circle = circles[at] - taken
        if at not in taken and len(circle) >= after:
            taken |= circle
            proposals.append(Proposal(asked[choose_first(asked, at, circle)], len(circle)))
    return tuple(proposals)


def choose_first(asked: Sequence[Answered], centre: int, circle: set[int]) -> int:
    return next((one for one in sorted(circle) if asked[one].candidate), centre)


def find_circles(asked: Sequence[Answered]) -> list[set[int]]:
    """For each question the places of those alike, its own among them."""
    questions = weigh_terms([(one.question, one.language) for one in asked])
    answers = weigh_terms([(one.answer, one.language) for one in asked])

    def is_alike(here: int, there: int) -> bool:
        one, other = asked[here], asked[there]
        likeness = compare(questions[here], questions[there])
        return (one.language, one.category) == (other.language, other.category) and any(
            likeness >= least and compare(answers[here], answers[there]) >= least_of_answers
            for least, least_of_answers in ALIKE
        )

    places = range(len(asked))
    return [{there for there in places if there == here or is_alike(here, there)} for here in places]


def weigh_terms(texts: Sequence[tuple[str, str]]) -> list[Weights]:
    """The terms of each (text, language) by TF-IDF, as a vector of length 1."""
    counts = [Counter(list_terms(hide_codes(text), language)) for text, language in texts]
    known = Counter(term for one in counts for term in one)
    return [_scale({term: n * log(1 + len(texts) / known[term]) for term, n in one.items()}) for one in counts]


def _scale(weights: Weights) -> Weights:
    length = sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {term: weight / length for term, weight in weights.items()}


def compare(one: Weights, other: Weights) -> float:
    """Cosine, 0…1."""
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())


def hide_codes(text: str) -> str:
    return CODE.sub(" ", text)


# --- what becomes an article ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """An article as a person wants it: `text` is Markdown without front matter."""

    title: str
    language: str
    category: str
    text: str
    versions: str = ""


def find_codes(text: str) -> tuple[str, ...]:
    """Pseudonyms that are left in a text, each once, in order."""
    return tuple(dict.fromkeys(CODE.findall(text)))


def write_approved(draft: Draft, by: str, on: date) -> str:
    """The file of an approved article. Raises ConfigurationError for what may not be published, line by line."""
    if codes := find_codes(f"{draft.title}\n{draft.text}"):
        raise ConfigurationError(
            f"{', '.join(codes)} still stand for people", remedy="Rewrite the text without them, give it with --text."
        )
    front = {
        "title": draft.title, "categories": [draft.category], "versions": draft.versions,
        "approved": {"by": by, "on": on},
    }  # fmt: skip
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False)
    text = f"{FENCE}\n{head}{FENCE}\n\n{draft.text.strip()}\n"
    if faults := list(tell_faults(text, f"{draft.language}/{make_slug(draft.title)}")):
        raise ConfigurationError(f"it is no article yet: {'; '.join(faults)}", remedy="Mend it, give it with --text.")
    return text


def tell_faults(text: str, name: str) -> Iterator[str]:
    return (f"line {one.line} {one.text}" for one in find_faults(text, name))


def make_slug(title: str) -> str:
    """A title as a file's name: small ASCII letters, digits and hyphens; "article" when none is left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:SLUG_CHARS].strip("-") or "article"
