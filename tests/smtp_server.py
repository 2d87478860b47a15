"""An SMTP server that does what its script says, on a loopback port: real sockets, a thread for each client.

    with ScriptedSmtp(Script(replies={"RCPT TO:<bob@": "550 5.1.1 unknown"})) as server:
        …
    assert [letter.recipients for letter in server.letters] == [("ann@school.example",)]

It takes what it is given like a relay that asks nobody; the script tells what it offers, refuses and breaks.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import struct
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")
ADVANCE = b"354 go ahead\r\n"
PATIENCE = 20.0  # seconds for a client, and for a test to let go of what it holds
Security = Literal["none", "tls", "starttls"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was accepted; parameters as they were written, `raw` without the doubled dots."""

    connection: int  # the first is 1
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    mail_parameters: tuple[str, ...] = ()
    rcpt_parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tls: str = ""  # "TLSv1.3"; empty: in clear
    mechanism: str = ""  # PLAIN, LOGIN or XOAUTH2; empty: nobody signed in
    user: str = ""

    @property
    def message_id(self) -> str:
        lines = self.raw.partition(b"\r\n\r\n")[0].decode().splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("message-id:")), "")


@dataclass(slots=True)
class Script:
    """What a server offers and how it misbehaves; change it while it runs.

    `replies`     beginning of a command ("." is the end of a body) → the reply it gets; an empty one is none at all,
                  several lines are several replies. The first that fits counts; "421 …" ends the connection.
    `drops`       (point, number): the connection breaks when that point is reached for the so-manieth time, counted
                  over all connections. Points: "greeting", "MAIL", "RCPT", "DATA" (before the reply of each), "354"
                  (after it), "body" (in the middle of it), "." (before its reply), "answer" (after its reply).
    `keeps`       a letter whose end was read before the connection broke is kept all the same.
    `abrupt`      it breaks by a reset, as from a machine that died; else it is closed, which only a reader sees.
    `holds`       (point, number), as above: where a client waits until `release()`; `held` is set when it is there.
    `delays`      beginning of a command → seconds before its reply.
    `rule`        sender and command → its reply, asked where `replies` has none.
    `flushes`     throws away what came together with a command, though it announced PIPELINING.
    `garbles`     beginning of a command → its reply when more came together with it, again against PIPELINING.
    `breaks_bodies`  a reply in the middle of a body, after which the connection ends.
    `injected`    bytes sent in clear right after the reply to STARTTLS.
    """

    extensions: tuple[str, ...] = EXTENSIONS
    size: int = 33_554_432
    replies: dict[str, str] = field(default_factory=dict)
    drops: set[tuple[str, int]] = field(default_factory=set)
    keeps: bool = True
    abrupt: bool = True
    holds: tuple[str, int] = ("", 0)
    delays: dict[str, float] = field(default_factory=dict)
    rule: Callable[[str, str], str | None] | None = None
    flushes: bool = False
    garbles: dict[str, str] = field(default_factory=dict)
    breaks_bodies: str = ""
    injected: bytes = b""


class Dropped(Exception):
    """The script breaks the connection here."""


class ScriptedSmtp:
    """Serves until the block ends. `users` sign in by PLAIN or LOGIN, `tokens` (token → user) by XOAUTH2."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        security: Security = "none",
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        newest_tls: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ) -> None:
        self.script = script or Script()
        self.security, self.users, self.tokens = security, dict(users or {}), dict(tokens or {})
        self.tls = make_server_context(newest_tls) if security != "none" else None
        self.letters: list[Letter] = []
        self.commands: list[tuple[int, str]] = []  # connection and line, without secrets
        self.rushed: list[str] = []  # commands that were sent before the one ahead of them had its reply
        self.behind_bodies = 0  # letters behind whose end something else was there already
        self.dropped = threading.Event()
        self.challenged: list[bytes] = []  # what was said to the challenge of a refused token
        self.connections = 0
        self.reached: Counter[str] = Counter()
        self.held, self._released = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)

    @property
    def verbs(self) -> list[str]:
        return [line.split(" ")[0].split(":")[0].upper() for _, line in self.commands]

    def release(self) -> None:
        """Let go who waits at `holds`, now and later."""
        self._released.set()

    def wait_idle(self) -> None:
        """Until nobody is connected."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._clients, PATIENCE)

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._start_thread(self._welcome_clients)
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        hang_up(self._listener)
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            hang_up(client)
        for thread in self._threads:
            thread.join(PATIENCE)

    def pass_point(self, point: str) -> None:
        """Hold or break where the script says so."""
        with self._lock:
            self.reached[point] += 1
            number = self.reached[point]
        if self.script.holds == (point, number):
            self.held.set()
            self._released.wait(PATIENCE)
        if (point, number) in self.script.drops:
            raise Dropped

    def _start_thread(self, run: object, *given: object) -> None:
        thread = threading.Thread(target=run, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _welcome_clients(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.settimeout(PATIENCE)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                with self._lock:
                    self._clients.add(client)
                self._start_thread(self._serve_client, client, self.connections)

    def _serve_client(self, client: socket.socket, number: int) -> None:
        session = Session(self, client, number)
        try:
            with suppress(OSError, EOFError):
                session.serve()
        except Dropped:
            linger = struct.pack("ii", self.script.abrupt, 0)
            with suppress(OSError):
                session.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        finally:
            session.client.close()
            self.dropped.set()
            with self._idle:
                self._clients.discard(client)
                self._idle.notify_all()


class Session:
    """One client's connection."""

    def __init__(self, server: ScriptedSmtp, client: socket.socket, number: int) -> None:
        self.server, self.client, self.number = server, client, number
        self.unread = b""
        self.tls = self.mechanism = self.user = ""
        self.closing = False
        self.reset()

    @property
    def script(self) -> Script:
        return self.server.script

    def reset(self) -> None:
        self.sender: str | None = None
        self.mail_parameters: tuple[str, ...] = ()
        self.recipients: dict[str, tuple[str, ...]] = {}

    # --- wire

    def read_some(self) -> None:
        came = self.client.recv(65536)
        if not came:
            raise EOFError
        self.unread += came

    def read_line(self) -> str:
        while b"\n" not in self.unread:
            self.read_some()
        line, _, self.unread = self.unread.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def read_body(self) -> bytes:
        """Up to the lone dot, dots undoubled; only CRLF ends a line here."""
        if not self.unread:
            self.read_some()
        self.server.pass_point("body")
        if self.script.breaks_bodies:
            self.say(self.script.breaks_bodies)
            raise EOFError
        body, self.unread = b"\r\n" + self.unread, b""
        while (end := body.find(b"\r\n.\r\n")) < 0:
            self.read_some()
            body, self.unread = body + self.unread, b""
        body, self.unread = body[: end + 2], body[end + 5 :]
        self.server.behind_bodies += bool(self.unread)
        return body.replace(b"\r\n.", b"\r\n")[2:]

    def say(self, reply: str) -> None:
        self.client.sendall("".join(f"{one}\r\n" for one in reply.split("\n")).encode())
        self.closing |= reply.startswith("421")

    def has_more(self) -> bool:
        return bool(self.unread) or bool(select.select([self.client], [], [], 0)[0])

    def flush(self) -> None:
        while self.has_more():
            self.unread = b""
            if select.select([self.client], [], [], 0)[0]:
                self.read_some()

    # --- dialogue

    def serve(self) -> None:
        if self.server.security == "tls":
            self.encrypt()
        self.server.pass_point("greeting")
        self.say("220 scripted.example ESMTP")
        while not self.closing:
            self.answer(self.read_line())

    def encrypt(self) -> None:
        assert self.server.tls is not None
        with suppress(AttributeError):
            self.client = self.server.tls.wrap_socket(self.client, server_side=True)
        self.tls = str(getattr(self.client, "version", str)())

    def answer(self, line: str) -> None:
        verb = line.split(" ")[0].upper()
        self.server.commands.append((self.number, "AUTH" if verb == "AUTH" else line))
        reply = self.find_reply(line, rushed=verb not in ("QUIT", "AUTH") and self.note_rush(line))
        if verb in ("MAIL", "RCPT", "DATA"):
            self.server.pass_point(verb)
        self.wait_for(line)
        if reply is None:
            getattr(self, f"do_{verb.lower()}", self.do_unknown)(line.partition(" ")[2])
        elif reply[:1] in ("2", "") and (verb == "MAIL" or (verb == "RCPT" and self.sender is not None)):
            self.note_path(verb, line)
        if reply:
            self.say(reply)
        if reply is not None and reply.startswith("354"):
            self.take_body()

    def note_rush(self, line: str) -> bool:
        """Whether more came together with this line."""
        rushed = self.has_more()
        if rushed and self.script.flushes:
            self.flush()
        elif rushed:
            self.server.rushed.append(line)
        return rushed

    def find_reply(self, line: str, *, rushed: bool = False) -> str | None:
        """None: what a server should say; empty: nothing at all."""
        tables = (self.script.garbles if rushed else {}, self.script.replies)
        known = (reply for table in tables for start, reply in table.items() if line.upper().startswith(start.upper()))
        return next(known, self.script.rule(self.sender or read_path(line)[0], line) if self.script.rule else None)

    def wait_for(self, line: str) -> None:
        seconds = next((each for start, each in self.script.delays.items() if line.upper().startswith(start)), 0.0)
        if seconds:
            threading.Event().wait(seconds)

    def do_unknown(self, _: str) -> None:
        self.say("500 5.5.2 unknown command")

    def do_ehlo(self, _: str) -> None:
        self.reset()
        offers = [*self.script.extensions]
        offers += [f"SIZE {self.script.size}"] if self.script.size else []
        offers += ["STARTTLS"] if self.server.security == "starttls" and not self.tls else []
        mechanisms = [*(["PLAIN", "LOGIN"] if self.server.users else []), *(["XOAUTH2"] if self.server.tokens else [])]
        offers += [f"AUTH {' '.join(mechanisms)}"] if mechanisms else []
        lines = ["scripted.example", *offers]
        said = [f"250{'-' if at + 1 < len(lines) else ' '}{line}\r\n" for at, line in enumerate(lines)]
        self.client.sendall("".join(said).encode())

    def do_helo(self, _: str) -> None:
        self.reset()
        self.say("250 scripted.example")

    def do_starttls(self, _: str) -> None:
        self.client.sendall(b"220 2.0.0 go ahead\r\n" + self.script.injected)
        self.unread = b""
        self.encrypt()

    def do_noop(self, _: str) -> None:
        self.say("250 2.0.0 OK")

    def do_rset(self, _: str) -> None:
        self.reset()
        self.say("250 2.0.0 OK")

    def do_quit(self, _: str) -> None:
        self.say("221 2.0.0 bye")
        self.closing = True

    # --- sign-in

    def do_auth(self, said: str) -> None:
        mechanism, _, first = said.partition(" ")
        way = {"PLAIN": self.enter_plain, "LOGIN": self.enter_login, "XOAUTH2": self.enter_token}[mechanism.upper()]
        self.user = way(first)
        self.mechanism = mechanism.upper() if self.user else ""
        self.say("235 2.7.0 welcome" if self.user else "535 5.7.8 not you")

    def ask(self, challenge: str) -> str:
        self.say(f"334 {base64.b64encode(challenge.encode()).decode()}")
        return self.read_line()

    def enter_plain(self, first: str) -> str:
        _, user, password = base64.b64decode(first or self.ask("")).decode().split("\0")
        return user if self.server.users.get(user) == password else ""

    def enter_login(self, first: str) -> str:
        user = base64.b64decode(first or self.ask("Username:")).decode()
        password = base64.b64decode(self.ask("Password:")).decode()
        return user if self.server.users.get(user) == password else ""

    def enter_token(self, first: str) -> str:
        user, bearer, *_ = base64.b64decode(first or self.ask("")).decode().split("\1")
        if self.server.tokens.get(bearer.removeprefix("auth=Bearer ")) == user.removeprefix("user="):
            return user.removeprefix("user=")
        self.server.challenged.append(self.ask('{"status":"401"}').encode())
        return ""

    # --- letters

    def do_mail(self, said: str) -> None:
        if (self.server.users or self.server.tokens) and not self.user:
            return self.say("530 5.7.0 sign in first")
        if self.sender is not None:
            return self.say("503 5.5.1 there is a sender already")
        self.note_path("MAIL", said)
        return self.say("250 2.1.0 OK")

    def do_rcpt(self, said: str) -> None:
        if self.sender is None:
            return self.say("503 5.5.1 no sender yet")
        self.note_path("RCPT", said)
        return self.say("250 2.1.5 OK")

    def note_path(self, verb: str, said: str) -> None:
        path, parameters = read_path(said)
        if verb == "MAIL":
            self.sender, self.mail_parameters = path, parameters
        else:
            self.recipients[path] = parameters

    def do_data(self, _: str) -> None:
        if not self.recipients:
            return self.say("503 5.5.1 no recipient yet")
        self.client.sendall(ADVANCE)
        return self.take_body()

    def take_body(self) -> None:
        self.server.pass_point("354")
        raw = self.read_body()
        letter = Letter(
            self.number, self.sender or "", tuple(self.recipients), raw, self.mail_parameters, dict(self.recipients),
            self.tls, self.mechanism, self.user,
        )  # fmt: skip
        reply = self.find_reply(".") if letter.recipients else "554 5.5.1 no valid recipients"
        self.reset()
        self.wait_for(".")
        self.keep_letter(letter, reply)
        self.server.pass_point("answer")

    def keep_letter(self, letter: Letter, reply: str | None) -> None:
        accepted = not reply or reply.startswith("2")
        if accepted and self.script.keeps:
            self.server.letters.append(letter)
        self.server.pass_point(".")
        if accepted and not self.script.keeps:
            self.server.letters.append(letter)
        if self.script.flushes:
            self.flush()
        if reply != "":
            self.say(reply or "250 2.0.0 kept")


def read_path(said: str) -> tuple[str, tuple[str, ...]]:
    """The address between the brackets, and the parameters behind."""
    path, _, parameters = said.partition("<")[2].partition(">")
    return path, tuple(parameters.split())


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@lru_cache(1)
def make_certificate() -> bytes:
    """Key and certificate for 127.0.0.1, which vouches for itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def make_server_context(newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A server's side of TLS, up to a version; old ones need OpenSSL's lowest security level."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        Path(file.name).write_bytes(make_certificate())
        context.load_cert_chain(file.name)
    if newest in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = newest
    return context
