"""A private Dovecot on loopback for one run: a mailbox to measure, an empty one to warm up with."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient

from demo.house import find_port, run_process

PASSWORD = "bench"

# auth_failure_delay and mail_max_userip_connections: many short sessions of one user follow each other here.
CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/dovecot.log
listen = 127.0.0.1
protocols = imap
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
mail_max_userip_connections = 50
auth_failure_delay = 0
mail_plugins = zlib
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/home/%u
}}
mail_location = maildir:{home}/mail/%u:INDEX={home}/index/%u
protocol imap {{
  mail_plugins = zlib imap_zlib
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a peer finds the mailbox: loopback, plain text, user and PASSWORD."""

    port: int
    user: str = "bench"
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A server that runs, and where; `pid` is its master's."""

    endpoint: Endpoint
    pid: int


@contextmanager
def run_dovecot(home: Path) -> Iterator[Dovecot]:
    """Serve `home`/mail/USER for any user. Raises FileNotFoundError when there is no Dovecot, OSError when it ends."""
    program = find_program("dovecot")
    if program is None:
        raise FileNotFoundError("dovecot")
    endpoint = Endpoint(find_port())
    file = home / "dovecot.conf"
    file.write_text(CONFIGURATION.format(home=home, port=endpoint.port, password=PASSWORD, **choose_users()))
    give_away(home)
    with run_process([program, "-F", "-c", str(file)], home / "start.log") as child:
        wait_open(endpoint, child, home)
        yield Dovecot(endpoint, child.pid)


def find_program(name: str) -> str | None:
    """Servers are often not on a user's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def choose_users() -> dict[str, object]:
    """Root must hand over to the package's own users; anybody else runs it all alone."""
    if os.geteuid() == 0:
        mail = pwd.getpwnam("nobody")
        return {"internal": "dovecot", "login": "dovenull", "group": "dovecot", "uid": mail.pw_uid, "gid": mail.pw_gid}
    me = getpass.getuser()
    group = subprocess.run(["id", "-gn"], check=True, capture_output=True, text=True).stdout.strip()
    return {"internal": me, "login": me, "group": group, "uid": os.geteuid(), "gid": os.getegid()}


def give_away(home: Path) -> None:
    """The mail belongs to whom Dovecot reads it as, and the way to it is open."""
    users = choose_users()
    for name in ("mail", "index", "home"):
        (home / name).mkdir(exist_ok=True)
        subprocess.run(["chown", "-R", f"{users['uid']}:{users['gid']}", str(home / name)], check=True)
    home.chmod(0o755)


def wait_open(endpoint: Endpoint, child: subprocess.Popen[bytes], home: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection((endpoint.host, endpoint.port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise OSError(f"Dovecot did not start; see {home}/dovecot.log")


@contextmanager
def sign_in(endpoint: Endpoint) -> Iterator[IMAPClient]:
    with IMAPClient(endpoint.host, endpoint.port, ssl=False) as client:
        client.login(endpoint.user, PASSWORD)
        client.select_folder("INBOX")
        yield client


def warm_up(endpoint: Endpoint) -> int:
    """Let the server index and read everything once, so that nobody pays for being the first; mails it serves."""
    with sign_in(endpoint) as client:
        uids = client.search()
        for start in range(0, len(uids), 200):
            client.fetch(uids[start : start + 200], ["RFC822.SIZE", "INTERNALDATE", "FLAGS", "BODY.PEEK[]"])
    return len(uids)


def deliver_mails(endpoint: Endpoint, mails: list[bytes]) -> None:
    with sign_in(endpoint) as client:
        for mail in mails:
            client.append("INBOX", mail)


def take_back(endpoint: Endpoint, count: int) -> None:
    """Remove the `count` mails that came last."""
    with sign_in(endpoint) as client:
        client.delete_messages(sorted(client.search())[-count:])
        client.expunge()


def read_cpu(parent: int) -> float:
    """CPU seconds of a process and of its children, those that run and those that have ended (Linux)."""
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return sum(read_ticks(entry, parent) for entry in entries) / os.sysconf("SC_CLK_TCK")


def read_ticks(entry: Path, parent: int) -> int:
    """User and system ticks of the parent, its reaped children included, or of a child of it."""
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    if int(entry.name) == parent:
        return sum(map(int, fields[11:15]))
    return sum(map(int, fields[11:13])) if int(fields[1]) == parent else 0
