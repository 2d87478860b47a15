"""Letters over one signed-in SMTP connection, one round trip each where the server offers PIPELINING (RFC 2920).

The server's replies are all that counts: what it announced and can't do costs time, never a letter and never a second
one. No letter's end is sent before the caller has said that it may, and has put down what became of the last one.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, cast

from blocks.answers import Answer, read_answer, translate_opening
from desk.domains import encode_domain
from desk.errors import ConnectionTrouble, NetworkTrouble, ProtocolTrouble, Throttled

TOO_LARGE, NEEDS_UTF8, LOST = "too-large", "smtputf8", "connection-lost"
LONGEST_ADDRESS = 254  # bytes: a path of 256 with its brackets (RFC 5321 §4.5.3.1.3)
LONGEST_ENVID = 100  # RFC 3461 §4.4
MOST_PIPED = 100  # recipients: replies to more, unread, could hold up the server and then us (RFC 2920 §3.1)
RECORD = 16_384  # bytes; what TLS sends as one (RFC 8446 §5.1), so that it has gone altogether or not at all
PATIENCE = 4  # times as long as for any other reply we wait for the one to a whole letter, which may be scanned first
CLOSING, GO_AHEAD = 421, 354
DATA, RSET, LONE_DOT = b"DATA\r\n", b"RSET\r\n", b".\r\n"

Fate = Literal["answered", "untold", "unknown"]

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_BARE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter for the wire. Reports, which `notify` asks for, call it `envid` (RFC 3461); `token` is the caller's."""

    letter_id: int
    sender: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)
    envid: str = ""
    notify: bool = False
    token: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: its code, the enhanced status (RFC 3463) or "", its words, never to be kept or shown."""

    code: int
    status: str = ""
    words: str = field(default="", repr=False)

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 300


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a letter.

    `answered`: each recipient has a reply. `untold`: its end was never sent, so it did not go out; `unknown`: its end
    was sent and no answer came. In both, `replies` holds those who were refused before. `code`: too-large and smtputf8
    (the server does not take it, so it was not asked), connection-lost, or "".
    """

    envelope: Envelope
    replies: Mapping[str, Reply] = field(repr=False)
    fate: Fate = "answered"
    code: str = ""


Turn = Callable[[Carried | None, Envelope | None], bool]

BAD_RECIPIENT, BAD_SENDER = Reply(553, "5.1.3"), Reply(553, "5.1.7")
NO_UTF8, NO_ROOM = Reply(553, "5.6.7"), Reply(552, "5.3.4")
CLOSED = Answer(Throttled, "closes the connection")
UNASKED = Reply(503)  # to DATA, when there is nobody to send it to


@dataclass(frozen=True, slots=True)
class Loaded:
    """An envelope ready for the wire: MAIL, each recipient's RCPT, the body with its lone dot.

    `replies` of those whom the server is not asked for.
    """

    envelope: Envelope
    mail: bytes
    recipients: Mapping[str, bytes]
    data: bytes
    replies: Mapping[str, Reply]

    @property
    def commands(self) -> bytes:
        return b"".join((self.mail, *self.recipients.values(), DATA))


@dataclass(frozen=True, slots=True)
class Opening:
    """What MAIL, RCPT and DATA led to: for those in `taken` the server waits for the body, the others are refused."""

    taken: tuple[str, ...]
    replies: Mapping[str, Reply]


class Book:
    """What became of letters and was not told yet."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._done: list[Carried] = []
        self._doubted: Carried | None = None

    def add(self, done: Carried, doubted: Carried | None = None) -> None:
        """`doubted` is what became of it if replies turn out not to be those to what was asked."""
        self._done.append(done)
        self._doubted = doubted

    def doubt_last(self) -> None:
        if self._doubted:
            self._done[-1] = self._doubted

    def ask_for(self, letter: Envelope) -> bool:
        """Tell what is not told yet, and hear whether this one may go out."""
        while len(self._done) > 1:
            self._turn(self._done.pop(0), None)
        return self._turn(self._done.pop() if self._done else None, letter)

    def close(self) -> None:
        while self._done:
            self._turn(self._done.pop(0), None)


class Carrier:
    """Carries letters until its connection ends; for one thread.

    `connect` opens a signed-in connection. It is called once more, and everything goes by question and answer from
    there, when a server that announced PIPELINING fails at it.
    """

    def __init__(self, connect: Callable[[], smtplib.SMTP], place: str, *, pipelining: bool = True) -> None:
        self._connect, self._place = connect, place
        self._open_wire(pipelining)

    @property
    def limit(self) -> int:
        """Largest letter in bytes; 0 when the server named none."""
        return read_limit(self._client)

    @property
    def extensions(self) -> frozenset[str]:
        """What EHLO announced, in small letters."""
        return frozenset(self._client.esmtp_features)

    def carry(self, envelopes: Iterable[Envelope], turn: Turn) -> None:
        """Send them one after the other.

        Before the end of a letter is sent, `turn(done, letter)` is called: `done` became of an earlier one, and only
        after True does this one go out; after False the connection is dropped and `carry` returns. What else became of
        letters is told by `turn(done, None)`, whose answer counts for nothing. One letter more than is being sent is
        taken from `envelopes`: whatever `turn` was not told of has not been sent and may be carried anew.

        Raises NetworkTrouble or ProtocolTrouble when the connection is lost, Throttled when the server closes it (421,
        RFC 5321 §3.8), each after the last `turn`; and whatever `envelopes` and `turn` raise.
        """
        book = Book(turn)
        try:
            self._carry_all(self._load_all(envelopes, book), book)
        finally:
            book.close()

    def close(self) -> None:
        """Drop the connection: what the server was told by halves is void."""
        self._client.close()

    def quit(self) -> None:
        with suppress(smtplib.SMTPException, OSError):
            self._client.quit()
        self._client.close()

    # --- letters

    def _load_all(self, envelopes: Iterable[Envelope], book: Book) -> Iterator[Loaded]:
        for envelope in envelopes:
            loaded = load_envelope(envelope, self.limit, self.extensions)
            if isinstance(loaded, Loaded):
                yield loaded
            else:
                book.add(loaded)

    def _carry_all(self, letters: Iterator[Loaded], book: Book) -> None:
        letter = next(letters, None)
        self._push(self._write_ahead(letter))
        while letter:
            opening = self._open_letter(letter, book)
            following = next(letters, None)
            if not opening.taken:
                book.add(Carried(letter.envelope, opening.replies))
                self._push(self._write_ahead(following))
            elif book.ask_for(letter.envelope):
                self._send_body(letter, opening, self._write_ahead(following), book)
            else:
                self.close()
                return
            letter = following

    def _write_ahead(self, letter: Loaded | None) -> bytes:
        """The commands that go along with what is sent before (RFC 2920 §3.1)."""
        return letter.commands if letter and self._goes_ahead(letter) else b""

    def _goes_ahead(self, letter: Loaded) -> bool:
        return self._pipelining and len(letter.recipients) <= MOST_PIPED

    def _open_letter(self, letter: Loaded, book: Book) -> Opening:
        """Nothing of the body is sent here, so that it may be begun anew."""
        try:
            return self._hear_opening(letter)
        except (NetworkTrouble, ProtocolTrouble) as trouble:
            if isinstance(trouble, ProtocolTrouble):
                book.doubt_last()
            if not self._pipelining:
                raise
        book.close()
        self.close()
        self._open_wire(pipelining=False)
        return self._hear_opening(letter)

    def _hear_opening(self, letter: Loaded) -> Opening:
        mail, recipients, data = (self._hear_all if self._goes_ahead(letter) else self._ask_each)(letter)
        opening = read_opening(letter, mail, recipients, data)
        if opening.taken:
            self._expect_silence()
        elif data.code == GO_AHEAD:
            self._end_nothing(recipients)
        elif mail.positive:
            self._ask(RSET)  # the next MAIL would be nested
        return opening

    def _end_nothing(self, recipients: Mapping[str, Reply]) -> None:
        """A lone dot for a server that waits for a body though it took nobody (RFC 2920 §3.1)."""
        if any(reply.positive for reply in recipients.values()):
            raise self._break_off("gives answers out of step", ProtocolTrouble)  # MAIL was refused, yet it has somebody
        self._ask(LONE_DOT)

    def _hear_all(self, letter: Loaded) -> tuple[Reply, dict[str, Reply], Reply]:
        """Replies to what went ahead."""
        return self._hear("245"), {one: self._hear("245") for one in letter.recipients}, self._hear("345")

    def _ask_each(self, letter: Loaded) -> tuple[Reply, dict[str, Reply], Reply]:
        """Question and answer, as far as it makes sense."""
        mail = self._ask(letter.mail)
        recipients = {one: self._ask(command) for one, command in letter.recipients.items() if mail.positive}
        taken = any(reply.positive for reply in recipients.values())
        return mail, recipients, self._ask(DATA, "345") if taken else UNASKED

    def _send_body(self, letter: Loaded, opening: Opening, ahead: bytes, book: Book) -> None:
        """From the end of the body on, a lost connection leaves the fate unknown (RFC 5321 §4.2.5)."""
        fate: Fate = "untold"
        try:
            self._expect_silence()
            fate = "unknown" if self._push(letter.data + ahead) >= len(letter.data) else "untold"
            answer = self._read_answer("245" if fate == "unknown" else "45")  # it may break off a body to refuse it
        except ConnectionTrouble:
            book.add(Carried(letter.envelope, opening.replies, fate, LOST))
            raise
        doubted = Carried(letter.envelope, opening.replies, "unknown", LOST) if ahead else None
        book.add(Carried(letter.envelope, {**opening.replies, **dict.fromkeys(opening.taken, answer)}), doubted)
        self._heed_closing(answer)
        if fate == "untold":
            raise self._break_off("broke the connection")

    # --- wire

    def _open_wire(self, pipelining: bool) -> None:
        self._client = self._connect()
        self._get_socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pipelining = pipelining and "pipelining" in self.extensions

    def _get_socket(self) -> socket.socket:
        if self._client.sock is None:
            raise self._break_off("broke the connection")
        return self._client.sock

    def _push(self, data: bytes) -> int:
        """Bytes that the system took: fewer than all when the connection broke, as the next reply will tell."""
        view, at = memoryview(data), 0
        with suppress(OSError, NetworkTrouble):
            while at < len(view):
                at += self._get_socket().send(view[at : at + RECORD])
        return at

    def _ask(self, command: bytes, kinds: str = "245") -> Reply:
        self._push(command)
        return self._hear(kinds)

    def _hear(self, kinds: str = "245") -> Reply:
        """The next reply, unless it closes the connection."""
        reply = self._read_reply(kinds)
        self._heed_closing(reply)
        return reply

    def _heed_closing(self, reply: Reply) -> None:
        if reply.code == CLOSING:
            self.close()
            answer = read_answer(f"{CLOSING} {reply.words}")
            raise (answer if answer.error is Throttled else CLOSED).raised_at(self._place)

    def _read_answer(self, kinds: str) -> Reply:
        """The reply to a whole letter."""
        self._get_socket().settimeout(self._client.timeout * PATIENCE)
        reply = self._read_reply(kinds)
        self._get_socket().settimeout(self._client.timeout)
        return reply

    def _read_reply(self, kinds: str) -> Reply:
        """The next reply; its code begins with one of `kinds`."""
        self._get_socket()
        with translate_opening(self._place):
            code, said = self._client.getreply()
        if str(code)[0] not in kinds or (code // 100 == 3 and code != GO_AHEAD):
            raise self._break_off("gives answers out of step", ProtocolTrouble)
        return read_reply(code, said)

    def _expect_silence(self) -> None:
        """All that was asked has its reply: what comes now answers nothing, and no later reply could be trusted."""
        unasked = self._listen()
        if unasked:
            raise self._break_off("gives answers out of step", ProtocolTrouble)
        if unasked is not None:
            raise self._break_off("broke the connection")

    def _listen(self) -> bytes | None:
        """What can be read without waiting: None for nothing, b"" for the connection's end."""
        channel = self._get_socket()
        replies = cast(BinaryIO, self._client.file)  # there since EHLO
        channel.settimeout(0)
        try:
            return replies.read(1)
        except ssl.SSLWantReadError:
            return None
        except OSError:
            return b""
        finally:
            channel.settimeout(self._client.timeout)

    def _break_off(self, detail: str, kind: type[ConnectionTrouble] = NetworkTrouble) -> ConnectionTrouble:
        self.close()
        return kind(f"{self._place} {detail}")


# --- the server's words ----------------------------------------------------------------------------------------------


def read_limit(client: smtplib.SMTP) -> int:
    """Largest letter in bytes that EHLO announced (RFC 1870 SIZE); 0 when it named none."""
    announced = client.esmtp_features.get("size", "")
    return int(announced) if announced.isdigit() else 0


def read_reply(code: int, said: bytes) -> Reply:
    """Every line begins with the status (RFC 2034 §4), which must fit the code."""
    words = said.decode(errors="replace")
    known = _STATUS.match(words)
    return Reply(code, known[1] if known and known[1][0] == str(code)[0] else "", words)


def read_opening(letter: Loaded, mail: Reply, recipients: Mapping[str, Reply], data: Reply) -> Opening:
    """Whom the server waits for the body of, and what refuses each of the others: MAIL, their RCPT or DATA."""
    if not mail.positive:
        return Opening((), {**letter.replies, **dict.fromkeys(letter.recipients, mail)})
    refused = {one: reply for one, reply in recipients.items() if not reply.positive}
    taken = tuple(one for one in recipients if one not in refused)
    if taken and data.code != GO_AHEAD:
        return Opening((), {**letter.replies, **refused, **dict.fromkeys(taken, data)})
    return Opening(taken, {**letter.replies, **refused})


# --- our words -------------------------------------------------------------------------------------------------------


def load_envelope(envelope: Envelope, limit: int, extensions: frozenset[str]) -> Loaded | Carried:
    """What goes over the wire, or what becomes of a letter that no server needs to be asked for."""
    body = end_lines(envelope.body)
    sender = write_path(envelope.sender)
    paths = {one: write_path(one) for one in envelope.recipients}
    known = {one: path for one, path in paths.items() if path is not None}
    wide = not all(each.isascii() for each in (sender or b"", *known.values(), body.partition(b"\r\n\r\n")[0]))
    for holds, reply, code in (
        (sender is None and envelope.sender != "", BAD_SENDER, ""),
        (not known, BAD_RECIPIENT, ""),
        (wide and "smtputf8" not in extensions, NO_UTF8, NEEDS_UTF8),
        (0 < limit < len(body), NO_ROOM, TOO_LARGE),
    ):
        if holds:
            return Carried(envelope, dict.fromkeys(envelope.recipients, reply), code=code)
    notice = b" NOTIFY=SUCCESS,FAILURE,DELAY" if envelope.notify and "dsn" in extensions else b""
    return Loaded(
        envelope,
        b"MAIL FROM:<%b>%b\r\n" % (sender or b"", write_parameters(envelope, body, wide, extensions)),
        {one: b"RCPT TO:<%b>%b\r\n" % (path, notice) for one, path in known.items()},
        double_dots(body) + LONE_DOT,
        dict.fromkeys(paths.keys() - known.keys(), BAD_RECIPIENT),
    )


def write_path(address: str) -> bytes | None:
    """An address with its domain in ASCII (RFC 5890); None for one that no path holds or that could end its command.

    It is looked at as it will be sent: in a domain, wide forms of brackets and spaces become the real ones.
    """
    local, _, domain = address.rpartition("@")
    path = f"{local}@{encode_domain(domain)}"
    usable = local and not path.endswith("@") and path.isprintable() and not set(path) & set(" <>")
    written = path.encode() if usable else b""
    return written if 0 < len(written) <= LONGEST_ADDRESS else None


def write_parameters(envelope: Envelope, body: bytes, wide: bool, extensions: frozenset[str]) -> bytes:
    """Of MAIL: RFC 1870, 6152, 6531 and 3461, as far as the server knows them."""
    notify, envid = envelope.notify and "dsn" in extensions, write_xtext(envelope.envid)
    known = (
        (b" SIZE=%d" % len(body), "size" in extensions),
        (b" BODY=8BITMIME", not body.isascii() and "8bitmime" in extensions),
        (b" SMTPUTF8", wide),
        (b" RET=HDRS", notify),
        (b" ENVID=%b" % envid, notify and 0 < len(envid) <= LONGEST_ENVID),
    )
    return b"".join(parameter for parameter, holds in known if holds)


def write_xtext(text: str) -> bytes:
    """RFC 3461 §4; nothing for what is not printable ASCII, which no report could hold."""
    if not (text.isascii() and text.isprintable()):
        return b""
    return "".join(f"+{ord(one):02X}" if one in " +=" else one for one in text).encode()


def end_lines(body: bytes) -> bytes:
    """Every line, the last one too, ended by CRLF: a bare CR or LF ends a letter on some servers and not on others."""
    if not body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n"):
        body = _BARE.sub(b"\r\n", body)
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def double_dots(body: bytes) -> bytes:
    """RFC 5321 §4.5.2."""
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
