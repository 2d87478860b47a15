"""Plain IMAPClient programs, as many a desk has one: what our intake is compared with beside the great mirrors.

python -m bench.readers PORT DATABASE --batch 1 --keep      parse with policy.default, commit row by row
python -m bench.readers PORT DATABASE --batch 200 --keep    the same, a FETCH and a commit for 200
python -m bench.readers PORT DATABASE --batch 200           read and forget: no store at all, a floor
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from imapclient import IMAPClient

from bench.server import PASSWORD

TABLE = "CREATE TABLE IF NOT EXISTS mail (uid INTEGER PRIMARY KEY, message_id, subject, sender, sent, text, raw BLOB)"
INSERT = "INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?)"

Row = tuple[int, str, str, str, str, str, bytes]


def read_new(client: IMAPClient, last: int, batch: int) -> Iterator[list[tuple[int, bytes]]]:
    """Mails above a UID, `batch` of them with each FETCH."""
    client.select_folder("INBOX", readonly=True)
    uids = [uid for uid in client.search(["UID", f"{last + 1}:*"]) if uid > last]
    for start in range(0, len(uids), batch):
        found = client.fetch(uids[start : start + batch], ["BODY.PEEK[]"])
        yield [(uid, data[b"BODY[]"]) for uid, data in found.items()]


def parse_mail(uid: int, raw: bytes) -> Row:
    mail = message_from_bytes(raw, _class=EmailMessage, policy=default)
    names = ("Message-ID", "Subject", "From", "Date")
    try:
        body = mail.get_body(("plain", "html"))
        text = body.get_content() if body else ""
    except (LookupError, ValueError, AttributeError):  # the odd mails: such a program passes over them
        text = ""
    heads = [str(mail.get(name, "")).encode("utf-8", "replace").decode() for name in names]
    return uid, heads[0], heads[1], heads[2], heads[3], str(text).encode("utf-8", "replace").decode(), raw


def open_database(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # as durable as ours
    connection.execute(TABLE)
    return connection


def main() -> None:
    asked = read_arguments()
    database = open_database(asked.database)
    (last,) = database.execute("SELECT coalesce(max(uid), 0) FROM mail").fetchone()
    client = IMAPClient("127.0.0.1", asked.port, ssl=False)
    client.login("bench", PASSWORD)
    for mails in read_new(client, last, asked.batch):
        if asked.keep:
            with database:
                database.executemany(INSERT, [parse_mail(*mail) for mail in mails])
    client.logout()


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("database", type=Path)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
