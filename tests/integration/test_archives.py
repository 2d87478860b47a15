"""Mails in files: each kind gives the same mails, whole and unchanged."""

from __future__ import annotations

import mailbox
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desk.errors import ConfigurationError
from tasks.archives import FiledMail, count_mails, read_archive

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
LIMIT = 10_000
MAILS = tuple(
    f"Subject: mail {n}\nDate: Tue, {n} Nov 2026 10:00:00 +0100\n\nHello.\nFrom here on: é\n>From you?\n".encode()
    for n in range(1, 6)
)
Fill = Callable[[Path], Path]


def fill_mbox(folder: Path) -> Path:
    """As mboxrd writers do: From lines of a body are quoted, those quoted before once more."""
    file = folder / "archive"
    quoted = (mail.replace(b"\n>From ", b"\n>>From ").replace(b"\nFrom ", b"\n>From ") for mail in MAILS)
    file.write_bytes(b"".join(b"From MAILER-DAEMON Tue Nov  3 10:00:00 2026\n" + mail + b"\n" for mail in quoted))
    return file


def fill_maildir(folder: Path) -> Path:
    box = mailbox.Maildir(folder / "Maildir")
    for mail in MAILS:
        message = mailbox.MaildirMessage(mail)
        message.set_subdir("cur" if mail is MAILS[0] else "new")
        key = box.add(message)
        (next((folder / "Maildir").glob(f"*/{key}*"))).write_bytes(mail)
    (folder / "Maildir" / "cur" / ".hidden").write_bytes(b"not a mail")
    return folder / "Maildir"


def fill_folder(folder: Path) -> Path:
    for n, mail in enumerate(MAILS):
        place = folder / "mails" / ("deep" if n else ".")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n}.{'EML' if n == 2 else 'eml'}").write_bytes(mail)
    (folder / "mails" / "notes.txt").write_bytes(b"not a mail")
    return folder / "mails"


def read(path: Path, limit: int = LIMIT) -> list[FiledMail]:
    return list(read_archive(path, limit, NOW))


@pytest.mark.parametrize("fill", [fill_mbox, fill_maildir, fill_folder])
def test_every_kind_gives_the_same_mails(fill: Fill, tmp_path: Path) -> None:
    path = fill(tmp_path)
    found = read(path)
    assert sorted(one.data for one in found) == sorted(MAILS)
    assert count_mails(path) == len(MAILS)
    assert sorted(one.received_at.day for one in found) == [1, 2, 3, 4, 5]
    assert all(one.size_bytes == len(one.data) for one in found)


@pytest.mark.parametrize("fill", [fill_mbox, fill_maildir, fill_folder])
def test_looking_changes_nothing(fill: Fill, tmp_path: Path) -> None:
    path = fill(tmp_path)

    def look() -> dict[Path, tuple[bytes, float]]:
        return {file: (file.read_bytes(), file.stat().st_mtime) for file in tmp_path.rglob("*") if file.is_file()}

    before = look()
    read(path)
    assert look() == before


def test_a_single_file_is_an_archive_of_one(tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(MAILS[0])
    assert [one.data for one in read(file)] == [MAILS[0]]


def test_a_uid_depends_on_the_bytes_alone(tmp_path: Path) -> None:
    whole = {one.uid: one.data for one in read(fill_folder(tmp_path))}
    (tmp_path / "mails" / "0.eml").rename(tmp_path / "mails" / "z.eml")
    (tmp_path / "mails" / "a.eml").write_bytes(b"Subject: new\n\n")
    again = {one.uid: one.data for one in read(tmp_path / "mails")}
    assert whole.items() <= again.items()
    assert len(again) == len(MAILS) + 1
    assert all(0 <= uid < 2**63 for uid in again)


def test_of_a_large_mail_only_the_beginning_is_held(tmp_path: Path) -> None:
    file = tmp_path / "large.eml"
    file.write_bytes(MAILS[0] + b"x" * 200_000)
    (found,) = read(file, limit=1_000)
    assert (len(found.data), found.size_bytes) == (1_001, len(MAILS[0]) + 200_000)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Tue, 3 Nov 2026 10:00:00 +0100", datetime(2026, 11, 3, 9, tzinfo=UTC)),
        ("yesterday", NOW - timedelta(days=9)),  # when the file was written
        ("Tue, 3 Nov 2099 10:00:00 +0100", NOW),
    ],
)
def test_a_mail_arrived_when_its_date_says_but_never_later_than_now(
    date: str, expected: datetime, tmp_path: Path
) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(f"Subject: x\nDate: {date}\n\nx\n".encode())
    os.utime(file, ((NOW - timedelta(days=9)).timestamp(),) * 2)
    assert [one.received_at for one in read(file)] == [expected]


def test_a_file_that_goes_away_meanwhile_is_passed_over(tmp_path: Path) -> None:
    mails = read_archive(fill_folder(tmp_path), LIMIT, NOW)
    first = next(mails)
    (tmp_path / "mails" / "deep" / "3.eml").unlink()
    assert [one.data for one in (first, *mails)] == [mail for mail in MAILS if mail is not MAILS[3]]


def test_an_empty_folder_holds_no_mail(tmp_path: Path) -> None:
    assert (count_mails(tmp_path), read(tmp_path)) == (0, [])


def test_a_path_that_is_not_there_is_refused_without_being_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read") as refusal:
        count_mails(tmp_path / "lea.martin")
    assert "martin" not in str(refusal.value)
