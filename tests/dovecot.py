"""A private Dovecot of a test's own: Debian's package, its files in a folder of ours, the system's left alone.

with run_dovecot({"support": "secret"}) as dovecot:
    dovecot.deliver("support", b"Subject: hello\\r\\n\\r\\nhello\\r\\n")
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path

import pytest
from imapclient import IMAPClient

from demo.house import end_process, find_port

HOST = "127.0.0.1"
OWNER = "mail"  # of the mails: a user that every Debian has
STARTED = 20.0  # seconds until it must answer
PROGRAM = "/usr/sbin/dovecot"
SERIAL = count()

CONFIG = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/dovecot.log
listen = 127.0.0.1
protocols = imap
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 100
auth_failure_delay = 0
auth_mechanisms = {mechanisms}
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  client_limit = 200
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service imap {{
  process_min_avail = 2
  service_count = 100
}}
{more}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running server with its users and their passwords."""

    home: Path
    port: int
    users: Mapping[str, str]
    host: str = HOST

    @contextmanager
    def open(self, user: str) -> Iterator[IMAPClient]:
        with IMAPClient(self.host, self.port, ssl=False, timeout=20) as client:
            client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.login(user, self.users[user])
            yield client

    def deliver(self, user: str, *raws: bytes, folder: str = "INBOX") -> None:
        """As another client would: APPEND, into a folder that is made when it is missing."""
        with self.open(user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            for raw in raws:
                client.append(folder, raw)

    def drop(self, user: str, raws: Iterable[bytes]) -> None:
        """Many at once into the INBOX, as a mail transfer agent does: files in the Maildir."""
        owner = pwd.getpwnam(OWNER)
        for name in ("Maildir/tmp", "Maildir/new", "Maildir/cur"):
            (self.home / "mail" / user / name).mkdir(parents=True, exist_ok=True)
        for raw in raws:
            file = self.home / "mail" / user / f"Maildir/new/1700000000.{next(SERIAL):07}.test"
            file.write_bytes(raw)
            os.chown(file, owner.pw_uid, owner.pw_gid)
        for folder in ("", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            os.chown(self.home / "mail" / user / folder, owner.pw_uid, owner.pw_gid)

    def read(self, user: str, folder: str = "INBOX") -> dict[int, bytes]:
        """Every mail of a folder as it lies there, by UID."""
        with self.open(user) as client:
            client.select_folder(folder, readonly=True)
            uids = client.search("ALL")
            found = client.fetch(uids, ["BODY.PEEK[]"]) if uids else {}
            return {int(uid): bytes(found[uid][b"BODY[]"]) for uid in uids}

    def read_flags(self, user: str, folder: str = "INBOX") -> dict[int, set[bytes]]:
        with self.open(user) as client:
            client.select_folder(folder, readonly=True)
            uids = client.search("ALL")
            flags = client.get_flags(uids) if uids else {}
            return {int(uid): set(one) - {b"\\Recent"} for uid, one in flags.items()}


@contextmanager
def run_dovecot(users: Mapping[str, str], *, mechanisms: str = "plain login", more: str = "") -> Iterator[Dovecot]:
    """Started and stopped; `more` goes to the end of its configuration. Skips the test where there can be none."""
    need_dovecot()
    with tempfile.TemporaryDirectory(prefix="byreturn-dovecot-", ignore_cleanup_errors=True) as folder:
        home, port = Path(folder), find_port()
        write_files(home, port, users, mechanisms, more)
        with (home / "out.log").open("wb") as out:
            child = subprocess.Popen([PROGRAM, "-F", "-c", str(home / "dovecot.conf")], stdout=out, stderr=out)
        try:
            wait_open(port, child, home)
            yield Dovecot(home, port, users)
        finally:
            end_process(child)


def write_files(home: Path, port: int, users: Mapping[str, str], mechanisms: str, more: str) -> None:
    home.chmod(0o755)  # its processes are another user's
    owner = pwd.getpwnam(OWNER)
    for name in ("run", "mail"):
        (home / name).mkdir()
    os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
    (home / "users").write_text("".join(f"{user}:{{PLAIN}}{word}\n" for user, word in users.items()))
    text = CONFIG.format(home=home, port=port, uid=owner.pw_uid, gid=owner.pw_gid, mechanisms=mechanisms, more=more)
    (home / "dovecot.conf").write_text(text)


def wait_open(port: int, child: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + STARTED
    while child.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((HOST, port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"Dovecot did not start: {(home / 'out.log').read_text()}")


def need_dovecot() -> None:
    """Skip, in one line, where Dovecot is not and can't be installed."""
    trouble = install_dovecot()
    if trouble:
        pytest.skip(f"no Dovecot: {trouble}")


@lru_cache(maxsize=1)
def install_dovecot() -> str:
    """Debian's package, once; what stands in the way, empty when it is there."""
    if os.geteuid() != 0:
        return "its processes need root to be started"
    if Path(PROGRAM).exists():
        return ""
    if not shutil.which("apt-get"):
        return "this is no Debian (apt-get install dovecot-imapd)"
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "dovecot-imapd"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=env, capture_output=True, timeout=180, check=False)
    return "" if done.returncode == 0 and Path(PROGRAM).exists() else "apt-get install dovecot-imapd failed"
