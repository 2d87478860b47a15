"""The mails in tests/mails are many, small, mostly French, as a network carries them, and about nobody who lives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from desk.mail import Mail, read_mail

MAILS = Path(__file__).parents[1] / "mails"
SAMPLES = sorted(MAILS.glob("*.eml"))
HOST = re.compile(r"(?:@|https?://)((?:[\w-]+\.)+[a-z]{2,})", re.IGNORECASE)
NAMESPACES = {"www.w3.org"}  # Outlook declares them in every page
FRENCH = re.compile(r"\b(?:bonjour|bonsoir|merci|votre|vous|nous|est|les|des|une|pas|pour|dans|sur)\b", re.IGNORECASE)


def read_text(path: Path) -> str:
    mail = read_mail(path.read_bytes())
    assert isinstance(mail, Mail)
    return mail.subject + "\n" + mail.text


def test_there_are_many_and_they_are_small() -> None:
    assert len(SAMPLES) >= 130
    assert max(path.stat().st_size for path in SAMPLES) < 50_000
    assert sum(path.stat().st_size for path in MAILS.iterdir()) < 1_500_000


def test_most_are_french() -> None:
    french = [path for path in SAMPLES if FRENCH.search(read_text(path))]
    assert len(french) > max(80, len(SAMPLES) / 2)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_lines_end_as_on_the_wire(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_host_is_invented(path: Path) -> None:
    raw = path.read_bytes().replace(b"=\r\n", b"")  # quoted-printable breaks lines within a name
    found = HOST.findall(raw.decode("latin-1") + read_text(path))
    assert {host for host in found if not host.endswith(".example")} <= NAMESPACES
