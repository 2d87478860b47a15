"""`byreturn articles check`, `search` and `measure`: can articles be quoted, what does a question find, how well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from byreturn.show import show_rows

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Folder = Annotated[Path | None, typer.Argument(help="Of articles; none: the policy's.")]

app = typer.Typer(no_args_is_help=True, help="Articles that letters quote.")

TEXT_CHARS = 120  # of a passage, in a table


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A passage that a question finds; `clear`: this one would be quoted without anybody's look at it."""

    passage: str
    title: str
    score: float
    clear: bool
    text: str


@dataclass(frozen=True, slots=True)
class ShareLine:
    half: str
    language: str
    what: str
    hits: int
    of: int
    share: float
    low: float
    high: float


@app.command()
def check(folder: Folder = None, as_json: Json = False) -> None:
    """Every fault of every article with its file and line; exit status 1 when there is one."""
    from desk.knowledge import check_shelf, list_faults, read_shelf
    from tasks.opening import open_policy

    policy = open_policy()
    place = folder or Path(policy.knowledge.folder)
    shelf = read_shelf(place)
    faults = [*list_faults(place), *check_shelf(shelf, policy.categories, policy.organisation.languages)]
    waiting = len(shelf.articles) - len(shelf.approved)
    show_rows(faults, as_json, f"{len(shelf.articles)} articles without a fault, {waiting} of them not approved yet.")
    raise typer.Exit(1 if faults else 0)


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="As a mail would ask.")],
    language: Annotated[str, typer.Option("--language", "-l", help="Of the letter.")] = "fr",
    category: Annotated[str, typer.Option("--category", "-c", help="Of the mail, if it is known.")] = "",
    version: Annotated[str, typer.Option("--version", help="Of the application; none: the newest.")] = "",
    most: Annotated[int, typer.Option("--most", min=1, help="Passages shown.")] = 5,
    as_json: Json = False,
) -> None:
    """The approved passages that a question finds, best first, with their score."""
    from classifiers.retrieval import Asked, is_clear
    from tasks.knowing import read_library
    from tasks.opening import open_policy

    library = read_library(Path(open_policy().knowledge.folder))
    hits = library.find(Asked(words, language, category, version))
    lines = [
        FoundLine(
            passage=hit.passage.cites[0],
            title=hit.passage.title,
            score=round(hit.score, 3),
            clear=place == 0 and is_clear(hits),
            text=hit.passage.text if as_json else " ".join(hit.passage.text.split())[:TEXT_CHARS],
        )
        for place, hit in enumerate(hits[:most])
    ]
    show_rows(lines, as_json, "No approved article holds any of these words.")


@app.command()
def measure(
    folder: Folder = None,
    questions: Annotated[Path | None, typer.Option("--questions", help="A CSV; none: that of the folder.")] = None,
    as_json: Json = False,
) -> None:
    """How many questions find the article that answers them, and what would be quoted wrongly; with Wilson's 95 %."""
    from classifiers.recall import QUESTIONS, measure_shares, read_trials, try_questions
    from tasks.knowing import read_library
    from tasks.opening import open_policy

    place = folder or Path(open_policy().knowledge.folder)
    trials = read_trials(questions or place / QUESTIONS)
    shares = measure_shares(try_questions(trials, read_library(place).indexes))
    lines = [
        ShareLine(
            one.half, one.language or "all", one.what, one.hits, one.of,
            round(one.share, 3), round(one.low, 3), round(one.high, 3),
        )
        for one in shares
    ]  # fmt: skip
    show_rows(lines, as_json, "No question is there.")
