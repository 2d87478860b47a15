"""`byreturn correct`, `corrections`, `drift` and `model`: what people say of verdicts, and what is learnt from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byreturn.files import write_private
from byreturn.show import CONSOLE, show_rows
from desk.errors import ConfigurationError

if TYPE_CHECKING:
    from store.models import ModelView

Json = Annotated[bool, typer.Option("--json", help="For programs.")]

model_app = typer.Typer(no_args_is_help=True, help="Versions of the local model.")


@dataclass(frozen=True, slots=True)
class CorrectionLine:
    """A correction by ids, categories and weeks; no text."""

    id: int
    message_id: int
    ticket: str
    kind: str
    was: str
    became: str
    source: str
    week: str


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A version of the local model; figures of cross-validation."""

    id: int
    state: str
    at: datetime
    examples: int
    corrections: int
    macro_f1: float
    macro_f1_in_use: float
    ece: float | None
    too_few: list[str]
    categories: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelShort:
    id: int
    state: str
    at: datetime
    examples: int
    corrections: int
    macro_f1: float
    ece: float | None


def add_commands(app: typer.Typer) -> None:
    for command in (correct, corrections, drift):
        app.command()(command)
    app.add_typer(model_app, name="model")


def correct(
    message: Annotated[int, typer.Argument(help="Its message id in `byreturn mails`.")],
    category: Annotated[str, typer.Argument(help="A category of the policy.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would change.")] = False,
) -> None:
    """Give a mail, and the ticket that it opened, another category. The desk learns from it; nobody is written to."""
    from tasks.learning import correct_mail

    change = correct_mail(message, category, dry_run)
    if change.was == change.became:
        CONSOLE.print(f"Mail {message} is {category} already.")
    else:
        CONSOLE.print(f"{'Would change' if dry_run else 'Changed'} mail {message}: {change.was} → {change.became}.")


def corrections(as_json: Json = False) -> None:
    """What people did with verdicts: mails moved to another category, drafts sent as they were or rewritten."""
    from desk.drift import tell_week
    from store.corrections import list_corrections
    from tasks.opening import open_policy, open_store

    zone = open_policy().calendar.timezone
    lines = [
        CorrectionLine(one.id, one.message_id, one.number, one.kind, one.was, one.became, one.source,
                       tell_week(one.at, zone))
        for one in list_corrections(open_store())
    ]  # fmt: skip
    show_rows(lines, as_json, "Nobody has corrected a verdict yet.")


def drift(
    weeks: Annotated[int, typer.Option(min=1, max=520, help="The current one included.")] = 12,
    png: Annotated[Path | None, typer.Option(help="Draw the shares into this file; it must not exist.")] = None,
    as_json: Json = False,
) -> None:
    """Share of corrected verdicts by category and week; and categories with more tickets today than usual."""
    from tasks.learning import count_weeks

    found = count_weeks(weeks)
    show_rows(found.rows, as_json, "No verdict yet.")
    for one in () if as_json else found.spikes:
        CONSOLE.print(f"{one.category}: {one.count} tickets in 24 hours, {one.usual:g} on a usual day.")
    if png is not None:
        from reports.drift import draw_drift

        write_private(png, draw_drift(found.rows))


@model_app.command("list")
def list_versions(as_json: Json = False) -> None:
    """Every version that was trained, the latest first, with its figures."""
    from store.models import list_models
    from tasks.opening import open_store

    found = list_models(open_store())
    lines = [describe_model(one) for one in found] if as_json else [shorten_model(one) for one in found]
    show_rows(lines, as_json, "None was trained yet: the repository's examples judge.")


def describe_model(model: ModelView) -> ModelLine:
    figures = model.figures
    return ModelLine(
        model.id, model.state, model.at, model.examples, model.corrections, figures["macro_f1"],
        figures["macro_f1_in_use"], figures["ece"], figures["too_few"], figures["categories"],
    )  # fmt: skip


def shorten_model(model: ModelView) -> ModelShort:
    figures = model.figures
    return ModelShort(
        model.id, model.state, model.at, model.examples, model.corrections, figures["macro_f1"], figures["ece"]
    )


@model_app.command("use")
def use(
    model_id: Annotated[int, typer.Argument(metavar="ID", help="0: what the repository's examples teach.")],
) -> None:
    """Let this version judge from now on, whatever its figures."""
    from store.models import use_model
    from tasks.opening import open_store

    if not use_model(open_store(), model_id):
        raise ConfigurationError(
            f"no model {model_id} that is kept", remedy="`byreturn model list` names them; retired ones are gone."
        )
    CONSOLE.print(f"Model {model_id} judges from now on.")
