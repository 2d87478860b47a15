"""DKIM signatures, checked by us where our server tells nothing of them (RFC 6376, RFC 8301, RFC 8463).

The checking itself is dkimpy's. What goes into it is bounded first: some of its patterns take quadratic time on
hostile mails, and a key may be as large as its owner likes.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from dkim import DKIM, KeyFormatError, NaClNotFoundError, ValidationError
from dkim.util import InvalidTagValueList, parse_tag_value

from desk.errors import ConnectionTrouble
from desk.trust import Result, is_aligned

FindTxt = Callable[[str], bytes | None]  # a name's TXT record; None when there is none; raises ConnectionTrouble
Tags = Mapping[bytes, bytes]

MOST_SIGNATURES = 5
MAIL_BYTES = 10_000_000
HEAD_BYTES = 256_000
FIELD_BYTES = 8_000  # of a signature
KEY_BYTES = 1_500  # of a key record: RSA with 4096 bits has 740; what is longer costs time to check
BLANK_WORK = 100_000_000  # characters that dkimpy looks at again and again in runs of blanks: about a second
LEVELS = 5  # domains that are asked for a DMARC record: the sender's own, and those above

_SILENT = logging.Logger("dkim", logging.CRITICAL + 1)  # dkimpy would write down domains and keys
_RUN = re.compile(rb"[\t ]{64,}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})+")
_SELECTOR = re.compile(r"(?=.{1,190}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_ALGORITHMS = {b"rsa-sha256", b"ed25519-sha256"}  # RFC 8301 §3.1: rsa-sha1 is no signature any more
# What a mail has once (RFC 5322 §3.6): a second one slips past a signature and is read in its stead (RFC 6376 §8.15).
_SINGLE = frozenset(
    b"from sender reply-to to cc subject date message-id in-reply-to references mime-version content-type "
    b"content-transfer-encoding".split()
)


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM-Signature field: its place among them, its tags, the domain it speaks for."""

    place: int
    tags: Tags
    domain: str

    @property
    def key_name(self) -> str:
        """Where its key is published; empty for what is no name."""
        selector = self.tags.get(b"s", b"").decode("ascii", "replace")
        return f"{selector}._domainkey.{self.domain}" if _SELECTOR.fullmatch(selector) else ""

    @property
    def identity(self) -> str:
        return self.tags.get(b"i", b"").decode("ascii", "replace").rpartition("@")[2].lower() or self.domain


def check_signatures(raw: bytes, find_txt: FindTxt, aligned_with: str = "") -> tuple[Result, ...]:
    """DKIM results (RFC 8601 §2.7.1) of the first signatures in `raw`, at most five; bounded in time, never raises.

    With `aligned_with`, only those whose domain may vouch for that one: the others tell nothing of a sender.
    """
    message = _open_message(raw)
    if message is None:
        return ()
    found = (one for one in _list_signatures(message) if not aligned_with or is_aligned(one.domain, aligned_with))
    return tuple(
        Result("dkim", _check_one(message, one, find_txt), one.domain) for one in islice(found, MOST_SIGNATURES)
    )


def asks_strict(domain: str, find_txt: FindTxt) -> bool:
    """Whether a DMARC record wants signatures in just the sender's own domain; yes when it can't be learned.

    The record is the domain's own, else that of the nearest one above (RFC 7489 §6.6.3, without a list of suffixes).
    """
    try:
        records = (read_dmarc(find_txt(f"_dmarc.{name}")) for name in _list_levels(domain))
        found = next((record for record in records if record), {})
    except ConnectionTrouble:
        return True
    return found.get(b"adkim", b"").lower() == b"s"


def read_dmarc(record: bytes | None) -> Tags:
    """Tags of a DMARC record (RFC 7489 §6.3); empty for anything else."""
    try:
        known = parse_tag_value(record) if record and record.startswith(b"v=DMARC1") else {}
        return dict(known)
    except InvalidTagValueList:
        return {}


def _list_levels(domain: str) -> list[str]:
    labels = domain.split(".")
    names = [".".join(labels[at:]) for at in range(len(labels) - 1)]
    return [*names[:1], *names[1:][1 - LEVELS :]]


def _open_message(raw: bytes) -> DKIM | None:
    """The mail for dkimpy, or None when nothing of it can be proven."""
    try:
        message = DKIM(raw, _SILENT) if _is_checkable(raw) else None
    except Exception:  # noqa: BLE001 - dkimpy raises what it likes on a broken head: MessageFormatError, IndexError, …
        return None
    return message if message and _is_plain(message) else None


def _is_checkable(raw: bytes) -> bool:
    """Whether it has bounds, and a head whose lines everybody splits alike."""
    ends = [at for at in (raw.find(b"\n\n", 0, HEAD_BYTES), raw.find(b"\n\r\n", 0, HEAD_BYTES)) if at >= 0]
    head = raw[: min(ends, default=len(raw))]
    bounded = len(raw) <= MAIL_BYTES and len(head) <= HEAD_BYTES
    strange = b"\r" in head.replace(b"\r\n", b"\n").removesuffix(b"\r") or b"\0" in head
    return bounded and not strange and sum(len(run) ** 2 for run in _RUN.findall(raw)) <= BLANK_WORK


def _is_plain(message: DKIM) -> bool:
    times = Counter(name.lower() for name, _ in message.headers)
    return times[b"from"] == 1 and all(times[name] <= 1 for name in _SINGLE)


def _list_signatures(message: DKIM) -> Iterator[Signature]:
    fields = [value for name, value in message.headers if name.lower() == b"dkim-signature"]
    for place, value in enumerate(fields):
        tags = _read_tags(value) if len(value) <= FIELD_BYTES else {}
        domain = tags.get(b"d", b"").decode("ascii", "replace").lower()
        if _DOMAIN.fullmatch(domain):
            yield Signature(place, tags, domain)


def _read_tags(value: bytes) -> Tags:
    try:
        return dict(parse_tag_value(value))
    except InvalidTagValueList:
        return {}


def _check_one(message: DKIM, signature: Signature, find_txt: FindTxt) -> str:
    try:
        objection = _object_to(signature)
        return objection or _check_key(message, signature, find_txt(signature.key_name))
    except (ConnectionTrouble, NaClNotFoundError):  # no answer, or Ed25519 without pynacl: it may be good
        return "temperror"
    except KeyFormatError:  # dkimpy's word for a key under 1024 bits (RFC 8301 §3.2)
        return "policy"
    except ValidationError:  # another body, or expired
        return "fail"
    except Exception:  # noqa: BLE001 - never raises on content; dkimpy has many more
        return "permerror"


def _object_to(signature: Signature) -> str:
    """Why it can't count, whatever its key says; empty when it can."""
    tags = signature.tags
    signed = {name.strip().lower() for name in tags.get(b"h", b"").split(b":")}
    rows = (
        ("permerror", not signature.key_name),
        ("permerror", tags.get(b"a", b"") not in _ALGORITHMS),
        ("permerror", b"from" not in signed),  # RFC 6376 §5.4
        ("policy", b"l" in tags),  # anybody may have written what follows the signed part (RFC 6376 §8.2)
    )
    return next((value for value, holds in rows if holds), "")


def _check_key(message: DKIM, signature: Signature, record: bytes | None) -> str:
    if record is None or len(record) > KEY_BYTES:
        return "permerror"
    flags = {flag.strip() for flag in _read_tags(record).get(b"t", b"").split(b":")}
    if b"y" in flags:  # a domain that tries DKIM out: as if unsigned (RFC 6376 §3.6.1)
        return "neutral"
    if b"s" in flags and signature.identity != signature.domain:
        return "permerror"
    passed = message.verify(signature.place, dnsfunc=lambda _name, **_: record)
    return "pass" if passed else "fail"
