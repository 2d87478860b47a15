"""What an answer of a model cost."""

from __future__ import annotations

from collections.abc import Mapping

from desk.classification import Usage
from desk.policy import Price

Prices = Mapping[str, Price]  # by model

MILLION = 1_000_000


def price_usage(usage: Usage, prices: Prices, asked: str = "") -> float:
    """Euros of one answer, by the price of the model that gave it, else of the one `asked` for; 0 without a price."""
    price = prices.get(usage.model) or prices.get(asked)
    if price is None:
        return 0.0
    return (usage.input_tokens * price.input + usage.output_tokens * price.output) / MILLION
