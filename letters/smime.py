"""Letters signed and encrypted (S/MIME, RFC 8551): what is outside stays as it was, content goes inside.

A letter's head stays outside, readable on the way: only its Content fields go in. Signatures are detached, so that
readers without S/MIME show the letter all the same (§3.5.3).
"""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Sequence
from email import message_from_bytes
from email.utils import parseaddr
from hashlib import blake2b

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7EnvelopeBuilder,
    PKCS7Options,
    PKCS7SignatureBuilder,
)
from cryptography.x509 import Certificate

from desk.errors import ConfigurationError

_FIELD = re.compile(rb"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")  # with its folded lines
_LINE_END = re.compile(rb"\r\n|\r|\n")
_INSIDE = b"content-"  # RFC 8551 §3.1: what tells of the content goes with it
_NEVER = b"bcc:"
_OPTIONS = (PKCS7Options.DetachedSignature, PKCS7Options.Binary)  # the content is canonical already


def sign_letter(body: bytes, key: RSAPrivateKey, certificate: Certificate, chain: Sequence[Certificate] = ()) -> bytes:
    """The letter as multipart/signed with SHA-256 (RFC 8551 §3.5.3); `chain` leads from the certificate to its root.

    Raises ConfigurationError for a letter that is not 7-bit, whose signature would break on the way.
    """
    head, content = split_letter(body)
    builder = PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, SHA256())
    for one in chain:
        builder = builder.add_certificate(one)
    return head + _join_signed(content, builder.sign(Encoding.DER, _OPTIONS))


def encrypt_letter(body: bytes, certificates: Sequence[Certificate]) -> bytes:
    """The letter as enveloped-data (RFC 5652 §6) in AES-256-CBC, which each of these RSA certificates' owners reads."""
    head, content = split_letter(body)
    builder = PKCS7EnvelopeBuilder().set_data(content).set_content_encryption_algorithm(AES256)
    for one in certificates:
        builder = builder.add_recipient(one)
    sealed = builder.encrypt(Encoding.DER, [PKCS7Options.Binary])
    return head + _write_part("application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m", sealed)


def split_letter(body: bytes) -> tuple[bytes, bytes]:
    """The fields that stay outside, and the content with the fields that tell of it, in canonical form (§3.1.1)."""
    head, _, content = _LINE_END.sub(b"\r\n", body).partition(b"\r\n\r\n")
    if not content.isascii():
        raise ConfigurationError("a letter that is to be sealed is not 7-bit")
    fields = [one for one in _FIELD.findall(head + b"\r\n") if not one.lower().startswith(_NEVER)]
    inside = [one for one in fields if one.lower().startswith(_INSIDE)]
    outside = [one for one in fields if not one.lower().startswith(_INSIDE)]
    return b"".join(outside), b"".join([*inside, b"\r\n", content])


def read_sender(body: bytes) -> str:
    """The address in From, lower-cased; empty when there is none."""
    head = body.partition(b"\r\n\r\n")[0]
    return parseaddr(str(message_from_bytes(head).get("From", "")))[1].lower()


def _join_signed(content: bytes, signature: bytes) -> bytes:
    boundary = b"=_signed_" + blake2b(content, digest_size=12).hexdigest().encode()  # stands in no coded line
    return b"".join([
        b"Content-Type: multipart/signed; micalg=sha-256;\r\n",
        b' protocol="application/pkcs7-signature";\r\n',
        b' boundary="' + boundary + b'"\r\n\r\n',
        b"This is a signed mail (S/MIME).\r\n",
        b"--" + boundary + b"\r\n" + content + b"\r\n",  # the last line end is the boundary's (RFC 2046 §5.1.1)
        b"--" + boundary + b"\r\n" + _write_part("application/pkcs7-signature", "smime.p7s", signature) + b"\r\n",
        b"--" + boundary + b"--\r\n",
    ])  # fmt: skip


def _write_part(content_type: str, name: str, data: bytes) -> bytes:
    head = (
        f'Content-Type: {content_type};\r\n name="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode() + encodebytes(data).replace(b"\n", b"\r\n")
