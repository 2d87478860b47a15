"""Workers of a test's desk: mails for them to do, processes that do them, and how one is stopped dead.

Run as a module it is one worker of two: `python -m tests.acceptance.workers` says `ready`, waits for a line, works
until nothing waits, and says as JSON what it did.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun

from demo.house import end_process
from demo.servers import SmtpSink
from demo.stay import POOL
from store.engine import reading
from store.memory import Store
from tests.stores import count_rows, tables

FLOW = "classify-and-reply"
POLL_SECONDS = 0.05
PATIENCE = 4  # how much slower than a machine of its own a test's may be: several tests share its cores
ASK_SECONDS = 0.5  # Prefect's server takes a twentieth of a second to answer, and all of a core

OPENINGS = (
    ("Mot de passe oublié", "Bonjour,\n\nJe n'arrive plus à me connecter à e-carnet, mon mot de passe est refusé."),
    ("Emploi du temps", "Bonjour,\n\nComment importer le nouvel emploi du temps des classes de 5e en une seule fois ?"),
    ("Application qui se ferme", "Bonjour,\n\nL'application plante à chaque synchronisation avec une erreur 500."),
    ("Facture", "Bonjour,\n\nLe montant de notre facture ne correspond pas au devis signé en septembre."),
    ("Programme de CE1", "Bonjour,\n\nLe programme officiel de CE1 est-il disponible dans e-carnet ?"),
    ("Password", "Hello,\n\nI forgot my password and cannot sign in to e-carnet any more."),
    ("Timetable", "Hello,\n\nHow can I import the new timetable for all classes of Year 8 at once?"),
    ("Invoice", "Hello,\n\nOur invoice shows another amount than the quote that we signed in September."),
)
REPLIES = (
    "Bonjour,\n\nEt mon mot de passe est refusé aussi quand je me connecte à e-carnet depuis chez moi.",
    "Hello,\n\nMy password is refused too when I sign in to e-carnet from home.",
)
FRAME = """\
Authentication-Results: mx.atelier.example; spf=pass smtp.mailfrom={sender}; dmarc=pass header.from={domain}
From: Camille Martin <{sender}>
To: support@atelier.example
Subject: {subject}
Date: {date}
Message-ID: {header_id}
{references}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{text}
Demande {thread}
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A mail somebody wrote: `thread` numbers its conversation, `turn` its place in there."""

    thread: int
    turn: int
    raw: bytes

    @property
    def header_id(self) -> str:
        return name_mail(self.thread, self.turn)


def write_mails(threads: int, now: datetime) -> tuple[Written, ...]:
    """Conversations of one, two and three mails in turn, each of another sender; all openings come first."""
    turns = [(thread, turn) for turn in range(3) for thread in range(threads) if turn <= thread % 3]
    return tuple(write_mail(thread, turn, now - timedelta(minutes=30 - turn)) for thread, turn in turns)


def write_mail(thread: int, turn: int, date: datetime) -> Written:
    domain = f"ecole-{thread}.example"
    subject, opening = OPENINGS[thread % len(OPENINGS)]
    text = FRAME.format(
        sender=f"camille@{domain}",
        domain=domain,
        subject=f"Re: {subject}" if turn else subject,
        date=format_datetime(date),
        header_id=name_mail(thread, turn),
        references=name_references(thread, turn),
        text=REPLIES[thread % len(REPLIES)] if turn else opening,
        thread=thread,
    )
    return Written(thread, turn, text.replace("\n", "\r\n").encode())


def name_mail(thread: int, turn: int) -> str:
    return f"<{thread}.{turn}@ecole-{thread}.example>"


def name_references(thread: int, turn: int) -> str:
    earlier = " ".join(name_mail(thread, one) for one in range(turn))
    return f"References: {earlier}\n" if earlier else ""


def change_policy(folder: Path, *changes: tuple[str, str]) -> Path:
    """The organisation's policy, written to `folder` with other words in some places, each there once."""
    text = Path("policy.yaml").read_text(encoding="utf-8")
    for words, others in changes:
        assert text.count(words) == 1
        text = text.replace(words, others)
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def wait_until(holds: Callable[[], bool], seconds: float, what: str, pause: float = POLL_SECONDS) -> None:
    """Look again and again until it holds, PATIENCE times `seconds`. Raises TimeoutError, naming what did not come."""
    deadline = time.monotonic() + PATIENCE * seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {PATIENCE * seconds} s")
        time.sleep(pause)


def is_settled(store: Store) -> bool:
    """Nothing waits before any door."""
    open_states = (
        ("delivery", "kept"), ("message", "waiting"), ("letter", "queued"), ("letter", "deferred"),
        ("letter", "sending"), ("filing", "open"),
    )  # fmt: skip
    return not any(count_rows(store, name, state=state) for name, state in open_states)


def is_claimed(store: Store) -> bool:
    """Something is in somebody's hands, be they of the dead."""
    claimed = [tables()[name].c.claimed_until for name in ("delivery", "conversation", "letter", "filing")]
    with reading(store.engine) as connection:
        return any(connection.scalar(sa.select(sa.exists().where(one > datetime.now(UTC)))) for one in claimed)


@dataclass(slots=True)
class Crew:
    """A Prefect worker of the desk, started again as often as it is killed; `settings` are its environment's."""

    home: Path
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
        with (self.home / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **self.settings}, start_new_session=True
            )

    def kill(self) -> None:
        """As when the machine dies: the worker and whatever runs in its session, without a word."""
        assert self.process is not None
        kill_group(self.process)

    def stop(self) -> None:
        """Politely, then what may be left of its session."""
        if self.process is not None:
            end_process(self.process)
            kill_group(self.process)


def kill_group(leader: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(leader.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        leader.wait()


@contextmanager
def hire_crew(home: Path, settings: dict[str, str]) -> Iterator[Crew]:
    """A worker that polls every second and whose runs send heartbeats."""
    often = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    crew = Crew(home, often | settings)
    crew.start()
    try:
        yield crew
    finally:
        crew.stop()


def order_run() -> UUID:
    """Ask for a run of classify-and-reply, as the Run button does."""
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(find_deployment(client)).id


def find_deployment(client: SyncPrefectClient) -> UUID:
    (found,) = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])))
    return found.id


def read_run(run_id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id)


def has_ended(run_id: UUID) -> bool:
    state = read_run(run_id).state
    return state is not None and state.is_final()


def kill_run(run_id: UUID) -> None:
    """SIGKILL to the run's own process, which its worker named `host:pid`."""
    place = read_run(run_id).infrastructure_pid
    assert place is not None
    os.kill(int(place.rpartition(":")[2]), signal.SIGKILL)


def hold_letter(sink: SmtpSink, number: int) -> Callable[..., Awaitable[str]]:
    """A handler of DATA that takes letter `number` and never says so; all others it acknowledges."""
    answer = sink.handle_DATA

    async def hold(*said: Any) -> str:
        replied = await answer(*said)
        if len(sink.accepted) == number:
            await asyncio.Event().wait()  # aiosmtpd ends it with the connection
        return replied

    return hold


@contextmanager
def start_pair(home: Path) -> Iterator[tuple[subprocess.Popen[str], ...]]:
    """Two workers that have loaded everything and wait for a line."""
    command = [sys.executable, "-m", "tests.acceptance.workers"]
    with (home / "pair.log").open("wb") as log:
        pair = tuple(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
            for _ in range(2)
        )
    try:
        yield pair
    finally:
        for one in pair:
            one.kill()
            one.communicate()


def work_along() -> None:
    """Run the flow until nothing waits; rounds and decided mails of this process go to stdout."""
    from classifiers.local import load_classifier
    from flows.classify_and_reply import classify_and_reply
    from tasks.opening import open_store

    store, said = open_store(), []
    load_classifier()
    print("ready", flush=True)  # noqa: T201 - its parent listens
    sys.stdin.readline()
    while not is_settled(store):
        said.append(str(classify_and_reply(return_state=True).message))
    print(json.dumps(said), flush=True)  # noqa: T201


if __name__ == "__main__":
    work_along()
