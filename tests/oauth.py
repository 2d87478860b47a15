"""An OAuth2 token endpoint, and mail servers that take its tokens, on loopback."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import chown, getuid
from pathlib import Path
from pwd import getpwnam
from typing import Any, Self
from urllib.parse import parse_qs

import jwt
import pytest
from aiosmtpd.smtp import AuthResult
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from imapclient import IMAPClient

from demo.servers import HOST, SmtpSink

USER = "support@atelier.example"
TENANT, APP, SECRET, REFRESH = "tenant-1", "app-1", "app secret", "refresh 0"
SERVICE = "desk@project.example"
AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth names it whatever the key's token_uri says
DELIVERY = "deliver"  # the password under which tests put mail into Dovecot

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
        owner = read_subject(form["assertion"]) if kind.endswith("jwt-bearer") else USER
        return 200, self._make_answer(owner, kind)

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


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A private Dovecot that takes tokens, and the DELIVERY password."""

    port: int

    def deliver(self, *raws: bytes, user: str = USER) -> None:
        with IMAPClient(HOST, self.port, ssl=False, timeout=20) as client:
            client.login(user, DELIVERY)
            for raw in raws:
                client.append("INBOX", raw)


CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
listen = 127.0.0.1
protocols = imap
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain xoauth2
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
mailbox_list_index = no
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf.ext
}}
passdb {{
  driver = static
  mechanisms = plain
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    auto = create
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""
TOKENS = """
introspection_mode = post
introspection_url = {url}/introspect
username_attribute = email
active_attribute = active
active_value = true
"""


@contextmanager
def run_dovecot(tokens: TokenServer) -> Iterator[Dovecot]:
    """Skips the test where Dovecot is missing and can't be installed."""
    if not find_dovecot():
        pytest.skip("no Dovecot here: it wants root and Debian's dovecot-imapd")
    with tempfile.TemporaryDirectory(prefix="byreturn-dovecot-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), find_port()
        write_config(folder, port, tokens)
        program = ["dovecot", "-c", str(folder / "dovecot.conf")]
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
        try:
            yield Dovecot(port)  # it went into the background with its door open
        finally:
            subprocess.run(["doveadm", *program[1:], "stop"], check=True, capture_output=True, timeout=30)


def write_config(folder: Path, port: int, tokens: TokenServer) -> None:
    owner = getpwnam("mail")
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    (folder / "run").mkdir()
    filled = CONFIG.format(folder=folder, port=port, password=DELIVERY, uid=owner.pw_uid, gid=owner.pw_gid)
    (folder / "dovecot.conf").write_text(filled)
    (folder / "oauth2.conf.ext").write_text(TOKENS.format(url=tokens.url))


def find_dovecot() -> bool:
    """Whether Dovecot can be run here; it is installed if it may be."""
    if getuid() != 0:
        return False
    if not shutil.which("dovecot") and shutil.which("apt-get"):
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "dovecot-imapd"]
        subprocess.run(install, check=False, capture_output=True, timeout=180)
    return bool(shutil.which("dovecot"))


def find_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
