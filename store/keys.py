"""Sealing: every mail under its own AES-256-GCM key, that key wrapped by a master key (NIST SP 800-38D).

Erasing a mail is forgetting its wrapped key: the pack's bytes stay noise. Tombstone keys are a set of their own,
never discarded, because an old tombstone must still recognise a mail that comes back.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from desk.errors import DeskKeyError, MailTrouble

NONCE_BYTES = 12
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext with its wrapped key; `context` binds both to the mail's place in its pack."""

    data: bytes
    wrapped_key: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Master and tombstone keys: id → 32 bytes; `current` names the one used for new work."""

    master: Mapping[str, bytes] = field(repr=False)
    master_current: str
    tombstone: Mapping[str, bytes] = field(repr=False)
    tombstone_current: str

    def fingerprint(self, key_id: str = "") -> str:
        """Of a master key, the current one unless named: safe to store, tells a wrong key set at once."""
        key = self._master(key_id or self.master_current)
        return hashlib.sha256(b"byreturn master key\0" + key).hexdigest()[:32]

    def seal(self, data: bytes, context: bytes) -> Sealed:
        key = AESGCM.generate_key(bit_length=256)
        wrapped = _encrypt(self._master(self.master_current), key, context)
        return Sealed(_encrypt(key, data, context), wrapped, self.master_current)

    def open(self, sealed: Sealed, context: bytes) -> bytes:
        """Raises DeskKeyError for an unknown or wrong master key, MailTrouble for damaged bytes."""
        try:
            key = _decrypt(self._master(sealed.key_id), sealed.wrapped_key, context)
        except InvalidTag:
            raise DeskKeyError(f"master key {sealed.key_id} does not open this store") from None
        try:
            return _decrypt(key, sealed.data, context)
        except InvalidTag:
            raise MailTrouble("stored bytes are damaged") from None

    def bury(self, content: str, version: str = "") -> tuple[str, str]:
        """Tombstone of a text: (key version, keyed digest)."""
        name = version or self.tombstone_current
        return name, hmac.new(self.tombstone[name], content.encode(), hashlib.sha256).hexdigest()

    def bury_all(self, content: str) -> tuple[tuple[str, str], ...]:
        """Under every key there ever was: what a returning mail is compared with."""
        return tuple(self.bury(content, version) for version in self.tombstone)

    def _master(self, key_id: str) -> bytes:
        try:
            return self.master[key_id]
        except KeyError:
            raise DeskKeyError(f"master key {key_id} is not in the set") from None


def _encrypt(key: bytes, data: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, context)


def _decrypt(key: bytes, data: bytes, context: bytes) -> bytes:
    return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], context)
