"""Real mail servers on free loopback ports of this process, for the demo and the tests.

    with ImapServer({"support": "secret"}) as imap, SmtpSink() as smtp, WebhookSink() as hook:
        deliver(imap, "support", b"Subject: hello\\r\\n\\r\\nhello\\r\\n")

They speak the real protocols (pymap, aiosmtpd, http.server) and forget everything when they stop. Nothing
here is fit to face a network: passwords are kept in clear and only 127.0.0.1 is served.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult
from imapclient import IMAPClient
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxSet
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

HOST = "127.0.0.1"
FOLDERS = ("Drafts", "Junk", "Sent")
Security = Literal["none", "starttls", "tls"]


class LoopServer:
    """A server on an event loop and a thread of its own; a context manager that leaves nothing running."""

    host = HOST

    def __init__(self, *, security: Security = "none", tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.port = port  # 0 until started: then the free port found
        self._security = security
        self._tls = tls
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self.clients: WeakSet[asyncio.WriteTransport] = WeakSet()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run_thread, name=type(self).__name__, daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def listen(self) -> asyncio.Server:
        """Open the server's socket; each kind of server does it in its own way."""
        raise NotImplementedError

    @property
    def wrapping(self) -> ssl.SSLContext | None:
        """The context for TLS from the first byte."""
        return self._tls if self._security == "tls" else None

    @property
    def upgrading(self) -> ssl.SSLContext | None:
        """The context that STARTTLS switches to."""
        return self._tls if self._security == "starttls" else None

    def _run_thread(self) -> None:
        asyncio.run(self._serve_clients())

    async def _serve_clients(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _loop, _context: None)  # clients come and go as they like
        self._stopping = asyncio.Event()
        try:
            server = await self.listen()
        except OSError as failure:
            self._failure = failure
        else:
            self.port = server.sockets[0].getsockname()[1]
        finally:
            self._ready.set()
        if not self._failure:
            await self._stopping.wait()
            await self._close_door(server)
            await self._dismiss_clients()

    async def _close_door(self, server: asyncio.Server) -> None:
        """Accept nobody more, and let those just accepted in: asyncio forgets their sockets if it closes first."""
        for door in server.sockets:
            self._loop.remove_reader(door.fileno())
        await run_rounds()
        server.close()

    async def _dismiss_clients(self) -> None:
        """End every conversation, however far it is, so that no socket outlives its server."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in list(self.clients):
            transport.abort()
        await run_rounds()


async def run_rounds() -> None:
    """Let the loop carry out what it has put off: greeting clients, closing sockets."""
    for _ in range(10):
        await asyncio.sleep(0)


class DemoConfig(Config):
    """pymap without passwords to hash, host names to look up or threads of its own."""

    @property
    def greeting(self) -> bytes:
        return b"Server ready"


class ImapServer(LoopServer):
    """An IMAP server (pymap, in memory) with these users and their passwords.

    Every mailbox has an INBOX and `folders`. With security `starttls` or `tls`, hand it the context of a
    certificate; as real servers do, it refuses LOGIN before STARTTLS.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        folders: Sequence[str] = FOLDERS,
        *,
        security: Security = "none",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(security=security, tls=tls, port=port)
        self.users = dict(users)
        self.folders = tuple(folders)

    async def listen(self) -> asyncio.Server:
        config = self._configure()
        config.apply_context()
        login = Login(config)
        for user, password in self.users.items():
            login.users_dict[user] = UserMetadata(config, user, password=password)
            config.set_cache[user] = (await make_folders(self.folders), FilterSet())
        proxied = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(login, config))

        async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.clients.add(writer.transport)
            await proxied(reader, writer)

        return await asyncio.start_server(welcome, HOST, self.port, ssl=self.wrapping)

    def _configure(self) -> DemoConfig:
        return DemoConfig(
            Namespace(proxy_protocol=None, passlib_cfg=None),
            host=HOST,
            port=self.port,
            demo_data=False,
            demo_user="",
            demo_password="",
            ssl_context=self._tls,
            tls_enabled=self._security == "starttls",
            hash_context=Cleartext(),
            cpu_subsystem=Subsystem.for_asyncio(),
            invalid_user_sleep=0.0,
            reject_dnsbl=False,
        )


async def make_folders(names: Iterable[str]) -> MailboxSet:
    folders = MailboxSet()
    for name in names:
        await folders.add_mailbox(name)
    return folders


@contextmanager
def open_mailbox(imap: ImapServer, user: str) -> Iterator[IMAPClient]:
    """A signed-in client, for looking into a mailbox of an unencrypted ImapServer."""
    with IMAPClient(imap.host, imap.port, ssl=False, timeout=10) as client:
        # without this the kernel holds the second packet of an APPEND back for an ACK: 44 ms each
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client._imap.debug = 0
        client.login(user, imap.users[user])
        yield client


def deliver(imap: ImapServer, user: str, raw: bytes, folder: str = "INBOX") -> None:
    """Put one mail (bytes with CRLF) into a folder, unseen, as a mail server would on arrival."""
    deliver_all(imap, user, [raw], folder)


def deliver_all(imap: ImapServer, user: str, raws: Iterable[bytes], folder: str = "INBOX") -> None:
    """Put many mails into a folder over one connection."""
    with open_mailbox(imap, user) as client:
        for raw in raws:
            client.append(folder, raw)


def read_folder(imap: ImapServer, user: str, folder: str = "INBOX") -> dict[int, bytes]:
    """Every mail of a folder by its UID; looking leaves no mark."""
    with open_mailbox(imap, user) as client:
        client.select_folder(folder, readonly=True)
        found = client.fetch(client.search("ALL"), ["BODY.PEEK[]"])
        return {uid: bytes(parts[b"BODY[]"]) for uid, parts in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail the sink took: its envelope, and its bytes as they came over the wire."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass(slots=True)
class Manners:
    """How a sink behaves; change it while it runs.

    `refusals`  beginning of a recipient's address → the reply it gets.
    `reply`     reply to the end of DATA instead of 250; empty: the mail is accepted.
    `drops`     that many mails are followed by a broken connection instead of a reply,
    `keeps`     … and were kept all the same: what makes a letter's fate unknown.
    """

    refusals: dict[str, str] = field(
        default_factory=lambda: {"refused": "550 5.1.1 No such user", "later": "451 4.7.1 Try again later"}
    )
    reply: str = ""
    drops: int = 0
    keeps: bool = True


class SinkProtocol(SMTP):
    """aiosmtpd, known to its server from the first moment on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.clients.add(transport)
        super().connection_made(transport)


class SmtpSink(LoopServer):
    """An SMTP server (aiosmtpd) that keeps every mail in `accepted` and, if told so, as files in `folder`.

    With `users`, AUTH PLAIN or LOGIN is needed before MAIL; `max_bytes` is what EHLO announces as SIZE.
    """

    def __init__(
        self,
        users: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
        max_bytes: int = 33_554_432,
        security: Security = "none",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(security=security, tls=tls, port=port)
        self.users = dict(users or {})
        self.folder = folder
        self.max_bytes = max_bytes
        self.manners = Manners()
        self.accepted: list[Accepted] = []
        self.commands: list[str] = []  # verbs seen, for tests that ask what was *not* said

    async def listen(self) -> asyncio.Server:
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # it warns of its own attributes
        return await self._loop.create_server(self._greet_client, HOST, self.port, ssl=self.wrapping)

    def _greet_client(self) -> SMTP:
        return SinkProtocol(
            self,
            hostname="sink.invalid",
            loop=self._loop,
            data_size_limit=self.max_bytes,
            enable_SMTPUTF8=True,
            tls_context=self.upgrading,
            require_starttls=self.upgrading is not None,
            auth_require_tls=False,
            auth_exclude_mechanism=() if self.users else ("PLAIN", "LOGIN"),
            authenticator=self._authenticate,
        )

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _how: str, said: Any) -> AuthResult:
        known = self.users.get(said.login.decode())
        return AuthResult(success=known is not None and known == said.password.decode(), handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's own name
        self, _server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.commands.append("MAIL")
        if self.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from, envelope.mail_options = address, options
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        for beginning, reply in self.manners.refusals.items():
            if address.startswith(beginning):
                return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        manners = self.manners
        if manners.reply:
            return manners.reply
        if manners.drops == 0 or manners.keeps:
            self._keep_mail(Accepted(envelope.mail_from or "", tuple(envelope.rcpt_tos), envelope.content))
        if manners.drops:
            manners.drops -= 1
            server.transport.abort()
            await asyncio.Event().wait()  # aiosmtpd ends this conversation as soon as it sees the loss
        return "250 2.0.0 OK"

    def _keep_mail(self, mail: Accepted) -> None:
        self.accepted.append(mail)
        if self.folder:
            (self.folder / f"{len(self.accepted):06}.eml").write_bytes(mail.raw)


@dataclass(frozen=True, slots=True)
class Posted:
    path: str
    headers: Mapping[str, str]
    body: bytes


class WebhookSink:
    """An HTTP server that answers every POST with `status` and keeps it in `posts`."""

    host = HOST

    def __init__(self, *, status: int = 204, port: int = 0) -> None:
        self.status = status
        self.posts: list[Posted] = []
        self.port = port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hook"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer((HOST, self.port), record_posts(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def record_posts(sink: WebhookSink) -> type[BaseHTTPRequestHandler]:
    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sink.posts.append(Posted(self.path, dict(self.headers.items()), body))
            self.send_response(sink.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the sink is asked, it does not report."""

    return Recorder
