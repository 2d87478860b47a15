"""Mails signed as senders' servers sign them (RFC 6376, relaxed/relaxed), written without the library that checks."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DOMAIN = "school.example"
KEY_NAME = f"s1._domainkey.{DOMAIN}"
HASHES: dict[str, type[HashAlgorithm]] = {"rsa-sha256": SHA256, "rsa-sha1": SHA1}


@lru_cache
def make_key(bits: int = 2048) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@lru_cache
def make_edwards_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def publish(bits: int = 2048, tags: str = "") -> bytes:
    """The TXT record of a key, with further tags if asked for."""
    public = make_key(bits).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; {tags}p={base64.b64encode(public).decode()}".encode()


def publish_edwards() -> bytes:
    public = make_edwards_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}".encode()


def write_mail(*fields: str, sender: str = f"Jean <jean@{DOMAIN}>", text: str = "Bonjour,\r\n\r\nmerci.\r\n") -> bytes:
    """A mail with CRLF, `fields` above the usual ones."""
    usual = (f"From: {sender}", "To: support@atelier.example", "Subject: Panne", "Message-ID: <m1@mail.example>")
    return "\r\n".join([*fields, *usual, "", text]).encode()


def sign(
    raw: bytes, *, bits: int = 2048, algorithm: str = "rsa-sha256", h: str = "from:to:subject", **tags: str
) -> bytes:
    """The mail with a DKIM-Signature on top; `tags` replace or add to the usual ones."""
    head, _, body = raw.partition(b"\r\n\r\n")
    known = {"v": "1", "a": algorithm, "c": "relaxed/relaxed", "d": DOMAIN, "s": "s1", "h": h, **tags}
    cut = relax_body(body)[: int(tags.get("l", len(body) + 2))]
    known["bh"] = base64.b64encode(digest(cut, HASHES.get(algorithm, SHA256))).decode()
    unsigned = "DKIM-Signature: " + "; ".join(f"{name}={value}" for name, value in known.items()) + "; b="
    signed = b"".join(pick_fields(head, h)) + relax_field(unsigned.encode()).rstrip()
    return f"{unsigned}{base64.b64encode(seal(signed, bits, algorithm)).decode()}\r\n".encode() + raw


def seal(data: bytes, bits: int, algorithm: str) -> bytes:
    if algorithm == "ed25519-sha256":
        return make_edwards_key().sign(hashlib.sha256(data).digest())
    return make_key(bits).sign(data, PKCS1v15(), HASHES[algorithm]())


def digest(data: bytes, algorithm: type[HashAlgorithm]) -> bytes:
    hasher = Hash(algorithm())
    hasher.update(data)
    return hasher.finalize()


def pick_fields(head: bytes, h: str) -> list[bytes]:
    """The fields that are signed, relaxed, the lowest of a name first (RFC 6376 §5.4.2)."""
    fields = [(one.partition(b":")[0].lower().decode(), one) for one in re.split(rb"\r\n(?![ \t])", head)]
    picked = []
    for name in h.split(":"):
        places = [at for at, (known, _) in enumerate(fields) if known == name]
        picked += [relax_field(fields.pop(places[-1])[1])] if places else []
    return picked


def relax_field(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    return name.lower().strip() + b":" + b" ".join(value.split()) + b"\r\n"


def relax_body(body: bytes) -> bytes:
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    text = b"\r\n".join(lines).rstrip(b"\r\n")
    return text + b"\r\n" if text else b""
