"""What a judge of mail's meaning answers, and what every judge must look like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What a judgement was for."""

    VERDICT = "verdict"  # the desk decided by it
    TROUBLE = "trouble"  # nothing usable was said
    SHADOW = "shadow"  # kept for comparison, without effect
    AHEAD = "ahead"  # asked for in a batch, waits for the decision
    AGAIN = "again"  # asked once more, later


class Source(StrEnum):
    RULE = "rule"
    MISTRAL = "mistral"
    LOCAL = "local"
    NOBODY = "nobody"  # no judge had a usable answer: a person judges


class Complexity(StrEnum):
    SIMPLE = "simple"
    NORMAL = "normal"
    COMPLEX = "complex"


class Impact(StrEnum):
    ONE = "one"  # one person is touched
    SEVERAL = "several"
    MANY = "many"  # a whole school or more


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is shown: pseudonymised text and the closed sets; nothing that tells who wrote.

    `fields` are (name, kind) of all that any category asks for, see desk.fields.
    """

    subject: str
    text: str
    attachment_names: tuple[str, ...]
    categories: tuple[tuple[str, str], ...]  # (name, description)
    priorities: tuple[str, ...]
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost; zero for local judges. `latency_ms` is wall time; `prompt` is a version, see the judge."""

    model: str = ""
    prompt: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    cost_eur: float = 0.0


@dataclass(frozen=True, slots=True)
class Classification:
    """A judgement on one mail. `confidence` is 0…1; `answer` is the judge's own raw words, kept for replay;
    `fields` are (name, value) of what its category asks for, checked.
    """

    category: str
    priority: str
    language: str  # "fr", "en"
    confidence: float
    source: Source
    wants_human: bool = False
    confirms_solved: bool = False
    steering: bool = False  # the mail argues with the judge
    complexity: Complexity = Complexity.NORMAL
    impact: Impact = Impact.ONE
    reason: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Trouble:
    """A judge that had nothing usable to say: its error's code, and its raw answer if it gave one."""

    source: Source
    code: str
    answer: str = ""
    usage: Usage = Usage()


class Classifier(Protocol):
    """A judge. Raises ModelTrouble when it has nothing usable to say."""

    @property
    def source(self) -> Source: ...

    def classify(self, question: Question) -> Classification: ...
