"""Door 1: what a folder has that is not here yet, as batches bounded in count and bytes.

Flags stay as they are (EXAMINE, BODY.PEEK[]). Two FETCHes are always on their way (RFC 3501 §5.5 allows it), so that
a long way to the server costs one round trip and not one a batch.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from imapclient import IMAPClient
from imapclient.datetime_util import format_criteria_date
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError
from imapclient.response_parser import parse_fetch_response

from blocks.answers import read_failure
from desk.errors import ConfigurationError, ProtocolTrouble
from store.intake import Batch, Oversized, RawMail
from store.mailboxes import Cursor, Shown

BATCH_MAILS = 200  # the knee: more in one FETCH gains nothing (measured)
BATCH_BYTES = 8 * 1024 * 1024  # bounds the memory of the intake: up to four batches are on their way
SMALL_BYTES = 32 * 1024  # of mails up to this size no size is asked: 200 of them fit into a batch
LISTED = 1_000  # UIDs that one command names: servers limit the length of a line
IN_FLIGHT = 2
WHOLE, HEAD = "BODY.PEEK[]", "BODY.PEEK[HEADER]"

Facts = Mapping[bytes, Any]  # a FETCH answer of one mail, as IMAPClient gives it
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Group:
    """UIDs fetched together, ascending; `large` are those above the policy's limit, with their sizes in bytes."""

    uids: tuple[int, ...]
    large: Mapping[int, int]

    @property
    def whole(self) -> list[int]:
        return [uid for uid in self.uids if uid not in self.large]


@dataclass(slots=True)
class Line:
    """A session's way of fetching: mails above `limit` bytes by their header only; `alone`: one mail at a time.

    `asked` are the UIDs that the server is just handing out, of the folder that `cursor` stands in: where the session
    broke off, when it does.
    """

    client: IMAPClient
    limit: int
    alone: bool = False
    asked: tuple[int, ...] = ()
    cursor: Cursor | None = None
    early: dict[int, dict[bytes, Any]] = field(default_factory=dict)


def open_folder(client: IMAPClient, folder: str) -> Shown:
    """EXAMINE. Raises ConfigurationError or ProtocolTrouble for a folder that can't be opened: the session goes on."""
    try:
        said = client.select_folder(folder, readonly=True)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as failure:
        trouble = read_failure(failure, f"folder {folder}")
        if isinstance(trouble, ConfigurationError | ProtocolTrouble):
            raise trouble from None
        raise
    if not said.get(b"UIDVALIDITY"):
        raise ProtocolTrouble(f"folder {folder} has no UIDVALIDITY")
    return Shown(*(int(said.get(name, 0)) for name in (b"UIDVALIDITY", b"UIDNEXT", b"EXISTS", b"HIGHESTMODSEQ")))


def search_uids(client: IMAPClient, *criteria: str | date) -> list[int]:
    """UIDs of an open folder, ascending, in however many lines they come (RFC 3501 §7.2.5; RFC 7162 adds a MODSEQ).

    IMAPClient's own search takes one line only.
    """
    words = (one if isinstance(one, str) else format_criteria_date(one).decode() for one in criteria)
    kind, data = client._imap.uid("SEARCH", *words)
    if kind != "OK":
        raise IMAPClientError(data[0].decode(errors="replace") if data and data[0] else "SEARCH")
    lines = (line.partition(b"(")[0].split() for line in data if line)
    return sorted({int(uid) for line in lines for uid in line})


def find_new(client: IMAPClient, cursor: Cursor) -> list[int]:
    """UIDs after the cursor. `n:*` answers the last UID even below n: filtered."""
    return [uid for uid in search_uids(client, "UID", f"{cursor.last_uid + 1}:*") if uid > cursor.last_uid]


def find_due(client: IMAPClient, cursor: Cursor) -> list[int]:
    """Holes whose next try has come, and which the server still names."""
    return search_uids(client, "UID", join_uids(cursor.holes))


def fetch_mails(line: Line, uids: Sequence[int]) -> Iterator[Batch]:
    """The mails of an open folder in batches, ascending; those above the line's limit with their headers only.

    What the server named and then withholds is told as such; RFC822.SIZE is a hint that only bounds a batch.
    """
    groups = form_groups(uids, size_large(line, uids), line)
    for group, found in stream_bodies(line, groups):
        yield make_batch(group, found, fetch_heads(line, group), line.limit)


def size_large(line: Line, uids: Sequence[int]) -> dict[int, int]:
    """Sizes in bytes of those that are not small. One that the server can't tell may fill a batch alone.

    None where mails are asked for alone: asking for a size may be what breaks the connection.
    """
    if not uids or line.alone:
        return {}
    named = search_uids(line.client, "UID", f"{uids[0]}:{uids[-1]}", "LARGER", str(SMALL_BYTES))
    wanted = sorted(set(uids).intersection(named))
    sizes = dict.fromkeys(wanted, min(BATCH_BYTES, line.limit))
    for start in range(0, len(wanted), LISTED):
        line.asked = tuple(wanted[start : start + LISTED])
        sizes |= ask_sizes(line.client, line.asked)
    line.asked = ()
    return sizes


def ask_sizes(client: IMAPClient, uids: Sequence[int]) -> dict[int, int]:
    """What the server says of them; nothing when it can't, which is no reason not to fetch them."""
    try:
        listed = client.fetch(uids, ["RFC822.SIZE"])
    except IMAPClientAbortError:
        raise
    except IMAPClientError as failure:
        if not isinstance(read_failure(failure, ""), ProtocolTrouble):
            raise
        return {}
    return {int(uid): int(facts[b"RFC822.SIZE"]) for uid, facts in listed.items() if b"RFC822.SIZE" in facts}


def form_groups(uids: Sequence[int], sizes: Mapping[int, int], line: Line) -> Iterator[Group]:
    """Cut `uids` into groups of so many mails and about BATCH_BYTES; a mail above that has a group of its own."""
    most = 1 if line.alone else BATCH_MAILS
    group: list[int] = []
    weight = 0
    for uid in uids:
        size = sizes.get(uid, SMALL_BYTES)
        own = 0 if size > line.limit else size
        if group and (len(group) == most or weight + own > BATCH_BYTES):
            yield _close_group(group, sizes, line.limit)
            group, weight = [], 0
        group.append(uid)
        weight += own
    if group:
        yield _close_group(group, sizes, line.limit)


def _close_group(group: Sequence[int], sizes: Mapping[int, int], limit: int) -> Group:
    return Group(tuple(group), {uid: sizes[uid] for uid in group if sizes.get(uid, 0) > limit})


def stream_bodies(line: Line, groups: Iterable[Group]) -> Iterator[tuple[Group, dict[int, Facts]]]:
    """The bodies of each group, the next group's FETCH on its way already.

    IMAPClient waits for each answer before it asks again, so the two halves of imaplib's command are called apart.
    A group with mails above the limit is asked for alone: their headers are fetched between.
    """
    waiting: deque[tuple[Group, bytes]] = deque()
    for group in groups:
        if group.large:
            yield from _drain(line, waiting)
        waiting.append((group, send_fetch(line.client, group.whole)))
        if group.large or len(waiting) == IN_FLIGHT:
            yield _receive(line, waiting)
    yield from _drain(line, waiting)


def _drain(line: Line, waiting: deque[tuple[Group, bytes]]) -> Iterator[tuple[Group, dict[int, Facts]]]:
    while waiting:
        yield _receive(line, waiting)


def _receive(line: Line, waiting: deque[tuple[Group, bytes]]) -> tuple[Group, dict[int, Facts]]:
    """A server may answer two commands at once: what came before its command ended waits for its turn."""
    group, tag = waiting.popleft()
    line.asked = group.uids
    for uid, facts in read_fetch(line.client, tag, alone=len(group.uids) == 1).items():
        line.early.setdefault(uid, {}).update(facts)
    line.asked = ()
    return group, {uid: line.early.pop(uid) for uid in group.uids if uid in line.early}


def send_fetch(client: IMAPClient, uids: Sequence[int]) -> bytes:
    """Ask for bodies and arrival dates, and do not wait; the command's tag, empty when there is nothing to ask."""
    if not uids:
        return b""
    tag: bytes = client._imap._command("UID", "FETCH", join_uids(uids), f"(INTERNALDATE {WHOLE})")
    return tag


def read_fetch(client: IMAPClient, tag: bytes, *, alone: bool = False) -> dict[int, Facts]:
    """What came until `send_fetch`'s command was answered, by UID. Raises imaplib's errors as IMAPClient.fetch does.

    A server that refuses one mail asked for `alone` withholds it; a refusal for want of quota is the account's.
    """
    if not tag:
        return {}
    imap = client._imap
    kind, data = imap._command_complete("FETCH", tag)
    if kind != "OK":
        refusal = IMAPClientError(data[0].decode(errors="replace") if data and data[0] else "FETCH")
        if alone and isinstance(read_failure(refusal, ""), ProtocolTrouble):
            return {}
        raise refusal
    _, answers = imap._untagged_response(kind, data, "FETCH")
    parsed: dict[int, Facts] = parse_fetch_response(answers, client.normalise_times, True)
    return parsed


def join_uids(uids: Sequence[int]) -> str:
    """A sequence set (RFC 3501 §9), runs written short: some servers take no long lines."""
    runs: list[list[int]] = []
    for uid in uids:
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def fetch_heads(line: Line, group: Group) -> dict[int, Facts]:
    """Header and arrival of the mails that are too large to be fetched, each asked for alone."""
    heads: dict[int, Facts] = {}
    for uid in group.large:
        line.asked = (uid,)
        heads |= line.client.fetch([uid], ["INTERNALDATE", HEAD])
    line.asked = ()
    return heads


def make_batch(group: Group, found: Mapping[int, Facts], heads: Mapping[int, Facts], limit: int) -> Batch:
    """A mail whose true size shows only now is too large all the same, and cut to its header."""
    bodies = {uid: facts[b"BODY[]"] for uid, facts in found.items() if uid in group.uids and facts.get(b"BODY[]")}
    grown = {uid: len(body) for uid, body in bodies.items() if len(body) > limit}
    mails = [RawMail(uid, _arrival(found[uid]), body) for uid, body in sorted(bodies.items()) if uid not in grown]
    aside = [
        *(Oversized(uid, _arrival(found[uid]), size, cut_head(bodies[uid])) for uid, size in grown.items()),
        *(Oversized(uid, _arrival(heads[uid]), group.large[uid], heads[uid][b"BODY[HEADER]"])
          for uid in group.large if heads.get(uid, {}).get(b"BODY[HEADER]")),
    ]  # fmt: skip
    got = {*bodies, *(one.uid for one in aside)}
    return Batch(tuple(mails), tuple(uid for uid in group.uids if uid not in got), tuple(aside), group.uids[-1])


def cut_head(raw: bytes) -> bytes:
    """A mail's header with the empty line that ends it (RFC 5322 §2.1)."""
    ends = [at + len(end) for end in (b"\r\n\r\n", b"\n\n") if (at := raw.find(end)) >= 0]
    return raw[: min(ends)] if ends else raw[:SMALL_BYTES]


def _arrival(facts: Facts) -> datetime:
    """INTERNALDATE as aware UTC; IMAPClient gives it naive in local time."""
    arrived = facts.get(b"INTERNALDATE")
    return arrived.astimezone(UTC) if isinstance(arrived, datetime) else datetime.now(UTC)


# --- side by side ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ended:
    """No further item; with what ended it, if it was an error."""

    error: BaseException | None = None


def read_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items, the next one made in a thread of its own while the last is worked on. Errors come in their turn.

    When the reader stops early the thread ends at its next item; it never waits for the network longer than `items`.
    """
    passed: queue.Queue[Item | _Ended] = queue.Queue(maxsize=1)
    stopped = threading.Event()
    thread = threading.Thread(target=_read_on, args=(items, passed, stopped), name="read ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := passed.get(), _Ended):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        _empty_queue(passed, thread)


def _read_on(items: Iterator[Item], passed: queue.Queue[Item | _Ended], stopped: threading.Event) -> None:
    ended = _Ended()
    try:
        for item in items:
            passed.put(item)
            if stopped.is_set():
                break
    except BaseException as error:  # noqa: BLE001 - it is raised again where the items are read
        ended = _Ended(error)
    passed.put(ended)


def _empty_queue(passed: queue.Queue[Item | _Ended], thread: threading.Thread) -> None:
    """Let a thread that waits to hand over its item go."""
    while thread.is_alive():
        try:
            passed.get(timeout=0.05)
        except queue.Empty:
            continue
    thread.join()
