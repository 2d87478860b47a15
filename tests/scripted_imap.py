"""An IMAP server (RFC 3501) that does to its clients, by script, what real servers do now and then.

    with ScriptedImap() as imap:
        imap.deliver(b"Subject: hello\\r\\n\\r\\nhello\\r\\n")
        imap.behave(Quirks(withhold={1}, turns=(refuse("LOGIN", "NO [THROTTLED] later", times=1),)))

It takes every user and password, speaks plain text on loopback, and keeps a record of what it was asked.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from imaplib import Time2Internaldate
from typing import Literal, Self

HOST = "127.0.0.1"
ALWAYS = 10**9
DRIP_SECONDS = 0.02  # between two bytes
WAIT_SECONDS = 0.2  # for a command that may be on its way
CAPABILITIES = "IMAP4rev1 IDLE MOVE UIDPLUS"

Deed = Literal["say", "refuse", "bye", "cut", "silence", "drip"]
Stored = tuple[bytes, datetime]  # a mail and its INTERNALDATE


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that the server does when a command comes whose words hold `at`: at the first `times` of them.

    It does so before it answers, or `after` it answered; with a `uid` when that mail's turn in a FETCH comes, and
    `into` bytes into the mail's literal. `at` GREETING is when a client has come, IDLING once IDLE has begun.
    """

    at: str
    deed: Deed
    text: str = ""
    times: int = ALWAYS
    after: bool = False
    uid: int = 0
    into: int = -1


def say(at: str, text: str, *, times: int = ALWAYS, after: bool = False, uid: int = 0) -> Turn:
    """A line out of turn, such as `* OK [ALERT] …`; the command is answered all the same."""
    return Turn(at, "say", text, times, after, uid)


def refuse(at: str, text: str, *, times: int = ALWAYS, uid: int = 0) -> Turn:
    """Answer the command `NO …` or `BAD …`."""
    return Turn(at, "refuse", text, times, uid=uid)


def bye(at: str, text: str = "Server is going down", *, times: int = ALWAYS, after: bool = False, uid: int = 0) -> Turn:
    """`* BYE …`, and the end of the connection."""
    return Turn(at, "bye", text, times, after, uid)


def cut(at: str, *, times: int = ALWAYS, after: bool = False, uid: int = 0, into: int = -1) -> Turn:
    """The end of the connection, without a word."""
    return Turn(at, "cut", "", times, after, uid, into)


def silence(at: str, *, times: int = ALWAYS, uid: int = 0, into: int = -1) -> Turn:
    """No word any more; the connection stays."""
    return Turn(at, "silence", "", times, uid=uid, into=into)


def drip(at: str, *, times: int = ALWAYS, uid: int = 0, into: int = -1) -> Turn:
    """A byte now and then, for ever: no read of the client ever times out, and none brings anything."""
    return Turn(at, "drip", "", times, uid=uid, into=into)


@dataclass(frozen=True, slots=True)
class Quirks:
    """How the server departs from one that does everything right."""

    turns: tuple[Turn, ...] = ()
    withhold: Collection[int] = ()  # UIDs that SEARCH names and FETCH passes over …
    withhold_times: int = ALWAYS  # … so often, each
    sizes: Mapping[int, int] = field(default_factory=dict)  # RFC822.SIZE by UID where it is not the true one
    order: tuple[str, ...] = ("UID",)  # of a FETCH answer's attributes; those not named come last
    extra: str = ""  # attributes nobody asked for: "FLAGS (\\Seen) MODSEQ (7)"
    between: tuple[str, ...] = ()  # lines before each mail of a FETCH: "* 9 EXISTS"
    missing: Collection[str] = ()  # folders that LIST names and SELECT does not know
    unsaid: Collection[str] = ()  # what SELECT does not tell: "UIDNEXT", "EXISTS", …
    exists: int | None = None  # what SELECT tells for EXISTS
    modseq: bool = False  # whether SELECT tells HIGHESTMODSEQ
    star_below: bool = True  # whether `n:*` names the last UID below n too (RFC 3501 §6.4.8)
    listed: int = 0  # UIDs in one `* SEARCH` line; 0: all
    unnamed: Collection[int] = ()  # UIDs that SEARCH passes over
    mingled: bool = False  # the end of a FETCH is told after what the next one brings, if that has come (RFC 3501 §5.5)


@dataclass(slots=True)
class Folder:
    """Its mails by UID; change it between sessions as you like."""

    mails: dict[int, Stored] = field(default_factory=dict)
    flags: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    uidvalidity: int = 1
    modseq: int = 1
    last_uid: int = 0  # the highest there ever was

    @property
    def uids(self) -> list[int]:
        return sorted(self.mails)

    @property
    def uidnext(self) -> int:
        return max(self.last_uid, *self.mails, 0) + 1

    def add(self, mail: Stored, uid: int = 0) -> int:
        uid = uid or self.uidnext
        self.mails[uid] = mail
        self.last_uid, self.modseq = max(self.last_uid, uid), self.modseq + 1
        return uid

    def take(self, uid: int) -> Stored:
        self.flags.pop(uid, None)
        self.last_uid, self.modseq = self.uidnext - 1, self.modseq + 1
        return self.mails.pop(uid)


class ScriptedImap:
    """Folders by their names as they go over the wire (RFC 3501 §5.1.3: `&AOk-t&AOk-` is été)."""

    host = HOST

    def __init__(self, *folders: str, quirks: Quirks | None = None) -> None:
        self.folders = {name: Folder() for name in ("INBOX", *folders)}
        self.quirks = quirks or Quirks()
        self.unplayed: list[tuple[Turn, ...]] = []  # scripts of which no turn ever came
        self.commands: list[str] = []  # without their tags and the words of LOGIN
        self.logins: list[str] = []  # users, let in or not
        self.sessions: list[Session] = []
        self.stopping = threading.Event()
        self._done: Counter[object] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._welcome_clients, name="scripted imap", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for session in self.sessions:
            session.end()

    @property
    def inbox(self) -> Folder:
        return self.folders["INBOX"]

    def deliver(self, raw: bytes, folder: str = "INBOX", *, uid: int = 0, arrived: datetime | None = None) -> int:
        """The new mail's UID. Clients that idle in the folder are told."""
        there = self.folders[folder]
        given = there.add((raw, arrived or datetime.now(UTC)), uid)
        for session in self.sessions:
            session.notify(there)
        return given

    def behave(self, quirks: Quirks) -> None:
        """From now on, in open sessions too; what was done so often already is forgotten."""
        turns = self.quirks.turns
        if turns and not any(self._done[turn] for turn in turns):
            self.unplayed.append(turns)
        self.quirks = quirks
        self._done.clear()

    def count(self, word: str) -> int:
        """Commands that had this word in them."""
        return sum(word in command for command in self.commands)

    def take_turn(self, key: object, times: int) -> bool:
        """Whether it is to be done once more; if so it is counted."""
        with self._lock:
            self._done[key] += 1
            return self._done[key] <= times

    def _welcome_clients(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.sessions.append(Session(self, connection))


class Gone(Exception):
    """The connection is over."""


class Refused(Exception):
    """The command's answer."""


class Session:
    """One client's connection, in a thread of its own; commands are worked on one after the other (RFC 3501 §5.5)."""

    def __init__(self, server: ScriptedImap, connection: socket.socket) -> None:
        self.server, self.connection = server, connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms a line
        self.lines = connection.makefile("rb", buffering=0)  # so that select() tells of every command that has come
        self.folder: Folder | None = None
        self.told = 0  # the EXISTS that the client knows
        self.idle = False
        self.held = ""  # the end of a FETCH
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._serve_client, name="scripted session", daemon=True)
        self.thread.start()

    def end(self) -> None:
        hang_up(self.connection)
        self.thread.join()

    def notify(self, folder: Folder) -> None:
        with suppress(OSError), self.lock:
            if self.idle and folder is self.folder:
                self._tell_news()

    def _serve_client(self) -> None:
        with self.connection, self.lines, suppress(OSError, Gone):
            self._play("GREETING")
            self._say("* OK Server ready")
            self._play("GREETING", after=True)
            for line in self.lines:
                self._obey(line.decode().rstrip("\r\n"))

    def _obey(self, line: str) -> None:
        tag, _, asked = line.partition(" ")
        name, words = read_command(asked)
        self._note_command(name, words, asked)
        try:
            self._play(asked)
            said = self._do(name, words)
        except Refused as refusal:
            said = str(refusal)
        self._end_command(name, f"{tag} {said}")
        self._play(asked, after=True)

    def _end_command(self, name: str, said: str) -> None:
        if self.held:
            self._say(self.held)
            self.held = ""
        if name == "FETCH" and self.server.quirks.mingled and select.select([self.connection], [], [], WAIT_SECONDS)[0]:
            self.held = said
        else:
            self._say(said)

    def _note_command(self, name: str, words: Sequence[str], asked: str) -> None:
        self.server.commands.append(name if name == "LOGIN" else asked)
        if name == "LOGIN":
            self.server.logins.append(words[0])

    def _do(self, name: str, words: Sequence[str]) -> str:
        if name not in DOES:
            raise Refused("BAD Unknown command")
        DOES[name](self, words)
        return f"OK {name} completed"

    # --- what happens out of turn ------------------------------------------------------------------------------

    def _play(self, asked: str, *, after: bool = False) -> None:
        for turn in self.server.quirks.turns:
            if turn.at in asked and (turn.after, turn.uid) == (after, 0) and self._is_due(turn):
                ACTS[turn.deed](self, turn.text)

    def _play_mail(self, asked: str, uid: int, answer: bytes) -> None:
        for turn in self.server.quirks.turns:
            if turn.at in asked and turn.uid == uid and self._is_due(turn):
                if turn.into >= 0:
                    self._send(answer[: answer.index(b"}\r\n") + 3 + turn.into])
                ACTS[turn.deed](self, turn.text)

    def _is_due(self, turn: Turn) -> bool:
        return self.server.take_turn(turn, turn.times)

    def _refuse(self, text: str) -> None:
        raise Refused(text)

    def _say_bye(self, text: str) -> None:
        self._say(f"* BYE {text}")
        self._cut()

    def _cut(self, _: str = "") -> None:
        """The client reads the end of the stream; what it still sends is read, else it would lose our last words."""
        self.connection.shutdown(socket.SHUT_WR)
        self._fall_silent()

    def _fall_silent(self, _: str = "") -> None:
        for _line in self.lines:
            pass
        raise Gone

    def _drip(self, _: str) -> None:
        while not self.server.stopping.wait(DRIP_SECONDS):
            self._send(b".")
        raise Gone

    # --- commands ----------------------------------------------------------------------------------------------

    def _tell_capabilities(self, _: Sequence[str]) -> None:
        self._say(f"* CAPABILITY {CAPABILITIES}")

    def _log_out(self, _: Sequence[str]) -> None:
        self._say("* BYE Logging out")

    def _list_folders(self, _: Sequence[str]) -> None:
        for name in self.server.folders:
            self._say(f'* LIST (\\HasNoChildren) "/" "{name}"')

    def _select(self, words: Sequence[str]) -> None:
        folder = self._find_folder(words[0])
        self.folder, self.told = folder, len(folder.mails)
        unsaid = self.server.quirks.unsaid
        for name, line in self._describe_folder(folder).items():
            if name not in unsaid:
                self._say(line)

    def _find_folder(self, name: str) -> Folder:
        folder = self.server.folders.get(name)
        if folder is None or name in self.server.quirks.missing:
            raise Refused("NO [NONEXISTENT] Mailbox doesn't exist")
        return folder

    def _describe_folder(self, folder: Folder) -> dict[str, str]:
        quirks = self.server.quirks
        told = {
            "FLAGS": "* FLAGS (\\Seen \\Flagged \\Deleted)",
            "EXISTS": f"* {len(folder.mails) if quirks.exists is None else quirks.exists} EXISTS",
            "UIDVALIDITY": f"* OK [UIDVALIDITY {folder.uidvalidity}] UIDs are valid",
            "UIDNEXT": f"* OK [UIDNEXT {folder.uidnext}] Predicted next UID",
        }
        return told | ({"HIGHESTMODSEQ": f"* OK [HIGHESTMODSEQ {folder.modseq}] Highest"} if quirks.modseq else {})

    def _search(self, words: Sequence[str]) -> None:
        quirks = self.server.quirks
        named = find_uids(self._opened(), words, self._size, star_below=quirks.star_below)
        found = [uid for uid in named if uid not in quirks.unnamed]
        step = quirks.listed or max(1, len(found))
        for start in range(0, max(1, len(found)), step):
            self._say(" ".join(["* SEARCH", *map(str, found[start : start + step])]))

    def _fetch(self, words: Sequence[str]) -> None:
        folder, asked = self._opened(), "UID FETCH " + " ".join(words)
        numbers = {uid: number for number, uid in enumerate(folder.uids, 1)}
        for uid in pick_uids(words[0], folder.uids):
            if not self._withholds(uid):
                answer = b"* %d FETCH (%b)\r\n" % (numbers[uid], self._describe_mail(folder, uid, words[1:]))
                self._hand_out(asked, uid, answer)

    def _hand_out(self, asked: str, uid: int, answer: bytes) -> None:
        for line in self.server.quirks.between:
            self._say(line)
        self._play_mail(asked, uid, answer)
        self._send(answer)

    def _withholds(self, uid: int) -> bool:
        quirks = self.server.quirks
        return uid in quirks.withhold and self.server.take_turn(("withhold", uid), quirks.withhold_times)

    def _describe_mail(self, folder: Folder, uid: int, asked: Sequence[str]) -> bytes:
        raw, arrived = folder.mails[uid]
        known: dict[str, bytes] = {
            "UID": b"%d" % uid,
            "RFC822.SIZE": b"%d" % self._size(uid),
            "INTERNALDATE": Time2Internaldate(arrived).encode(),
            "FLAGS": f"({' '.join(sorted(folder.flags[uid]))})".encode(),
            "BODY[]": make_literal(raw),
            "BODY[HEADER]": make_literal(cut_header(raw)),
        }
        items = [f"{name} ".encode() + known[name] for name in self._sort_attributes(read_attributes(asked))]
        return b" ".join([*items, *filter(None, [self.server.quirks.extra.encode()])])

    def _sort_attributes(self, names: Sequence[str]) -> list[str]:
        order = self.server.quirks.order
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))

    def _size(self, uid: int) -> int:
        return self.server.quirks.sizes.get(uid, len(self._opened().mails[uid][0]))

    def _store(self, words: Sequence[str]) -> None:
        folder, flags = self._opened(), set(re.findall(r"[\\$\w]+", " ".join(words[2:])))
        for uid in pick_uids(words[0], folder.uids):
            before = folder.flags[uid]
            folder.flags[uid] = {"+": before | flags, "-": before - flags}.get(words[1][0], flags)
            folder.modseq += 1
            self._say(f"* {folder.uids.index(uid) + 1} FETCH (UID {uid} FLAGS ({' '.join(sorted(folder.flags[uid]))}))")

    def _copy(self, words: Sequence[str]) -> None:
        folder, target = self._opened(), self._find_folder(words[1])
        for uid in pick_uids(words[0], folder.uids):
            target.add(folder.mails[uid])

    def _move(self, words: Sequence[str]) -> None:
        self._copy(words)
        self._drop(self._opened(), pick_uids(words[0], self._opened().uids))

    def _expunge(self, words: Sequence[str]) -> None:
        folder = self._opened()
        named = pick_uids(words[0], folder.uids) if words else folder.uids
        self._drop(folder, [uid for uid in named if "\\Deleted" in folder.flags[uid]])

    def _drop(self, folder: Folder, uids: list[int]) -> None:
        for uid in uids:
            number = folder.uids.index(uid) + 1
            folder.take(uid)
            self._say(f"* {number} EXPUNGE")
        self.told = len(folder.mails)

    def _wait_done(self, _: Sequence[str]) -> None:
        """IDLE (RFC 2177)."""
        with self.lock:
            self._say("+ idling")
            self.idle = True
            self._tell_news()
        self._play("IDLING")
        done = self.lines.readline()
        self.idle = False
        if not done:
            raise Gone

    def _tell_news(self, _: object = None) -> None:
        if self.folder is not None and len(self.folder.mails) != self.told:
            self.told = len(self.folder.mails)
            self._say(f"* {self.told} EXISTS")

    def _log_in(self, words: Sequence[str]) -> None:
        """Every user is welcome; who was not, a turn has refused."""

    def _refuse_mechanism(self, _: Sequence[str]) -> None:
        raise Refused("NO Unsupported authentication mechanism")

    def _opened(self) -> Folder:
        if self.folder is None:
            raise Refused("BAD No mailbox selected")
        return self.folder

    def _say(self, line: str) -> None:
        self._send(line.encode() + b"\r\n")

    def _send(self, data: bytes) -> None:
        self.connection.sendall(data)


ACTS: Mapping[Deed, Callable[[Session, str], None]] = {
    "say": Session._say,
    "refuse": Session._refuse,
    "bye": Session._say_bye,
    "cut": Session._cut,
    "silence": Session._fall_silent,
    "drip": Session._drip,
}
DOES: Mapping[str, Callable[[Session, Sequence[str]], None]] = {
    "CAPABILITY": Session._tell_capabilities,
    "LOGIN": Session._log_in,
    "AUTHENTICATE": Session._refuse_mechanism,
    "LOGOUT": Session._log_out,
    "NOOP": Session._tell_news,
    "LIST": Session._list_folders,
    "SELECT": Session._select,
    "EXAMINE": Session._select,
    "SEARCH": Session._search,
    "FETCH": Session._fetch,
    "STORE": Session._store,
    "COPY": Session._copy,
    "MOVE": Session._move,
    "EXPUNGE": Session._expunge,
    "IDLE": Session._wait_done,
}


def read_command(asked: str) -> tuple[str, list[str]]:
    """A command's name, without UID before it, and its words without their quotes."""
    words = [quoted or plain for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', asked)] or [""]
    name, *rest = words[1:] if words[0].upper() == "UID" and len(words) > 1 else words
    return name.upper(), rest


def read_attributes(words: Sequence[str]) -> list[str]:
    """What a FETCH asks for, by the names that the answer gives them; the UID is always among it."""
    named = re.findall(r"[A-Z0-9.]+(?:\[[A-Z]*\])?", " ".join(words).replace(".PEEK", ""))
    return list(dict.fromkeys(["UID", *named]))


def pick_uids(named: str, there: Sequence[int], *, star_below: bool = True) -> list[int]:
    """Those of a sequence set (RFC 3501 §9) that are `there`, ascending; `*` is the highest."""
    chosen: set[int] = set()
    for part in named.split(","):
        first, _, last = part.replace("*", str(max(there, default=0))).partition(":")
        low, high = sorted((int(first), int(last or first)))
        if star_below or not part.endswith(":*") or high == int(last):
            chosen.update(there[bisect_left(there, low) : bisect_right(there, high)])
    return sorted(chosen)


def find_uids(folder: Folder, words: Sequence[str], size: Callable[[int], int], *, star_below: bool) -> list[int]:
    """SEARCH by UID and LARGER; anything else is taken for ALL."""
    rest, found = iter(words), folder.uids
    for word in rest:
        if word == "UID":
            found = sorted(set(found).intersection(pick_uids(next(rest), folder.uids, star_below=star_below)))
        elif word == "LARGER":
            least = int(next(rest))
            found = [uid for uid in found if size(uid) > least]
    return found


def make_literal(raw: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(raw), raw)


def cut_header(raw: bytes) -> bytes:
    return raw[: raw.index(b"\r\n\r\n") + 4]


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
