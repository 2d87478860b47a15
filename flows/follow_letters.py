"""Follow what agents answer from their mail client: the ticket hears of it, and what the desk had ready goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.shared import end_partial, end_well, show_table
from flows.sync_inbox import choose_mailboxes
from tasks.following import Followed, follow_mailbox
from tasks.guard import guarded
from tasks.progress import Progress


@flow(name="follow-letters", task_runner=ThreadPoolTaskRunner(max_workers=16))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("follow-letters")
def follow_letters(
    mailboxes: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
) -> State[Any]:
    """Look through the sent mail of each mailbox for agents' answers and for letters of unknown fate; nothing there is
    touched. Drafts that an agent was faster than are withdrawn when mails are filed next.

    Args:
        mailboxes: Names of mailbox blocks. Empty: every enabled one.
    """
    running = [follow_mailbox.submit(name) for name in choose_mailboxes(mailboxes)]
    progress, followed = Progress.begin("following", len(running), "Mailboxes followed"), list[Followed]()
    for future in running:
        followed.append(future.result())
        progress.move(1)
    answers = [{"mailbox": one.mailbox, **asdict(answer)} for one in followed for answer in one.answers]
    if answers:
        show_table("agent-letters", answers, "Letters that agents sent on tickets, as this run found them")
    return tell_end(followed)


def tell_end(followed: Sequence[Followed]) -> State[Any]:
    counts = {
        "answered by agents": sum(len(one.answers) for one in followed),
        "found sent": sum(one.found for one in followed),
        "overtaken": sum(one.withdrawn for one in followed),
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing new"
    failed = [f"{one.mailbox}: {one.error_code}. {one.remedy}" for one in followed if one.error_code]
    return end_partial("; ".join([said, *failed])) if failed else end_well(said)
