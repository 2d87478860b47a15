"""How `desk.mail` answers in the terms of other projects' mail corpora: fields mapped, nothing worked out here."""

from __future__ import annotations

from typing import Any

from desk.mail import Kind, Mail, read_mail
from desk.mail.charsets import decode_bytes
from desk.mail.parts import Leaf, list_leaves, parse_parts
from desk.mail.repairs import trim_start


def parse(raw: bytes) -> dict[str, Any]:
    """One mail by the names that the corpora use; a mail that cannot be read has none of them."""
    mail = read_mail(raw)
    return {**describe_mail(mail), **describe_bodies(raw)} if isinstance(mail, Mail) else {}


def describe_mail(mail: Mail) -> dict[str, Any]:
    """What a Mail says of itself."""
    return {
        "subject": mail.subject,
        "from_addr": mail.sender.address,
        "to": [one.address for one in (*mail.to, *mail.cc)],
        "date": mail.date,
        "attachments": [(one.name, one.content_type, one.size_bytes) for one in mail.attachments],
        "is_auto_reply": mail.kind is Kind.AUTO_REPLY,
        "is_bounce": mail.kind is Kind.BOUNCE,
        "bounced_addr": list(mail.bounce.recipients) if mail.bounce else [],
        "reply_text": mail.reply_text,
    }


def describe_bodies(raw: bytes) -> dict[str, str]:
    """The plain and the HTML body as they were sent, decoded."""
    leaves = list_leaves(parse_parts(trim_start(raw)))
    bodily = [leaf for leaf in leaves if not leaf.attached]
    return {"text": join_leaves(bodily, "text/plain"), "html": join_leaves(bodily, "text/html")}


def join_leaves(leaves: list[Leaf], content_type: str) -> str:
    return "\n".join(decode_leaf(leaf) for leaf in leaves if leaf.content_type == content_type)


def decode_leaf(leaf: Leaf) -> str:
    return decode_bytes(leaf.part.read_content(), leaf.part.params.get("charset", ""))
