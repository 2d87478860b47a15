"""Two judges compared: figures that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desk.comparing import (
    Cell,
    Opinion,
    Pair,
    Score,
    bound_share,
    compare_judges,
    tell_grid,
    weigh_agreement,
)

LIVE = Opinion("mistral", "small", "v1", "p1", "billing", 0.8, 300, 0.001)
OTHER = Opinion("mistral", "large", "v1", "p1", "billing", 0.9, 900, 0.004)


def pair(number: int, verdict: str, shadow: str, became: str = "", **more: Any) -> Pair:
    return Pair(number, replace(LIVE, category=verdict), replace(OTHER, category=shadow, **more), became)


@pytest.mark.parametrize(
    ("hits", "tries", "bounds"),
    [  # by Wilson's formula with z = 1.959964
        (0, 0, (0.0, 1.0)),
        (0, 10, (0.0, 0.2775)),
        (10, 10, (0.7225, 1.0)),
        (5, 10, (0.2366, 0.7634)),
        (81, 100, (0.7222, 0.8749)),
    ],
)
def test_a_share_is_bounded_with_few_tries_and_at_its_ends_too(
    hits: int, tries: int, bounds: tuple[float, float]
) -> None:
    low, high = bound_share(hits, tries)
    assert (round(low, 4), round(high, 4)) == bounds


# Cohen's own kind of example: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: (0.70 - 0.50) / (1 - 0.50)
GRANTS = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        (GRANTS, 0.4),
        ([("a", "a"), ("b", "b")], 1.0),
        ([("a", "b"), ("b", "a")], -1.0),
        ([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")], 0.0),
        ([("a", "a")] * 3, 1.0),
    ],
)
def test_agreement_is_weighed_against_chance(pairs: list[tuple[str, str]], kappa: float) -> None:
    assert weigh_agreement(pairs) == pytest.approx(kappa)


def test_a_shadow_is_compared_with_the_verdicts() -> None:
    (found,) = compare_judges(
        [
            pair(1, "billing", "billing"),
            pair(2, "billing", "account", became="account"),
            pair(3, "account", "billing", became="account"),
            pair(4, "billing", "account", became="account", confidence=0.5, latency_ms=100),
        ]
    )
    assert (found.mails, found.agreed, found.share) == (4, 1, 0.25)
    assert found.low < 0.25 < found.high
    assert found.cells == (Cell("billing", "account", 2), Cell("account", "billing", 1), Cell("billing", "billing", 1))
    assert tell_grid(found) == {"account": {"account": 0, "billing": 1}, "billing": {"account": 2, "billing": 1}}
    assert found.scores == (Score("account", 3, 1, 2),)
    assert found.disagreeing == (2, 3, 4)
    assert found.verdict.cost_eur == pytest.approx(0.004)
    assert found.shadow.cost_eur == pytest.approx(0.016)
    assert (found.verdict.latency_ms, found.shadow.latency_ms) == (300, 900)
    assert found.shadow.confidence == pytest.approx(0.8)
    assert found.confidence_gap == pytest.approx(0.1)  # where both agree


def test_each_shadow_is_compared_for_itself_the_most_tried_first() -> None:
    pairs = [pair(1, "a", "a"), pair(2, "a", "b", prompt="v2"), pair(3, "a", "a", prompt="v2")]
    first, second = compare_judges(pairs)
    assert (first.judge, first.mails) == (("mistral", "large", "v2", "p1"), 2)
    assert (second.judge, second.mails) == (("mistral", "large", "v1", "p1"), 1)


def test_nothing_to_compare_is_no_comparison() -> None:
    assert compare_judges([]) == ()


def test_two_that_never_agree_have_no_gap_of_confidence() -> None:
    (found,) = compare_judges([pair(1, "a", "b")])
    assert (found.agreed, found.confidence_gap, found.scores) == (0, 0.0, ())
