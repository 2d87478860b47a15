"""Whom we are compared with: programs that bring the same mailbox in, each with a folder of its own.

Debian packages: isync (mbsync) and offlineimap3. Everything else about them is their default.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.server import PASSWORD, Endpoint, find_program

PACKAGES = {"mbsync": "isync", "offlineimap": "offlineimap3", "dovecot": "dovecot-imapd"}
FIRST, NEW, NOTHING, FAR = "first sync", "100 new", "nothing new", "first sync, far"
NEAR = (FIRST, NEW, NOTHING)

MBSYNC = """
IMAPAccount far
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
{extra}

IMAPStore far
Account far

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""

OFFLINEIMAP = """
[general]
metadata = {folder}/state
accounts = bench
[Account bench]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {folder}/mail
[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
readonly = true
folderfilter = lambda name: name == 'INBOX'
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """`prepare` writes what it needs into its folder and returns its command, `count` tells the mails it has there."""

    name: str
    note: str
    program: str
    prepare: Callable[[Path, Endpoint], list[str]]
    count: Callable[[Path], int] | None
    phases: tuple[str, ...] = NEAR


def prepare_mbsync(extra: str, folder: Path, endpoint: Endpoint) -> list[str]:
    file = write_settings(folder, MBSYNC, endpoint, extra)
    return ["mbsync", "--quiet", "--config", str(file), "all"]


def prepare_offlineimap(folder: Path, endpoint: Endpoint) -> list[str]:
    return ["offlineimap", "-c", str(write_settings(folder, OFFLINEIMAP, endpoint)), "-u", "quiet"]


def prepare_reader(options: tuple[str, ...], folder: Path, endpoint: Endpoint) -> list[str]:
    return [sys.executable, "-m", "bench.readers", str(endpoint.port), str(folder / "mail.db"), *options]


def write_settings(folder: Path, template: str, endpoint: Endpoint, extra: str = "") -> Path:
    file = folder / "settings"
    place = {"host": endpoint.host, "port": endpoint.port, "user": endpoint.user}
    file.write_text(template.format(folder=folder, password=PASSWORD, extra=extra, **place))
    file.chmod(0o600)
    return file


def count_files(folder: Path) -> int:
    """Mails in the Maildirs of a folder."""
    return sum(1 for state in ("cur", "new") for _ in folder.glob(f"**/{state}/*"))


def count_rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "mail.db")) as database:
        return int(database.execute("SELECT count(*) FROM mail").fetchone()[0])


PEERS: tuple[Peer, ...] = (
    Peer(
        "mbsync", "Maildir, FSync yes, compression off: the like-for-like one", "mbsync",
        partial(prepare_mbsync, "DisableExtension COMPRESS=DEFLATE"), count_files, (*NEAR, FAR),
    ),
    Peer(
        "mbsync stock", "as installed: FSync yes, COMPRESS=DEFLATE when offered", "mbsync",
        partial(prepare_mbsync, ""), count_files,
    ),
    Peer("offlineimap3", "Maildir, as installed (fsync on)", "offlineimap", prepare_offlineimap, count_files),
    Peer(
        "IMAPClient 1", "one FETCH, one policy.default parse, one commit per mail", sys.executable,
        partial(prepare_reader, ("--batch", "1", "--keep")), count_rows,
    ),
    Peer(
        "IMAPClient 200", "the same, a FETCH and a commit for 200 mails", sys.executable,
        partial(prepare_reader, ("--batch", "200", "--keep")), count_rows, (FIRST, FAR),
    ),
    Peer(
        "IMAPClient 200, bare", "reads 200 at a time and keeps nothing: a floor", sys.executable,
        partial(prepare_reader, ("--batch", "200")), None, (FIRST, FAR),
    ),
)  # fmt: skip


def find_peers() -> tuple[list[Peer], list[Peer]]:
    """Those that can run here, and those whose program is missing."""
    here = [peer for peer in PEERS if find_program(peer.program)]
    return here, [peer for peer in PEERS if peer not in here]


def install_missing() -> None:
    """On Debian and as root, get what is missing; whatever fails is told later, as missing."""
    wanted = [package for program, package in PACKAGES.items() if not find_program(program)]
    apt = shutil.which("apt-get")
    if wanted and apt and os.geteuid() == 0:
        print(f"installing {', '.join(wanted)}", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *wanted]):
            subprocess.run([apt, *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
