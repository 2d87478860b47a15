"""`byreturn judgements`, `spending`, `compare`, `again`: what judges said, what it cost, and another one tried."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from zoneinfo import ZoneInfo

import typer

from byreturn.files import write_private
from byreturn.show import CONSOLE, show_rows, write_value
from desk.errors import ConfigurationError

if TYPE_CHECKING:
    from desk.comparing import Comparison
    from store.judgings import JudgementView
    from tasks.again import AgainCount

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
DAYS = ["%Y-%m-%d"]
First = Annotated[datetime | None, typer.Option("--from", formats=DAYS, help="First day; a month ago if not given.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=DAYS, help="Last day, included; else today.")]
MONTH = timedelta(days=30)


def add_commands(app: typer.Typer) -> None:
    """Make them commands of `byreturn` itself."""
    for command in (judgements, spending, compare, again):
        app.command()(command)


def judgements(
    message: Annotated[int, typer.Argument(help="Id of a mail, of `byreturn mails --json`.")], as_json: Json = False
) -> None:
    """Everything every judge said about one mail: verdicts, troubles, shadows, batches, with model and price."""
    from store.judgings import list_judgements
    from tasks.opening import open_database

    found = list_judgements(open_database(), message)
    if found is None:
        raise ConfigurationError(f"no mail {message}", remedy="`byreturn mails --json` names them as message_id.")
    if as_json or not found:
        show_rows(found, as_json, "No judge was asked about it.")
    for one in found if not as_json else ():
        CONSOLE.print(tell_judgement(one), soft_wrap=True)


def tell_judgement(one: JudgementView) -> str:
    """One line, for people."""
    said = one.trouble or f"{one.category}, {one.priority}, confidence {one.confidence:.2f}"
    paid = f"{one.input_tokens} + {one.output_tokens} tokens, {one.cost_eur:.6f} EUR, {one.latency_ms} ms"
    versions = ", ".join(
        f"{name} {value}" for name, value in (("prompt", one.prompt), ("policy", one.policy_version)) if value
    )
    told = (f"{one.role} {one.source} {one.model}".strip() + f": {said}", paid, versions, one.reason)
    return f"{write_value(one.at)} {'; '.join(filter(None, told))}"


def spending(
    days: Annotated[int, typer.Option(min=1, help="How far back, today included.")] = 30, as_json: Json = False
) -> None:
    """Calls, tokens and euros of each judge, day by day."""
    from store.judgings import list_spending
    from tasks.opening import open_database

    since = find_today() - timedelta(days=days - 1)
    show_rows(list_spending(open_database(), since), as_json, "Nothing was spent.")


def compare(
    first: First = None,
    last: Last = None,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="A folder for the figures as JSON and the confusion as PNG.")] = None,
) -> None:
    """The judge in the shadow against the verdicts: agreement, confusion, who was right, time and money."""
    from tasks.comparing import compare_window

    report = compare_window.fn(*choose_days(first, last))
    if out is not None:
        write_comparisons(report.comparisons, out)
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False, indent=2))
    elif not report.comparisons:
        CONSOLE.print("No shadow has judged a mail; see classification.shadow in the policy.")
    for one in report.comparisons if not as_json else ():
        show_comparison(one)


def show_comparison(one: Comparison) -> None:
    CONSOLE.print(f"Shadow: {' · '.join(filter(None, one.judge))}")
    CONSOLE.print(
        f"{one.mails} mails, {one.agreed} agree: {one.share:.1%} (95 %: {one.low:.1%} to {one.high:.1%}), "
        f"kappa {one.kappa:.2f}"
    )
    for name, effort in (("verdict", one.verdict), ("shadow", one.shadow)):
        paid = f"{effort.cost_eur:.4f} EUR"
        CONSOLE.print(f"{name}: confidence {effort.confidence:.2f}, {effort.latency_ms:.0f} ms a mail, {paid}")
    show_rows(one.cells, False, "")
    show_rows(one.scores, False, "Nobody has corrected one of these mails yet.")
    CONSOLE.print(f"Judged otherwise: {', '.join(map(str, one.disagreeing)) or 'none'}", soft_wrap=True)


def write_comparisons(comparisons: tuple[Comparison, ...], folder: Path) -> None:
    from reports.comparison import draw_confusion

    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(comparisons, 1):
        told = json.dumps(asdict(one), ensure_ascii=False, indent=2)
        write_private(folder / f"comparison-{number}.json", told.encode())
        write_private(folder / f"comparison-{number}.png", draw_confusion(one))


def again(
    first: Annotated[datetime, typer.Option("--from", formats=DAYS, help="Mails that arrived on this day or later.")],
    last: Last = None,
    mailbox: Annotated[str, typer.Option(help="One mailbox; else all.")] = "",
    classifier: Annotated[str, typer.Option(help="`local`: without Mistral.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Carry it out; else it is a rehearsal.")] = False,
    as_json: Json = False,
) -> None:
    """Judge decided mails once more and show what would change; nobody is written to. Exit status 1 when one could not
    be judged.
    """
    from flows.classify_again import classify_again

    days = choose_days(first, last)
    state = classify_again(*days, mailbox=mailbox, classifier=classifier, apply=apply, return_state=True)
    count = cast("AgainCount", state.result(raise_on_failure=False))
    show_rows(count.rows, as_json, "Nothing would change.")
    if not as_json:
        CONSOLE.print(str(state.message))
    raise typer.Exit(0 if state.is_completed() else 1)


def choose_days(first: datetime | None, last: datetime | None) -> tuple[date, date]:
    end = last.date() if last else find_today()
    return (first.date() if first else end - MONTH), end


def find_today() -> date:
    """In the desk's own zone."""
    from tasks.opening import open_policy

    return datetime.now(UTC).astimezone(ZoneInfo(open_policy().calendar.timezone)).date()
