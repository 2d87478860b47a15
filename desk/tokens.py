"""A keyed token in the Message-IDs and answer addresses of our letters: who answers one proves it, who guesses not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from desk.errors import DeskKeyError

_MAC_BYTES = 15  # 120 bits: 24 letters of base32 without padding
_PLUS_BYTES = 10  # 80 bits, 16 letters: a local part has 64 octets for all; a guess costs a mail, nobody sends 2 ** 80
_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
_KEY_BYTES = 16  # the least that is taken; ours have 32 (RFC 2104 §3)
_WORD = re.compile(r"[A-Za-z0-9-]{1,64}")
_MESSAGE_ID = re.compile(
    r"<?(?P<number>[A-Za-z0-9-]{1,64})\.(?P<unique>[A-Za-z0-9-]{1,64})\.(?P<key>[A-Za-z0-9-]{1,64})"
    r"\.(?P<mac>[a-z2-7]{24})@[^\s<>@]{1,255}>?"
)
_NUMBER = r"(?P<number>[0-9]{4}-[0-9]{6,9})(?![\d-])"
_PLUS = re.compile(rf"{_NUMBER}\.(?P<key>[a-z0-9-]{{1,64}})\.(?P<mac>[a-z2-7]{{16}})")
# What stands before a number in subjects, ours and those that people write: "#", "ticket", "n°".
_SHOWN = re.compile(
    rf"(?:#|\b(?:ticket|demande|dossier|request|case|anfrage|vorgang|solicitud|richiesta|aanvraag|pedido)\b"
    rf"|\b(?:n|nr|no|num)\s?[°º.]|№)[\s:#\[(]{{0,5}}(?:n\s?[°º]\s{{0,3}})?{_NUMBER}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """Keys by id, at least 16 bytes each: the current one signs, all of them verify. Raises DeskKeyError."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise DeskKeyError("the current token key is missing")
        if not all(_WORD.fullmatch(name) and len(key) >= _KEY_BYTES for name, key in self.keys.items()):
            raise DeskKeyError("a token key has an unfit id or fewer than 16 bytes")


def make_message_id(number: str, unique: str, keys: TokenKeys, domain: str) -> str:
    """`<number.unique.key.mac@domain>` (RFC 5322 §3.6.4) for a letter on ticket `number`, e.g. "2026-000123".

    A letter on no ticket has a word such as "digest" instead; `unique` tells the letters of one ticket apart.
    All three are letters, digits and hyphens, 64 at most. Raises DeskKeyError for anything else.
    """
    if not (_WORD.fullmatch(number) and _WORD.fullmatch(unique)):
        raise DeskKeyError("a number or a unique part does not fit into a token")
    mac = _sign(number, unique, keys.current, keys.keys[keys.current])
    return f"<{number}.{unique}.{keys.current}.{mac}@{domain}>"


def read_message_id(message_id: str, keys: TokenKeys) -> str | None:
    """The number that a Message-ID of ours was made for; None for a foreign, forged or retired one."""
    found = _MESSAGE_ID.fullmatch(message_id)
    if not found or found["key"] not in keys.keys:
        return None
    wanted = _sign(found["number"], found["unique"], found["key"], keys.keys[found["key"]])
    return found["number"] if hmac.compare_digest(wanted, found["mac"]) else None


def make_plus_address(address: str, number: str, keys: TokenKeys) -> str | None:
    """`support+number.key.mac@host` (RFC 5233) for answers on ticket `number`; None when its local part has no room.

    All in lower case, as local parts lose their case on the way.
    """
    local, _, domain = address.rpartition("@")
    key_id = keys.current.lower()
    detailed = f"{local}+{number}.{key_id}.{_sign_plus(number, key_id, keys.keys[keys.current])}"
    return f"{detailed}@{domain}" if len(detailed.encode()) <= _LOCAL_OCTETS else None


def read_plus_address(address: str, keys: TokenKeys) -> str | None:
    """The ticket number that an address of ours was made for; None for a plain, forged or retired one.

    The mailbox is not part of what is signed: aliases and forwarding change it and keep the detail.
    """
    found = _PLUS.fullmatch(address.rpartition("@")[0].rpartition("+")[2].lower())
    if not found:
        return None
    named = [key for name, key in keys.keys.items() if name.lower() == found["key"]]
    macs = (_sign_plus(found["number"], found["key"], key) for key in named)
    return found["number"] if any(hmac.compare_digest(mac, found["mac"]) for mac in macs) else None


def list_bases(address: str) -> tuple[str, ...]:
    """The address and what it is without its details (RFC 5233): whatever follows a "+" is the same mailbox."""
    local, _, domain = address.rpartition("@")
    ends = [at for at, letter in enumerate(local) if letter == "+" and at]
    return (address, *(f"{local[:at]}@{domain}" for at in ends))


def find_number(subject: str) -> str | None:
    """The ticket number that a subject shows, as in [#2026-000123]: a hint, proof of nothing."""
    found = _SHOWN.search(subject)
    return found["number"] if found else None


def _sign(number: str, unique: str, key_id: str, key: bytes) -> str:
    return _take_mac(f"message-id.{number}.{unique}.{key_id}", key, _MAC_BYTES)


def _sign_plus(number: str, key_id: str, key: bytes) -> str:
    return _take_mac(f"plus-address.{number}.{key_id}", key, _PLUS_BYTES)


def _take_mac(words: str, key: bytes, size_bytes: int) -> str:
    digest = hmac.new(key, words.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:size_bytes]).decode("ascii").lower()
