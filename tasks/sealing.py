"""Letters signed and encrypted as the policy wants them, just before they go out (S/MIME, RFC 8551).

Where the policy says `always` a letter to somebody without a certificate is refused here, and not before: only now is
it known who gets it and whose certificate still holds, and nothing that is written elsewhere can pass by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.x509 import Certificate

from blocks.base import list_blocks, load_block
from blocks.smime import Identity, SmimeIdentity
from desk.certificates import is_current, list_addresses, read_certificates
from desk.errors import BlockError, LetterTrouble
from desk.policy import Policy, Smime
from letters.smime import encrypt_letter, read_sender, sign_letter
from store.certificates import read_pems
from store.memory import Store
from tasks.expiry import watch_secret
from tasks.opening import DESK

NO_CERTIFICATE = "no-certificate"
ASK_CERTIFICATE = (
    "Add the reader's certificate with `byreturn certificates add`, or set letters.smime.encrypt to possible."
)


@dataclass(frozen=True, slots=True)
class Sealer:
    """How letters are sealed: by whom they are signed, by address, and when they are encrypted."""

    store: Store
    wanted: Smime
    identities: Mapping[str, Identity]

    def seal(self, body: bytes, recipients: Sequence[str]) -> bytes:
        """The letter signed, then encrypted to all of these or to none: one mail goes to them all.

        An expired certificate counts as none. Raises LetterTrouble `no-certificate` where all letters are encrypted
        and one of them has none.
        """
        found = self._find_certificates(recipients)
        if self.identities:
            signer = self.choose_signer(body)
            body = sign_letter(body, signer.key, signer.certificate, signer.chain)
        return encrypt_letter(body, found) if found else body

    def choose_signer(self, body: bytes) -> Identity:
        """Who has a certificate for the address in From, else the desk's own."""
        return self.identities.get(read_sender(body)) or self.identities[DESK]

    def _find_certificates(self, recipients: Sequence[str]) -> list[Certificate]:
        """Of all recipients, or none."""
        if self.wanted.encrypt == "never":
            return []
        pems = read_pems(self.store, recipients, datetime.now(UTC))
        if all(one.lower() in pems for one in recipients):
            return [read_certificates(pems[one.lower()].encode())[0] for one in recipients]
        if self.wanted.encrypt == "always":
            raise LetterTrouble("a reader has no certificate", remedy=ASK_CERTIFICATE, code=NO_CERTIFICATE)
        return []


def open_sealer(store: Store, policy: Policy) -> Sealer:
    """Nothing is loaded where nothing is signed. Raises BlockError without usable identities where letters are."""
    wanted = policy.letters.smime
    return Sealer(store, wanted, open_identities(store) if wanted.sign else {})


def open_identities(store: Store) -> Mapping[str, Identity]:
    """Who signs, by address; under the desk's name who signs for addresses that have no certificate of their own."""
    others = [name for name in list_blocks(SmimeIdentity) if name != DESK]
    opened = {name: _open_identity(store, name) for name in (DESK, *others)}
    known = {address: one for one in opened.values() for address in list_addresses(one.certificate)}
    return known | {DESK: opened[DESK]}


def _open_identity(store: Store, name: str) -> Identity:
    """Its end is told of in time: what is signed after it would be worth nothing."""
    block, now = load_block(SmimeIdentity, name), datetime.now(UTC)
    identity = block.open_identity()
    watch_secret(store, block, name, now)
    if not is_current(identity.certificate, now):
        raise BlockError(
            f"the certificate of {SmimeIdentity.get_block_type_slug()}/{name} is not valid now", remedy=block.renewal
        )
    return identity
