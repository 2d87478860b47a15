"""What a mail's content is wrapped in, named and never opened here: S/MIME, OpenPGP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from desk.mail.parts import Part

_ARMOUR = re.compile(r"^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----[ \t]*$", re.MULTILINE)


_BEGINNING = re.compile(
    r"^-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\n(?:[A-Za-z]{1,20}: [^\n]{0,200}\n){0,10}\n?", re.MULTILINE
)
_ENDING = re.compile(
    r"^-----BEGIN PGP SIGNATURE-----[ \t]*\n(?:[^\n-][^\n]{0,100}\n|\n){0,200}-----END PGP SIGNATURE-----", re.MULTILINE
)
_DASHED = re.compile(r"^- -", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """`name` of a wrapper and the part that is one."""

    name: str
    holds: Callable[[Part], bool]


def name_wrappers(parts: Iterable[Part], text: str, *, tnef: bool) -> tuple[str, ...]:
    """Wrappers by their part's type, those of OpenPGP also by their armour in `text` (RFC 9580 §6.2)."""
    found = {row.name for part in parts for row in ROWS if row.holds(part)}
    armoured = {_ARMOURS[one] for one in _ARMOUR.findall(text)} if "-----BEGIN PGP " in text else set()
    return tuple(sorted(found | armoured | ({"tnef"} if tnef else set())))


def strip_armour(text: str) -> str:
    """Text that is signed within itself, without what the signature put around it (RFC 9580 §7)."""
    if "-----BEGIN PGP SIGNED" not in text:
        return text
    return _DASHED.sub("-", _ENDING.sub("", _BEGINNING.sub("", text)))


def _has_type(content_type: str, **params: str) -> Callable[[Part], bool]:
    wanted = {name: re.compile(value) for name, value in params.items()}

    def holds(part: Part) -> bool:
        return part.content_type == content_type and all(
            pattern.fullmatch(part.params.get(name.replace("_", "-"), "").lower()) for name, pattern in wanted.items()
        )

    return holds


_ARMOURS = {"MESSAGE": "pgp-encrypted", "SIGNED MESSAGE": "pgp-signed"}
_OPAQUE, _SEALED = "signed-data|certs-only", "|enveloped-data|authenveloped-data|compressed-data"

ROWS = (
    Row("pgp-encrypted", _has_type("multipart/encrypted", protocol="application/pgp-encrypted|")),  # RFC 3156 §4
    Row("pgp-signed", _has_type("multipart/signed", protocol="application/pgp-signature")),  # RFC 3156 §5
    Row(
        "smime-signed", _has_type("multipart/signed", protocol="application/(?:x-)?pkcs7-signature")
    ),  # RFC 8551 §3.5.3
    Row("smime-signed", _has_type("application/pkcs7-mime", smime_type=_OPAQUE)),  # RFC 8551 §3.5.2
    Row("smime-signed", _has_type("application/x-pkcs7-mime", smime_type=_OPAQUE)),
    Row("smime-encrypted", _has_type("application/pkcs7-mime", smime_type=_SEALED)),  # RFC 8551 §3.3
    Row("smime-encrypted", _has_type("application/x-pkcs7-mime", smime_type=_SEALED)),
)
