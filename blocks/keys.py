"""The desk's own keys: losing them loses every kept mail, so they can be exported for escrow.

Three sets, each a dictionary id → 32 bytes in base64, and the id that new work uses: `master` wraps the keys
of mails, `token` signs our Message-IDs, `tombstone` recognises what was erased and is never discarded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from prefect.types import SecretDict
from pydantic import Field, ValidationError, model_validator

from blocks.base import Checked, DeskBlock
from desk.errors import DeskKeyError

KEY_BYTES = 32
PURPOSES = ("master", "token", "tombstone")
FORMAT = "byreturn-desk-keys-1"


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys of one purpose: id → 32 bytes; `current` names the one for new work."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)


class DeskKeys(DeskBlock):
    """Master, token and tombstone keys."""

    _block_type_name: ClassVar[str | None] = "Byreturn desk keys"
    _block_type_slug: ClassVar[str | None] = "byreturn-desk-keys"
    _description: ClassVar[str | None] = (
        "Keys of the kept mails. Made by `byreturn setup`; export them and lock it away."
    )

    master_keys: SecretDict = Field(title="Master keys", description="id → 32 bytes in base64; wrap the mails' keys.")
    master_current: str = Field(title="Current master key", description="Id of the key for new mails.")
    token_keys: SecretDict = Field(title="Token keys", description="id → 32 bytes in base64; sign our Message-IDs.")
    token_current: str = Field(title="Current token key", description="Id of the key for new letters.")
    tombstone_keys: SecretDict = Field(
        title="Tombstone keys",
        description="id → 32 bytes in base64; recognise erased mail. Never remove one.",
    )
    tombstone_current: str = Field(title="Current tombstone key", description="Id of the key for new tombstones.")

    @model_validator(mode="after")
    def prove_keys(self) -> Self:
        """Raises DeskKeyError naming the set and the id, never a key."""
        for purpose in PURPOSES:
            self.read_keys(purpose)
        return self

    @property
    def master(self) -> KeySet:
        return self.read_keys("master")

    @property
    def token(self) -> KeySet:
        return self.read_keys("token")

    @property
    def tombstone(self) -> KeySet:
        return self.read_keys("tombstone")

    def read_keys(self, purpose: str) -> KeySet:
        """The keys of one purpose as bytes."""
        written = getattr(self, f"{purpose}_keys").get_secret_value()
        current = getattr(self, f"{purpose}_current")
        if current not in written:
            raise DeskKeyError(f"the current {purpose} key is not among the {purpose} keys")
        return KeySet(current, {name: decode_key(purpose, name, text) for name, text in written.items()})

    def fingerprint(self) -> str:
        """Of the current master key, 32 hex digits: safe to show; the same as `store.keys` computes."""
        master = self.master
        return hashlib.sha256(b"byreturn master key\0" + master.keys[master.current]).hexdigest()[:32]

    @classmethod
    def generate(cls) -> Self:
        """A fresh set, one key each with id "1"; never over an existing store."""
        fresh: dict[str, Any] = {}
        for purpose in PURPOSES:
            key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
            fresh |= {f"{purpose}_keys": SecretDict({"1": key}), f"{purpose}_current": "1"}
        return cls(**fresh)

    def export(self) -> str:
        """Everything as JSON in clear, for escrow: keep it offline, apart from the backups."""
        content: dict[str, Any] = {"format": FORMAT, "fingerprint": self.fingerprint()}
        for purpose in PURPOSES:
            content[f"{purpose}_keys"] = getattr(self, f"{purpose}_keys").get_secret_value()
            content[f"{purpose}_current"] = getattr(self, f"{purpose}_current")
        return json.dumps(content, indent=2)

    @classmethod
    def restore(cls, text: str) -> Self:
        """The keys of an export. Raises DeskKeyError when it is damaged."""
        try:
            content = json.loads(text)
            wanted = content.pop("fingerprint")
            known = content.pop("format") == FORMAT
            restored = cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            raise DeskKeyError("this text is no export of desk keys") from None
        if not known or restored.fingerprint() != wanted:
            raise DeskKeyError("this export is damaged: it does not match its own fingerprint")
        return restored

    def check(self) -> Checked:
        """Every key is there and 32 bytes long, else DeskKeyError."""
        counts = ", ".join(f"{len(self.read_keys(purpose).keys)} {purpose}" for purpose in PURPOSES)
        return Checked(True, f"keys: {counts}; fingerprint {self.fingerprint()}")


def decode_key(purpose: str, name: str, text: object) -> bytes:
    try:
        key = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise DeskKeyError(f"{purpose} key {name} is not base64") from None
    if len(key) != KEY_BYTES:
        raise DeskKeyError(f"{purpose} key {name} has {len(key)} bytes instead of {KEY_BYTES}")
    return key
