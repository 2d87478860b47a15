"""Measure how fast mail is read, side by side with others, in one process.

    python -m bench.read [--mails 1000] [--repetitions 5] [--eml DIR] [--only SUBSTRING,…] [--profile] [--json FILE]

All mails are in memory. Each repetition goes through them a hundred at a time, every reader reading a hundred before
anybody reads the next, in an order that turns: whatever else the machine does falls on all of them.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import logging
import os
import platform
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console

from bench.mails import Piece, describe_mails, load_mails
from bench.parsers import BASE, OURS, PARSERS, Parser, Read
from bench.report import lay_table
from bench.rooms import open_room

LEAST = 4.0  # times stdlib policy.default
SLICE = 100
COLUMNS = ("reader", "mails/s", "µs a mail", "MB/s", "× policy.default", "raises on")


@dataclass(slots=True)
class Reader:
    """A parser that is here, its seconds by repetition and the mails that it raises on."""

    name: str
    read: Read
    walls: list[float] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def read_slice(self, mails: list[Piece]) -> float:
        start = time.perf_counter()
        for mail in mails:
            try:
                self.read(mail.raw)
            except Exception as failure:  # noqa: BLE001 - which ones there are is what we want to know
                self.failures[mail.name] = type(failure).__name__
        return time.perf_counter() - start


def find_readers(only: str) -> list[Reader]:
    """Ours, the base of all ratios, and whoever of the others is wanted and can be had."""
    wanted = [part for part in only.split(",") if part]
    chosen = [one for one in PARSERS if one.name in (OURS, BASE) or not wanted or any(w in one.name for w in wanted)]
    room, missing = open_room("venv-bench", [one.pin for one in chosen if one.pin])
    sys.path.append(str(room.packages))  # behind our own, which therefore keeps its versions
    return [reader for one in chosen if (reader := load_reader(one, missing))]


def load_reader(parser: Parser, missing: list[str]) -> Reader | None:
    try:
        return Reader(parser.name, parser.load())
    except ImportError as failure:
        print(f"{parser.name} is missing: {'not installed' if parser.pin in missing else failure}", flush=True)
        return None


def run_repetition(readers: list[Reader], mails: list[Piece], number: int) -> None:
    walls: defaultdict[str, float] = defaultdict(float)
    for turn, start in enumerate(range(0, len(mails), SLICE), start=number):
        first = turn % len(readers)
        for reader in (*readers[first:], *readers[:first]):
            walls[reader.name] += reader.read_slice(mails[start : start + SLICE])
    for reader in readers:
        reader.walls.append(walls[reader.name])


def compare(reader: Reader, base: Reader) -> float:
    """Median over the repetitions of how many times faster than the base it was."""
    return median(theirs / own for own, theirs in zip(reader.walls, base.walls, strict=True))


def list_readers(readers: list[Reader], mails: list[Piece]) -> Iterator[tuple[str, ...]]:
    size, base = sum(len(mail.raw) for mail in mails) / 1e6, pick(readers, BASE)
    for reader in sorted(readers, key=lambda one: median(one.walls)):
        wall, count = median(reader.walls), len(mails)
        speed = f"{count / wall:,.0f} [{count / max(reader.walls):,.0f}–{count / min(reader.walls):,.0f}]"
        cells = (speed, f"{wall / count * 1e6:,.0f}", f"{size / wall:.0f}", f"{compare(reader, base):.2f}")
        yield reader.name, *cells, str(len(reader.failures))


def pick(readers: list[Reader], name: str) -> Reader:
    return next(one for one in readers if one.name == name)


def print_report(readers: list[Reader], mails: list[Piece], head: str) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    console.print(f"\n{head}\n")
    console.print(lay_table("reading", COLUMNS, list_readers(readers, mails)))
    for reader in readers:
        for name, failure in sorted(reader.failures.items())[:10]:
            console.print(f"{reader.name} raises {failure} on {name}")
    ratio = compare(pick(readers, OURS), pick(readers, BASE))
    verdict = "reached" if ratio >= LEAST else "missed"
    console.print(f"target: ours at least {LEAST:g} × {BASE}: {ratio:.2f} × — {verdict}")


def save_report(readers: list[Reader], head: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    samples = {one.name: {"walls": one.walls, "raises": one.failures} for one in readers}
    file.write_text(json.dumps({"run": head, "samples": samples}, indent=1))
    print(f"every sample: {file}")


def print_profile(mails: list[Piece]) -> None:
    """Where our own time goes: the 25 functions that take most of it themselves, then with what they call."""
    read, profile = pick(find_readers(OURS), OURS), cProfile.Profile()
    profile.runcall(read.read_slice, mails)
    figures = pstats.Stats(profile).strip_dirs()
    for order in ("tottime", "cumulative"):
        figures.sort_stats(order).print_stats(25)


def main() -> None:
    asked = read_arguments()
    logging.disable()  # some of them tell about every odd mail
    mails = load_mails(asked.eml, asked.mails)
    if asked.profile:
        print_profile(mails)
        return
    readers = find_readers(asked.only)
    for reader in readers:
        reader.read_slice(mails[:SLICE])  # imports and caches are nobody's mail
    for number in range(asked.repetitions):
        run_repetition(readers, mails, number)
        print(f"{number + 1}  " + "  ".join(f"{one.name} {one.walls[-1]:.2f} s" for one in readers), flush=True)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    head = f"{describe_mails(mails)}, {asked.repetitions} repetitions; {machine}"
    print_report(readers, mails, head)
    save_report(readers, head, asked.json)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.read", description=__doc__.partition("\n")[0])
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--eml", type=Path, help="read the files of this folder instead of mails made here")
    parser.add_argument("--only", default="", help="parts of readers' names, separated by commas")
    parser.add_argument("--profile", action="store_true", help="where our own time goes, and nothing else")
    parser.add_argument("--json", type=Path, default=Path("build/bench-read.json"), help="where every sample goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
