"""Try a judge on labelled mails, so that it shows which categories are safe to automate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State

from flows.shared import end_partial, end_well, show_table
from reports.evaluation_chart import SMALL_DPI, draw_evaluation
from reports.evaluation_page import list_categories, list_proposals, tell_headline, write_page
from tasks import evaluating
from tasks.evaluating import Forecast, Judge, Order, Tried
from tasks.guard import guarded


@flow(name="evaluate-classifier")
@guarded("evaluate-classifier")
def evaluate_classifier(
    file: str,
    train: str | None = None,
    classifier: Judge = "local",
    limit: int | None = None,
    dry_run: bool = False,
) -> State[Any]:
    """Accuracy, calibration, coverage and cost, and a proposal of thresholds for policy.yaml. Changes nothing.

    Args:
        file: A CSV file in UTF-8 with the columns text and label, as the worker sees it; its name and its labels
            bear no person's name, since they are shown.
        train: Another one, for the local judge to learn from. Empty: the desk's own judge, as it stands.
        classifier: local, or mistral: the saved block's model with the policy's categories. It costs money, and the
            mails leave the house, pseudonymised.
        limit: So many mails, drawn by lot. Empty: all of them, or 200 for Mistral.
        dry_run: Only check the files and tell what it would cost.
    """
    order = Order(Path(file), Path(train) if train else None, classifier, limit)
    if dry_run:
        return tell_plan(evaluating.forecast_evaluation(order))
    tried = evaluating.evaluate_classifier(order)
    show_evaluation(tried)
    said = tell_headline(tried.evaluation)
    return end_partial(said) if tried.evaluation.failed else end_well(said)


def tell_plan(forecast: Forecast) -> State[Any]:
    show_table("evaluation-plan", [asdict(forecast)], "What it would take; nobody was asked")
    return end_well(forecast.said)


def show_evaluation(tried: Tried) -> None:
    """Labels and numbers only; the picture is in the page, since the browser can't read the worker's files."""
    evaluation = tried.evaluation
    picture = draw_evaluation(evaluation, SMALL_DPI)
    told = (*tried.notes, *(f"Written on the worker: {file}" for file in tried.files))
    create_markdown_artifact(key="evaluation", markdown=write_page(evaluation, told, picture))
    show_table("evaluation-categories", list_categories(evaluation), "How each category is told from the others")
    show_table("evaluation-thresholds", list_proposals(evaluation), "Which categories are safe to automate, from where")
