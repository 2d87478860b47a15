"""From bytes to a Mail (door 3): syntax only, and never an exception for what a mail holds."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from desk.errors import MailTrouble
from desk.mail.bodies import read_body
from desk.mail.bounces import read_report
from desk.mail.charsets import clean_line
from desk.mail.files import read_files
from desk.mail.forwards import read_forward
from desk.mail.headers import (
    Headers,
    decode_words,
    read_addresses,
    read_date,
    read_headers,
    read_message_id,
    read_references,
)
from desk.mail.kinds import Signs, tell_kind
from desk.mail.pages import Body
from desk.mail.parts import Leaf, Part, list_leaves, list_parts, parse_parts
from desk.mail.phrases import FORWARD_SUBJECT
from desk.mail.quotes import Written, split_text
from desk.mail.receipts import read_receipt
from desk.mail.repairs import split_head, trim_start
from desk.mail.signatures import read_signature
from desk.mail.smime import open_signed
from desk.mail.values import Address, Forward, Mail, Unreadable
from desk.mail.wrappers import name_wrappers, strip_armour

_SUBJECT_CHARS = 998  # RFC 5322 §2.1.1
_MAX_RESULTS = 20
# Where a mail really went: a server's own field, or that of a program that fetched it.
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")
_SIGNED = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_NOBODY = Address("", "")
# A mail has one of these; a line with a colon in binary junk has not.
_KNOWN = re.compile(
    "from|to|cc|subject|date|message-id|received|return-path|delivered-to|reply-to|sender|mime-version|"
    "content-type|x-mailer|in-reply-to|references|x-original-to"
)
_REPLY = re.compile(
    r"\s*(?:re|ré|réf|aw|sv|vs|antw|r|res|odp|ynt|回复|回覆|答复)\s?(?:\[\d+\])?\s?[:：]", re.IGNORECASE
)
_LIST_FOOTER = re.compile(
    r"unsubscri|désabonn|désinscri|mailing[- ]list|liste de diffusion|listinfo|groups?\.google|google groups|"
    r"list-?serv|you received this message because|vous recevez ce message",
    re.IGNORECASE,
)
_FOOTER_RULE = re.compile(r"(?:_{5,}|-{5,}|-- ?)\s*")
_FOOTER_LINES = 15


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a mail is, from its header part alone: enough for the intake."""

    message_id: str
    references: tuple[str, ...]
    sender: Address
    date: datetime | None


def read_mail(raw: bytes) -> Mail | Unreadable:
    """The mail in `raw` (RFC 5322, any line ends), or why there is none.

    Reasons: "empty", "headerless" (binary junk), "damaged". What is nested or split beyond reason is a Mail that names
    it among its defects.
    """
    try:
        return compose_mail(raw)
    except MailTrouble as trouble:
        return Unreadable(trouble.detail, len(raw))
    except Exception:  # noqa: BLE001 - the last resort of promise 3; no test gets here
        return Unreadable("damaged", len(raw))


def compose_mail(raw: bytes) -> Mail:
    """The mail in `raw`; raises MailTrouble, whose detail is the reason, when there is none."""
    whole = _parse_mail(raw)
    headers, leaves, parts = whole.headers, _open_leaves(whole), tuple(list_parts(whole))
    senders = read_addresses(headers.every("from"))
    sender = senders[0] if senders else _NOBODY
    subject = _read_subject(headers)
    files = read_files(leaves)
    body = read_body(leaves)
    if not body.text:
        body = Body(files.text, files.text, hidden=body.hidden)
    written = _split_written(body, headers, subject)
    report = read_report(whole, leaves, sender)
    kind, evidence = tell_kind(Signs(headers, sender, subject, _list_types(whole, leaves), report, written.text))
    message_id, date = read_message_id(headers), read_date(headers)
    return Mail(
        message_id=message_id,
        references=read_references(headers),
        sender=sender,
        reply_to=read_addresses(headers.every("reply-to")),
        to=read_addresses(headers.every("to")),
        cc=read_addresses(headers.every("cc")),
        subject=subject,
        date=date,
        text=body.text,
        reply_text=written.text,
        attachments=files.attachments,
        kind=kind,
        evidence=evidence,
        bounce=report.bounce if report else None,
        authentication=headers.every("authentication-results")[:_MAX_RESULTS],
        size_bytes=len(raw),
        fingerprint=take_fingerprint(message_id, date, sender.address, written.text),
        defects=_list_defects(whole, parts, senders, body, date, files.left_out),
        delivered_to=read_addresses(value for name in _DELIVERED for value in headers.every(name)),
        wrappers=name_wrappers(parts, body.text, tnef=files.wrapped),
        signature=read_signature(written.signature, written.text, sender),
        forwarded=_read_forward(subject, body.text, headers, whole, leaves),
        hidden_text=body.hidden,
        receipt=read_receipt(kind, report, headers, leaves, sender, subject),
    )


def identify_headers(raw: bytes) -> Identity:
    """Identity of a mail from its header part alone, at most a megabyte; empty values for what is missing."""
    start = trim_start(raw)
    headers = read_headers(split_head(start, 0, len(start))[0])
    return Identity(
        message_id=read_message_id(headers),
        references=read_references(headers),
        sender=_read_sender(headers),
        date=read_date(headers),
    )


def take_fingerprint(message_id: str, date: datetime | None, sender: str, reply_text: str) -> str:
    """Hex SHA-256 that one mail keeps through several mailboxes and lists, and that two mails never share."""
    parts = (message_id, date.isoformat() if date else "", sender, normalise_text(reply_text))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def normalise_text(text: str) -> str:
    """Text for comparing: NFC, case kept, white space collapsed, a list's footer dropped."""
    return " ".join(_drop_footer(unicodedata.normalize("NFC", text)).split())


def _drop_footer(text: str) -> str:
    lines = text.rstrip().split("\n")
    first = max(0, len(lines) - _FOOTER_LINES)
    rules = (at for at in range(first, len(lines)) if _FOOTER_RULE.fullmatch(lines[at]))
    start = next((at for at in rules if _LIST_FOOTER.search("\n".join(lines[at:]))), len(lines))
    return "\n".join(lines[:start])


def _parse_mail(raw: bytes) -> Part:
    trimmed = trim_start(raw)
    if not trimmed:
        raise MailTrouble("empty")
    whole = parse_parts(trimmed)
    if not any(_KNOWN.fullmatch(name) for name in whole.headers.fields):
        raise MailTrouble("headerless")
    return whole


def _split_written(body: Body, headers: Headers, subject: str) -> Written:
    if FORWARD_SUBJECT.match(subject):
        return Written(body.text, "")  # what is quoted is what it is about
    reply = bool(headers.first("in-reply-to") or headers.first("references") or _REPLY.match(subject))
    return split_text(strip_armour(body.marked), reply=reply, whole=body.text)


def _list_types(whole: Part, leaves: tuple[Leaf, ...]) -> tuple[str, ...]:
    return (whole.content_type, *(_name_type(leaf) for leaf in leaves))


def _name_type(leaf: Leaf) -> str:
    """A calendar part with a method speaks for the whole mail (RFC 6047); a file of events does not."""
    if leaf.content_type != "text/calendar" or leaf.part.disposition == "attachment":
        return leaf.content_type
    speaks = leaf.part.params.get("method") or (leaf.group and not leaf.part.disposition)
    return "text/calendar; method" if speaks else leaf.content_type


def _read_forward(subject: str, text: str, headers: Headers, whole: Part, leaves: tuple[Leaf, ...]) -> Forward | None:
    """What is passed on: as a block in the text, or as the one mail that is attached to it."""
    attached = [leaf.part.parts[0] for leaf in leaves if leaf.attached and leaf.part.parts]
    passed = FORWARD_SUBJECT.match(subject) or not (headers.first("in-reply-to") or headers.first("references"))
    if len(attached) == 1 and passed and whole.content_type != "multipart/report":
        return _read_attached(attached[0])
    return read_forward(subject, text)


def _read_attached(mail: Part) -> Forward:
    headers, text = mail.headers, read_body(list_leaves(mail)).text
    return Forward(_read_sender(headers), _read_subject(headers), clean_line(headers.first("date")), text)


def _read_sender(headers: Headers) -> Address:
    return next(iter(read_addresses(headers.every("from"))), _NOBODY)


def _read_subject(headers: Headers) -> str:
    return decode_words(headers.first("subject"))[:_SUBJECT_CHARS]


def _open_leaves(whole: Part) -> tuple[Leaf, ...]:
    """The leaves, those of a mail that is signed in one piece in its place (RFC 8551 §3.5.2)."""
    found = [list_leaves(inner) if (inner := _open_signed(leaf)) else (leaf,) for leaf in list_leaves(whole)]
    return tuple(leaf for leaves in found for leaf in leaves)


def _open_signed(leaf: Leaf) -> Part | None:
    content = open_signed(leaf.part.read_content()) if leaf.content_type in _SIGNED else b""
    return parse_parts(content) if content else None


def _list_defects(
    whole: Part,
    parts: tuple[Part, ...],
    senders: tuple[Address, ...],
    body: Body,
    date: datetime | None,
    left_out: int,
) -> tuple[str, ...]:
    flaws = {flaw for part in parts for flaw in part.flaws}
    table = (
        ("sender-missing", not senders),
        ("several-senders", len(senders) > 1 or len(whole.headers.every("from")) > 1),
        ("date-missing", date is None),
        ("id-missing", not whole.headers.first("message-id")),
        ("text-shortened", body.shortened),
        ("attachments-left-out", left_out > 0),
    )
    return (*(name for name, holds in table if holds), *sorted(flaws))
