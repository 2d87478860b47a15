"""The policy's own rules: read before any model is asked; the first one that holds decides.

A rule sorts and no more. `sender` is what the mail says of itself: who borrows a name gets the category and priority
that its words would have got as well, and no automatic answer, which takes a proven sender; a rule that opens no
ticket silences whoever claims to be the one it names, and nobody else. `organisation` is handed in when proven only.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from desk.classification import Classification, Source
from desk.facts import Organisation
from desk.languages import tell_language
from desk.mail import Mail
from desk.policy import Policy, SortingConditions, SortingRule
from desk.signals import fold_text

Headers = Mapping[str, tuple[str, ...]]  # a field's name in lower case → its values

NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class Sight:
    """What rules look at; `words` is subject and own text, folded, on one line."""

    mail: Mail
    organisation: Organisation | None
    headers: Headers
    words: str


def sort_mail(mail: Mail, organisation: Organisation | None, headers: Headers, policy: Policy) -> Classification | None:
    """What the first rule that holds says, surely (confidence 1); None when no rule holds. Never raises."""
    rules = policy.classification.rules
    if not rules:
        return None
    own = f"{mail.subject}\n{mail.reply_text}"
    sight = Sight(mail, organisation, headers, _fold_line(own) if any(rule.when.words for rule in rules) else "")
    rule = next((rule for rule in rules if holds_rule(rule.when, sight)), None)
    return _judge_by(rule, policy, own) if rule else None


def holds_rule(when: SortingConditions, sight: Sight) -> bool:
    """Whether the mail shows all that is asked for; what asks for nothing holds for nothing."""
    asked = [name for name in CONDITIONS if getattr(when, name)]
    return bool(asked) and all(CONDITIONS[name](when, sight) for name in asked)


def _judge_by(rule: SortingRule, policy: Policy, text: str) -> Classification:
    return Classification(
        category=rule.category,
        priority=rule.priority or policy.categories[rule.category].priority or NORMAL,
        language=tell_language(text),
        confidence=1.0,
        source=Source.RULE,
        reason=f"rule: {rule.name}",
    )


# --- conditions ----------------------------------------------------------------------------------------------


def _is_from(when: SortingConditions, sight: Sight) -> bool:
    return _fits_any(when.sender, (sight.mail.sender.address,))


def _is_of(when: SortingConditions, sight: Sight) -> bool:
    ours = sight.organisation
    names = {_fold_line(ours.name), _fold_line(ours.segment)} if ours else set()
    return any(_fold_line(one) in names for one in when.organisation)


def _says_any(when: SortingConditions, sight: Sight) -> bool:
    return bool(_compile_words(when.words).search(sight.words))


def _brings_any(when: SortingConditions, sight: Sight) -> bool:
    """Pictures within the text are none: every second signature has its logo."""
    return _fits_any(when.attachment, (one.name for one in sight.mail.attachments if not one.inline))


def _bears_all(when: SortingConditions, sight: Sight) -> bool:
    fields = when.header.items()
    return all(_fits_any((pattern,), sight.headers.get(name.lower(), ())) for name, pattern in fields)


CONDITIONS: Mapping[str, Callable[[SortingConditions, Sight], bool]] = {
    "sender": _is_from,
    "organisation": _is_of,
    "words": _says_any,
    "attachment": _brings_any,
    "header": _bears_all,
}


def _fits_any(patterns: Iterable[str], values: Iterable[str]) -> bool:
    compiled = [_compile_glob(pattern) for pattern in patterns]
    folded = [_fold_line(value) for value in values if value]
    return any(pattern.match(value) for pattern in compiled for value in folded)


@lru_cache(maxsize=1_024)
def _compile_glob(pattern: str) -> re.Pattern[str]:
    """Only * and ? stand for something: file names have brackets of their own."""
    return re.compile(fnmatch.translate(_fold_line(pattern).replace("[", "[[]")))


@lru_cache(maxsize=1_024)
def _compile_words(words: tuple[str, ...]) -> re.Pattern[str]:
    """Whole words; what folds to nothing is none."""
    choice = "|".join(sorted({re.escape(folded) for one in words if (folded := _fold_line(one))}, reverse=True))
    return re.compile(rf"(?<!\w)(?:{choice})(?!\w)" if choice else r"(?!)")


def _fold_line(text: str) -> str:
    return " ".join(fold_text(text).split())
