"""Medians of ratios: what holds on another machine, where seconds do not."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.clock import Sample
from bench.peers import FAR, FIRST, NEW, NOTHING, PEERS

SQLITE, POSTGRESQL = "Byreturn, sqlite", "Byreturn, postgresql"
PARTS = ("fetch", "seal", "write", "sql", "session", "task", "flow")


@dataclass(frozen=True, slots=True)
class Run:
    """Samples by repetition; `size` is the mailbox on the server's disk in bytes, `round_trip` in milliseconds."""

    mails: int
    size: int
    round_trip: float
    samples: list[list[Sample]]

    def pick(self, phase: str, peer: str) -> list[Sample]:
        return [one for part in self.samples for one in part if (one.phase, one.peer) == (phase, peer)]

    def compare(self, phase: str, peer: str, other: str) -> float | None:
        """Median over the repetitions of how many times the wall of `other` the wall of `peer` is."""
        pairs = zip(self.pick(phase, peer), self.pick(phase, other), strict=False)
        ratios = [one.wall / two.wall for one, two in pairs]
        return median(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of a run, and the least or the most that it may be."""

    what: str
    read: Callable[[Run], float | None]
    limit: float
    least: bool

    def judge(self, figure: float | None) -> str:
        if figure is None:
            return "not measured"
        return "reached" if (figure >= self.limit if self.least else figure <= self.limit) else "missed"


def faster(phase: str, peer: str) -> Callable[[Run], float | None]:
    return lambda run: run.compare(phase, peer, SQLITE)


def slower(phase: str, peer: str, ours: str = SQLITE) -> Callable[[Run], float | None]:
    return lambda run: run.compare(phase, ours, peer)


def read_peak(run: Run) -> float | None:
    return max((one.peak_mb for part in run.samples for one in part if one.peer == SQLITE), default=None)


def count_commands(run: Run) -> float | None:
    """Beyond CAPABILITY, LOGIN and LOGOUT; one folder is synced."""
    session = {"CAPABILITY", "LOGIN", "LOGOUT"}
    counts = [
        len([one for one in sample.more["commands"] if one not in session]) for sample in run.pick(NOTHING, SQLITE)
    ]
    return max(counts, default=None)


TARGETS: tuple[Target, ...] = (
    Target("first sync: times faster than mbsync, FSync, no compression", faster(FIRST, "mbsync"), 2, True),
    Target("first sync: times faster than stock mbsync", faster(FIRST, "mbsync stock"), 3, True),
    Target("first sync: times faster than offlineimap3", faster(FIRST, "offlineimap3"), 10, True),
    Target("first sync, far: times faster than IMAPClient in batches of 200", faster(FAR, "IMAPClient 200"), 3, True),
    Target("first sync, far: the same that keeps nothing", faster(FAR, "IMAPClient 200, bare"), 3, True),
    Target("100 new: wall in whole mbsync processes", slower(NEW, "mbsync"), 1.5, False),
    Target("nothing new: round trips beside signing in and out", count_commands, 1, False),
    Target("most memory above an idle flow, MB", read_peak, 100, False),
    Target("first sync: PostgreSQL's wall in SQLite's", slower(FIRST, SQLITE, POSTGRESQL), 2, False),
)


def print_report(run: Run) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 130)
    console.print(f"\n{describe_run(run)}\n")
    for phase in (FIRST, NEW, NOTHING, FAR):
        console.print(
            lay_table(
                phase,
                ("peer", "wall s", "mails/s", "MB/s", "CPU s", "server CPU s", "peak MB", "× ours"),
                list_peers(run, phase),
            )
        )
    console.print(lay_table("where our time goes, s", ("phase", "peer", *PARTS), list_parts(run)))
    console.print(lay_table("targets", ("figure", "wanted", "measured", ""), list_targets(run)))
    for peer in PEERS:
        console.print(f"{peer.name}: {peer.note}")


def describe_run(run: Run) -> str:
    return (
        f"{run.mails} mails, {run.size / 1e6:.0f} MB, {len(run.samples)} repetitions, far: {run.round_trip:g} ms;"
        f" {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )


def lay_table(title: str, columns: Sequence[str], rows: Iterator[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def list_peers(run: Run, phase: str) -> Iterator[Sequence[str]]:
    names = dict.fromkeys(one.peer for part in run.samples for one in part if one.phase == phase)
    for name in sorted(names, key=lambda name: median(one.wall for one in run.pick(phase, name))):
        yield describe_peer(run, phase, name)


def describe_peer(run: Run, phase: str, name: str) -> Sequence[str]:
    samples = run.pick(phase, name)
    walls = [one.wall for one in samples]
    wall, mails = median(walls), samples[0].mails
    size = run.size * mails / run.mails / 1e6
    ratio = run.compare(phase, name, SQLITE)
    speed = (f"{mails / wall:,.0f}", f"{size / wall:.1f}") if mails else ("", "")
    costs = [f"{median(getattr(one, field) for one in samples):.2f}" for field in ("cpu", "server_cpu")]
    peak = f"{median(one.peak_mb for one in samples):.0f}"
    return (
        name,
        f"{wall:.3f} [{min(walls):.3f}–{max(walls):.3f}]",
        *speed,
        *costs,
        peak,
        f"{ratio:.2f}" if ratio else "",
    )


def list_parts(run: Run) -> Iterator[Sequence[str]]:
    for phase in (FIRST, NEW, NOTHING, FAR):
        for peer in (SQLITE, POSTGRESQL):
            samples = run.pick(phase, peer)
            if samples:
                yield phase, peer, *(f"{median(one.more[name] for one in samples):.3f}" for name in PARTS)


def list_targets(run: Run) -> Iterator[Sequence[str]]:
    for target in TARGETS:
        figure = target.read(run)
        wanted = f"{'≥' if target.least else '≤'} {target.limit:g}"
        yield target.what, wanted, "" if figure is None else f"{figure:.2f}", target.judge(figure)


def save_report(run: Run, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    targets = [dict(zip(("figure", "wanted", "measured", "verdict"), row, strict=True)) for row in list_targets(run)]
    file.write_text(
        json.dumps({"run": describe_run(run), "targets": targets, "samples": asdict(run)["samples"]}, indent=1)
    )
    print(f"every sample: {file}")
