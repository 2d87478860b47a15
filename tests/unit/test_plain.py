"""A letter as plain text alone, and a letter taken apart and put together."""

from __future__ import annotations

import pytest

from letters.compose import Part
from letters.parts import put_together, take_apart
from letters.plain import can_be_plain, make_plain
from tests.offices import TEXT, read_letter, write_body

LONG_NAME = "Déclaration de rentrée – école élémentaire Jean-Moulin, année 2026-2027 (version définitive).pdf"
FILES = (
    Part(LONG_NAME, "application/pdf", bytes(range(256))),
    Part('a "b" c.txt', "text/plain", b"one\r\ntwo\n"),
    Part("empty.bin", "application/octet-stream", b""),
)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("html", [True, False])
def test_a_letter_put_together_again_says_and_holds_the_same(count: int, html: bool) -> None:
    body = write_body("letter", *FILES[:count], html=html)
    again = put_together(take_apart(body))
    assert describe(again) == describe(body)
    assert again.isascii()
    assert b"\n" not in again.replace(b"\r\n", b"")


def describe(body: bytes) -> tuple[object, ...]:
    parsed = read_letter(body)
    head = [(name, value) for name, value in parsed.items() if name != "Content-Type"]
    texts = [one.get_content() for kind in ("plain", "html") if (one := parsed.get_body((kind,)))]
    files = [(one.get_filename(), one.get_content_type(), one.get_payload(decode=True))
             for one in parsed.iter_attachments()]  # fmt: skip
    return head, texts, files


def test_the_plain_letter_has_its_head_text_and_files_and_no_page() -> None:
    body = write_body("letter", *FILES)
    plain = make_plain(body)
    head, texts, files = describe(body)
    assert isinstance(texts, list)
    assert describe(plain) == (head, texts[:1], files)
    assert len(texts) == 2
    assert b"text/html" not in plain


def test_without_files_the_plain_letter_has_one_part() -> None:
    plain = read_letter(make_plain(write_body()))
    assert (plain.get_content_type(), plain.get_content().splitlines()) == ("text/plain", TEXT.splitlines())


def test_the_head_stays_byte_for_byte() -> None:
    body = write_body()
    head = body.partition(b"MIME-Version")[0]
    assert head in make_plain(body)
    assert make_plain(body).count(b"Message-ID: <letter@mail.example>\r\n") == 1


@pytest.mark.parametrize(
    ("body", "can"),
    [(write_body(), True), (write_body(html=False), False), (b"Subject: x\r\n\r\nhello", False), (b"", False),
     (b"\xff\xfe no mail at all", False)],
)  # fmt: skip
def test_only_a_letter_of_text_and_page_can_be_made_plainer(body: bytes, can: bool) -> None:
    assert can_be_plain(body) is can


def test_what_is_plain_already_stays_what_it_says() -> None:
    body = write_body(html=False)
    assert describe(make_plain(body)) == describe(body)
