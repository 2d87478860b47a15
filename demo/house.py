"""Everything a desk stands on, embedded: mail servers, a Prefect server of its own, the blocks filled in."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr
from rich.console import Console

MAILBOXES = {"support": "support@atelier.example", "contact": "contact@atelier.example"}
FOLDERS = ("Drafts", "Junk", "Sent")


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_process(command: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is ended with us, in a session of its own so that Ctrl-C reaches us alone."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield child
    finally:
        end_process(child)


def end_process(child: subprocess.Popen[bytes]) -> None:
    """Ask first, then insist."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def run_server(home: Path, port: int) -> Iterator[str]:
    """A Prefect server on loopback; yields its API's URL once it answers."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    with run_process(command, home / "server.log") as child:
        wait_healthy(url, child, home / "server.log")
        yield url


def wait_healthy(url: str, child: subprocess.Popen[bytes], log: Path, seconds: float = 90) -> None:
    """Until the server answers; says where its log is when it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"The Prefect server did not start; its log is {log}")


def set_environment(home: Path, url: str) -> None:
    """Point Prefect at our own server and folder, before it is imported."""
    os.environ.update(
        PREFECT_HOME=str(home / "prefect"),
        PREFECT_API_URL=url,
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
        PREFECT_RESULTS_PERSIST_BY_DEFAULT="false",
        PREFECT_LOGGING_LEVEL=os.environ.get("PREFECT_LOGGING_LEVEL", "WARNING"),
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY="30",  # so that a run whose worker died is noticed after 90 s
        BYRETURN_HOME=str(home),
    )


def save_mailboxes(port: int, password: str) -> None:
    """The two mailboxes of the demo, as blocks."""
    from blocks import ImapMailbox, PasswordCredentials

    for name, address in MAILBOXES.items():
        ImapMailbox(
            address=address, host="127.0.0.1", port=port, security="none",
            credentials=PasswordCredentials(user=name, password=SecretStr(password)),
        ).save(name, overwrite=True)  # fmt: skip


def save_desk(home: Path, smtp_port: int, recipients: tuple[str, ...], webhook_url: str = "") -> None:
    """Every other block, on embedded servers."""
    from blocks import SmtpServer
    from deployments.setup import Setup, save_blocks

    smtp = SmtpServer(host="127.0.0.1", port=smtp_port, security="none", sender=MAILBOXES["support"])
    save_blocks(Setup(
        database_url=f"sqlite:///{(home / 'desk.db').absolute()}", packs=(home / "packs").absolute(), smtp=smtp,
        recipients=recipients, webhook_url=webhook_url,
    ))  # fmt: skip


def flush_prefect() -> None:
    """Send what Prefect still holds of logs and events, while there is a server to take it."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=20)


def new_password() -> str:
    return secrets.token_urlsafe(12)


def open_console() -> Console:
    """Wide enough for the tables where nobody says how wide it is (a pipe, a log of CI)."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=150)
