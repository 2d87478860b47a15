"""Our own part of the comparison: one `sync-inbox` run in a process of its own, measured from inside.

    python -m bench.ours HOME PORT DATABASE_URL      prints one line of JSON

HOME and the API of a running Prefect server come from the environment as in the demo. The same flow syncs an empty
mailbox first: what that costs (imports, blocks, schema, threads) is what an idle flow costs.
"""

from __future__ import annotations

import functools
import imaplib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from imapclient import IMAPClient
from pydantic import SecretStr

from bench.clock import read_memory
from bench.server import PASSWORD, Endpoint
from store.keys import KeyRing
from store.packs import PackFolder
from tasks import fetching

STATUS = Path("/proc/self/status")
PARTS: tuple[tuple[Any, str, str], ...] = (
    (IMAPClient, "fetch", "fetch"),
    (IMAPClient, "select_folder", "fetch"),
    (fetching, "search_uids", "fetch"),
    (fetching, "read_fetch", "fetch"),
    (KeyRing, "seal", "seal"),
    (PackFolder, "write", "write"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: seconds, MB of 10⁶ bytes; `session` is from connecting to LOGOUT, everything kept between."""

    mails: int
    session: float
    task: float
    flow: float
    fetch: float
    seal: float
    write: float
    sql: float
    cpu: float
    idle_mb: float
    peak_mb: float
    commands: list[str]


class Watch:
    """Seconds spent under a name, whatever thread spends them."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.commands: list[str] = []
        self.begun = self.ended = 0.0

    def wrap(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return timed

    def clear(self) -> None:
        self.seconds.clear()
        self.commands.clear()
        self.begun = self.ended = 0.0

    def watch_parts(self) -> None:
        for owner, method, name in PARTS:
            setattr(owner, method, self.wrap(getattr(owner, method), name))

    def watch_session(self) -> None:
        """From the first connection's first byte to the last one's end."""
        opening, closing, sending = IMAPClient.__init__, IMAPClient.logout, imaplib.IMAP4.send

        def begin(*args: Any, **kwargs: Any) -> None:
            self.begun = self.begun or time.perf_counter()
            opening(*args, **kwargs)

        def end(*args: Any, **kwargs: Any) -> Any:
            answer = closing(*args, **kwargs)
            self.ended = time.perf_counter()
            return answer

        def send(connection: Any, line: bytes) -> None:
            if words := line.split()[1:]:  # IMAPClient may send the end of a line apart
                self.commands.append(b" ".join(words[: 2 if words[0] == b"UID" else 1]).decode())
            sending(connection, line)

        for owner, name, watched in ((IMAPClient, "__init__", begin), (IMAPClient, "logout", end)):
            setattr(owner, name, watched)
        imaplib.IMAP4.send = send  # type: ignore[method-assign, assignment]

    def watch_sql(self) -> None:
        """As long as somebody has a connection of the pool: statements, commits and what is computed between."""

        def lend(_raw: object, record: Any, _proxy: object) -> None:
            record.info["lent"] = time.perf_counter()

        def take(_raw: object, record: Any) -> None:
            self.seconds["sql"] += time.perf_counter() - record.info["lent"]

        sa.event.listen(sa.pool.Pool, "checkout", lend)
        sa.event.listen(sa.pool.Pool, "checkin", take)


def forget_peak() -> None:
    (STATUS.parent / "clear_refs").write_text("5")  # proc(5): resets the peak resident set size


def save_all(home: Path, endpoint: Endpoint, database_url: str) -> None:
    from blocks import Database, ImapMailbox, PasswordCredentials
    from demo.house import save_desk

    save_desk(home, 25, ("operator@atelier.example",))
    Database(url=SecretStr(database_url)).save("byreturn", overwrite=True)
    for user in ("idle", endpoint.user):
        ImapMailbox(
            address=f"{user}@atelier.example", host=endpoint.host, port=endpoint.port, security="none",
            credentials=PasswordCredentials(user=user, password=SecretStr(PASSWORD)),
        ).save(user, overwrite=True)  # fmt: skip


def run_flow(name: str) -> None:
    from flows.sync_inbox import sync_inbox

    state = sync_inbox(mailboxes=[name], return_state=True)
    if not state.is_completed():
        raise SystemExit(f"sync-inbox: {state.message}")


def count_kept(name: str) -> int:
    from tasks.intake import read_mailboxes

    return next((one.kept for one in read_mailboxes() if one.name == name), 0)


def measure_run(watch: Watch, name: str) -> Figures:
    before, idle = count_kept(name), read_memory(STATUS, "VmRSS")
    forget_peak()
    watch.clear()
    start, cpu = time.perf_counter(), time.process_time()
    run_flow(name)
    flow, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak, spent = read_memory(STATUS, "VmHWM"), watch.seconds
    return Figures(
        count_kept(name) - before, watch.ended - watch.begun, spent["task"], flow, spent["fetch"], spent["seal"],
        spent["write"], spent["sql"], cpu, idle, peak, list(watch.commands),
    )  # fmt: skip


def main() -> None:
    home, port, database_url = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    endpoint = Endpoint(port)
    save_all(home, endpoint, database_url)
    from tasks.intake import sync_mailbox

    watch = Watch()
    watch.watch_parts()
    watch.watch_session()
    watch.watch_sql()
    sync_mailbox.fn = watch.wrap(sync_mailbox.fn, "task")
    run_flow("idle")
    print(json.dumps(asdict(measure_run(watch, endpoint.user))), flush=True)


if __name__ == "__main__":
    main()
