"""An OAuth2 token endpoint, and mail servers that take its tokens, on loopback."""

from __future__ import annotations

import base64
import json
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import jwt
from aiosmtpd.smtp import AuthResult
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from demo.servers import HOST, SmtpSink
from tests.dovecot import Dovecot, run_dovecot

USER = "support@atelier.example"
TENANT, APP, SECRET, REFRESH = "tenant-1", "app-1", "app secret", "refresh 0"
SERVICE = "desk@project.example"
AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth names it whatever the key's token_uri says

Form = Mapping[str, str]


@dataclass(slots=True)
class Manners:
    """How the endpoint behaves; change it while it runs."""

    lifetime: int = 3600  # seconds of a token
    rotates: bool = False  # hands out a new refresh token each time
    status: int = 200  # anything else is answered with `says`
    says: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class TokenServer:
    """Speaks the client credentials, refresh token and JWT bearer grants, and introspection (RFC 7662)."""

    def __init__(self) -> None:
        self.manners = Manners()
        self.asked: list[Form] = []  # every form that the token endpoint was sent
        self.refresh = REFRESH
        self.app_mailbox = USER  # that the app's tokens may enter
        self.tokens: dict[str, str] = {}  # valid tokens and the mailbox that each may enter

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer((HOST, 0), make_handler(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def describe(self, path: str) -> tuple[int, object]:
        """OpenID discovery of a tenant (msal takes nothing but https in it)."""
        if not path.startswith(f"/{TENANT}/"):
            return 400, {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}
        site = f"https://{HOST}:{self.port}/{TENANT}"
        return 200, {"issuer": site, "authorization_endpoint": f"{site}/authorize", "token_endpoint": f"{site}/token"}

    def answer(self, path: str, form: Form) -> tuple[int, object]:
        if path == "/introspect":
            owner = self.tokens.get(form["token"], "")
            return 200, {"active": bool(owner), "email": owner}
        self.asked.append(form)
        if self.manners.status != 200:
            return self.manners.status, self.manners.says
        return self.grant(form)

    def grant(self, form: Form) -> tuple[int, object]:
        if form.get("client_secret", SECRET) != SECRET:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
        kind = form["grant_type"]
        if kind == "refresh_token" and form["refresh_token"] != self.refresh:
            return 400, {"error": "invalid_grant", "error_description": "AADSTS700082: The refresh token has expired."}
        return 200, self._make_answer(self._find_owner(kind, form), kind)

    def _find_owner(self, kind: str, form: Form) -> str:
        if kind.endswith("jwt-bearer"):
            return read_subject(form["assertion"])
        return self.app_mailbox if kind == "client_credentials" else USER

    def _make_answer(self, owner: str, kind: str) -> dict[str, object]:
        token = uuid.uuid4().hex
        self.tokens[token] = owner
        answer: dict[str, object] = {
            "access_token": token, "token_type": "Bearer", "expires_in": self.manners.lifetime
        }  # fmt: skip
        if kind == "refresh_token" and self.manners.rotates:
            self.refresh = f"refresh {len(self.asked)}"
            answer["refresh_token"] = self.refresh
        return answer


def make_handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*server.describe(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._reply(*server.answer(self.path, form))

        def _reply(self, status: int, content: object) -> None:
            raw = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(raw)), **server.manners.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing: the server is asked, it does not report."""

    return Handler


@lru_cache(maxsize=1)
def service_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_key_file(token_uri: str) -> str:
    """What Google's console gives for a service account."""
    pem = service_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps({
        "type": "service_account", "client_email": SERVICE, "private_key_id": "1", "private_key": pem.decode(),
        "token_uri": token_uri,
    })  # fmt: skip


def read_subject(assertion: str) -> str:
    """Whom the service account acts for; its signature is checked."""
    told = jwt.decode(assertion, service_key().public_key(), algorithms=["RS256"], audience=AUDIENCE, issuer=SERVICE)
    return str(told["sub"])


class TokenSink(SmtpSink):
    """An SMTP server that takes tokens; like the real ones it explains a refusal in a challenge."""

    def __init__(self, tokens: TokenServer) -> None:
        super().__init__({"nobody": "knows"})
        self.tokens = tokens
        self.answers: list[bytes] = []  # to the challenge of a refusal

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's own name
        user, token = read_xoauth2(args[1])
        if self.tokens.tokens.get(token) == user:
            return AuthResult(success=True, auth_data=user)
        self.answers.append(await server.challenge_auth('{"status":"400"}'))
        return AuthResult(success=False, handled=False)


def read_xoauth2(said: str) -> tuple[str, str]:
    user, bearer, *_ = base64.b64decode(said).decode().split("\1")
    return user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")


SETTINGS = """
introspection_mode = post
introspection_url = {url}/introspect
username_attribute = email
active_attribute = active
active_value = true
"""
PASSDB = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {settings}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


@contextmanager
def run_token_dovecot(tokens: TokenServer, *users: str) -> Iterator[Dovecot]:
    """A Dovecot that asks the token server about each token; passwords work as well."""
    with tempfile.NamedTemporaryFile("w", prefix="byreturn-oauth-", suffix=".conf.ext") as settings:
        settings.write(SETTINGS.format(url=tokens.url))
        settings.flush()
        Path(settings.name).chmod(0o644)  # Dovecot's processes are another user's
        more = PASSDB.format(settings=settings.name)
        with run_dovecot(dict.fromkeys(users, "password"), mechanisms="plain xoauth2", more=more) as running:
            yield running


class SessionEnder:
    """Stands before an IMAP server and ends each session at its so-manieth fetch of bodies, as Gmail does with a token.

    Every session gets its goodbye from `goodbyes`, in turn; an empty one breaks the connection without a word.
    """

    def __init__(self, behind: int, fetches: int, goodbyes: Sequence[bytes]) -> None:
        self.behind, self.fetches, self.goodbyes = behind, fetches, goodbyes
        self.sessions = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._welcome_clients, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _welcome_clients(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.sessions += 1
                with client, socket.create_connection((HOST, self.behind)) as server:
                    self._carry_session(client, server, self.goodbyes[(self.sessions - 1) % len(self.goodbyes)])

    def _carry_session(self, client: socket.socket, server: socket.socket, goodbye: bytes) -> None:
        answered = threading.Semaphore(0)
        back = threading.Thread(target=copy_lines, args=(server, client, answered), daemon=True)
        back.start()
        fetches = 0
        with client.makefile("rb") as lines:
            for line in lines:
                fetches += b"BODY.PEEK" in line
                if fetches > self.fetches:
                    for _ in range(self.fetches):  # a server works on one command after the other
                        answered.acquire(timeout=5)
                    client.sendall(goodbye)
                    client.shutdown(socket.SHUT_WR)
                    break
                server.sendall(line)
            hang_up(server)
            with suppress(OSError):
                for _ in lines:  # what is left unread would take back what was said last (RST)
                    pass
        back.join(5)


def copy_lines(source: socket.socket, target: socket.socket, answered: threading.Semaphore) -> None:
    """Pass on what the server says; `answered` counts its completed fetches of bodies."""
    with suppress(OSError), source.makefile("rb") as lines:
        for line in lines:
            target.sendall(line)
            if b" OK Fetch completed" in line and b"BODY" not in line:
                answered.release()
    hang_up(target)


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
