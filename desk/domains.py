"""Names of domains as mail carries them."""

from __future__ import annotations

from contextlib import suppress


def encode_domain(domain: str) -> str:
    """The domain in ASCII (RFC 5890); empty when it has no such form. Wide forms of signs become the signs."""
    with suppress(UnicodeError):
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    return ""
