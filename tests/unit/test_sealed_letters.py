"""Sealed letters (S/MIME), read by OpenSSL and by the desk's own reader."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from desk.errors import ConfigurationError
from desk.mail import Address, Mail, read_mail
from letters.compose import Part, compose_letter
from letters.render import Rendered
from letters.smime import encrypt_letter, read_sender, sign_letter, split_letter
from tests.sealing import Pair, decrypt_mail, describe_mail, make_key, make_pair, make_root, verify_mail

DESK = "support@atelier.example"
READERS = ("n1@atelier.example", "n2@atelier.example")
TEXT = "Bonjour,\n\nles notes de la classe sont là : « été », 12 €.\n.\nFrom ici\n\nL'équipe\n"
OUTSIDE = {
    "From": "Atelier <support@atelier.example>", "To": "n1@atelier.example, n2@atelier.example",
    "Subject": "Notes", "Message-ID": "<one@atelier.example>", "In-Reply-To": "<zero@mail.example>",
    "References": "<zero@mail.example>", "Date": "Tue, 17 Nov 2026 09:00:00 +0000", "Auto-Submitted": "auto-replied",
    "MIME-Version": "1.0",
}  # fmt: skip
SIGNED = re.compile(rb"boundary=\"([^\"]+)\".*?\r\n--\1\r\n(.*)\r\n--\1\r\n", re.DOTALL)


def write_letter(*attachments: Part, html: bool = True) -> bytes:
    return compose_letter(
        Rendered("Notes", TEXT, "<p>Bonjour, les notes sont là.</p>"),
        message_id="<one@atelier.example>",
        sender=Address("Atelier", DESK),
        recipients=READERS,
        date=datetime(2026, 11, 17, 9, tzinfo=UTC),
        in_reply_to="<zero@mail.example>",
        html=html,
        attachments=attachments,
    )


@pytest.fixture(scope="module")
def desk() -> Pair:
    return make_pair(DESK)


def sign(letter: bytes, desk: Pair) -> bytes:
    return sign_letter(letter, make_key(DESK), desk.certificate, [make_root().certificate])


LETTERS = {
    "text alone": write_letter(html=False),
    "text and page": write_letter(),
    "with a file": write_letter(Part("notes.bin", "application/octet-stream", bytes(range(256)) * 40)),
    "with a script that is coded in base64": compose_letter(
        Rendered("Ελλάδα", "Ελληνικά " * 200, ""), message_id="<two@atelier.example>", sender=Address("Atelier", DESK),
        recipients=READERS, date=datetime(2026, 11, 17, 9, tzinfo=UTC), html=False,
    ),
}  # fmt: skip
every_letter = pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)


# --- signing ---


@every_letter
def test_openssl_verifies_what_is_signed_and_reads_the_content_unchanged(
    letter: bytes, desk: Pair, tmp_path: Path
) -> None:
    found = verify_mail(tmp_path, sign(letter, desk))
    assert found.returncode == 0, found.stderr
    assert found.stdout == split_letter(letter)[1]


def test_a_signature_is_the_desks_own_and_no_one_elses(desk: Pair, tmp_path: Path) -> None:
    stranger = make_pair("root@elsewhere.example")
    found = verify_mail(tmp_path, sign(write_letter(), desk), root=stranger)
    assert found.returncode != 0
    assert b"Verification failure" in found.stderr


@pytest.mark.parametrize(("was", "became"), [(b"classe", b"Classe"), (b"<p>Bonjour", b"<p>Bonsoir")])
def test_tampering_with_the_content_is_told(was: bytes, became: bytes, desk: Pair, tmp_path: Path) -> None:
    signed = sign(write_letter(), desk)
    assert signed.count(was) == 1
    found = verify_mail(tmp_path, signed.replace(was, became))
    assert found.returncode != 0
    assert b"digest" in found.stderr or b"Verification failure" in found.stderr


def test_it_is_signed_with_sha_256_and_says_what_it_can_decrypt(desk: Pair, tmp_path: Path) -> None:
    shown = describe_mail(tmp_path, sign(write_letter(), desk))
    assert "sha256 (2.16.840.1.101.3.4.2.1)" in shown
    assert "S/MIME Capabilities" in shown
    assert shown.count("serialNumber:") >= 3  # the desk's certificate, the root's, the signer's name


def test_without_a_chain_the_certificate_goes_alone(desk: Pair, tmp_path: Path) -> None:
    alone = sign_letter(write_letter(), make_key(DESK), desk.certificate)
    assert verify_mail(tmp_path, alone).returncode == 0
    assert len(alone) < len(sign(write_letter(), desk))


def test_the_head_stays_outside_and_the_content_fields_go_inside(desk: Pair) -> None:
    head, inside = split_letter(write_letter())
    for name, value in OUTSIDE.items():
        assert f"{name}: {value}".encode() in head
        assert f"{name}:".encode() not in inside
    assert b"content-" not in head.lower()
    assert inside.startswith(b"Content-Type: multipart/alternative;\r\n boundary=")


def test_every_field_of_the_head_is_there_once(desk: Pair) -> None:
    for sealed in (sign(write_letter(), desk), encrypt_letter(write_letter(), [desk.certificate])):
        head = sealed.partition(b"\r\n\r\n")[0].decode()
        names = [line.split(":")[0].lower() for line in head.split("\r\n") if not line.startswith(" ")]
        assert len(names) == len(set(names))
        assert {"mime-version", "content-type", "from", "subject"} <= set(names)


def test_the_desk_reads_its_own_signed_letter_as_if_it_were_not_signed(desk: Pair) -> None:
    letter = LETTERS["with a file"]
    plain, signed = read_mail(letter), read_mail(sign(letter, desk))
    assert isinstance(plain, Mail)
    assert isinstance(signed, Mail)
    assert (signed.text, signed.subject, signed.message_id) == (plain.text, plain.subject, plain.message_id)
    assert [one.name for one in plain.attachments] == ["notes.bin"]
    assert [one.name for one in signed.attachments if one.name != "smime.p7s"] == ["notes.bin"]


def test_a_letter_that_is_not_7_bit_is_not_signed(desk: Pair) -> None:
    eight = write_letter().replace(b"classe", "élève".encode())
    with pytest.raises(ConfigurationError, match="not 7-bit"):
        sign(eight, desk)


def test_line_ends_are_made_canonical_before_signing(desk: Pair, tmp_path: Path) -> None:
    letter = write_letter()
    found = verify_mail(tmp_path, sign(letter.replace(b"\r\n", b"\n"), desk))
    assert (found.returncode, found.stdout) == (0, split_letter(letter)[1])


def test_hidden_readers_are_never_named(desk: Pair) -> None:
    letter = b"Bcc: hidden@atelier.example,\r\n more@atelier.example\r\n" + write_letter()
    for sealed in (sign(letter, desk), encrypt_letter(letter, [desk.certificate])):
        assert b"hidden@" not in sealed
        assert b"more@" not in sealed
        assert sealed.startswith(b"From: ")


# --- encrypting ---


@every_letter
def test_each_reader_decrypts_the_content_unchanged(letter: bytes, tmp_path: Path) -> None:
    pairs = [make_pair(one) for one in READERS]
    sealed = encrypt_letter(letter, [pair.certificate for pair in pairs])
    for pair in pairs:
        found = decrypt_mail(tmp_path, sealed, pair)
        assert (found.returncode, found.stdout) == (0, split_letter(letter)[1]), found.stderr


def test_nobody_else_decrypts_it(tmp_path: Path) -> None:
    sealed = encrypt_letter(write_letter(), [make_pair(READERS[0]).certificate])
    found = decrypt_mail(tmp_path, sealed, make_pair(READERS[1]))
    assert found.returncode != 0
    assert b"notes" not in found.stdout


def test_it_is_encrypted_in_aes_256_cbc(tmp_path: Path) -> None:
    shown = describe_mail(tmp_path, encrypt_letter(write_letter(), [make_pair(READERS[0]).certificate]))
    assert "aes-256-cbc (2.16.840.1.101.3.4.1.42)" in shown
    assert "enveloped" in shown


def test_nothing_of_the_content_is_outside() -> None:
    letter = LETTERS["with a file"]
    sealed = encrypt_letter(letter, [make_pair(READERS[0]).certificate])
    head = split_letter(sealed)[0]
    assert head == split_letter(letter)[0]
    for word in (b"notes.bin", b"multipart", b"text/plain", b"classe"):
        assert word in letter
        assert word not in sealed


def test_it_is_signed_first_then_encrypted(desk: Pair, tmp_path: Path) -> None:
    reader = make_pair(READERS[0])
    sealed = encrypt_letter(sign(write_letter(), desk), [reader.certificate])
    opened = decrypt_mail(tmp_path, sealed, reader)
    assert opened.stdout.startswith(b"Content-Type: multipart/signed")
    assert b"From: Atelier" not in opened.stdout
    found = verify_mail(tmp_path, opened.stdout)
    assert (found.returncode, found.stdout) == (0, split_letter(write_letter())[1])


# --- both ---


@every_letter
def test_a_sealed_letter_is_7_bit_with_crlf_and_short_lines(letter: bytes, desk: Pair) -> None:
    for sealed in (sign(letter, desk), encrypt_letter(letter, [desk.certificate])):
        assert sealed.isascii()
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", sealed)
        assert max(map(len, sealed.split(b"\r\n"))) <= 998
        assert sealed.endswith(b"\r\n")


def test_the_sender_is_read_from_the_head() -> None:
    assert read_sender(write_letter()) == DESK
    assert (
        read_sender(b"From: =?utf-8?q?=C3=89t=C3=A9?=\r\n <Support@Atelier.example>\r\nTo: a@b.example\r\n\r\n") == DESK
    )
    assert read_sender(b"To: a@b.example\r\n\r\nFrom: c@d.example\r\n") == ""
