"""What people did in the mailboxes with the desk's verdicts: mails moved to another category, drafts rewritten
where they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
from desk.tokens import find_number
from store.corrections import (
    Answer,
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
    read_standings,
    relabel_mail,
)
from store.intake import read_places
from store.mailboxes import read_mailbox, register_mailbox
from store.memory import Store
from store.messages import find_places
from tasks.guard import clean_error, guarded, keep_cause
from tasks.hearing import open_waiting
from tasks.intake import describe_account
from tasks.looking import Seen, Visit, fetch_start, look_through
from tasks.opening import open_policy, open_store

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
        held = {one.uid for one in look.seen if one.header_id in waiting}
        keep_looked(visit.store, visit.mailbox_id, look.folder, look.stop_before(held))


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


def recall_text(store: Store, standing: Standing) -> str:
    """What the mail says, under pseudonyms; empty when its bytes are gone: the correction counts all the same."""
    places = read_places(store, list(find_places(store, [standing.message_id]).values()))
    try:
        return write_lesson(open_waiting(store, places[0] if places else None).mail, standing.passed_on)
    except MailTrouble:
        return ""


# --- drafts --------------------------------------------------------------------------------------------------


def learn_answers(visit: Visit) -> Iterator[Change]:
    """What agents made of the drafts where the desk had laid them; what they sent is tasks.following's."""
    drafts = list_open_drafts(visit.store, visit.mailbox_id)
    folder = visit.block.pick_drafts(visit.client) if drafts else ""
    if not (folder and visit.client.folder_exists(folder)):
        return
    since = read_mailbox(visit.store.engine, visit.mailbox_id).since - timedelta(days=1)
    look = look_through(visit, folder, since.date())
    for one, draft in match_drafts(visit, look.seen, drafts):
        yield from learn_answer(visit, one, draft)
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


def learn_answer(visit: Visit, seen: Seen, draft: OpenDraft) -> Iterator[Change]:
    try:
        yield from _learn_answer(visit, seen, draft)
    except (IMAPClientAbortError, OSError, ByreturnError):
        raise
    except Exception as trouble:  # noqa: BLE001 - promise 3
        keep_cause("learn from answers", trouble)


def _learn_answer(visit: Visit, seen: Seen, draft: OpenDraft) -> Iterator[Change]:
    theirs = read_mail(fetch_start(visit.client, seen.uid))
    answer = weigh_answer(visit.store, draft, theirs, sent=False) if isinstance(theirs, Mail) else None
    if answer and keep_answer(visit.store, answer, datetime.now(UTC)):
        yield Change(draft.message_id, answer.kind, answer.standing.category, answer.standing.category)


def weigh_answer(store: Store, draft: OpenDraft, theirs: Mail, sent: bool) -> Answer | None:
    """What an agent's letter says of the verdict whose draft it came of; None when it says nothing, or not yet."""
    ours = read_mail(read_draft(store, draft.letter_id))
    kind = judge_answer(ours, theirs, sent) if isinstance(ours, Mail) else None
    standing = read_standings(store, [draft.message_id])[draft.message_id]
    if kind is None or not standing.is_judged:
        return None
    text = recall_text(store, standing) if kind is Kind.SENT else ""  # what is not learnt from is not kept
    return Answer(standing, kind, text)


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
