"""`byreturn read`: how the desk reads a mail, for who wonders why it did what it did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from byreturn.files import read_eml
from byreturn.show import CONSOLE, write_instant, write_value
from desk.languages import tell_language
from desk.mail import Address, Mail, Told


def show_mail(file: Path, as_json: bool) -> None:
    """The whole of it for programs; for people what counts, the new text last."""
    _, mail = read_eml(file)
    language = tell_language(mail.reply_text)
    if as_json:
        whole = {**asdict(mail), "language": language}
        print(json.dumps(whole, ensure_ascii=False, indent=2, default=write_instant))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in (*list_traits(mail), ("language", language)):
        table.add_row(Text(name, style="bold"), str(value))
    CONSOLE.print(table)
    CONSOLE.rule("what the sender wrote now")
    CONSOLE.print(mail.reply_text)


def list_traits(mail: Mail) -> Iterator[tuple[str, object]]:
    """Name and value of everything that is there."""
    bounce, signature, forward = mail.bounce, mail.signature, mail.forwarded
    traits = {
        "kind": f"{mail.kind} (by {mail.evidence})",
        "from": write_address(mail.sender),
        "to": ", ".join(map(write_address, (*mail.to, *mail.cc))),
        "delivered to": ", ".join(map(write_address, mail.delivered_to)),
        "subject": mail.subject,
        "date": mail.date,
        "message-id": mail.message_id,
        "references": mail.references,
        "bounced": bounce and f"{', '.join(bounce.recipients)} {bounce.status} {bounce.reason}".strip(),
        "returned letter": bounce and bounce.message_id,
        "told": mail.receipt and [write_told(one) for one in mail.receipt.told],
        "told of": mail.receipt and (mail.receipt.message_id or mail.receipt.envelope_id),
        "forwarded": forward and f"{write_address(forward.sender)}: {forward.subject}",
        "signature": signature and ", ".join(filter(None, (signature.name, signature.organisation, signature.phone))),
        "wrapped in": mail.wrappers,
        "repaired": mail.defects,
    }
    yield from ((name, write_value(value)) for name, value in traits.items() if value)
    for one in mail.attachments:
        said = (one.content_type, f"{one.size_bytes} bytes", "inline" if one.inline else "", one.warning.upper())
        yield "attachment", f"{one.name} ({', '.join(filter(None, said))})"
        yield from (("  holds", entry) for entry in one.entries)


def write_told(told: Told) -> str:
    return " ".join(filter(None, (told.recipient or "somebody", told.word.value, told.status, told.reason)))


def write_address(address: Address) -> str:
    return f"{address.name} <{address.address}>".strip()
