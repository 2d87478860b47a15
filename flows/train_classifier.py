"""Train the local judge anew, from the repository's examples and what people corrected since."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.shared import end_well, show_table
from tasks.guard import guarded
from tasks.models import WORSE, Trained, train_model


@flow(name="train-classifier")
@guarded("train-classifier")
def train_classifier(dry_run: bool = False) -> State[Any]:
    """Learn, measure on mails that were not learnt, and put in use what is not worse than the model in use.

    Args:
        dry_run: Only measure; nothing is kept.
    """
    trained = train_model(dry_run)
    show_table("classifier", trained.figures["categories"], describe_figures(trained))
    return end_well(f"{tell_state(trained)}: {describe_figures(trained)}{tell_missing(trained)}")


def tell_state(trained: Trained) -> str:
    told = {
        "in_use": f"Model {trained.id} is in use",
        "kept": f"Model {trained.id} is kept, not in use: its macro-F1 is more than {WORSE} below that of the model in "
        f"use. `byreturn model use {trained.id}` takes it all the same",
        "known": f"Nothing new to learn since model {trained.id}",
        "tried": "Tried, nothing kept",
    }
    return told[trained.state]


def describe_figures(trained: Trained) -> str:
    figures = trained.figures
    names = (("macro_f1", "macro-F1"), ("macro_f1_in_use", "in use"), ("ece", "ECE"), ("tested", "mails tried"))
    return ", ".join(f"{said} {figures[name]}" for name, said in names)


def tell_missing(trained: Trained) -> str:
    """Categories that the local judge can't know yet."""
    few = trained.figures["too_few"]
    return f"; too few examples: {', '.join(few)}" if few else ""
