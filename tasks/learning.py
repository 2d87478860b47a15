"""What people did in the mailboxes with the desk's verdicts: mails moved to another category, drafts sent or rewritten.

Folders are looked through once, UID after UID; nothing in them is touched (EXAMINE, BODY.PEEK).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from desk.corrections import Kind, Standing, is_moved, judge_answer, name_categories, write_lesson
from desk.drift import SPAN, DriftRow, Spike, begin_weeks, count_drift, find_spikes
from desk.errors import ByreturnError, ConfigurationError, MailTrouble, StaleDecision
from desk.mail import Mail, read_mail
from desk.policy import Policy
from desk.tokens import find_number
from store.corrections import (
    Looked,
    OpenDraft,
    find_letters,
    find_messages,
    keep_answer,
    keep_looked,
    list_corrected,
    list_open_drafts,
    list_opened,
    list_verdicts,
    read_draft,
    read_looked,
    read_standings,
    relabel_mail,
)
from store.intake import read_places
from store.mailboxes import read_mailbox, register_mailbox
from store.memory import Store
from store.messages import find_places
from tasks.fetching import open_folder, search_uids
from tasks.guard import clean_error, guarded, keep_cause
from tasks.hearing import open_waiting
from tasks.intake import describe_account
from tasks.opening import open_policy, open_store

LISTED = 500  # headers asked for at once
ANSWER_BYTES = 256 * 1024  # of an agent's letter: its text comes before its files
HEADS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID REFERENCES IN-REPLY-TO SUBJECT)]"
SENT_FLAG = b"\\Sent"  # RFC 6154 §2
SENT_NAMES = frozenset(  # where the server flags none
    {"sent", "sent items", "sent messages", "sent mail", "envoyés", "éléments envoyés", "messages envoyés",
     "objets envoyés", "courrier envoyé", "gesendet", "gesendete objekte", "enviados", "posta inviata"}
)  # fmt: skip
WEEKS = 12


@dataclass(frozen=True, slots=True)
class Change:
    """What a person did with a verdict: ids and words."""

    message_id: int
    kind: str
    was: str
    became: str


@dataclass(frozen=True, slots=True)
class Visited:
    """What one mailbox taught."""

    mailbox: str
    changes: tuple[Change, ...] = ()
    error_code: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in session with all that is needed to learn in it."""

    store: Store
    policy: Policy
    block: ImapMailbox
    client: IMAPClient
    mailbox_id: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A mail that is new in a folder, as far as its header tells."""

    folder: str
    uid: int
    header_id: str
    references: tuple[str, ...]
    subject: str


@dataclass(frozen=True, slots=True)
class Look:
    """What is new in a folder, and how far it will have been looked through."""

    folder: str
    looked: Looked
    seen: tuple[Seen, ...] = ()


@task(name="learn from mailbox", task_run_name="learn from {name}", cache_policy=NO_CACHE)
@guarded("learn from mailbox")
def learn_from_mailbox(name: str) -> Visited:
    """What people did in an enabled mailbox. Its troubles end here: they become a row, not an exception."""
    store, policy, block = open_store(), open_policy(), load_block(ImapMailbox, name)
    if not block.enabled:
        return Visited(name)
    mailbox_id = register_mailbox(store.engine, describe_account(block, name))
    changes: list[Change] = []
    try:
        with block.connect() as client:
            visit = Visit(store, policy, block, client, mailbox_id)
            changes.extend(learn_moves(visit))
            changes.extend(learn_answers(visit))
    except Exception as trouble:  # noqa: BLE001 - one mailbox's trouble never hides another's; sync-inbox tells of it
        clean = clean_error("learn from mailbox", trouble)
        return Visited(name, tuple(changes), clean.code, clean.remedy)
    get_run_logger().info("mailbox %s: %d corrections", name, len(changes))
    return Visited(name, tuple(changes))


# --- moves ---------------------------------------------------------------------------------------------------


def learn_moves(visit: Visit) -> Iterator[Change]:
    """Mails that people moved to another category's folder. Folders that mail is brought in from teach nothing: all of
    it lies there first.
    """
    categories = name_categories(visit.policy)
    watched = [one for one in categories if one not in visit.block.needed_folders and visit.client.folder_exists(one)]
    looks = [look_through(visit, folder) for folder in watched]
    seen = [one for look in looks for one in look.seen]
    known = find_messages(visit.store, visit.mailbox_id, {one.header_id for one in seen})
    standings = read_standings(visit.store, list(known.values()))
    for message_id, folder in choose_places(seen, known, standings).items():
        yield from learn_move(visit.store, standings[message_id], folder, categories[folder])
    waiting = {header_id for header_id, of in known.items() if standings[of].state == "waiting"}
    for look in looks:
        keep_looked(visit.store, visit.mailbox_id, look.folder, stop_before(look, waiting))


def choose_places(seen: Sequence[Seen], known: Mapping[str, int], standings: Mapping[int, Standing]) -> dict[int, str]:
    """Where each mail lies now: of a mail that came twice one copy may still lie where the desk put it."""
    there = [(known[one.header_id], one.folder) for one in seen if one.header_id in known]
    ordered = sorted(there, key=lambda one: one[1] != standings[one[0]].filed)
    return dict(ordered)  # the last one counts


def learn_move(store: Store, standing: Standing, folder: str, category: str) -> Iterator[Change]:
    if not is_moved(standing, folder, category):
        return
    try:
        if relabel_mail(store, standing, Kind.MOVED, category, recall_text(store, standing), datetime.now(UTC)):
            yield Change(standing.message_id, Kind.MOVED, standing.category, category)
    except Exception as trouble:  # noqa: BLE001 - promise 3
        keep_cause("learn from moves", trouble)


def stop_before(look: Look, waiting: set[str]) -> Looked:
    """Mails that are not decided yet are looked at again."""
    first = min((one.uid for one in look.seen if one.header_id in waiting), default=look.looked.last_uid + 1)
    return Looked(look.looked.uidvalidity, first - 1)


def recall_text(store: Store, standing: Standing) -> str:
    """What the mail says, under pseudonyms; empty when its bytes are gone: the correction counts all the same."""
    places = read_places(store, list(find_places(store, [standing.message_id]).values()))
    try:
        return write_lesson(open_waiting(store, places[0] if places else None).mail, standing.passed_on)
    except MailTrouble:
        return ""


# --- drafts --------------------------------------------------------------------------------------------------


def learn_answers(visit: Visit) -> Iterator[Change]:
    """What agents made of the drafts: found sent, or edited where the desk had laid them."""
    drafts = list_open_drafts(visit.store, visit.mailbox_id)
    if not drafts:
        return
    for folder in find_sent(visit.client):
        yield from learn_folder(visit, drafts, folder, sent=True)
    folder = visit.block.drafts_folder
    if folder and visit.client.folder_exists(folder):
        yield from learn_folder(visit, drafts, folder, sent=False)


def find_sent(client: IMAPClient) -> list[str]:
    """Folders that the server flags as holding sent mail, else those named so."""
    listed = [(flags, separator or b"/", name) for flags, separator, name in client.list_folders()]
    flagged = [name for flags, _, name in listed if SENT_FLAG in flags]
    named = [name for _, separator, name in listed if name.split(separator.decode())[-1].casefold() in SENT_NAMES]
    return flagged or named


def learn_folder(visit: Visit, drafts: Sequence[OpenDraft], folder: str, sent: bool) -> Iterator[Change]:
    """Only what was written since the desk knows the mailbox can answer what it drafted."""
    since = read_mailbox(visit.store.engine, visit.mailbox_id).since - timedelta(days=1)
    look = look_through(visit, folder, since.date())
    for one, draft in match_drafts(visit, look.seen, drafts):
        yield from learn_answer(visit, one, draft, sent)
    keep_looked(visit.store, visit.mailbox_id, folder, look.looked)


def match_drafts(visit: Visit, seen: Sequence[Seen], drafts: Sequence[OpenDraft]) -> Iterator[tuple[Seen, OpenDraft]]:
    """Which draft each mail came of: by the draft's own Message-ID, which many clients keep; by the latest mail that it
    answers; by the ticket's number in its subject. Other letters of ours come of none.
    """
    own = {draft.header_id: draft for draft in drafts}
    answered = {draft.message_id: draft for draft in drafts}
    numbered = {draft.number: draft for draft in drafts if draft.number}
    ours = find_letters(visit.store, {one.header_id for one in seen})
    known = find_messages(visit.store, visit.mailbox_id, {name for one in seen for name in one.references})
    for one in seen:
        latest = next((known[name] for name in reversed(one.references) if name in known), None)
        written = numbered.get(find_number(one.subject) or "") if latest is None else answered.get(latest)
        draft = own.get(one.header_id) or (None if one.header_id in ours else written)
        if draft:
            yield one, draft


def learn_answer(visit: Visit, seen: Seen, draft: OpenDraft, sent: bool) -> Iterator[Change]:
    try:
        yield from _learn_answer(visit, seen, draft, sent)
    except (IMAPClientAbortError, OSError, ByreturnError):
        raise
    except Exception as trouble:  # noqa: BLE001 - promise 3
        keep_cause("learn from answers", trouble)


def _learn_answer(visit: Visit, seen: Seen, draft: OpenDraft, sent: bool) -> Iterator[Change]:
    ours, theirs = read_mail(read_draft(visit.store, draft.letter_id)), read_mail(fetch_start(visit.client, seen.uid))
    kind = judge_answer(ours, theirs, sent) if isinstance(ours, Mail) and isinstance(theirs, Mail) else None
    standing = read_standings(visit.store, [draft.message_id])[draft.message_id]
    if kind is None or not standing.is_judged:
        return
    text = recall_text(visit.store, standing) if kind is Kind.SENT else ""  # what is not learnt from is not kept
    if keep_answer(visit.store, standing, kind, text, datetime.now(UTC)):
        yield Change(standing.message_id, kind, standing.category, standing.category)


# --- folders -------------------------------------------------------------------------------------------------


def look_through(visit: Visit, folder: str, since: date | None = None) -> Look:
    """What came into a folder since it was last looked through, by header; of what lies there the first time, what
    arrived `since`. The folder stays selected.
    """
    shown = open_folder(visit.client, folder)
    before = read_looked(visit.store, visit.mailbox_id, folder)
    last = before.last_uid if before.uidvalidity == shown.uidvalidity else 0
    if shown.uidnext and shown.uidnext <= last + 1:
        return Look(folder, Looked(shown.uidvalidity, last))
    young = ("SINCE", since) if since else ()
    uids = [uid for uid in search_uids(visit.client, "UID", f"{last + 1}:*", *young) if uid > last]
    seen = tuple(read_heads(visit.client, folder, uids))
    return Look(folder, Looked(shown.uidvalidity, max([last, shown.uidnext - 1, *uids])), seen)


def read_heads(client: IMAPClient, folder: str, uids: Sequence[int]) -> Iterator[Seen]:
    for start in range(0, len(uids), LISTED):
        said = client.fetch(uids[start : start + LISTED], [HEADS])
        for uid, facts in said.items():
            mail = read_mail(_pick_body(facts))
            if isinstance(mail, Mail):
                yield Seen(folder, uid, mail.message_id, mail.references, mail.subject)


def fetch_start(client: IMAPClient, uid: int) -> bytes:
    """The first part of a mail of the selected folder, large enough for its text."""
    said = client.fetch([uid], [f"BODY.PEEK[]<0.{ANSWER_BYTES}>"])
    return _pick_body(said.get(uid, {}))


def _pick_body(facts: Mapping[bytes, Any]) -> bytes:
    found: bytes | None = next((value for key, value in facts.items() if key.startswith(b"BODY[")), None)
    return found or b""


# --- by command ----------------------------------------------------------------------------------------------


def correct_mail(message_id: int, category: str, dry_run: bool) -> Change:
    """A person's word on a mail's category. Raises ConfigurationError when there is nothing to correct."""
    store, policy = open_store(), open_policy()
    standing = find_standing(store, message_id)
    if category not in policy.categories:
        raise ConfigurationError(f"no category {category}", remedy=f"There are: {', '.join(policy.categories)}.")
    change = Change(message_id, Kind.COMMAND, standing.category, category)
    if dry_run or category == standing.category:
        return change
    text = recall_text(store, standing)
    if not relabel_mail(store, standing, Kind.COMMAND, category, text, datetime.now(UTC)):
        raise StaleDecision(f"mail {message_id} was changed just now", remedy="Look at it, then try again.")
    return change


def find_standing(store: Store, message_id: int) -> Standing:
    """Raises ConfigurationError for a mail that has no verdict to correct."""
    standing = read_standings(store, [message_id]).get(message_id)
    if standing is None:
        raise ConfigurationError(f"no mail {message_id}", remedy="`byreturn mails` shows their ids as message id.")
    if standing.state == "anonymised":
        raise ConfigurationError(f"mail {message_id} is erased")
    if standing.state != "decided":
        raise ConfigurationError(f"mail {message_id} is not decided yet", remedy="Run classify-and-reply first.")
    if not standing.category:
        raise ConfigurationError(f"mail {message_id} was not sorted by what it says, so it has no category to correct")
    return standing


# --- drift ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drift:
    """How far people agree with the verdicts, and which categories have more tickets than usual."""

    rows: tuple[DriftRow, ...]
    spikes: tuple[Spike, ...]


@task(name="count drift", cache_policy=NO_CACHE)
@guarded("count drift")
def read_drift(weeks: int = WEEKS) -> Drift:
    """Of the last weeks, the current one included."""
    return count_weeks(weeks)


def count_weeks(weeks: int) -> Drift:
    store, zone, now = open_store(), open_policy().calendar.timezone, datetime.now(UTC)
    since = begin_weeks(now, weeks, zone)
    rows = count_drift(list_verdicts(store, since), list_corrected(store, since), zone)
    return Drift(rows, find_spikes(list_opened(store, now - SPAN), now))
