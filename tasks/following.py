"""What agents answer from their mail client closes the loop: their letters are found in the Sent folder, the ticket
hears of them, and what the desk had ready goes back.

Folders are looked through once (EXAMINE, BODY.PEEK); what waits there for a mail that isn't decided yet is looked at
again for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from desk.errors import ByreturnError
from desk.following import Case, hide_answer, is_addressed, is_written, may_come, tell_moment
from desk.mail import Mail, read_mail
from desk.policy import Policy
from desk.tokens import find_number
from store.corrections import OpenDraft, keep_looked
from store.following import (
    Named,
    Sent,
    close_loop,
    find_followed,
    find_named,
    find_numbers,
    find_ours,
    list_cases,
    list_drafts,
    list_unknown,
    withdraw_overtaken,
)
from store.mailboxes import list_mailboxes, read_mailbox, register_mailbox
from store.memory import Store
from store.messages import hash_ref
from store.outbox import settle_found
from tasks.alarm import end_trouble, tell_trouble
from tasks.guard import clean_error, guarded, keep_cause
from tasks.intake import describe_account
from tasks.learning import weigh_answer
from tasks.looking import Seen, Visit, fetch_start, look_through
from tasks.opening import open_policy, open_store

CHUNK = 200  # mails whose references are looked up at once
NAMED = 20  # of a mail's references, the latest
LOOKED_FOR = timedelta(days=7)  # letters whose fate isn't known


@dataclass(frozen=True, slots=True)
class Answered:
    """An agent's letter by ids: its ticket, the mail that it answers and the draft that it came of, where known; `kind`
    is what it made of the draft: sent | rewritten | empty.
    """

    ticket_id: int
    message_id: int | None
    letter_id: int | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of letters in one mailbox: agents' answers, unknown ones found sent, drafts to be withdrawn."""

    mailbox: str
    answers: tuple[Answered, ...] = ()
    found: int = 0
    withdrawn: int = 0
    error_code: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Clue:
    """What a sent mail tells of the ticket it is on; without one it may come to be known: it is `held`."""

    seen: Seen
    ticket_id: int | None = None
    message_id: int | None = None
    held: bool = False


@task(name="follow mailbox", task_run_name="follow {name}", cache_policy=NO_CACHE)
@guarded("follow mailbox")
def follow_mailbox(name: str) -> Followed:
    """What agents did from an enabled mailbox. Its troubles end here: they become a row, not an exception."""
    store, policy, block = open_store(), open_policy(), load_block(ImapMailbox, name)
    if not block.enabled:
        return Followed(name)
    mailbox_id = register_mailbox(store.engine, describe_account(block, name))
    answers: list[Answered] = []
    code, remedy, found = "", "", 0
    try:
        with block.connect() as client:
            visit = Visit(store, policy, block, client, mailbox_id)
            folders = list_folders(visit, name)
            found = find_unknown(visit, folders)
            for folder in folders:
                answers.extend(follow_folder(visit, folder))
    except Exception as trouble:  # noqa: BLE001 - one mailbox's trouble never hides another's; sync-inbox tells of it
        clean = clean_error("follow mailbox", trouble)
        code, remedy = clean.code, clean.remedy
    withdrawn = withdraw_overtaken(store, mailbox_id, datetime.now(UTC))
    get_run_logger().info("mailbox %s: %d answers of agents, %d letters found sent", name, len(answers), found)
    return Followed(name, tuple(answers), found, withdrawn, code, remedy)


def list_folders(visit: Visit, name: str) -> tuple[str, ...]:
    """Where sent mail lies; the operator hears once when nothing tells."""
    folders, key = visit.block.list_sent(visit.client), f"sent:{name}"
    if folders:
        end_trouble(visit.store, key)
    else:
        remedy = "Name the folder for sent mail in the mailbox's block: without it agents' answers go unseen."
        tell_trouble(visit.store, key, "no-sent-folder", remedy)
    return folders


# --- letters of unknown fate ---------------------------------------------------------------------------------


def find_unknown(visit: Visit, folders: Sequence[str]) -> int:
    """Letters whose fate isn't known and whose copy the provider has laid in Sent did go out; how many."""
    now = datetime.now(UTC)
    unknown = list_unknown(visit.store, visit.mailbox_id, now - LOOKED_FOR)
    there = {unknown[one] for folder in folders for one in search_folder(visit.client, folder, unknown)}
    return len(settle_found(visit.store, sorted(there), now)) if there else 0


def search_folder(client: IMAPClient, folder: str, wanted: Mapping[str, int]) -> Iterator[str]:
    if wanted:
        client.select_folder(folder, readonly=True)
    for header_id in wanted:
        if client.search(["HEADER", "Message-ID", header_id]):
            yield header_id


# --- agents' answers -----------------------------------------------------------------------------------------


def follow_folder(visit: Visit, folder: str) -> Iterator[Answered]:
    """Close the loop for each new letter. Only what was written since the desk knows the mailbox is looked at."""
    since = read_mailbox(visit.store.engine, visit.mailbox_id).since - timedelta(days=1)
    look = look_through(visit, folder, since.date())
    own, held = list_own(visit.policy, visit.store), set[int]()
    for start in range(0, len(look.seen), CHUNK):
        clues = list(find_clues(visit, look.seen[start : start + CHUNK]))
        yield from follow_clues(visit, [one for one in clues if one.ticket_id], own)
        held |= {one.seen.uid for one in clues if one.held}
    keep_looked(visit.store, visit.mailbox_id, folder, look.stop_before(held))


def list_own(policy: Policy, store: Store) -> frozenset[str]:
    """Every address that is ours: who is written to there is no requester."""
    people = {*policy.agents, *(one.address for one in policy.teams.values())}
    people |= {one.address for one in policy.levels.values()}
    boxes = {one.address for one in list_mailboxes(store.engine)}
    return frozenset(people | boxes | {policy.organisation.sender, policy.organisation.operator})


def find_clues(visit: Visit, seen: Sequence[Seen]) -> Iterator[Clue]:
    """By the latest mail or letter that it answers; by a draft's own Message-ID; by the number in its subject. The
    desk's own letters, and those that were followed already, are none.
    """
    ids = {one.header_id for one in seen}
    passed = find_ours(visit.store, ids) | find_followed(visit.store, ids)
    named = find_named(visit.store, visit.mailbox_id, ids | {ref for one in seen for ref in one.references[-NAMED:]})
    numbers = find_numbers(visit.store, {number for one in seen if (number := find_number(one.subject))})
    now = datetime.now(UTC)
    for one in seen:
        if one.header_id not in passed:
            clue = read_clue(one, named, numbers, now)
            if clue.ticket_id:  # the next may answer this one
                named.setdefault(one.header_id, Named(clue.ticket_id, clue.message_id))
            yield clue


def read_clue(seen: Seen, named: Mapping[str, Named], numbers: Mapping[str, int], now: datetime) -> Clue:
    """What it names latest counts; the mail that it answers may not be here yet, or not be decided."""
    known = [named[one] for one in (*reversed(seen.references[-NAMED:]), seen.header_id) if one and one in named]
    first = known[0] if known else Named(numbers.get(find_number(seen.subject) or ""), None)
    waits = first.ticket_id is None and bool(seen.references) and may_come(seen.date, now)
    return Clue(seen, first.ticket_id, first.message_id, waits)


def follow_clues(visit: Visit, clues: Sequence[Clue], own: Set[str]) -> Iterator[Answered]:
    tickets = {one.ticket_id for one in clues if one.ticket_id}
    cases, drafts = list_cases(visit.store, tickets), list_drafts(visit.store, tickets)
    for clue in clues:
        case = cases[clue.ticket_id or 0]
        if is_addressed(case, clue.seen.sender.address, clue.seen.recipients, own):
            draft = drafts.get(case.ticket_id)
            yield from follow_letter(visit, clue, case, draft if draft and came_of(clue, draft) else None)


def came_of(clue: Clue, draft: OpenDraft) -> bool:
    """Many clients keep the Message-ID of a draft that they send; else it is the mail that both answer."""
    return clue.seen.header_id == draft.header_id or clue.message_id in (None, draft.message_id)


def follow_letter(visit: Visit, clue: Clue, case: Case, draft: OpenDraft | None) -> Iterator[Answered]:
    """One letter: whatever it holds, the next ones are followed; the database's troubles are no fault of its."""
    mail = read_mail(fetch_start(visit.client, clue.seen.uid))
    if not isinstance(mail, Mail) or not is_written(mail):
        return
    now = datetime.now(UTC)
    sent = describe_letter(visit, clue, case, mail, draft, now)
    if sent and close_loop(visit.store, sent, now):
        yield Answered(sent.ticket_id, sent.message_id, sent.letter_id, sent.answer.kind if sent.answer else "")


def describe_letter(
    visit: Visit, clue: Clue, case: Case, mail: Mail, draft: OpenDraft | None, now: datetime
) -> Sent | None:
    """None when its words can't be taken in (promise 3)."""
    try:
        answer = weigh_answer(visit.store, draft, mail, sent=True) if draft else None
        text = hide_answer(mail, case)
    except (IMAPClientAbortError, OSError, ByreturnError):
        raise
    except Exception as trouble:  # noqa: BLE001 - promise 3
        keep_cause("follow letters", trouble)
        return None
    return Sent(
        header_id=mail.message_id,
        ref=hash_ref(mail.message_id or mail.fingerprint),
        mailbox_id=visit.mailbox_id,
        ticket_id=case.ticket_id,
        message_id=clue.message_id or (draft.message_id if draft else None),
        letter_id=draft.letter_id if draft else None,
        at=tell_moment(mail.date, case.opened_at, now),
        text=text,
        answer=answer,
    )
