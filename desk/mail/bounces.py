"""What a bounce says: RFC 3464 reports read by ourselves, home-made ones by flufl.bounce."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from email import message_from_bytes

from flufl.bounce import all_failures

from desk.mail.charsets import decode_bytes
from desk.mail.headers import Headers, decode_words, read_headers, read_ids, read_message_id
from desk.mail.parts import Leaf, Part
from desk.mail.values import Address, Bounce

# Its detectors log the traceback of a damaged mail, text and all (Yale's: IndexError on an empty From).
logging.getLogger("flufl.bounce").addHandler(logging.NullHandler())
logging.getLogger("flufl.bounce").propagate = False

_SCAN_BYTES = 1_000_000
_MAX_RECIPIENTS = 100
_DAEMONS = re.compile(
    r"(?:mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|daemon|postmaster|bounces?|mmdf|smtpd|uucp|mdsmail|"
    r"mail[-_.]delivery.*)(?:[-+.].*)?",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"undeliver|undelivered|nondeliverable|unzustellbar|non[- ]?remis|delivery failed|mail delivery|"
    r"delivery (?:status notification|failure|has failed|problem|report|delay)|failure notice|mail failure|"
    r"returned (?:mail|to sender)|could not (?:be )?(?:deliver|send)|error sending your mail|mail system error|"
    r"échec (?:de|d['’]) ?(?:la )?(?:remise|envoi|distribution|livraison)|message (?:status|delayed)|delayed mail|"
    r"warning: (?:message|could not)",
    re.IGNORECASE,
)
_RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})
_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})  # the latter of RFC 6533
_NAMED = re.compile(r"^[ \t>]{0,10}message-id:[ \t]{0,10}(<[^<>\s]{1,990}>)", re.IGNORECASE | re.MULTILINE)
_FAILED = frozenset({"failed", "delayed", ""})


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report: a failure or a delay has a `bounce`, a success has none."""

    bounce: Bounce | None
    evidence: str


def read_report(mail: Part, leaves: tuple[Leaf, ...], sender: Address) -> Report | None:
    """The delivery report in a mail, None when it is none."""
    headers = mail.headers
    if standard := _read_standard(mail, leaves, sender):
        return standard
    if not is_daemon(headers, sender):
        return None
    scanned = _scan_failures(mail.raw) if len(mail.raw) <= _SCAN_BYTES else ((), False)
    named = _read_failed_recipients(headers)
    if not (scanned[0] or named or _SUBJECTS.search(decode_words(headers.first("subject")))):
        return None
    evidence = "flufl.bounce" if scanned[0] else "X-Failed-Recipients" if named else "Subject"
    recipients = scanned[0] or named
    bounce = Bounce(recipients, scanned[1] or bool(named), "", _find_letter(leaves))
    return Report(bounce, evidence)


def is_daemon(headers: Headers, sender: Address) -> bool:
    """Whether a mail system, not a person, is the likely sender (RFC 5321 §4.5.5: an empty reverse path)."""
    if not sender.address:
        return True
    null_path = headers.first("return-path").replace(" ", "") == "<>"
    return null_path or bool(_DAEMONS.fullmatch(sender.address.partition("@")[0]))


def _read_standard(mail: Part, leaves: tuple[Leaf, ...], sender: Address) -> Report | None:
    """RFC 3464. A person who forwards a bounce may attach its parts: the mail itself must be a report."""
    status = [leaf for leaf in leaves if leaf.content_type in _STATUS]
    if not status or not (mail.content_type == "multipart/report" or is_daemon(mail.headers, sender)):
        return None
    blocks = [block for leaf in status for block in _read_blocks(leaf)]
    about = [block for block in blocks if block.first("final-recipient") or block.first("action")]
    failed = [block for block in about if _read_action(block) in _FAILED]
    if about and not failed:
        return Report(None, "Action")
    return Report(_make_bounce(failed, _find_letter(leaves)), "multipart/report")


def _make_bounce(failed: list[Headers], letter: str) -> Bounce:
    recipients = (recipient for block in failed for recipient in _read_recipients(block))
    status = next((found[0] for block in failed if (found := _find_status(block))), "")
    permanent = any(_read_action(block) == "failed" or _is_class_five(block) for block in failed)
    return Bounce(tuple(dict.fromkeys(recipients))[:_MAX_RECIPIENTS], permanent, status, letter)


def _read_action(block: Headers) -> str:
    return block.first("action").partition(" ")[0].strip(" ;").lower()


def _is_class_five(block: Headers) -> bool:
    return any(status.startswith("5") for status in _find_status(block))


def _find_status(block: Headers) -> list[str]:
    return re.findall(r"\b[245]\.\d{1,3}\.\d{1,3}\b", block.first("status"))


def _read_recipients(block: Headers) -> tuple[str, ...]:
    for field in ("original-recipient", "final-recipient"):
        address = block.first(field).rpartition(";")[2].strip().strip("<>").strip().lower()
        if "@" in address and " " not in address:
            return (address,)
    return ()


def _read_blocks(leaf: Leaf) -> list[Headers]:
    text = leaf.part.read_content().replace(b"\r\n", b"\n")
    blocks = text.strip().split(b"\n\n")[:_MAX_RECIPIENTS]
    return [read_headers(block) for block in blocks]


def _read_failed_recipients(headers: Headers) -> tuple[str, ...]:
    """Exim names them in a header of its own."""
    value = ",".join(headers.every("x-failed-recipients"))
    return tuple(one.strip().lower() for one in value.split(",") if "@" in one)[:_MAX_RECIPIENTS]


def _scan_failures(raw: bytes) -> tuple[tuple[str, ...], bool]:
    try:
        temporary, permanent = all_failures(message_from_bytes(raw))
    except Exception:  # noqa: BLE001 - twenty detectors, each with its own way to stumble on a damaged mail
        return (), False
    found = sorted(decode_bytes(one).strip("<> ").lower() for one in permanent or temporary)
    return tuple(one for one in found if "@" in one)[:_MAX_RECIPIENTS], bool(permanent)


def _find_letter(leaves: tuple[Leaf, ...]) -> str:
    """Message-ID of the letter that came back: in its copy, else in the text of the report."""
    copies = (_read_head(leaf) for leaf in leaves if leaf.content_type in _RETURNED)
    texts = (_read_text(leaf) for leaf in leaves if leaf.content_type == "text/plain")
    in_copies = (read_message_id(read_headers(copy)) for copy in copies)
    in_texts = (one for text in texts for one in read_ids(_NAMED.findall(text)))
    return next((one for one in (*in_copies, *in_texts) if one), "")


def _read_text(leaf: Leaf) -> str:
    return decode_bytes(leaf.part.read_content()[:_SCAN_BYTES])


def _read_head(leaf: Leaf) -> bytes:
    return re.split(rb"\r?\n\r?\n", leaf.part.read_content()[:_SCAN_BYTES].lstrip(), maxsplit=1)[0] + b"\n\n"
