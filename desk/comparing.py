"""Two judges on the same mails: how often they agree, and who was right where people said better."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Z95 = 1.959964  # standard normal quantile of a 95 % interval


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge made of a mail, and what that took."""

    source: str
    model: str
    prompt: str
    policy_version: str
    category: str
    confidence: float
    latency_ms: int
    cost_eur: float

    @property
    def judge(self) -> tuple[str, str, str, str]:
        """Who said it: a change of any of these makes another judge."""
        return self.source, self.model, self.prompt, self.policy_version


@dataclass(frozen=True, slots=True)
class Pair:
    """One mail judged twice; `became` is the category as a person has it, where one said so."""

    message_id: int
    verdict: Opinion
    shadow: Opinion
    became: str = ""

    @property
    def agrees(self) -> bool:
        return self.verdict.category == self.shadow.category


@dataclass(frozen=True, slots=True)
class Cell:
    """So many mails were `verdict` to the judge that counts and `shadow` to the other."""

    verdict: str
    shadow: str
    mails: int


@dataclass(frozen=True, slots=True)
class Score:
    """Of the mails that people put into this category: how many each of the two had put there."""

    category: str
    corrected: int
    verdict_right: int
    shadow_right: int


@dataclass(frozen=True, slots=True)
class Effort:
    """Means per mail, and all that was paid; the median of a time tells more than its mean."""

    confidence: float
    latency_ms: float  # median
    cost_eur: float  # sum


@dataclass(frozen=True, slots=True)
class Comparison:
    """One shadow against the verdicts. `low` and `high` bound the share of agreement with 95 % certainty."""

    judge: tuple[str, str, str, str]  # source, model, prompt, policy version of the shadow
    mails: int
    agreed: int
    share: float
    low: float
    high: float
    kappa: float
    cells: tuple[Cell, ...]
    scores: tuple[Score, ...]
    verdict: Effort
    shadow: Effort
    confidence_gap: float  # mean of shadow less verdict, where both agree
    disagreeing: tuple[int, ...]  # ids of messages


def compare_judges(pairs: Iterable[Pair]) -> tuple[Comparison, ...]:
    """One comparison a shadow, the one with most mails first."""
    grouped: dict[tuple[str, str, str, str], list[Pair]] = {}
    for pair in pairs:
        grouped.setdefault(pair.shadow.judge, []).append(pair)
    compared = (compare_pairs(judge, some) for judge, some in grouped.items())
    return tuple(sorted(compared, key=lambda one: (-one.mails, one.judge)))


def compare_pairs(judge: tuple[str, str, str, str], pairs: Sequence[Pair]) -> Comparison:
    """`pairs` holds at least one mail."""
    agreed = [one for one in pairs if one.agrees]
    low, high = bound_share(len(agreed), len(pairs))
    gaps = [one.shadow.confidence - one.verdict.confidence for one in agreed]
    return Comparison(
        judge=judge,
        mails=len(pairs),
        agreed=len(agreed),
        share=len(agreed) / len(pairs),
        low=low,
        high=high,
        kappa=weigh_agreement([(one.verdict.category, one.shadow.category) for one in pairs]),
        cells=count_cells(pairs),
        scores=score_corrected(pairs),
        verdict=measure_effort([one.verdict for one in pairs]),
        shadow=measure_effort([one.shadow for one in pairs]),
        confidence_gap=math.fsum(gaps) / len(gaps) if gaps else 0.0,
        disagreeing=tuple(sorted(one.message_id for one in pairs if not one.agrees)),
    )


def bound_share(hits: int, tries: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % (Wilson 1927): holds for few tries and shares near 0 and 1 too."""
    if not tries:
        return 0.0, 1.0
    share, square = hits / tries, Z95 * Z95
    middle = share + square / (2 * tries)
    spread = Z95 * math.sqrt(share * (1 - share) / tries + square / (4 * tries * tries))
    whole = 1 + square / tries
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def weigh_agreement(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa (Cohen 1960): agreement beyond what chance gives, 1 for all of it, 0 for none.

    Where both always say one and the same word chance explains everything, and that counts as 1.
    """
    total = len(pairs)
    ours, theirs = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    seen = sum(one == other for one, other in pairs) / total
    chance = sum(ours[word] * theirs[word] for word in ours) / (total * total)
    return 1.0 if chance == 1 else (seen - chance) / (1 - chance)


def count_cells(pairs: Iterable[Pair]) -> tuple[Cell, ...]:
    """The confusion table, its empty cells left out; the fullest first."""
    counts = Counter((one.verdict.category, one.shadow.category) for one in pairs)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Cell(verdict, shadow, mails) for (verdict, shadow), mails in ordered)


def score_corrected(pairs: Iterable[Pair]) -> tuple[Score, ...]:
    """Only mails that a person has put somewhere say who was right."""
    told: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.became:
            told.setdefault(pair.became, []).append(pair)
    return tuple(
        Score(
            category,
            len(some),
            sum(one.verdict.category == category for one in some),
            sum(one.shadow.category == category for one in some),
        )
        for category, some in sorted(told.items())
    )


def measure_effort(opinions: Sequence[Opinion]) -> Effort:
    times = sorted(one.latency_ms for one in opinions)
    middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
    confidence = math.fsum(one.confidence for one in opinions) / len(opinions)
    return Effort(confidence, middle, math.fsum(one.cost_eur for one in opinions))


def tell_grid(comparison: Comparison) -> Mapping[str, Mapping[str, int]]:
    """verdict → shadow → mails, with every category of either on both sides."""
    names = sorted({one.verdict for one in comparison.cells} | {one.shadow for one in comparison.cells})
    grid = {verdict: dict.fromkeys(names, 0) for verdict in names}
    for cell in comparison.cells:
        grid[cell.verdict][cell.shadow] = cell.mails
    return grid
