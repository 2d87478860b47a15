"""Who our letters are signed by (S/MIME)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate
from pydantic import Field, SecretStr

from blocks.base import Checked, DeskBlock
from desk.certificates import find_faults, list_addresses, read_certificates
from desk.errors import BlockError, ConfigurationError

RENEWAL = "Get a new certificate for the sender's address and enter it with its key in the S/MIME identity block."


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and the certificate that says whose it is; `chain` leads from there towards the root."""

    key: RSAPrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...] = ()


class SmimeIdentity(DeskBlock):
    """The private key and the certificate that letters are signed with (RFC 8551)."""

    _block_type_name: ClassVar[str | None] = "Byreturn S-MIME identity"
    _block_type_slug: ClassVar[str | None] = "byreturn-smime-identity"
    _description: ClassVar[str | None] = "Private key and certificate that letters are signed with (S/MIME)."

    certificate: SecretStr = Field(
        title="Certificate", description="PEM, for the address letters come from; those that lead to its root below it."
    )
    private_key: SecretStr = Field(title="Private key", description="PEM, RSA of 2048 bits or more.")
    passphrase: SecretStr = Field(default=SecretStr(""), title="Passphrase", description="Empty: the key has none.")

    @property
    def renewal(self) -> str:
        """What to do before the certificate ends."""
        return RENEWAL

    @property
    def secret_expires(self) -> date:
        """The certificate's last day, UTC."""
        return self.open_identity().certificate.not_valid_after_utc.date()

    def open_identity(self) -> Identity:
        """Key and certificate, read. Raises BlockError when they can't be read or don't belong together."""
        try:
            certificate, *chain = read_certificates(self.certificate.get_secret_value().encode())
        except ConfigurationError as trouble:
            raise BlockError(trouble.detail, remedy=trouble.remedy) from None
        key = self._read_key()
        if key.public_key() != certificate.public_key():
            raise BlockError(
                "the private key is not the certificate's", remedy="Enter the pair that was made together."
            )
        return Identity(key, certificate, tuple(chain))

    def check(self) -> Checked:
        """Whose it is, until when, and whether it may sign. Raises BlockError with what is wrong."""
        certificate = self.open_identity().certificate
        owners = list_addresses(certificate)
        faults = find_faults(certificate, owners[0] if owners else "", "sign", datetime.now(UTC))
        if faults:
            raise BlockError(f"the certificate can't be used: {', '.join(faults)}", remedy=RENEWAL)
        return Checked(True, f"signs as {', '.join(owners)} until {self.secret_expires}")

    def _read_key(self) -> RSAPrivateKey:
        passphrase = self.passphrase.get_secret_value().encode() or None
        try:
            key = load_pem_private_key(self.private_key.get_secret_value().encode(), passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # damaged or a wrong passphrase; one too many or missing
            raise BlockError(
                "the private key can't be read", remedy="Give it as PEM, with the passphrase that locks it."
            ) from None
        if not isinstance(key, RSAPrivateKey):
            raise BlockError("the private key is no RSA key", remedy="Get a certificate with an RSA key.")
        return key
