"""Measure how fast letters go out: our carrier beside smtplib, and the outbox with its database, into one sink.

    python -m bench.letters [--letters 1000] [--size 3000] [--repetitions 5] [--json FILE]

All ways take turns, a hundred letters each, in an order that turns, so that whatever else the machine does falls on all
of them. The sink is Postfix's smtp-sink where it can be had, else one of our own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console

from bench.report import lay_table
from bench.server import find_program
from blocks import SmtpServer
from blocks.carrier import Carried, Envelope
from demo.house import find_port, run_process
from desk.plan import Purpose
from desk.policy import Policy, read_policy
from store.engine import open_engine, writing
from store.keys import KeyRing
from store.memory import Store
from store.migrate import migrate_store
from store.outcomes import ReadyLetter, keep_letter
from store.packs import PackFolder
from tasks.sending import Office, send_chunk

ROOT = Path(__file__).resolve().parents[1]
SLICE = 100  # what the outbox sends over one connection
SENDER, PERSON = "support@atelier.example", "camille@ecole.example"
EACH, ONE, ASKED, PIPED = (
    "smtplib, a connection each",
    "smtplib, one connection",
    "carrier, asked",
    "carrier, pipelined",
)
OUTBOX = "outbox, SQLite"
LEAST = {ASKED: 1.8, PIPED: 4.0}  # times a connection each
COLUMNS = ("way", "letters/s", "ms a letter", "CPU ms a letter", "× a connection each", "× by CPU")

Send = Callable[[int], None]  # so many letters


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds a letter; `cpu` without the sink's."""

    wall: float
    cpu: float


Heat = dict[str, Spent]  # by way


@dataclass(frozen=True, slots=True)
class Sink:
    name: str
    port: int

    @property
    def block(self) -> SmtpServer:
        return SmtpServer(sender=SENDER, host="127.0.0.1", port=self.port, security="none")


# --- the sink --------------------------------------------------------------------------------------------------------


@contextmanager
def run_sink(home: Path) -> Iterator[Sink]:
    port = find_port()
    postfix = find_postfix()
    if postfix:
        name, command, env = "smtp-sink of Postfix", *call_postfix(postfix, port)
    else:
        name, command, env = "a sink of our own", [sys.executable, "-m", "bench.sink", str(port)], {}
    with run_process(command, home / "sink.log", env) as child:
        wait_open(port, child)
        yield Sink(name, port)


def find_postfix() -> Path | None:
    """smtp-sink as it is installed, else out of Debian's package, which is unpacked and never installed."""
    here = find_program("smtp-sink")
    folder = ROOT / "build" / "postfix"
    unpacked = folder / "usr" / "sbin" / "smtp-sink"
    if not here and not unpacked.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        unpack_postfix(folder)
    return Path(here) if here else unpacked if unpacked.exists() else None


def unpack_postfix(folder: Path) -> None:
    """Whatever fails is told by what is missing then."""
    print("unpacking postfix", flush=True)
    with tempfile.TemporaryDirectory() as work:
        if os.geteuid() == 0:
            subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        subprocess.run(["apt-get", "download", "-qq", "postfix"], cwd=work, check=False, capture_output=True)
        for package in Path(work).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(folder)], check=False, capture_output=True)


def call_postfix(program: Path, port: int) -> tuple[list[str], dict[str, str]]:
    who = ["-u", "nobody"] if os.geteuid() == 0 else []
    libraries = program.parents[1] / "lib" / "postfix"
    return [str(program), *who, f"127.0.0.1:{port}", "1024"], {"LD_LIBRARY_PATH": str(libraries)}


def wait_open(port: int, child: subprocess.Popen[bytes], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the sink did not start")


# --- the ways --------------------------------------------------------------------------------------------------------


def write_letter(number: int, size: int) -> bytes:
    """Plain text; `size` in bytes, about."""
    head = (
        f"From: L'Atelier <{SENDER}>\r\nTo: {PERSON}\r\nDate: Tue, 17 Nov 2026 09:00:00 +0000\r\nSubject: Letter\r\n"
        f"Message-ID: <{number}.bench@atelier.example>\r\nMIME-Version: 1.0\r\n\r\n"
    )
    line = "Bonjour, voici comment retrouver votre mot de passe dans l'application.\r\n"
    return (head + line * max(1, (size - len(head)) // len(line))).encode()


def send_each(sink: Sink, bodies: Sequence[bytes], count: int) -> None:
    for body in bodies[:count]:
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            client.sendmail(SENDER, [PERSON], body)


def send_over_one(sink: Sink, bodies: Sequence[bytes], count: int) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        for body in bodies[:count]:
            client.sendmail(SENDER, [PERSON], body)


def send_carried(sink: Sink, bodies: Sequence[bytes], pipelining: bool, count: int) -> None:
    sent: list[int] = []

    def turn(done: Carried | None, _: Envelope | None) -> bool:
        sent.extend(reply.code for reply in done.replies.values()) if done else None
        return True

    letters = (Envelope(number, SENDER, (PERSON,), body) for number, body in enumerate(bodies[:count]))
    with sink.block.open_carrier(pipelining=pipelining) as carrier:
        carrier.carry(letters, turn)
    if sent != [250] * count:
        raise SystemExit("not every letter was taken")


def send_outbox(office: Office, count: int) -> None:
    done = send_chunk(office, count)
    if (done.sent, done.error_code) != (count, ""):
        raise SystemExit(f"the outbox sent {done.sent} letters of {count} {done.error_code}")


@contextmanager
def open_office(home: Path, sink: Sink) -> Iterator[Office]:
    """An outbox on a SQLite file, durable as a desk's."""
    key = bytes(32)
    engine = open_engine(f"sqlite:///{home / 'desk.db'}")
    migrate_store(engine)
    store = Store(engine, PackFolder(home / "packs"), KeyRing({"m": key}, "m", {"t": key}, "t"))
    policy: Policy = read_policy(ROOT / "policy.yaml")
    try:
        yield Office(store, policy, lambda: sink.block)
    finally:
        engine.dispose()


def queue_letters(store: Store, bodies: Sequence[bytes], heat: int) -> None:
    now = datetime.now(UTC)
    with writing(store.engine) as connection:
        for number, body in enumerate(bodies):
            name = f"<{heat}.{number}@atelier.example>"
            letter = ReadyLetter(Purpose.ACKNOWLEDGEMENT, name, SENDER, (f"p{number}@ecole.example",), body)
            keep_letter(connection, letter, f"bench:{name}", now)


# --- the race --------------------------------------------------------------------------------------------------------


def race_ways(sink: Sink, home: Path, letters: int, size: int, repetitions: int) -> list[Heat]:
    bodies = [write_letter(number, size) for number in range(SLICE)]
    with open_office(home, sink) as office:
        ways: dict[str, Send] = {
            EACH: partial(send_each, sink, bodies),
            ONE: partial(send_over_one, sink, bodies),
            ASKED: partial(send_carried, sink, bodies, False),
            PIPED: partial(send_carried, sink, bodies, True),
            OUTBOX: partial(send_outbox, office),
        }
        heats = []
        for heat in range(repetitions + 1):
            slices = letters // SLICE if heat else 1  # the first is nobody's: imports and caches
            for part in range(slices):
                queue_letters(office.store, bodies, heat * letters + part)
            heats.append(run_heat(ways, slices))
    return heats[1:]


def run_heat(ways: dict[str, Send], slices: int) -> Heat:
    walls, cpus = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    order = list(ways)
    for part in range(slices):
        for way in order[part % len(order) :] + order[: part % len(order)]:
            start, busy = time.perf_counter(), time.process_time()
            ways[way](SLICE)
            walls[way] += time.perf_counter() - start
            cpus[way] += time.process_time() - busy
    count = slices * SLICE
    return {way: Spent(walls[way] / count, cpus[way] / count) for way in ways}


def print_report(heats: Sequence[Heat]) -> None:
    Console(width=120).print(lay_table("letters", COLUMNS, (describe_way(heats, way) for way in heats[0])))
    for way, least in LEAST.items():
        times = median(compare_walls(heats, way))
        print(
            f"{way}: at least {least:g} × a connection each: {'reached' if times >= least else 'missed'}, {times:.2f}"
        )


def describe_way(heats: Sequence[Heat], way: str) -> Sequence[str]:
    walls, cpus = [heat[way].wall for heat in heats], [heat[way].cpu for heat in heats]
    by_cpu = [heat[EACH].cpu / heat[way].cpu for heat in heats]
    return (
        way,
        spread([1 / each for each in walls]),
        f"{1000 * median(walls):.2f}",
        f"{1000 * median(cpus):.3f}",
        spread(compare_walls(heats, way), 2),
        spread(by_cpu, 2),
    )


def compare_walls(heats: Sequence[Heat], way: str) -> list[float]:
    return [heat[EACH].wall / heat[way].wall for heat in heats]


def spread(figures: Sequence[float], digits: int = 0) -> str:
    return f"{median(figures):,.{digits}f} [{min(figures):,.{digits}f}–{max(figures):,.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.letters", description=__doc__.partition("\n")[0])
    parser.add_argument("--letters", type=int, default=1_000, help="of each way in a repetition, in hundreds")
    parser.add_argument("--size", type=int, default=3_000, help="bytes of a letter")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("build/bench-letters.json"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="byreturn-bench-") as folder, run_sink(Path(folder)) as sink:
        heats = race_ways(sink, Path(folder), asked.letters, asked.size, asked.repetitions)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{asked.letters} letters of {asked.size} bytes, {asked.repetitions} repetitions, {sink.name}; {machine}")
    print_report(heats)
    asked.json.parent.mkdir(exist_ok=True)
    samples = [{way: asdict(spent) for way, spent in heat.items()} for heat in heats]
    asked.json.write_text(json.dumps({"sink": sink.name, "machine": machine, "samples": samples}, indent=1))


if __name__ == "__main__":
    main()
