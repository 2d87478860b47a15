"""A keyed token in the Message-IDs of our letters: who answers one of them proves it, who guesses does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from desk.errors import DeskKeyError

_MAC_BYTES = 15  # 120 bits: 24 letters of base32 without padding
_KEY_BYTES = 16  # the least that is taken; ours have 32 (RFC 2104 §3)
_WORD = re.compile(r"[A-Za-z0-9-]{1,64}")
_MESSAGE_ID = re.compile(
    r"<?(?P<number>[A-Za-z0-9-]{1,64})\.(?P<unique>[A-Za-z0-9-]{1,64})\.(?P<key>[A-Za-z0-9-]{1,64})"
    r"\.(?P<mac>[a-z2-7]{24})@[^\s<>@]{1,255}>?"
)
_SHOWN = re.compile(r"\[?#(\d{4}-\d{6,9})(?![\d-])")


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


def find_number(subject: str) -> str | None:
    """The ticket number that a subject shows as [#2026-000123]: a hint for people, proof of nothing."""
    found = _SHOWN.search(subject)
    return found[1] if found else None


def _sign(number: str, unique: str, key_id: str, key: bytes) -> str:
    words = f"message-id.{number}.{unique}.{key_id}".encode()
    digest = hmac.new(key, words, hashlib.sha256).digest()
    return base64.b32encode(digest[:_MAC_BYTES]).decode("ascii").lower()
