"""What an answer costs, by the policy's price list."""

from __future__ import annotations

import pytest

from desk.classification import Usage
from desk.policy import Price
from desk.prices import price_usage

PRICES = {"small": Price(input=0.1, output=0.5), "large": Price(input=2.0, output=6.0)}
SPENT = Usage("small", input_tokens=2_000_000, output_tokens=100_000)


def test_tokens_in_and_out_have_their_own_prices() -> None:
    assert price_usage(SPENT, PRICES) == pytest.approx(0.2 + 0.05)


def test_the_model_that_answered_counts_before_the_one_that_was_asked_for() -> None:
    assert price_usage(SPENT, PRICES, "large") == pytest.approx(0.25)


def test_a_model_that_answers_under_another_name_has_the_price_of_the_one_asked_for() -> None:
    assert price_usage(Usage("small-2603-v2", input_tokens=1_000_000), PRICES, "large") == pytest.approx(2.0)


def test_what_has_no_price_costs_nothing() -> None:
    assert price_usage(Usage("own", input_tokens=5), PRICES, "own") == 0.0
