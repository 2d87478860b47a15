"""`byreturn evaluate`: how good a judge is on labelled mails, and which categories are safe to automate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from byreturn.show import CONSOLE, draw_table

if TYPE_CHECKING:
    from tasks.evaluating import Forecast, Order, Report, Tried

Judge = Literal["local", "mistral"]


def evaluate(
    file: Annotated[Path, typer.Argument(help="A CSV file in UTF-8 with the columns text and label.")],
    train: Annotated[Path | None, typer.Option(help="Another one, for the local judge to learn from.")] = None,
    classifier: Annotated[Judge, typer.Option(help="mistral costs money; mails leave the house, pseudonymised.")] = (
        "local"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="So many mails, by lot; none: all, 200 for mistral.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of workbook and picture; none: one in the home.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the files and tell what it costs.")] = False,
) -> None:
    """Try a judge on labelled mails: figures, picture, and thresholds for policy.yaml; status 1 when mails went
    without an answer. Changes nothing.
    """
    from tasks.evaluating import Order, forecast_trial, prepare_trial

    order = Order(file, train, classifier, limit)
    if dry_run:
        show_forecast(forecast_trial(prepare_trial(order)), as_json)
        return
    tried = try_judge(order, out)
    (print_tried if as_json else show_tried)(tried)
    raise typer.Exit(1 if tried.evaluation.failed else 0)


def try_judge(order: Order, out: Path | None) -> Tried:
    """Room for the files is looked for first: it would be a pity once the model is paid."""
    from tasks.evaluating import check_room, judge_trial, name_folder, prepare_trial, write_files

    now = datetime.now(UTC)
    folder = out or name_folder(now)
    check_room(folder)
    trial = prepare_trial(order)
    with open_bar() as report:
        tried = judge_trial(trial, report)
    return write_files(tried, folder, now)


@contextmanager
def open_bar() -> Iterator[Report]:
    """On standard error, and on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("mails")
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def show_forecast(forecast: Forecast, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json(asdict(forecast))
        return
    CONSOLE.print(f"Would try {forecast.said}.")
    for note in forecast.notes:
        CONSOLE.print(f"Note: {note}.")


def show_tried(tried: Tried) -> None:
    from reports.evaluation_page import list_categories, list_figures, write_policy

    CONSOLE.print(draw_table(list_categories(tried.evaluation)), "")
    CONSOLE.print(draw_table([{"figure": name, "value": value} for name, value in list_figures(tried.evaluation)]), "")
    for note in tried.notes:
        CONSOLE.print(f"Note: {note}.")
    print(f"\n{write_policy(tried.evaluation)}")  # no console: it would break lines that are to be copied
    for file in tried.files:
        CONSOLE.print(f"Written: {file}", soft_wrap=True)


def print_tried(tried: Tried) -> None:
    from reports.evaluation_page import tell_headline, write_policy

    told = {"headline": tell_headline(tried.evaluation), "notes": tried.notes, "files": [*map(str, tried.files)]}
    print_json(told | {"policy": write_policy(tried.evaluation)} | tried.evaluation.as_dict())


def print_json(told: dict[str, Any]) -> None:
    print(json.dumps(told, ensure_ascii=False, indent=2))
