"""The demo's story: a Tuesday morning's mail, a missed deadline, a digest, and what is forgotten weeks later.

Flows are called with `at`, so the story always takes place on the same days, whenever it is told.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from demo.house import (
    FOLDERS,
    MAILBOXES,
    find_port,
    flush_prefect,
    new_password,
    open_console,
    run_server,
    save_desk,
    save_mailboxes,
    set_environment,
)
from demo.samples import Sample, list_samples
from demo.servers import ImapServer, SmtpSink, deliver_all, open_mailbox, read_folder

HOME = Path(".byreturn/demo")
PARIS = ZoneInfo("Europe/Paris")
MORNING = datetime(2026, 11, 17, 9, 0, tzinfo=PARIS)  # a Tuesday
AFTERNOON = datetime(2026, 11, 17, 15, 30, tzinfo=PARIS)  # urgent and important tickets are late by now
NEXT_DAY = datetime(2026, 11, 18, 7, 0, tzinfo=PARIS)
CLOSING = datetime(2026, 12, 1, 2, 30, tzinfo=PARIS)  # what nobody wrote about any more is closed
FORGETTING = datetime(2027, 1, 10, 2, 30, tzinfo=PARIS)  # … and 30 days later anonymised
CONSOLE = open_console()


def run_once() -> int:
    """0 only if every sample came out as its twin says."""
    shutil.rmtree(HOME, ignore_errors=True)
    letters = HOME / "letters"
    letters.mkdir(parents=True)
    port = find_port()
    set_environment(HOME.absolute(), f"http://127.0.0.1:{port}/api")
    os.environ["BYRETURN_STORY"] = "1"
    with ExitStack() as stack:
        return _tell_story(stack, letters, port)


def _tell_story(stack: ExitStack, letters: Path, port: int) -> int:
    password = new_password()
    imap = stack.enter_context(ImapServer(dict.fromkeys(MAILBOXES, password), FOLDERS))
    sink = stack.enter_context(SmtpSink(folder=letters))
    with CONSOLE.status("starting a Prefect server …"):
        stack.enter_context(run_server(HOME.absolute(), port))
    with CONSOLE.status("filling in the blocks and delivering the sample mails …"):
        save_desk(HOME, sink.port, ("exploitation@atelier.example",))
        save_mailboxes(imap.port, password)
        samples = list_samples()
        delivered = deliver_samples(imap, samples)
    run_flows(imap)
    flush_prefect()
    from demo.summary import show_summary

    return show_summary(CONSOLE, HOME, samples, delivered, imap)


def deliver_samples(imap: ImapServer, samples: tuple[Sample, ...]) -> dict[str, list[str]]:
    """Deliver in order; mailbox → names of its samples in the order of their UIDs."""
    delivered = {name: [one.name for one in samples if name in one.mailboxes] for name in MAILBOXES}
    for name in MAILBOXES:
        deliver_all(imap, name, [one.raw for one in samples if name in one.mailboxes])
    return delivered


def send_drafts(imap: ImapServer, mailbox: str, count: int) -> None:
    """An agent sends the first drafts of a mailbox, as mail clients do: out of Drafts, into Sent."""
    drafts = list(read_folder(imap, mailbox, "Drafts").items())[:count]
    with open_mailbox(imap, mailbox) as client:
        for _, raw in drafts:
            client.append("Sent", raw, flags=[rb"\Seen"])
        client.select_folder("Drafts")
        client.delete_messages([uid for uid, _ in drafts])
        client.expunge()


def follow_agents(imap: ImapServer) -> Any:
    from flows.follow_letters import follow_letters

    send_drafts(imap, "support", 2)
    return follow_letters(return_state=True)


def run_flows(imap: ImapServer) -> None:
    """The flows of the story, as their deployments would run them."""
    from flows.classify_and_reply import classify_and_reply
    from flows.daily_digest import daily_digest
    from flows.escalation_sweep import escalation_sweep
    from flows.retention_cleanup import retention_cleanup
    from flows.sync_inbox import sync_inbox

    steps: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        ("sync-inbox", "Tuesday 09:00, mails come in", lambda: sync_inbox(return_state=True)),
        ("classify-and-reply", "… are sorted, answered or handed over",
         lambda: classify_and_reply(at=MORNING, return_state=True)),
        ("follow-letters", "… an agent sends two of the drafts from her mail client", lambda: follow_agents(imap)),
        ("escalation-sweep", "Tuesday 15:30, deadlines are missed",
         lambda: escalation_sweep(at=AFTERNOON, return_state=True)),
        ("daily-digest", "Wednesday 07:00, the morning's digest",
         lambda: daily_digest(readers=["direction"], at=NEXT_DAY, return_state=True)),
        ("retention-cleanup", "two weeks later, what is settled is closed",
         lambda: retention_cleanup(at=CLOSING, return_state=True)),
        ("retention-cleanup", "and in January it is forgotten",
         lambda: retention_cleanup(at=FORGETTING, return_state=True)),
    )  # fmt: skip
    for name, story, step in steps:
        with CONSOLE.status(f"{name}: {story} …"):
            state = step()
        CONSOLE.print(f"[bold]{name}[/bold]  {story}\n  [dim]{state.name}: {state.message}[/dim]")
