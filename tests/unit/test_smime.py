"""A mail that is only signed can be read without a key; anything else gives nothing, and fast."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.mail.smime import open_signed

SIGNED, DATA = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")
MAIL = b"Content-Type: text/plain\r\n\r\nBonjour"


def wrap(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes(3)
    return bytes((tag, 0x83)) + size + content


def wrap_endless(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x80)) + content + b"\0\0"


def sign(content: bytes) -> bytes:
    """What surrounds the content in SignedData; the signature itself is of no interest here."""
    inner = wrap(0x30, DATA + wrap(0xA0, content))
    fields = b"\x02\x01\x01" + wrap(0x31, b"") + inner + wrap(0x31, b"")
    return wrap(0x30, SIGNED + wrap(0xA0, wrap(0x30, fields)))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(wrap(0x04, MAIL), id="in one piece"),
        pytest.param(wrap(0x24, wrap(0x04, MAIL[:9]) + wrap(0x04, MAIL[9:])), id="in pieces"),
        pytest.param(wrap_endless(0x24, wrap(0x04, MAIL[:9]) + wrap(0x04, MAIL[9:])), id="of no told length"),
    ],
)
def test_what_was_signed_comes_out(content: bytes) -> None:
    assert open_signed(sign(content)) == MAIL


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x30\x80\x05\0\0\0", id="one item where two belong"),
        pytest.param(sign(wrap(0x04, MAIL))[:-40], id="cut off"),
        pytest.param(wrap(0x30, DATA + wrap(0xA0, wrap(0x30, b""))), id="not signed"),
        pytest.param(b"\x30\x80" * 5_000, id="nested without end"),
        pytest.param(b"\x30\x80" + b"\0\x00" * 2_000_000, id="zeros"),
        pytest.param(sign(b"\x24\x80" + b"\x04\0" * 4_000_000 + b"\0\0"), id="millions of empty pieces"),
    ],
)
def test_what_is_damaged_gives_nothing(content: bytes) -> None:
    assert open_signed(content) == b""


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(content: bytes) -> None:
    open_signed(content)
    open_signed(sign(content))


def test_a_signed_mail_is_read_with_its_text() -> None:
    from desk.mail import Mail, read_mail

    mail = read_mail((Path(__file__).parents[1] / "mails" / "smime-opaque-signed.eml").read_bytes())
    assert isinstance(mail, Mail)
    assert mail.wrappers == ("smime-signed",)
    assert mail.reply_text
