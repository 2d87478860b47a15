"""What a mail is, once read (RFC 5322, RFC 2045 ff.); `desk.mail.reading` makes these from bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What sort of sender a mail has, told by its own syntax alone."""

    PERSON = "person"
    AUTO_REPLY = "auto_reply"  # RFC 3834, out-of-office
    BOUNCE = "bounce"  # RFC 3464 and home-made ones
    RECEIPT = "receipt"  # RFC 8098 read receipt, DSN of success
    LIST = "list"  # RFC 2369 mailing list, newsletter, bulk
    CALENDAR = "calendar"  # RFC 5545 invitation
    MACHINE = "machine"  # notification of a machine


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address list; `address` is lower-cased, empty when unparsable."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the body. `name` is safe to show and to save; sizes are decoded bytes."""

    name: str
    content_type: str
    size_bytes: int
    sha256: str
    inline: bool = False  # shown within the body, as a logo in a signature is
    warning: str = ""  # e.g. "executable", "double-extension", "zip-bomb"; empty when harmless
    sniffed_type: str = ""  # what the content itself looks like; empty when it tells nothing
    entries: tuple[str, ...] = ()  # names in an archive, listed and never unpacked


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a bounce says (RFC 3464)."""

    recipients: tuple[str, ...]
    permanent: bool
    status: str = ""  # RFC 3463 code, e.g. "5.1.1"
    message_id: str = ""  # of the letter that bounced, when named
    reason: str = ""  # one of desk.mail.bounces.REASONS, e.g. "mailbox-full"; empty when it tells none


class Word(StrEnum):
    """What a report says of one recipient: an action of RFC 3464 §2.3.3, or a disposition of RFC 8098 §3.2.6.2."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # to a server that will tell no more
    EXPANDED = "expanded"  # delivered, and passed on to several
    DISPLAYED = "displayed"
    DELETED = "deleted"  # perhaps unread
    DENIED = "denied"  # its reader does not want it told
    PROCESSED = "processed"  # by a program, shown to nobody (RFC 3798 §3.2.6.2: dispatched too)


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says of one recipient; `status` and `reason` as in a Bounce."""

    recipient: str  # lower case; empty when it names nobody
    word: Word
    status: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a report says of a letter, recipient by recipient: RFC 3464, RFC 8098, or in a program's own words."""

    told: tuple[Told, ...]
    message_id: str = ""  # of the letter, when named
    envelope_id: str = ""  # the ENVID that it was sent with (RFC 3461 §4.4)


@dataclass(frozen=True, slots=True)
class Signature:
    """The block below a text, as far as it can be told; every field may be empty."""

    text: str
    name: str = ""
    phone: str = ""  # E.164, e.g. "+33297123456"
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """A mail that somebody passed on, by its block in the text or as an attached mail."""

    sender: Address  # of the mail passed on; its address may be missing
    subject: str = ""
    date: str = ""  # as printed: mail programs write it in their own language
    text: str = ""  # of the mail passed on


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as read: syntax only, nothing looked up, nothing decided."""

    message_id: str  # with angle brackets; empty when there is none
    references: tuple[str, ...]  # References then In-Reply-To, oldest first, no repeats, with brackets
    sender: Address
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    date: datetime | None  # aware, UTC; None when missing or unparsable
    text: str  # the whole body as plain text
    reply_text: str  # what the person wrote now, without quotes and signature; more when in doubt
    attachments: tuple[Attachment, ...]
    kind: Kind
    evidence: str  # what decided the kind: a header's name or a rule's name
    bounce: Bounce | None
    authentication: tuple[str, ...]  # Authentication-Results values, topmost first (RFC 8601)
    size_bytes: int
    fingerprint: str  # hex SHA-256, see desk.mail.reading.take_fingerprint
    defects: tuple[str, ...] = ()  # names of what was repaired while reading
    delivered_to: tuple[Address, ...] = ()  # Delivered-To, X-Original-To, Envelope-To: where it really went
    wrappers: tuple[str, ...] = ()  # "smime-signed", "pgp-encrypted", "tnef", …: what its content came in
    signature: Signature | None = None
    forwarded: Forward | None = None
    hidden_text: str = ""  # what its HTML hides from its reader, see desk.mail.hidden; no judge is shown it
    receipt: Receipt | None = None  # of reports that say what became of whom; home-made bounces have a `bounce` alone


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that hold no mail; `reason` is one word."""

    reason: str
    size_bytes: int
