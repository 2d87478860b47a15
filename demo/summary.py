"""What the demo shows at its end, and the comparison of every sample with its twin."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.samples import Sample
from demo.servers import ImapServer, read_folder
from store.ledgers import read_ledger
from store.memory import Store
from store.views import MailView, list_letters, list_mails

STORY = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
COMPARED = ("kind", "category", "priority", "verdict", "reason", "ticket")


@dataclass(frozen=True, slots=True)
class Compared:
    """A sample beside what the desk made of it; `differences` is empty when they agree."""

    sample: Sample
    view: MailView
    differences: tuple[str, ...]


def compare_samples(store: Store, samples: tuple[Sample, ...], delivered: dict[str, list[str]]) -> tuple[Compared, ...]:
    """Every sample against its twin, in each mailbox it was delivered to."""
    views = {name: [view for view in list_mails(store) if view.mailbox == name] for name in delivered}
    found = {
        (mailbox, name): view
        for mailbox, names in delivered.items()
        for name, view in zip(names, views[mailbox], strict=True)
    }
    return tuple(
        _compare_one(sample, [found[mailbox, sample.name] for mailbox in sample.mailboxes]) for sample in samples
    )


def _compare_one(sample: Sample, views: list[MailView]) -> Compared:
    differences = [line for view in views for line in _list_differences(sample, view)]
    if len({view.message_id for view in views}) > 1:
        differences.append("made more than one message of one mail")
    return Compared(sample, views[0], tuple(differences))


def _list_differences(sample: Sample, view: MailView) -> Iterator[str]:
    for name in COMPARED:
        wanted, got = getattr(sample, name) or "", getattr(view, name)
        if name in ("category", "priority") and sample.category is None:
            continue
        if wanted != got:
            yield f"{name}: expected {wanted or '-'}, got {got or '-'}"


def show_summary(
    console: Console,
    home: Path,
    samples: tuple[Sample, ...],
    delivered: dict[str, list[str]],
    imap: ImapServer,
) -> int:
    """Print it all; 0 when every sample agrees with its twin."""
    from tasks.opening import open_store

    store = open_store()
    compared = compare_samples(store, samples, delivered)
    console.print(_draw_mails(compared))
    console.print(_draw_letters(store))
    letters = read_letters(home / "letters")
    show_letters(console, letters)
    show_rings(console, store)
    write_drafts(home / "drafts", imap)
    files = write_digest(home / "digest", letters)
    console.print("\n[bold]Where to look[/bold]")
    for what, place in (("letters sent", home / "letters"), ("drafts laid", home / "drafts"), *files):
        console.print(f"  {what:<14} {place}")
    return _tell_result(console, compared)


def _draw_mails(compared: tuple[Compared, ...]) -> Table:
    table = Table(title="Every mail and what was done", title_justify="left", pad_edge=False, box=None)
    for heading in ("sample", "read as", "verdict", "because", "ticket", "team", ""):
        table.add_column(heading, no_wrap=True)
    for sample, view, differences in ((one.sample, one.view, one.differences) for one in compared):
        judged = f"{view.category} {view.confidence:.0%}" if view.category else view.kind
        urgency = f" ({view.priority})" if view.priority not in ("", "normal") else ""
        relation = f"{view.number} {view.ticket if view.ticket in ('joined', 'linked') else ''}".strip()
        mark = "[red]✗[/red]" if differences else "[green]✓[/green]"
        table.add_row(sample.name, judged + urgency, view.verdict, view.reason, relation, view.team, mark)
    return table


def _draw_letters(store: Store) -> Table:
    table = Table(title="\nLetters by purpose and state", title_justify="left", pad_edge=False, box=None)
    for heading in ("purpose", "state", "letters"):
        table.add_column(heading)
    counted: dict[tuple[str, str], int] = {}
    for letter in list_letters(store):
        counted[letter.purpose, letter.state] = counted.get((letter.purpose, letter.state), 0) + 1
    for (purpose, state), count in sorted(counted.items()):
        table.add_row(purpose, state, str(count))
    return table


def read_letters(folder: Path) -> tuple[EmailMessage, ...]:
    parsed = (
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(folder.glob("*.eml"))
    )
    return tuple(letter for letter in parsed if isinstance(letter, EmailMessage))


def show_letters(console: Console, letters: tuple[EmailMessage, ...]) -> None:
    """One line a letter."""
    console.print("\n[bold]Letters sent[/bold]")
    for number, letter in enumerate(letters, 1):
        console.print(f"  {number:06}.eml  {letter['To']!s:<42.42} {letter['Subject']!s:.90}", markup=False)


def show_rings(console: Console, store: Store) -> None:
    """Who was rung for which ticket."""
    rung: dict[str, list[str]] = {}
    for ring in read_ledger(store, *STORY).rings:
        rung.setdefault(ring.ticket, []).append(str(ring.level))
    console.print("\n[bold]Escalations[/bold]")
    for ticket, levels in rung.items():
        console.print(f"  {ticket}  levels rung: {', '.join(levels)}")


def write_drafts(folder: Path, imap: ImapServer) -> None:
    """The drafts that wait in the mailboxes, as files."""
    folder.mkdir(exist_ok=True)
    for user in imap.users:
        for uid, raw in read_folder(imap, user, "Drafts").items():
            (folder / f"{user}-{uid}.eml").write_bytes(raw)


def write_digest(folder: Path, letters: tuple[EmailMessage, ...]) -> tuple[tuple[str, Path], ...]:
    """The digest's page, chart and workbook as files a person can open."""
    folder.mkdir(exist_ok=True)
    written: list[tuple[str, Path]] = []
    for letter in letters:
        for part in letter.walk():
            name = part.get_filename() or ""
            if not name.endswith((".xlsx", ".png")):
                continue
            (folder / name).write_bytes(part.get_content())
            written.append((f"digest {name.rpartition('.')[2]}", folder / name))
        page = letter.get_body(("html",))
        if page is not None and any(part.get_filename("").endswith(".xlsx") for part in letter.walk()):
            (folder / "digest.html").write_text(page.get_content().replace("cid:chart", "chart.png"), encoding="utf-8")
            written.append(("digest page", folder / "digest.html"))
    return tuple(written)


def _tell_result(console: Console, compared: tuple[Compared, ...]) -> int:
    wrong = [one for one in compared if one.differences]
    for one in wrong:
        console.print(f"[red]{one.sample.name}[/red]: {'; '.join(one.differences)}")
    agreed = len(compared) - len(wrong)
    console.print(f"\n[bold]{agreed} of {len(compared)} samples came out as their twins say.[/bold]")
    return 1 if wrong else 0
