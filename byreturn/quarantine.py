"""`byreturn quarantine`: mails set aside, and their way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byreturn.files import read_eml, write_private
from byreturn.show import CONSOLE, read_row, show_rows, write_value
from desk.errors import ConfigurationError
from desk.quarantine import find_cause

if TYPE_CHECKING:
    import sqlalchemy as sa

    from store.memory import Store
    from store.troubles import Place, Quarantined

app = typer.Typer(no_args_is_help=True, help="Mails set aside, and their way back.")

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
UNKNOWN = "`byreturn quarantine list` names what is there."


@dataclass(frozen=True, slots=True)
class Shown:
    """One mail set aside: where it lies in its mailbox, what it has, and what to do. No content."""

    id: int
    delivery_id: int | None
    message_id: int | None
    mailbox: str
    folder: str
    uid: int
    size_bytes: int
    part: str
    cause: str
    attempts: int
    since: datetime
    next_try_at: datetime | None
    incident: str
    remedy: str


@app.command("list")
def list_aside(as_json: Json = False) -> None:
    """Every mail set aside: its typed cause, its attempts, and when it is tried again by itself."""
    from store.troubles import list_quarantine
    from tasks.opening import open_database

    show_rows(list_quarantine(open_database()), as_json, "Nothing is in quarantine.")


@app.command("show")
def show_aside(
    aside_id: Annotated[int, typer.Argument(metavar="ID", help="Of `quarantine list`.")],
    out: Annotated[Path | None, typer.Option(help="Write the raw mail to this file; it must not exist.")] = None,
    as_json: Json = False,
) -> None:
    """Where a mail set aside lies and what to do about it; with --out its bytes go into a file that can be edited."""
    from tasks.opening import open_database, open_store

    engine = open_database()
    aside = find_aside(engine, aside_id)
    place = find_its_bytes(engine, aside)
    if out is not None:
        write_private(out, read_bytes(open_store(), place))
    show_one(tell_aside(aside, place), as_json)
    if out is not None and not as_json:
        whole = "The mail" if place.part == "whole" else "The header of the mail, which is all that is here,"
        CONSOLE.print(f"{whole} is in {out}. It tells of people: delete it when you are done.")


@app.command("replay")
def replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Ids of `quarantine list`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Replay all of them.")] = False,
    eml: Annotated[Path | None, typer.Option(help="An edited mail that takes the place of this one.")] = None,
) -> None:
    """Put mails back before their door; the next run takes them up. One that is too large is fetched whole."""
    if eml is not None:
        replay_edited(ids or [], everything, eml)
    else:
        replay_all(ids or [], everything)


def replay_all(ids: list[int], everything: bool) -> None:
    from store.troubles import list_quarantine, replay_quarantined
    from tasks.opening import open_database

    engine, now = open_database(), datetime.now(UTC)
    chosen = [one.id for one in list_quarantine(engine)] if everything else ids
    back = [one for one in chosen if replay_quarantined(engine, one, now)]
    if not back:
        raise ConfigurationError("nothing to replay", remedy=UNKNOWN)
    CONSOLE.print(f"{len(back)} of {len(chosen)} go back before their door.")


def replay_edited(ids: list[int], everything: bool, file: Path) -> None:
    """The file is read before anything is touched."""
    from store.troubles import replace_mail
    from tasks.opening import open_store

    if everything or len(ids) != 1:
        raise ConfigurationError("--eml takes the place of one mail", remedy="Name one id of `quarantine list`.")
    store = open_store()
    aside = find_aside(store.engine, ids[0])
    data, mail = read_eml(file)
    if not replace_mail(store, aside, data, mail, datetime.now(UTC)):
        raise ConfigurationError(f"mail {aside.id} is not in quarantine any more", remedy=UNKNOWN)
    CONSOLE.print(f"{file} takes the place of mail {aside.id}, which goes back before its door.")


def find_aside(engine: sa.Engine, aside_id: int) -> Quarantined:
    from store.troubles import find_quarantined

    found = find_quarantined(engine, aside_id)
    if found is None:
        raise ConfigurationError(f"no mail {aside_id} in quarantine", remedy=UNKNOWN)
    return found


def find_its_bytes(engine: sa.Engine, aside: Quarantined) -> Place:
    from store.troubles import find_bytes

    found = find_bytes(engine, aside)
    if found is None:
        raise ConfigurationError(f"mail {aside.id} came through no mailbox that is known", remedy=UNKNOWN)
    return found


def read_bytes(store: Store, place: Place) -> bytes:
    from store.intake import open_mail, read_places

    found = read_places(store, [place.delivery_id])
    if not found:
        raise ConfigurationError("its bytes are not here", remedy="Look at it in its mailbox.")
    return open_mail(store, found[0])


def tell_aside(aside: Quarantined, place: Place) -> Shown:
    told = find_cause(aside.cause).remedy
    remedy = f"See `byreturn incident {aside.incident}`. {told}" if aside.incident else told
    return Shown(
        aside.id, aside.delivery_id, aside.message_id, aside.mailbox, place.folder, place.uid, place.size_bytes,
        place.part, aside.cause, aside.attempts, aside.since, aside.next_try_at, aside.incident, remedy,
    )  # fmt: skip


def show_one(shown: Shown, as_json: bool) -> None:
    """Line by line for people; for programs a list, as everywhere."""
    if as_json:
        show_rows([shown], as_json, "")
        return
    for name, value in read_row(shown).items():
        CONSOLE.print(f"{name.replace('_', ' ')}: {write_value(value)}", soft_wrap=True)
