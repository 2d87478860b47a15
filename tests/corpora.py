"""How `desk.mail` answers in the terms of other projects' mail corpora: fields mapped, nothing worked out here.

Two habits of theirs are not ours. The text of a mail that is attached counts as text of the mail that carries it; for
us it is an attachment's. And what has neither a name, a disposition nor an id is no attachment; we list it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from desk.mail import Kind, Mail, read_mail
from desk.mail.charsets import decode_bytes
from desk.mail.parts import MAILS, Leaf, Part, list_leaves, parse_parts, read_name
from desk.mail.repairs import trim_start

_DECLARED = re.compile(r"(<meta[^>]{0,200}charset=[\"']?)[\w-]{1,40}", re.IGNORECASE)


def parse(raw: bytes) -> dict[str, Any]:
    """One mail by the names that the corpora use; a mail that cannot be read has none of them."""
    mail = read_mail(raw)
    if not isinstance(mail, Mail):
        return {}
    leaves = tuple(list_nested(parse_parts(trim_start(raw))))
    return {**describe_mail(mail), **describe_bodies(leaves, mail), "attachments": list_files(leaves, mail)}


def describe_mail(mail: Mail) -> dict[str, Any]:
    """What a Mail says of itself."""
    return {
        "subject": mail.subject,
        "from_addr": mail.sender.address,
        "to": [one.address for one in (*mail.to, *mail.cc)],
        "date": mail.date,
        "is_auto_reply": mail.kind is Kind.AUTO_REPLY,
        "is_bounce": mail.kind is Kind.BOUNCE,
        "bounced_addr": list(mail.bounce.recipients) if mail.bounce else [],
        "reply_text": mail.reply_text,
    }


def list_files(leaves: tuple[Leaf, ...], mail: Mail) -> list[tuple[str, str, int]]:
    """Attachments as a Mail names them, and what else bears a mark of one."""
    known = {one.sha256: one.name for one in mail.attachments}
    found = [leaf for leaf in leaves if is_file(leaf)]
    contents = [leaf.part.read_content() for leaf in found]
    names = [known.get(hashlib.sha256(content).hexdigest(), "") for content in contents]
    return [(name, leaf.content_type, len(one)) for name, leaf, one in zip(names, found, contents, strict=True)]


def is_file(leaf: Leaf) -> bool:
    marked = leaf.attached and (read_name(leaf.part) or "content-disposition" in leaf.part.headers)
    return bool(marked) or "content-id" in leaf.part.headers or leaf.content_type in MAILS


def describe_bodies(leaves: tuple[Leaf, ...], mail: Mail) -> dict[str, str]:
    """The plain and the HTML body, decoded, with those of attached mails."""
    plain, page = join_leaves(leaves, "text/plain"), join_leaves(leaves, "text/html")
    # A page that is text now says so: what it declares was the charset of its bytes.
    return {"text": plain or mail.text, "html": _DECLARED.sub(r"\1utf-8", page)}


def list_nested(mail: Part) -> Iterator[Leaf]:
    """All leaves, those of attached mails after what carries them; the files of one that was sent as a file are its."""
    for leaf in list_leaves(mail):
        yield leaf
        sent_as_file = bool(leaf.part.disposition)
        inner = (one for part in leaf.part.parts for one in list_nested(part))
        yield from (one for one in inner if not (sent_as_file and is_file(one)))


def join_leaves(leaves: tuple[Leaf, ...], content_type: str) -> str:
    return "\n".join(decode_leaf(leaf) for leaf in leaves if leaf.content_type == content_type and not leaf.attached)


def decode_leaf(leaf: Leaf) -> str:
    return decode_bytes(leaf.part.read_content(), leaf.part.params.get("charset", ""))
