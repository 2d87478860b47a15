"""Mails made wrong on purpose: headers, parts, names of charsets and codings, lines beyond count."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Mutate = Callable[[random.Random, list[bytes], Sequence[bytes]], list[bytes]]

CHARSETS = (b"utf-7", b"utf-16", b"idna", b"punycode", b"hex", b"rot13", b"unicode_escape", b"iso-2022-jp", b"\0", b"")
CODINGS = (b"base64", b"quoted-printable", b"x-uuencode", b"8bit", b"binary", b"\xe9", b"")
TYPES = (
    b"multipart/mixed; boundary=b",
    b'multipart/alternative; boundary=""',
    b"multipart/related; boundary=b; type=text/html",
    b"message/rfc822",
    b"message/delivery-status",
    b"message/partial; id=a; number=1",
    b"text/html",
    b"text/calendar; method=REPLY",
    b"application/ms-tnef; name=winmail.dat",
    b"application/pkcs7-mime",
    b"multipart/signed; boundary=b",
    b"text/plain; format=flowed",
    b"application/zip; name*0*=utf-8''a%2; name*1=b.zip",
    b"multipart/report; report-type=delivery-status; boundary=b",
)
HEADERS = (
    b'From: =?utf-8?q?=e9?= <a@b>, "x',
    b"From:",
    b"Date: Fri, 31 Dec 9999 23:59:59 -1200",
    b"Message-ID: <" + b"a" * 300,
    b"References: " + b"<a@b> " * 200,
    b"To: undisclosed-recipients:;",
    b"Subject: =?x?b?//8?= =?utf-8?q?=",
    b"Received: ; ",
    b"Auto-Submitted: auto-replied",
    b"Authentication-Results: a; dkim=pass (((",
    b"Reply-To: " + b"(" * 500,
    b"Cc: " + b"<" * 500,
    b"X-Failed-Recipients: a@b,,",
    b"List-Id: <>",
    b"Content-Disposition: attachment; filename==?utf-8?b?Li4vLi4=?=",
)
LINES = (
    b"--b",
    b"--b--",
    b"",
    b"> ",
    b">" * 1000,
    b"-- ",
    b"-----Original Message-----",
    b"Le lun. 5 janv. 2026 a",
    b"On x wrote:",
    b"begin 644 a",
    b"From a",
    b"=",
    b"=\xe9",
    b"!!!!",
    b"<div class=gmail_quote>",
    b"<blockquote>" * 50,
    b"<table><tr><td>" * 50,
    b"&#x110000;&#0;&amp",
    b"<!--",
    b"<![CDATA[",
    b"\xff\xfe\0",
    b"_" * 200,
    b"Final-Recipient: rfc822; a@b",
    b"Status: 5.1.1",
)
NAMES = re.compile(rb"charset=\"?[\w-]+|Content-Transfer-Encoding: *[\w-]+|Content-Type: *[\w/-]+", re.IGNORECASE)
BOUNDARY = re.compile(rb"boundary=\"?([^\"\s;]{1,70})", re.IGNORECASE)


def mutate_mail(raw: bytes, most: int, seed: int, seeds: Sequence[bytes]) -> bytes:
    """A few changes, always the same ones for a seed; at most `most` bytes."""
    chance = random.Random(seed)
    lines = raw.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        lines = chance.choice(CHANGES)(chance, lines, seeds)
    return b"\n".join(lines)[:most]


def pick_span(chance: random.Random, lines: list[bytes]) -> tuple[int, int]:
    start = chance.randrange(len(lines) + 1)
    return start, min(len(lines), start + chance.choice((1, 1, 2, 5, 20)))


def add_header(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    end = lines.index(b"") if b"" in lines else len(lines)
    at = chance.randrange(min(end, 40) + 1)
    return [*lines[:at], chance.choice(HEADERS), *lines[at:]]


def add_type(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    at = chance.randrange(len(lines) + 1)
    coding = b"Content-Transfer-Encoding: " + chance.choice(CODINGS)
    return [*lines[:at], b"Content-Type: " + chance.choice(TYPES), coding, *lines[at:]]


def add_line(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    at = chance.randrange(len(lines) + 1)
    return [*lines[:at], chance.choice(LINES), *lines[at:]]


def drop_lines(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    start, end = pick_span(chance, lines)
    return lines[:start] + lines[end:]


def move_lines(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    start, end = pick_span(chance, lines)
    rest = lines[:start] + lines[end:]
    at = chance.randrange(len(rest) + 1)
    return rest[:at] + lines[start:end] + rest[at:]


def repeat_lines(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    """Whatever takes more than linear time shows here."""
    start, end = pick_span(chance, lines)
    return lines[:start] + lines[start:end] * chance.choice((2, 10, 300, 5000)) + lines[end:]


def stretch_line(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    at = chance.randrange(len(lines))
    line = lines[at]
    cut = chance.randrange(len(line) + 1)
    long = line[:cut] + (line[cut : cut + chance.randint(1, 4)] or b" ") * chance.choice((10, 1000, 20000)) + line[cut:]
    return [*lines[:at], long, *lines[at + 1 :]]


def rename_word(chance: random.Random, lines: list[bytes], _: Sequence[bytes]) -> list[bytes]:
    """Another charset, coding or type where there is one."""
    places = [at for at, line in enumerate(lines[:2000]) if NAMES.search(line)]
    if not places:
        return lines
    at = chance.choice(places)
    new = chance.choice((*CHARSETS, *CODINGS, *TYPES))
    changed = NAMES.sub(lambda found: re.split(rb"([=:])", found[0])[0] + b"=" + new, lines[at], count=1)
    return [*lines[:at], changed, *lines[at + 1 :]]


def splice_mail(chance: random.Random, lines: list[bytes], seeds: Sequence[bytes]) -> list[bytes]:
    """Lines of another mail among ours."""
    other = chance.choice(seeds).split(b"\n")
    start, end = pick_span(chance, other)
    at = chance.randrange(len(lines) + 1)
    return lines[:at] + other[start:end] + lines[at:]


def wrap_mail(chance: random.Random, lines: list[bytes], seeds: Sequence[bytes]) -> list[bytes]:
    """The mail as a part of another, under a boundary that one of them has already."""
    found = BOUNDARY.search(b"\n".join(lines[:200])) if chance.random() < 0.5 else None
    mark = found[1] if found else b"b"
    head = [b"From: a@b.example", b"Content-Type: multipart/mixed; boundary=" + mark, b"", b"--" + mark]
    kind = chance.choice((b"message/rfc822", b"multipart/mixed; boundary=" + mark, b"text/plain"))
    tail = [b"--" + mark, *chance.choice(seeds).split(b"\n"), b"--" + mark + b"--"]
    return [*head, b"Content-Type: " + kind, b"", *lines, *tail]


def change_ends(_: random.Random, lines: list[bytes], __: Sequence[bytes]) -> list[bytes]:
    return [line[:-1] if line.endswith(b"\r") else line + b"\r" for line in lines]


CHANGES: tuple[Mutate, ...] = (
    add_header,
    add_header,
    add_type,
    add_line,
    add_line,
    drop_lines,
    move_lines,
    repeat_lines,
    stretch_line,
    rename_word,
    rename_word,
    splice_mail,
    wrap_mail,
    change_ends,
)
