"""`byreturn letters`: what we sent, what became of it, and the addresses that are not written to."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byreturn import preview
from byreturn.files import write_private
from byreturn.show import CONSOLE, read_row, show_rows, write_instant, write_value
from desk.errors import ConfigurationError

if TYPE_CHECKING:
    from desk.results import Delivery, Results, Wording
    from store.letters import LetterCard

app = typer.Typer()
preview.add_commands(app)

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
LetterId = Annotated[int, typer.Argument(metavar="ID", help="Of `byreturn letters`.")]


class Settlement(StrEnum):
    """What a person found out about a letter whose fate is unknown."""

    SENT = "sent"
    RESEND = "resend"
    DROP = "drop"


class Why(StrEnum):
    """Why an address is not written to."""

    BY_HAND = "by-hand"
    UNSUBSCRIBED = "unsubscribed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """Letters of a group by recipients; `rate` is of those that are settled, `low` to `high` where it truly lies."""

    category: str
    letters: int
    sent: int
    delivered: int
    read: int
    bounced: int
    refused: int
    waiting: int
    unknown: int
    suppressed: int
    rate: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class WaitLine:
    """From the question to the first answer."""

    category: str
    tickets: int
    mean: str
    median: str


@dataclass(frozen=True, slots=True)
class WordingLine:
    """A wording beside its others: `solved` is settled with no further letter, `low` to `high` where it truly lies."""

    template: str
    segment: str
    variant: str
    letters: int
    read: int
    solved: str
    low: str
    high: str


State = Annotated[str, typer.Option(help="Only letters in this state, such as unknown.")]
Ticket = Annotated[str, typer.Option(help="Only letters on the ticket of this number.")]


@app.callback(invoke_without_command=True)
def list_unasked(context: typer.Context, state: State = "", ticket: Ticket = "", as_json: Json = False) -> None:
    """What we sent, and what became of it; alone it lists every letter with its state."""
    if context.invoked_subcommand is None:
        list_all(state, ticket, as_json)


@app.command("list")
def list_all(state: State = "", ticket: Ticket = "", as_json: Json = False) -> None:
    """Every letter with its state; `unknown` ones want a person's look, see `settle`."""
    from store.views import list_letters
    from tasks.opening import open_store

    show_rows(list_letters(open_store(), state, ticket), as_json, "No letter yet.")


@app.command("show")
def show_letter(
    letter_id: LetterId,
    body: Annotated[bool, typer.Option("--body", help="What it says, too.")] = False,
    as_json: Json = False,
) -> None:
    """One letter: whom it went to, what became of it there, and every step on its way. It tells of people."""
    from store.letters import read_letter
    from tasks.opening import open_store

    card = read_letter(open_store(), letter_id)
    if card is None:
        raise ConfigurationError(f"no letter {letter_id}", remedy="`byreturn letters` lists them.")
    text = read_text(card) if body else None
    if as_json:
        print_card(card, text)
    else:
        draw_card(card, text)


def read_text(card: LetterCard) -> str:
    from desk.mail import Mail, read_mail

    mail = read_mail(card.body) if card.body else None
    return mail.text if isinstance(mail, Mail) else ""


def print_card(card: LetterCard, text: str | None) -> None:
    row = {name: value for name, value in read_row(card).items() if name != "body"}
    said = {} if text is None else {"text": text}
    print(json.dumps({**row, **said}, ensure_ascii=False, indent=2, default=write_instant))


def draw_card(card: LetterCard, text: str | None) -> None:
    traits = read_row(replace(card, body=None, readers=(), steps=()))
    for name, value in traits.items():
        if value not in ("", None, ()):
            CONSOLE.print(f"{name.replace('_', ' '):<12} {write_value(value)}")
    CONSOLE.print()
    show_rows(card.readers, False, "Its recipients are forgotten.")
    CONSOLE.print()
    show_rows(card.steps, False, "Nothing has happened to it yet.")
    if text is not None:
        CONSOLE.rule("what it says")
        CONSOLE.print(text or "Its text is forgotten.")


@app.command("stats")
def show_stats(
    days: Annotated[int, typer.Option(min=1, max=3650, help="So many days back from now.")] = 30,
    picture: Annotated[Path | None, typer.Option(help="Draw it into this PNG file; it must not exist.")] = None,
    as_json: Json = False,
) -> None:
    """How many letters arrived, how soon questions were answered, and which wording settles more tickets."""
    from desk.results import sum_results
    from store.letters import list_asked, list_fates
    from tasks.opening import open_store

    store, end = open_store(), datetime.now(UTC)
    start = end - timedelta(days=days)
    results = sum_results(start, end, list_fates(store, start, end), list_asked(store, start, end))
    if as_json:
        print(json.dumps(read_row(results), ensure_ascii=False, indent=2, default=write_instant))
    else:
        draw_stats(results)
    if picture is not None:
        draw_picture(results, picture, quiet=as_json)


def draw_stats(results: Results) -> None:
    show_rows([describe_delivery(one) for one in results.deliveries], False, "")
    CONSOLE.print("\nFrom the question to the first answer:")
    waits = [WaitLine(one.name, one.tickets, tell_span(one.mean), tell_span(one.median)) for one in results.waits]
    show_rows(waits, False, "")
    CONSOLE.print("\nWordings; where low to high do not overlap, one is better:")
    show_rows([describe_wording(one) for one in results.wordings], False, "No letter to a requester went out.")


def describe_delivery(one: Delivery) -> DeliveryLine:
    counts = (one.letters, one.sent, one.delivered, one.read, one.bounced, one.refused, one.waiting, one.unknown)
    rate = one.rate if one.rate.tries else None
    shares = (f"{share:.1%}" for share in (rate.share, rate.low, rate.high)) if rate else ("", "", "")
    return DeliveryLine(one.name, *counts, one.suppressed, *shares)


def describe_wording(one: Wording) -> WordingLine:
    shares = (f"{share:.0%}" for share in (one.solved.share, one.solved.low, one.solved.high))
    return WordingLine(one.template, one.segment, one.variant, one.letters, one.read, *shares)


def tell_span(minutes: float | None) -> str:
    """ "1:05" are hours and minutes."""
    return "" if minutes is None else f"{int(minutes) // 60}:{int(minutes) % 60:02}"


def draw_picture(results: Results, file: Path, *, quiet: bool) -> None:
    from reports.delivery import draw_results

    write_private(file, draw_results(results))
    if not quiet:
        CONSOLE.print(f"\nThe picture is {file}.")


@app.command("settle")
def settle_letter(
    letter_id: LetterId,
    how: Annotated[Settlement, typer.Argument(help="It was sent; send it once more; or let it be.")],
) -> None:
    """Say what became of a letter whose fate is unknown: look into the mail server's log or ask the requester first."""
    from store.outbox import settle_unknown
    from tasks.opening import open_store

    if not settle_unknown(open_store(), letter_id, how.value, datetime.now(UTC)):
        remedy = "`byreturn letters --state unknown` lists them; one whose text is forgotten can't be sent again."
        raise ConfigurationError(f"letter {letter_id} can't be settled so", remedy=remedy)
    said = {Settlement.SENT: "was sent", Settlement.RESEND: "goes out once more", Settlement.DROP: "is dropped"}
    CONSOLE.print(f"Letter {letter_id} {said[how]}.")


@app.command("suppressed")
def list_addresses(as_json: Json = False) -> None:
    """Addresses that are not written to, why, and until when; for good without a day."""
    from store.suppression import list_suppressed
    from tasks.opening import open_store

    show_rows(list_suppressed(open_store(), datetime.now(UTC)), as_json, "Every address may be written to.")


@app.command("suppress")
def suppress_one(
    address: Annotated[str, typer.Argument(help="An e-mail address.")],
    reason: Annotated[Why, typer.Option(help="Why.")] = Why.BY_HAND,
) -> None:
    """Write to an address no more, until it is allowed again."""
    from letters.compose import is_writable
    from store.suppression import suppress_all
    from tasks.opening import open_store

    if not is_writable(address):
        raise ConfigurationError("this is no e-mail address")
    suppress_all(open_store(), [address], reason.value, datetime.now(UTC), None)
    CONSOLE.print(f"{address} is not written to.")


@app.command("allow")
def allow_one(address: Annotated[str, typer.Argument(help="Of `letters suppressed`.")]) -> None:
    """Write to an address again."""
    from store.suppression import allow_address
    from tasks.opening import open_store

    if not allow_address(open_store(), address):
        raise ConfigurationError(f"{address} is not suppressed", remedy="`byreturn letters suppressed` lists them.")
    CONSOLE.print(f"{address} may be written to.")
