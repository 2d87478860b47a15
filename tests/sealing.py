"""Certificates for mail as authorities give them, and OpenSSL, which reads what the desk seals."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = timedelta(days=1)
MAIL_USE = (ExtendedKeyUsageOID.EMAIL_PROTECTION,)


@dataclass(frozen=True)
class Pair:
    """A key and its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def write_key(self, passphrase: str = "") -> str:
        lock: KeySerializationEncryption = NoEncryption()
        if passphrase:
            lock = BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


@lru_cache
def make_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One a name: they take a while."""
    return rsa.generate_private_key(65537, bits)


@lru_cache
def make_root() -> Pair:
    """The authority that all the others are signed by."""
    key = make_key("root")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Autorité de l'atelier")])
    usage = name_usage("key_cert_sign", "crl_sign")
    builder = _begin(name, name, key, datetime.now(UTC) - DAY, datetime.now(UTC) + 3650 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True).add_extension(
        usage, critical=True
    )
    return Pair(key, builder.sign(key, hashes.SHA256()))


def make_pair(
    address: str,
    *,
    key: Key | None = None,
    starts: datetime | None = None,
    ends: datetime | None = None,
    uses: tuple[str, ...] = ("digital_signature", "key_encipherment"),
    purposes: tuple[ObjectIdentifier, ...] = MAIL_USE,
    in_subject: bool = False,
) -> Pair:
    """A certificate for this address, `in_subject` where old ones have it; without `uses` it says nothing of them."""
    now = datetime.now(UTC)
    key, root = key or make_key(address), make_root()
    named = [x509.NameAttribute(NameOID.COMMON_NAME, "Atelier")]
    if in_subject:
        named.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, address))
    builder = _begin(x509.Name(named), root.certificate.subject, key, starts or now - 30 * DAY, ends or now + 365 * DAY)
    if not in_subject:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
    if uses:
        builder = builder.add_extension(name_usage(*uses), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Pair(key, builder.sign(make_key("root"), hashes.SHA256()))


def name_usage(*uses: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in uses for name in names})


def _begin(
    subject: x509.Name, issuer: x509.Name, key: Key, starts: datetime, ends: datetime
) -> x509.CertificateBuilder:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    number = int.from_bytes(sha256(public).digest()[:15])  # the same again, so that what is sealed to it is found by it
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), number)
        .not_valid_before(starts)
        .not_valid_after(ends)
    )


# --- OpenSSL ---


def run_openssl(folder: Path, *words: str, mail: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`openssl …` in this folder, where `mail` lies as mail.eml."""
    program = shutil.which("openssl")
    assert program, "openssl is not on PATH"
    (folder / "mail.eml").write_bytes(mail)
    return subprocess.run([program, *words], cwd=folder, capture_output=True, check=False)


def verify_mail(folder: Path, mail: bytes, root: Pair | None = None) -> subprocess.CompletedProcess[bytes]:
    """Its output is the content that was signed."""
    (folder / "root.pem").write_text((root or make_root()).pem)
    return run_openssl(folder, "cms", "-verify", "-in", "mail.eml", "-CAfile", "root.pem", mail=mail)


def decrypt_mail(folder: Path, mail: bytes, reader: Pair) -> subprocess.CompletedProcess[bytes]:
    """Its output is the content that was encrypted."""
    (folder / "reader.pem").write_text(reader.pem + reader.write_key())
    command = ("cms", "-decrypt", "-in", "mail.eml", "-recip", "reader.pem", "-inkey", "reader.pem")
    return run_openssl(folder, *command, mail=mail)


def describe_mail(folder: Path, mail: bytes) -> str:
    """Its CMS, field by field."""
    shown = run_openssl(folder, "cms", "-cmsout", "-print", "-in", "mail.eml", mail=mail)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.decode()
