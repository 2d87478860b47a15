"""`byreturn faq`: articles that the desk proposes of what people answered, read and published by a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byreturn.files import write_private
from byreturn.show import CONSOLE, read_row, show_rows, write_value
from desk.errors import ConfigurationError

if TYPE_CHECKING:
    from store.faq import CandidateView
    from store.memory import Store

app = typer.Typer(no_args_is_help=True, help="Articles proposed of what people answered.")

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="Of `faq list`.")]
UNKNOWN = "`byreturn faq list` names those that wait."


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Every proposed article, those that wait for a person first; no text."""
    from store.faq import list_candidates
    from tasks.opening import open_store

    show_rows(list_candidates(open_store()), as_json, "No article is proposed: no question was answered often enough.")


@app.command("show")
def show(
    number: Number,
    out: Annotated[Path | None, typer.Option(help="Write the answer to this file, to rewrite it; a new one.")] = None,
    as_json: Json = False,
) -> None:
    """A question and its answer under pseudonyms, and which of these are left to rewrite."""
    from desk.faq import find_codes
    from tasks.opening import open_store

    found = find_waiting(open_store(), number)
    if out is not None:
        write_private(out, f"{found.answer.strip()}\n".encode())
    if as_json:
        show_rows([found], as_json, "")
        return
    for name, value in read_row(found).items():
        CONSOLE.print(f"{name}: {write_value(value)}", soft_wrap=True)
    if codes := find_codes(found.answer):
        CONSOLE.print(f"To rewrite before it is approved: {', '.join(codes)}.")


@app.command("approve")
def approve(
    number: Number,
    title: Annotated[str, typer.Option(help="Of the article; its file is named after it.")],
    by: Annotated[str, typer.Option(help="Who approves it: a role or a team, no person's name.")],
    text: Annotated[Path | None, typer.Option(help="The article's words, Markdown; none: the answer as it is.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Of the articles; none: the policy's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the file.")] = False,
) -> None:
    """Publish a proposed article as a file, once no pseudonym is left in it; letters quote it from then on."""
    from desk.faq import Draft, make_slug, write_approved
    from tasks.opening import open_policy, open_store

    store = open_store()
    found = find_waiting(store, number)
    draft = Draft(title, found.language, found.category, read_words(text) if text else found.answer)
    written = write_approved(draft, by, datetime.now(UTC).date())
    name = f"{found.language}/{make_slug(title)}.md"
    file = (folder or Path(open_policy().knowledge.folder)) / name
    if dry_run:
        check_free(file)
        CONSOLE.print(f"Would write {file}:\n\n{written}", soft_wrap=True)
        return
    publish(store, found.id, file, written)
    CONSOLE.print(f"{file} is written and approved by {by}.")


@app.command("reject")
def reject(number: Number) -> None:
    """Make no article of a question, nor of those like it."""
    from store.faq import settle_candidate
    from tasks.opening import open_store

    store = open_store()
    found = find_waiting(store, number)
    if not settle_candidate(store, found.id, "rejected"):
        raise ConfigurationError(f"candidate {number} was settled just now", remedy=UNKNOWN)
    CONSOLE.print(f"Candidate {number} makes no article.")


def find_waiting(store: Store, number: int) -> CandidateView:
    """Raises ConfigurationError for one that is not there, was settled, or whose texts had their time."""
    from store.faq import find_candidate

    found = find_candidate(store, number)
    if found is None:
        raise ConfigurationError(f"no candidate {number}", remedy=UNKNOWN)
    if found.state != "proposed":
        raise ConfigurationError(f"candidate {number} is {found.state}", remedy=UNKNOWN)
    if not found.answer:
        raise ConfigurationError(f"the texts of candidate {number} are erased", remedy=UNKNOWN)
    return found


def read_words(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"there is no readable UTF-8 file {file.name}") from None


def check_free(file: Path) -> None:
    if file.exists():
        raise ConfigurationError(f"{file} exists", remedy="Choose another title; what is there is never overwritten.")


def publish(store: Store, number: int, file: Path, written: str) -> None:
    """The file first: a candidate without its file would be lost, a file without its word is refused as there."""
    from store.faq import settle_candidate

    check_free(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as target:
        target.write(written)
    settle_candidate(store, number, "approved", f"{file.parent.name}/{file.name}")
