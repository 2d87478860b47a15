"""Measure the way from kept mail to ticket, side by side with django-helpdesk.

    python -m bench.desk [--mails 2000] [--repetitions 3] [--eml DIR] [--profile] [--json FILE]

First each mail is given to django-helpdesk alone, and those that it can't take are put aside; then both desks work on
the others, in turns: ours in two processes and in one, theirs in its one. At last ours gets everything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa
from rich.console import Console

from bench.mails import Piece, date_mails, describe_mails, load_mails, write_mails
from bench.report import lay_table
from bench.rooms import Room, open_room
from bench.sync import leave_desk
from demo.house import find_port, run_server, set_environment

PIN = "django-helpdesk==2.6.1"
THEIRS, TWO, ONE, ALL = "django-helpdesk, 1 process", "Byreturn, 2 processes", "Byreturn, 1 process", "Byreturn, all"
LEAST = 8.0  # times django-helpdesk's mails/s, with two processes
PROGRAM = Path(__file__).with_name("django_desk.py")
CHANGES = {  # of the policy
    "check_dkim: true": "check_dkim: false",
    "letters_per_mailbox: {1h: 200, 1d: 500}": "letters_per_mailbox: {1d: 1000000}",
    "letters_in_all: {1d: 2000}": "letters_in_all: {1d: 1000000}",
}
COLUMNS = ("desk", "mails/s", "wall s", "CPU s", "CPU ms a mail", "× theirs", "× by CPU", "tickets", "letters")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one desk over `mails` mails: seconds; `lost` are mails of which nobody knows any more."""

    desk: str
    mails: int
    wall: float
    cpu: float
    tickets: int
    letters: int
    lost: int
    more: dict[str, Any] = field(default_factory=dict)


# --- theirs --------------------------------------------------------------------------------------------------


def sift_mails(room: Room, home: Path, mails: list[Piece]) -> dict[str, str]:
    """Names of the mails that django-helpdesk can't take, and what it raises on each."""
    folder = write_mails(mails, home / "all")
    return dict(ask_theirs(room, "sift", home / "sift", folder))


def run_theirs(room: Room, home: Path, mails: list[Piece]) -> Sample:
    work = Path(tempfile.mkdtemp(dir=home))
    figures = ask_theirs(room, "run", work / "desk", write_mails(mails, work / "in"))
    shutil.rmtree(work)
    counts = figures["tickets"], figures["letters"], figures["left"]
    return Sample(THEIRS, len(mails), figures["wall"], figures["cpu"], *counts, figures)


def ask_theirs(room: Room, verb: str, work: Path, folder: Path) -> Any:
    command = [str(room.python), "-P", str(PROGRAM), verb, str(work), str(folder)]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env={**clean, "PYTHONUTF8": "1"})
    if ended.returncode:
        raise SystemExit(f"django-helpdesk, {verb}: {ended.stderr[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


# --- ours ----------------------------------------------------------------------------------------------------


def run_ours(name: str, home: Path, mails: list[Piece], workers: int, profile: bool = False) -> Sample:
    """A desk of its own with the mails kept in it, and so many workers over it."""
    work = Path(tempfile.mkdtemp(dir=home))
    begin_desk(work)
    keep_mails(mails)
    figures = run_workers(workers, work, profile)
    wall = max(one["ended"] for one in figures) - min(one["begun"] for one in figures)
    found = count_outcomes()
    shutil.rmtree(work)
    lost = len(mails) - found["decided"] - found["quarantined"] - found["waiting"]
    more = {**found, "workers": figures}
    cpu = sum(one["cpu"] for one in figures)
    return Sample(name, len(mails), wall, cpu, found["tickets"], found["letters"], lost, more)


def begin_desk(home: Path) -> None:
    """Our blocks, pointing at an empty SQLite database and no server of anybody's."""
    from demo.house import save_desk
    from tasks.opening import open_database

    save_desk(home, 25, ("operator@atelier.example",))
    open_database()


def keep_mails(mails: list[Piece]) -> None:
    """As the intake leaves them: sealed in packs, live, nothing read yet."""
    from desk.facts import Arrival
    from store.intake import Batch, RawMail
    from store.mailboxes import Account, Shown, open_cursor, register_mailbox
    from tasks.keeping import keep_apart
    from tasks.opening import open_store

    store, now = open_store(), datetime.now(UTC)
    account = Account("bench", "support", "127.0.0.1", "support", "support@atelier.example", "keep")
    mailbox = register_mailbox(store.engine, account)
    cursor = open_cursor(store.engine, mailbox, "INBOX", Shown(1), now)
    for start in range(0, len(mails), 200):
        raw = (RawMail(start + at, now, mail.raw) for at, mail in enumerate(mails[start : start + 200], start=1))
        keep_apart(store, mailbox, cursor, Batch(tuple(raw), (), (), 0), lambda _: Arrival.LIVE)


def run_workers(count: int, work: Path, profile: bool) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "bench.doors", *(["--profile"] if profile else [])]
    with ExitStack() as stack:
        log = stack.enter_context((work / "workers.log").open("w+"))
        errors = None if profile else log
        children = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
            for _ in range(count)
        ]
        for child in children:
            stack.callback(end_child, child)
        for word in ("ready", ""):
            lines = [read_line(child, word, work) for child in children]
            for child in children:
                tell_child(child, word)
        for child in children:
            child.wait(timeout=60)
        return [json.loads(line) for line in lines]


def end_child(child: subprocess.Popen[str]) -> None:
    """It has ended by itself, unless we leave early."""
    if child.poll() is None:
        child.kill()
    child.communicate()


def read_line(child: subprocess.Popen[str], word: str, work: Path) -> str:
    """The next line that a worker says, or its end with the end of its log."""
    for line in child.stdout or ():
        if line.startswith(word or "{"):
            return line
    raise SystemExit(f"a worker ended:\n{(work / 'workers.log').read_text()[-3000:]}")


def tell_child(child: subprocess.Popen[str], word: str) -> None:
    if word and child.stdin:
        child.stdin.write("go\n")
        child.stdin.flush()


def count_outcomes() -> dict[str, Any]:
    """What became of every delivery, and what came of it."""
    from store.engine import reading
    from store.facts import letters, tickets
    from store.intake import deliveries
    from store.messages import messages
    from store.troubles import list_quarantine
    from tasks.opening import open_store

    store = open_store()
    with reading(store.engine) as connection:
        joined = sa.select(messages.c.state, messages.c.kind).select_from(deliveries)
        rows = connection.execute(joined.outerjoin(messages, messages.c.id == deliveries.c.message_id)).all()
        sizes = {
            name: connection.execute(sa.select(sa.func.count()).select_from(one)).scalar_one()
            for name, one in (("tickets", tickets), ("letters", letters), ("messages", messages))
        }
    aside = list_quarantine(store.engine)
    return {
        "deliveries": len(rows),
        "decided": sum(row.state == "decided" for row in rows),
        "waiting": sum(row.state == "waiting" for row in rows),  # a mail that failed waits with its whole thread
        "quarantined": len(aside),
        "causes": dict(Counter(one.cause for one in aside)),
        "kinds": dict(Counter(row.kind or "unread" for row in rows)),
        **sizes,
    }


@contextmanager
def open_house() -> Iterator[Path]:
    """A folder and a Prefect server of our own."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="byreturn-bench-")))
        port = find_port()
        leave_desk(home)
        set_environment(home, f"http://127.0.0.1:{port}/api")
        stay_home(home)
        stack.enter_context(run_server(home, port))
        yield home


def stay_home(home: Path) -> None:
    """A policy that looks nothing up in the DNS, for the signatures in made-up mail are nobody's, and that answers more
    than a mailbox's hour allows.
    """
    policy = Path(os.environ["BYRETURN_POLICY"]).read_text(encoding="utf-8")
    for words, others in CHANGES.items():
        if policy.count(words) != 1:
            raise SystemExit(f"the policy has no {words!r} to change")
        policy = policy.replace(words, others)
    (home / "policy.yaml").write_text(policy, encoding="utf-8")
    os.environ["BYRETURN_POLICY"] = str(home / "policy.yaml")


# --- report --------------------------------------------------------------------------------------------------


def pick(samples: list[Sample], desk: str) -> list[Sample]:
    return [one for one in samples if one.desk == desk]


def compare(samples: list[Sample], desk: str) -> float:
    """Median over the repetitions of how many times django-helpdesk's mails/s it reached."""
    pairs = zip(pick(samples, desk), pick(samples, THEIRS), strict=False)
    ratios = [theirs.wall / theirs.mails / (own.wall / own.mails) for own, theirs in pairs]
    return median(ratios) if ratios else 0.0


def compare_cpu(samples: list[Sample], desk: str) -> float:
    """The same by CPU seconds, shared by the processes: what it would be on as many cores that nobody else uses."""
    pairs = zip(pick(samples, desk), pick(samples, THEIRS), strict=False)
    ratios = [theirs.cpu / theirs.mails / (own.cpu / own.mails / count_processes(own)) for own, theirs in pairs]
    return median(ratios) if ratios else 0.0


def count_processes(sample: Sample) -> int:
    return len(sample.more.get("workers", "1"))


def list_desks(samples: list[Sample]) -> Iterator[tuple[str, ...]]:
    for desk in dict.fromkeys(one.desk for one in samples):
        runs = pick(samples, desk)
        wall, cpu, mails = median(one.wall for one in runs), median(one.cpu for one in runs), runs[0].mails
        ratios = [f"{one(samples, desk):.2f}" if desk != ALL else "" for one in (compare, compare_cpu)]
        sums = str(runs[-1].tickets), str(runs[-1].letters)
        yield desk, f"{mails / wall:,.0f}", f"{wall:.2f}", f"{cpu:.2f}", f"{cpu / mails * 1e3:.2f}", *ratios, *sums


def list_parts(sample: Sample) -> Iterator[tuple[str, ...]]:
    """Where a mail's time goes, of all workers together; what is left over is Prefect's engine and small things."""
    workers = sample.more["workers"]
    rows = {name: sum_parts(workers, name) for name in sorted(workers[0]["parts"])}
    wall = sum(worker["reading"] + worker["deciding"] for worker in workers)
    told = [sum(part[column] for part in rows.values()) for column in (0, 1)]
    rows |= {"the rest": (wall - told[0], sample.cpu - told[1]), "all": (wall, sample.cpu)}
    for name, (seconds, cpu) in rows.items():
        yield name, f"{seconds / sample.mails * 1e3:.2f}", f"{cpu / sample.mails * 1e3:.2f}", f"{cpu / sample.cpu:.0%}"


def sum_parts(workers: list[dict[str, Any]], name: str) -> tuple[float, float]:
    wall, cpu = (sum(worker["parts"][name][column] for worker in workers) for column in (0, 1))
    return wall, cpu


def print_report(samples: list[Sample], refused: dict[str, str], mails: list[Piece]) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 130)
    console.print(f"\n{describe_run(mails)}\n")
    console.print(lay_table("from kept mail to ticket", COLUMNS, list_desks(samples)))
    for desk in (TWO, ONE):
        table = list_parts(pick(samples, desk)[-1])
        console.print(lay_table(f"{desk}: where the time goes", ("part", "ms a mail", "CPU ms a mail", ""), table))
    print_losses(console, samples, refused, mails)
    ratio = compare(samples, TWO)
    verdict = "reached" if ratio >= LEAST else "missed"
    console.print(f"target: at least {LEAST:g} × django-helpdesk with two processes: {ratio:.2f} × — {verdict}")


def print_losses(console: Console, samples: list[Sample], refused: dict[str, str], mails: list[Piece]) -> None:
    reasons = ", ".join(f"{count} {name}" for name, count in Counter(refused.values()).most_common())
    console.print(
        f"django-helpdesk takes {len(mails) - len(refused)} of {len(mails)}; it raises on the others: {reasons}"
    )
    for sample in pick(samples, ALL):
        more = sample.more
        console.print(
            f"Byreturn, of {sample.mails}: {more['decided']} decided, {more['waiting']} to be tried again,"
            f" {more['quarantined']} quarantined {more['causes']}, {sample.lost} lost; {more['kinds']}"
        )


def describe_run(mails: list[Piece]) -> str:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"{describe_mails(mails)}; {machine}, {PIN}, SQLite"


def run_all(home: Path, room: Room, mails: list[Piece], repetitions: int) -> tuple[list[Sample], dict[str, str]]:
    refused = sift_mails(room, home, mails)
    taken = [mail for mail in mails if mail.name not in refused]
    samples: list[Sample] = []
    for number in range(repetitions):
        turns = (
            lambda: run_theirs(room, home, taken),
            lambda: run_ours(TWO, home, taken, 2),
            lambda: run_ours(ONE, home, taken, 1),
        )
        for turn in range(len(turns)):
            samples.append(turns[(turn + number) % len(turns)]())
            tell_sample(samples[-1], number)
    samples.append(run_ours(ALL, home, mails, 2))
    tell_sample(samples[-1], repetitions)
    return samples, refused


def tell_sample(sample: Sample, number: int) -> None:
    speed = f"{sample.mails / sample.wall:7.0f} mails/s"
    print(f"{number + 1}  {sample.desk:28} {sample.wall:8.2f} s {speed}, {sample.lost} left or lost", flush=True)


def main() -> None:
    asked = read_arguments()
    mails = date_mails(load_mails(asked.eml, asked.mails), datetime.now(UTC))
    file = asked.json.absolute()  # before we leave this folder
    with open_house() as home:
        if asked.profile:
            run_ours(ONE, home, mails, 1, profile=True)
            return
        room, missing = open_room("venv-helpdesk", [PIN])
        if missing:
            raise SystemExit(f"{PIN} can't be installed: there is nothing to compare with")
        samples, refused = run_all(home, room, mails, asked.repetitions)
    print_report(samples, refused, mails)
    file.parent.mkdir(parents=True, exist_ok=True)
    saved = {"run": describe_run(mails), "refused": refused, "samples": [asdict(one) for one in samples]}
    file.write_text(json.dumps(saved, indent=1))
    print(f"every sample: {file}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.desk", description=__doc__.partition("\n")[0])
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--eml", type=Path, help="work on the files of this folder instead of mails made here")
    parser.add_argument("--profile", action="store_true", help="where our own time goes in one process, nothing else")
    parser.add_argument("--json", type=Path, default=Path("build/bench-desk.json"), help="where every sample goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
