"""Compare the judge in the shadow with the verdicts: would the desk be better off with it?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from desk.comparing import Comparison, Effort, tell_grid
from flows.shared import SHOWN_ROWS, end_well, show_table
from tasks.comparing import compare_window
from tasks.guard import guarded


@flow(name="compare-classifiers")
@guarded("compare-classifiers")
def compare_classifiers(start: date, end: date) -> State[Any]:
    """Agreement, confusion, who was right where people said better, time and money.

    Args:
        start: Mails judged on this day or later.
        end: The last day, included.
    """
    report = compare_window(start, end)
    for number, one in enumerate(report.comparisons, 1):
        show_comparison(one, "" if number == 1 else f"-{number}")
    mails = sum(one.mails for one in report.comparisons)
    first = next(iter(report.comparisons), None)
    share = f", {first.share:.0%} agree ({first.low:.0%} to {first.high:.0%})" if first else ""
    return end_well(f"{mails} mails compared with {len(report.comparisons)} shadows{share}; {report.silences} silences")


def show_comparison(one: Comparison, part: str) -> None:
    told = " · ".join(filter(None, one.judge))
    show_table(f"comparison{part}", [describe_comparison(one)], f"Shadow {told} against the verdicts")
    grid = [{"verdict": verdict, **row} for verdict, row in tell_grid(one).items()]
    show_table(f"comparison{part}-confusion", grid, "Verdicts down, the shadow across")
    show_table(f"comparison{part}-corrected", list(describe_scores(one)), "Who was right where people said better")
    apart = [{"message": number} for number in one.disagreeing[:SHOWN_ROWS]]
    show_table(f"comparison{part}-apart", apart, f"{len(one.disagreeing)} mails judged otherwise, by id")


def describe_comparison(one: Comparison) -> dict[str, Any]:
    return {
        "mails": one.mails,
        "agreed": one.agreed,
        "share": round(one.share, 4),
        "95 % from": round(one.low, 4),
        "95 % to": round(one.high, 4),
        "kappa": round(one.kappa, 4),
        "confidence gap": round(one.confidence_gap, 4),
        **describe_effort("verdict", one.verdict),
        **describe_effort("shadow", one.shadow),
    }


def describe_effort(part: str, effort: Effort) -> dict[str, Any]:
    return {
        f"{part} confidence": round(effort.confidence, 4),
        f"{part} ms": round(effort.latency_ms),
        f"{part} EUR": round(effort.cost_eur, 6),
    }


def describe_scores(one: Comparison) -> Iterator[dict[str, Any]]:
    for score in one.scores:
        yield {
            "category": score.category,
            "corrected": score.corrected,
            "verdict right": score.verdict_right,
            "shadow right": score.shadow_right,
        }
