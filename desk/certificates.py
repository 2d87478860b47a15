"""X.509 certificates for mail (RFC 8550): whose they are, until when, and what keeps one from being used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import (
    Certificate,
    ExtendedKeyUsage,
    ExtensionType,
    KeyUsage,
    RFC822Name,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from desk.errors import ConfigurationError

Use = Literal["sign", "encrypt"]
Kind = TypeVar("Kind", bound=ExtensionType)

LEAST_BITS = 2048  # RFC 8551 §4.2: shorter keys are for reading old mail only
MAIL_USES = frozenset({ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})

# RFC 8550 §4.4.2; a certificate that says nothing of its use may be used for anything
_FIT: Mapping[Use, Callable[[KeyUsage], bool]] = {
    "sign": lambda usage: usage.digital_signature or usage.content_commitment,
    "encrypt": lambda usage: usage.key_encipherment,
}
_UNFIT: Mapping[Use, str] = {"sign": "it is not for signing", "encrypt": "it is not for encrypting"}


def read_certificates(pem: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM text, in its order. Raises ConfigurationError when there is one that can't be read."""
    try:
        found = tuple(load_pem_x509_certificates(pem))
        for one in found:
            _ = one.extensions, one.public_key()  # read late, and then without a remedy
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(
            "there is no readable certificate", remedy="Give it as PEM: a block between BEGIN and END CERTIFICATE."
        ) from None
    return found


def list_addresses(certificate: Certificate) -> tuple[str, ...]:
    """Whose it is (RFC 8550 §3), lower-cased: the alternative names, and those that old ones bear in their subject."""
    named = [
        one for names in _find(certificate, SubjectAlternativeName) for one in names.get_values_for_type(RFC822Name)
    ]
    old = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)]
    return tuple(dict.fromkeys(one.lower() for one in [*named, *old]))


def is_current(certificate: Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now.astimezone(UTC) <= certificate.not_valid_after_utc


def find_faults(certificate: Certificate, address: str, use: Use, now: datetime) -> tuple[str, ...]:
    """What keeps a certificate from being used for letters of, or to, this address; empty when nothing does."""
    checks: tuple[tuple[str, bool], ...] = (
        (f"its key is no RSA key of {LEAST_BITS} bits or more", not _is_strong(certificate)),
        ("it belongs to another address", address.lower() not in list_addresses(certificate)),
        ("it is not for mail", not _is_for_mail(certificate)),
        (_UNFIT[use], not all(map(_FIT[use], _find(certificate, KeyUsage)))),
        ("it is not valid yet", now.astimezone(UTC) < certificate.not_valid_before_utc),
        ("it has expired", certificate.not_valid_after_utc < now.astimezone(UTC)),
    )
    return tuple(fault for fault, found in checks if found)


def _is_strong(certificate: Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, RSAPublicKey) and key.key_size >= LEAST_BITS


def _is_for_mail(certificate: Certificate) -> bool:
    return all(MAIL_USES.intersection(uses) for uses in _find(certificate, ExtendedKeyUsage))


def _find(certificate: Certificate, kind: type[Kind]) -> list[Kind]:
    """The extension of this kind, of which there is one or none (RFC 5280 §4.2)."""
    return [one.value for one in certificate.extensions if isinstance(one.value, kind)]
