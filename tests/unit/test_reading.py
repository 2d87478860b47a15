"""Reading turns any bytes into a Mail or says in one word why there is none."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.errors import MailTrouble
from desk.mail import Address, Kind, Mail, Unreadable
from desk.mail.charsets import decode_bytes
from desk.mail.filenames import save_name
from desk.mail.headers import decode_words, read_addresses, read_ids
from desk.mail.reading import compose_mail, identify_headers, read_mail, take_fingerprint

MAILS = Path(__file__).parents[1] / "mails"
SAMPLES = sorted(MAILS.glob("*.eml"))
HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nMessage-ID: <1@example.org>\r\n"
NESTED = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def read(raw: bytes) -> Mail:
    mail = read_mail(raw)
    assert isinstance(mail, Mail)
    return mail


def describe(mail: Mail) -> dict[str, Any]:
    """A mail as its expected twin may write it."""
    bounce, signature, forwarded = mail.bounce, mail.signature, mail.forwarded
    return {
        "message_id": mail.message_id,
        "references": list(mail.references),
        "sender": [mail.sender.name, mail.sender.address],
        "reply_to": list_addresses(mail.reply_to),
        "to": list_addresses(mail.to),
        "cc": list_addresses(mail.cc),
        "delivered_to": list_addresses(mail.delivered_to),
        "subject": mail.subject,
        "date": mail.date.isoformat() if mail.date else None,
        "kind": mail.kind.value,
        "evidence": mail.evidence,
        "text": mail.text,
        "attachments": [
            [one.name, one.content_type, one.size_bytes, one.inline, one.warning] for one in mail.attachments
        ],
        "sniffed": [one.sniffed_type for one in mail.attachments],
        "entries": [list(one.entries) for one in mail.attachments],
        "bounce": bounce and [list(bounce.recipients), bounce.permanent, bounce.status, bounce.message_id],
        "reason": bounce and bounce.reason,
        "receipt": list_told(mail),
        "signature": signature and [signature.name, signature.phone, signature.organisation],
        "forwarded": forwarded and [forwarded.sender.name, forwarded.sender.address, forwarded.subject],
        "wrappers": list(mail.wrappers),
        "defects": list(mail.defects),
    }


def list_told(mail: Mail) -> list[Any] | None:
    """Message-ID and ENVID of the letter, then what is told of each of its recipients."""
    if mail.receipt is None:
        return None
    told = [[one.recipient, one.word.value, one.status, one.reason] for one in mail.receipt.told]
    return [mail.receipt.message_id, mail.receipt.envelope_id, *told]


def list_addresses(addresses: tuple[Address, ...]) -> list[list[str]]:
    return [[one.name, one.address] for one in addresses]


def lay_out(text: str) -> list[str]:
    """Its written lines; blank ones and the widths of spaces are layout, not words."""
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


# --- odd mails and their twins ---------------------------------------------------------------------------------


def test_every_odd_mail_has_its_twin() -> None:
    assert len(SAMPLES) >= 15
    assert {path.stem for path in SAMPLES} == {path.stem for path in MAILS.glob("*.json")}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_an_odd_mail_reads_as_its_twin_says(path: Path) -> None:
    """A twin may leave out all but the kind and the reply_text; several reply_texts are equally good readings."""
    mail, twin = read(path.read_bytes()), json.loads(path.with_suffix(".json").read_text("utf-8"))
    wanted, seen = twin.pop("reply_text"), describe(mail)
    assert "kind" in twin
    assert {key: seen[key] for key in twin} == twin
    assert lay_out(mail.reply_text) in [lay_out(one) for one in ([wanted] if isinstance(wanted, str) else wanted)]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_line_ends_change_nothing(path: Path) -> None:
    crlf = path.read_bytes()
    assert b"\r\n" in crlf
    assert read(crlf.replace(b"\r\n", b"\n")).fingerprint == read(crlf).fingerprint


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_intake_sees_the_same_identity(path: Path) -> None:
    raw = path.read_bytes()
    seen, mail = identify_headers(raw), read(raw)
    assert (seen.message_id, seen.references, seen.sender, seen.date) == (
        mail.message_id,
        mail.references,
        mail.sender,
        mail.date,
    )


# --- never an exception ----------------------------------------------------------------------------------------


def check_bounds(mail: Mail) -> None:
    """What every reader of a Mail may rely on."""
    texts = [getattr(mail, one.name) for one in fields(Mail) if isinstance(getattr(mail, one.name), str)]
    texts += [one.name for one in mail.attachments] + [mail.sender.name, mail.sender.address]
    texts += [*mail.authentication, *mail.defects]
    assert all("\0" not in text and text.encode("utf-8") is not None for text in texts)
    assert len(mail.text) <= 200_000
    assert mail.date is None or mail.date.tzinfo is UTC
    assert len(mail.fingerprint) == 64


def compose_or_refuse(raw: bytes) -> None:
    """Without the last resort of read_mail: only MailTrouble may come out."""
    try:
        check_bounds(compose_mail(raw))
    except MailTrouble as trouble:
        assert trouble.detail in {"empty", "headerless"}  # noqa: PT017 - a mail is an answer too


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=600))
@example(b"From: \xff\xfe\0 <a@b>\r\nContent-Type: text/plain; charset=\0\r\n\r\n\0")
@example(HEAD + b"Content-Type: multipart/mixed\r\nContent-Transfer-Encoding: \xe9\r\n\r\nx")
@example(HEAD + b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-")
@example(HEAD + b"Content-Type: text/plain; charset=hex\r\n\r\n\xe9")
@example(HEAD + b"Content-Type: application/pdf; name*0*=x'\r\nContent-Disposition: attachment\r\n\r\n")
@example(b"Authentication-Results:\x00\nTo:")
@example(HEAD + b"Date: Mon, 99 Foo 99999 99:99:99 +9999\r\n\r\n")
@example(HEAD + b"Date: Fri, 31 Dec 9999 23:59:59 -1200\r\n\r\n")
def test_arbitrary_bytes_never_raise(raw: bytes) -> None:
    compose_or_refuse(raw)
    compose_or_refuse(HEAD + raw)
    identify_headers(raw)
    assert isinstance(read_mail(raw), Mail | Unreadable)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=6)), max_size=8))
def test_mutated_mails_never_raise(path: Path, changes: list[tuple[int, bytes]]) -> None:
    raw = bytearray(path.read_bytes())
    for at, piece in changes:
        raw[at : at + len(piece)] = piece
    compose_or_refuse(bytes(raw))
    identify_headers(bytes(raw))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"\r\n \r\n\0", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "headerless"),
        (b"only words without a header", "headerless"),
        (b"X-Made-Up: 1\r\n\r\nwords", "headerless"),
    ],
)
def test_what_holds_no_mail_is_unreadable_for_a_reason(raw: bytes, reason: str) -> None:
    assert read_mail(raw) == Unreadable(reason, len(raw))


@pytest.mark.parametrize(
    ("raw", "defect"),
    [
        (HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000, "parts-left-out"),
        (HEAD + b"".join(NESTED % (n, n) for n in range(120)), "nested-too-deep"),
        (HEAD + NESTED % (1, 2), "boundary-missing"),
        (HEAD + NESTED % (1, 1) + b"\r\nx", "multipart-unclosed"),
    ],
)
def test_what_is_taken_apart_beyond_reason_is_read_as_far_as_it_goes(raw: bytes, defect: str) -> None:
    assert defect in read(raw).defects


def test_of_mails_within_mails_the_first_is_the_attachment() -> None:
    (attached,) = read(HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 3000).attachments
    assert attached.content_type == "message/rfc822"


def test_a_hundred_levels_down_the_text_is_found() -> None:
    raw = HEAD + b"".join(NESTED % (n, n) for n in range(99)) + b"\r\nAu fond du mail."
    assert read(raw).text == "Au fond du mail."


@pytest.mark.timeout(60)  # each of these took minutes in a careless reader
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"From: a@b.example\r\nX: y" + b"\r" * 1_000_000, id="carriage returns"),
        pytest.param(b"From: a@b.example\r\nTo: " + b'"\\' * 25_000 + b"\r\n\r\nx", id="open quotes"),
        pytest.param(b"From: a@b.example\r\nTo: " + b"(" * 50_000 + b"\r\n\r\nx", id="open comments"),
        pytest.param(b"From: a@b.example\r\nSubject: " + b"=?u?q?" * 8_000 + b"\r\n\r\nx", id="open words"),
        pytest.param(HEAD + b'Content-Type: text/plain; name="' + b"a;" * 500_000 + b"\r\n\r\nx", id="parameters"),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<script>" * 60_000, id="scripts"),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 90_000 + b"x", id="deep tags"),
        pytest.param(HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"x \r\n" * 900_000, id="flowed"),
        pytest.param(HEAD + b"In-Reply-To: <a@b>\r\n\r\n" + b"On a b " * 30_000, id="attributions in a line"),
        pytest.param(HEAD + b"In-Reply-To: <a@b>\r\n\r\n" + b"Le 3 a\r\n" * 25_000, id="attributions in lines"),
        pytest.param(HEAD + b"\r\n" + b"-----\r\n" * 28_000 + b"unsubscribe", id="rules"),
        pytest.param(HEAD + b"\r\n" + b"-----\r\nunsubscribe\r\n" * 9_000, id="footers"),
    ],
)
def test_a_hostile_mail_does_not_hold_up_the_others(raw: bytes) -> None:
    check_bounds(read(raw))


def test_the_intake_reads_any_header_part() -> None:
    assert identify_headers(HEAD + b"X: boundary\r\n" * 60_000).message_id == "<1@example.org>"
    assert identify_headers(b"").message_id == ""


# --- fingerprint -----------------------------------------------------------------------------------------------


def test_one_mail_through_a_list_and_directly_has_one_fingerprint() -> None:
    listed, direct = (read((MAILS / f"{name}.eml").read_bytes()) for name in ("mailman-list", "same-mail-direct"))
    assert listed.subject != direct.subject
    assert listed.fingerprint == direct.fingerprint


@pytest.mark.parametrize(
    ("message_id", "date", "sender", "text"),
    [
        ("<2@example.org>", NOON, "a@example.org", "Hello"),
        ("<1@example.org>", None, "a@example.org", "Hello"),
        ("<1@example.org>", NOON, "b@example.org", "Hello"),
        ("<1@example.org>", NOON, "a@example.org", "Hello again"),
        ("<1@example.org>", NOON, "a@example.org", "hello"),
    ],
)
def test_a_stolen_message_id_does_not_make_two_mails_one(
    message_id: str, date: datetime | None, sender: str, text: str
) -> None:
    original = take_fingerprint("<1@example.org>", NOON, "a@example.org", "Hello")
    assert take_fingerprint(message_id, date, sender, text) != original


@pytest.mark.parametrize(
    "text",
    [
        "Hello \t world\n",
        "Hello\n\nworld",
        "Hello world\n_____________\nTools mailing list\nhttps://lists.example/listinfo/tools",
        "Hello world\n-- \nYou received this message because you are subscribed to the group.",
        "Hello world\n-----\nPour vous désabonner : https://lists.example",
    ],
)
def test_spaces_and_list_footers_leave_the_fingerprint_alone(text: str) -> None:
    plain = take_fingerprint("<1@example.org>", NOON, "a@example.org", "Hello world")
    assert take_fingerprint("<1@example.org>", NOON, "a@example.org", text) == plain


def test_a_rule_without_a_list_below_it_is_the_writer_s_own() -> None:
    with_rule = take_fingerprint("<1@example.org>", NOON, "a@example.org", "Hello\n-----\nSam")
    assert with_rule != take_fingerprint("<1@example.org>", NOON, "a@example.org", "Hello")


# --- headers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?Q?=C3=A9t=C3=A9?=", "été"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=A9t=C3=A9?=", "été"),
        ("=?iso-8859-1?Q?=80_=92?=", "€ ’"),
        ("=?x-nobody-knows?Q?=E9l=E8ve_absent?=", "élève absent"),
        ("=?utf-8?B?w6l0w6k?=", "été"),
        ("=?utf-8*fr?Q?=C3=A9?= reste", "é reste"),
        ("=?utf-8?Q?vraiment??=", "vraiment?"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("a =?utf-8?Q?=0D=0ABcc:_b?=", "a Bcc: b"),
        ("pdf=?utf-8?Q?=E2=80=AE?=exe", "pdfexe"),
    ],
)
def test_encoded_words_become_one_clean_line(value: str, expected: str) -> None:
    assert decode_words(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Jean <Jean@Example.ORG>", [("Jean", "jean@example.org")]),
        ("jean@example.org (Jean Dupont)", [("Jean Dupont", "jean@example.org")]),
        ('"Dupont, Jean" <j@example.org>, b@example.org', [("Dupont, Jean", "j@example.org"), ("", "b@example.org")]),
        ("Dupont, Jean <j@example.org>", [("Dupont, Jean", "j@example.org")]),
        ("'j@example.org' <j@example.org>", [("j@example.org", "j@example.org")]),
        ("Team: a@example.org, b@example.org;", [("", "a@example.org"), ("", "b@example.org")]),
        ("undisclosed-recipients:;", []),
        ("boss@good.example <x@evil.example>", [("boss@good.example", "x@evil.example")]),
        ("<a@good.example> <b@evil.example>", [("", "a@good.example"), ("", "b@evil.example")]),
        ("o'brien@example.org", [("", "o'brien@example.org")]),
        ("nobody", []),
        ("", []),
    ],
)
def test_addresses_are_found_as_people_write_them(value: str, expected: list[tuple[str, str]]) -> None:
    assert read_addresses((value,)) == tuple(Address(*one) for one in expected)


def test_references_come_oldest_first_without_repeats() -> None:
    assert read_ids(("<a@x>\r\n <b@x>", "Your mail <a@x>", "<c d@x>")) == ("<a@x>", "<b@x>", "<cd@x>")


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        ("été".encode(), "", "été"),
        ("été".encode(), "iso-8859-1", "été"),
        ("15 €".encode("cp1252"), "iso-8859-1", "15 €"),
        ("L’élève est bloqué à l’entrée".encode("cp1252"), "utf-8", "L’élève est bloqué à l’entrée"),
        ("Здравствуйте, не могу войти".encode("koi8_r"), "koi8-r", "Здравствуйте, не могу войти"),
        ("日本語".encode("iso2022_jp"), "iso-2022-jp", "日本語"),
        ("élève, côté, où".encode() + b"\xe9", "utf-8", "élève, côté, où\ufffd"),
        (b"abc", "no such charset", "abc"),
        (b"abc", "zip", "abc"),
        (b"abc", "a\0b", "abc"),
    ],
)
def test_bytes_become_text_whatever_the_mail_claims(data: bytes, charset: str, expected: str) -> None:
    assert decode_bytes(data, charset) == expected


# --- bodies ----------------------------------------------------------------------------------------------------


def test_flowed_lines_are_joined_and_quotes_are_not() -> None:
    raw = HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\none \r\ntwo\r\n> three \r\nfour \r\n-- \r\nS\r\n"
    assert read(raw).text == "one two\n> three \nfour \n-- \nS"


def test_a_body_beyond_reason_is_shortened_and_says_so() -> None:
    mail = read(HEAD + b"\r\n" + b"word " * 60_000)
    assert 199_000 < len(mail.text) <= 200_000
    assert "text-shortened" in mail.defects


# --- attachments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\note.txt", "note.txt"),
        (".htaccess", "htaccess"),
        ("aux", "_aux"),
        ("LPT1.txt", "_LPT1.txt"),
        ("auxiliaire.txt", "auxiliaire.txt"),
        ('a<b>:"|?*.txt', "ab.txt"),
        ("rap\u202efdp.exe", "rapfdp.exe"),
        ("line\r\nbreak\0.txt", "line break.txt"),
        ("e\u0301le\u0300ve.pdf", "élève.pdf"),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
        ("...", ""),
    ],
)
def test_attachment_names_are_safe_to_save(claimed: str, safe: str) -> None:
    assert save_name(claimed) == safe


def test_a_mail_without_anything_but_a_sender_is_still_a_mail() -> None:
    mail = read(b"From: a@example.org\r\n\r\n")
    assert (mail.kind, mail.text, mail.date, mail.message_id) == (Kind.PERSON, "", None, "")
    assert mail.defects == ("date-missing", "id-missing")
