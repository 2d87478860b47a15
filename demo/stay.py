"""`make up`: server with UI, a worker and all deployments on loopback until Ctrl-C; then nothing is left running."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet

from demo.house import (
    FOLDERS,
    MAILBOXES,
    find_port,
    new_password,
    open_console,
    run_process,
    run_server,
    save_desk,
    save_mailboxes,
    set_environment,
)
from demo.samples import list_samples, redate
from demo.servers import ImapServer, SmtpSink, WebhookSink, deliver_all

HOME = Path(".byreturn/up")
ENV = Path(".env")
CONSOLE = open_console()
POOL = "byreturn"


def stay_up() -> None:
    """Start everything, print where it is, wait for Ctrl-C or SIGTERM, end everything."""
    load_environment(ENV)
    port = int(os.environ.get("BYRETURN_PORT", "0")) or choose_port()
    (HOME / "letters").mkdir(parents=True, exist_ok=True)
    set_environment(HOME.absolute(), f"http://127.0.0.1:{port}/api")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as stack:
        start_house(stack, port)
        CONSOLE.print("Ctrl-C ends it all.")
        stopping.wait()
        CONSOLE.print("\nstopping …")


def choose_port() -> int:
    """4200, Prefect's own, when it is free."""
    import socket

    with socket.socket() as probe:
        return 4200 if probe.connect_ex(("127.0.0.1", 4200)) else find_port()


def load_environment(path: Path) -> None:
    """Read `.env`; what it lacks of API auth and the key that encrypts blocks is made, once."""
    complete_environment(path)
    for line in path.read_text(encoding="ascii").splitlines():
        name, found, value = line.partition("=")
        if found and not line.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


def complete_environment(path: Path) -> None:
    """Append the secrets that are not there yet; never change one. Losing the encryption key loses every block."""
    path.touch(mode=0o600)
    known = path.read_text(encoding="ascii")
    auth = f"admin:{secrets.token_urlsafe(18)}"
    made = {
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_SERVER_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    with path.open("a", encoding="ascii") as file:
        file.writelines(f"{name}={value}\n" for name, value in made.items() if f"{name}=" not in known)


def start_house(stack: ExitStack, port: int) -> None:
    with CONSOLE.status("starting the Prefect server …"):
        stack.enter_context(run_server(HOME.absolute(), port))
    with CONSOLE.status("filling in the blocks …"):
        embedded = stack.enter_context(run_mail_servers())
    with CONSOLE.status("deploying the flows …"):
        deploy_flows()
    with CONSOLE.status("starting a worker …"):
        stack.enter_context(run_worker(HOME))
    show_address(port, embedded)


@contextmanager
def run_mail_servers() -> Iterator[bool]:
    """Embedded mail servers with the samples freshly delivered; none with BYRETURN_EMBEDDED=0."""
    if os.environ.get("BYRETURN_EMBEDDED", "1") == "0":
        yield False
        return
    password = new_password()
    servers = ImapServer(dict.fromkeys(MAILBOXES, password), FOLDERS), SmtpSink(folder=HOME / "letters"), WebhookSink()
    with servers[0] as imap, servers[1] as sink, servers[2] as hook:
        save_desk(HOME, sink.port, ("exploitation@atelier.example",), hook.url)
        save_mailboxes(imap.port, password)
        now = datetime.now(UTC)
        for name in MAILBOXES:
            fresh = [one for one in list_samples() if name in one.mailboxes]
            deliver_all(imap, name, [redate(one.raw, now - timedelta(minutes=5)) for one in fresh])
        yield True


def deploy_flows() -> None:
    """Block types, work pool, deployments and automations; everything again is fine."""
    from blocks import AlertChannel
    from deployments.automations import install_automations
    from deployments.setup import fill_gaps, has_block

    call_prefect("block", "register", "-m", "blocks")
    call_prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
    call_prefect("--no-prompt", "deploy", "--all")
    fill_gaps(HOME)
    if has_block(AlertChannel):
        install_automations()
    else:
        CONSOLE.print("No alarms yet: save an alert channel block named `byreturn`, then run `byreturn setup`.")


def call_prefect(*arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "prefect", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"prefect {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")


@contextmanager
def run_worker(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    with run_process(command, home / "worker.log") as worker:
        yield worker


def show_address(port: int, embedded: bool) -> None:
    user, _, password = os.environ["PREFECT_API_AUTH_STRING"].partition(":")
    CONSOLE.print(f"\n[bold]http://127.0.0.1:{port}[/bold]  the Prefect UI asks for {user}:{password} (it is in {ENV})")
    if embedded:
        CONSOLE.print("The sample mails wait in two embedded mailboxes: Deployments → sync-inbox → Run → Quick run.")
    CONSOLE.print(f"Letters appear in {HOME / 'letters'}, logs in {HOME}.")
    CONSOLE.print(f"For `byreturn` in another terminal: export PREFECT_API_URL=http://127.0.0.1:{port}/api")
