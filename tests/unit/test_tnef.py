"""A winmail.dat is opened: its text, its files, within bounds, whatever is wrong with it."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tnefparse import TNEF

from desk.mail.rtf import read_rtf, unpack_rtf
from desk.mail.tnef import Tnef, open_tnef

# Numbers of MS-OXTNEF §2.1.3.3 and MS-OXPROPS.
BODY, TITLE, DATA, START = (1, 0x800C, 2), (2, 0x8010, 1), (2, 0x800F, 6), (2, 0x9002, 6)
MESSAGE, FILE, CODEPAGE, VERSION = (1, 0x9003, 6), (2, 0x9005, 6), (1, 0x9007, 6), (1, 0x9006, 8)
TEXT, RTF, HTML, INTERNET_CODEPAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
DISPLAY_NAME, CONTENT, LONG_NAME, MIME_TYPE, CONTENT_ID = 0x3001, 0x3701, 0x3707, 0x370E, 0x3712
LONG, STRING8, UNICODE, BINARY, OBJECT, MANY = 0x0003, 0x001E, 0x001F, 0x0102, 0x000D, 0x1000
MESSAGE_ID = bytes.fromhex("0703020000000000c000000000000046")  # IID_IMessage
HEAD = b"\x78\x9f\x3e\x22\x01\x00"

# MS-OXRTFCP §4.1.1 and §4.1.2: the examples of the specification.
HELLO = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
CROSSING = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


@pytest.fixture(autouse=True)
def quiet_library() -> Iterator[None]:
    """The other reader logs what it meets."""
    logging.getLogger("tnefparse").setLevel(logging.CRITICAL + 1)
    yield
    logging.getLogger("tnefparse").setLevel(logging.NOTSET)


def attribute(about: tuple[int, int, int], data: bytes) -> bytes:
    return struct.pack("<BHHL", *about, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def fill(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def text8(name: int, text: str, codec: str = "cp1252") -> bytes:
    raw = text.encode(codec) + b"\0"
    return struct.pack("<HHLL", STRING8, name, 1, len(raw)) + fill(raw)


def unicode(name: int, text: str) -> bytes:
    raw = text.encode("utf-16-le") + b"\0\0"
    return struct.pack("<HHLL", UNICODE, name, 1, len(raw)) + fill(raw)


def binary(name: int, data: bytes, kind: int = BINARY) -> bytes:
    return struct.pack("<HHLL", kind, name, 1, len(data)) + fill(data)


def number(name: int, value: int) -> bytes:
    return struct.pack("<HHL", LONG, name, value)


def properties(*every: bytes) -> bytes:
    return struct.pack("<L", len(every)) + b"".join(every)


def make_tnef(*attributes: bytes, codepage: int = 1252) -> bytes:
    first = attribute(VERSION, struct.pack("<L", 0x10000)), attribute(CODEPAGE, struct.pack("<LL", codepage, 0))
    return HEAD + b"".join((*first, *attributes))


def make_file(name: str, content: bytes, *more: bytes) -> bytes:
    """As Outlook writes one: short name and data as attributes, the rest as properties."""
    short = attribute(TITLE, name.encode("cp1252", "replace") + b"\0")
    return attribute(START, bytes(14)) + short + attribute(DATA, content) + attribute(FILE, properties(*more))


def opened(content: bytes) -> Tnef:
    tnef = open_tnef(content)
    assert tnef is not None
    return tnef


def name_files(tnef: Tnef) -> list[tuple[str, bytes]]:
    return [(one.name, one.content) for one in tnef.attachments]


WHOLE = make_tnef(
    attribute(BODY, "Voici l'élève.\r\n".encode("cp1252") + b"\0"),
    attribute(MESSAGE, properties(number(INTERNET_CODEPAGE, 1252), unicode(0x0037, "Sujet"))),
    make_file("ELEVE~1.PDF", b"%PDF-1.7 end"),
    make_file("logo.png", b"\x89PNG", text8(MIME_TYPE, "image/png"), unicode(CONTENT_ID, "logo@example")),
)


# --- text --------------------------------------------------------------------------------------------------------


def test_text_and_files_are_found() -> None:
    assert opened(WHOLE).text == "Voici l'élève."
    assert name_files(opened(WHOLE)) == [("ELEVE~1.PDF", b"%PDF-1.7 end"), ("logo.png", b"\x89PNG")]
    assert not opened(WHOLE).damaged


def test_another_reader_finds_the_same_in_what_we_wrote() -> None:
    other = TNEF(WHOLE)
    assert all(one.good_checksum for one in other.objects)
    assert [(one.long_filename(), one.data) for one in other.attachments] == name_files(opened(WHOLE))
    assert other.body.strip("\0\r\n") == opened(WHOLE).text


@pytest.mark.parametrize(
    ("codepage", "body"),
    [
        (1252, text8(TEXT, "où l'œuvre a été déposée")),
        (1252, unicode(TEXT, "où l'œuvre a été déposée")),
        (850, unicode(TEXT, "où l'œuvre a été déposée")),
        (65001, text8(TEXT, "où l'œuvre a été déposée", "utf-8")),
        (28605, text8(TEXT, "où l'œuvre a été déposée", "iso8859-15")),
        (99999, text8(TEXT, "où l'œuvre a été déposée")),
    ],
    ids=["cp1252", "utf-16", "utf-16 beside an old page", "utf-8", "latin-9", "unknown page"],
)
def test_the_text_is_read_in_its_code_page(codepage: int, body: bytes) -> None:
    content = make_tnef(attribute(MESSAGE, properties(body)), codepage=codepage)
    assert opened(content).text == "où l'œuvre a été déposée"


def test_html_is_read_in_the_code_page_of_the_message() -> None:
    page = "<p>Größe: 5 €</p>"
    inner = properties(number(INTERNET_CODEPAGE, 28605), binary(HTML, page.encode("iso8859-15") + b"\0"))
    tnef = opened(make_tnef(attribute(MESSAGE, inner)))
    assert (tnef.text, tnef.html) == ("", page)


def test_plain_text_wins_over_rich_text() -> None:
    inner = properties(unicode(TEXT, "plain"), binary(RTF, HELLO))
    assert opened(make_tnef(attribute(MESSAGE, inner))).text == "plain"


def test_rich_text_is_read_when_there_is_nothing_else() -> None:
    assert opened(make_tnef(attribute(MESSAGE, properties(binary(RTF, HELLO))))).text == "hello world"


def test_properties_of_every_shape_are_passed_over() -> None:
    by_number = struct.pack("<HH16sLL", LONG, 0x8001, bytes(16), 0, 7) + struct.pack("<L", 1)
    by_name = struct.pack("<HH16sLL", LONG, 0x8002, bytes(16), 1, 6) + fill("abc".encode("utf-16-le")) + bytes(4)
    many_texts = struct.pack("<HHL", UNICODE | MANY, 0x8003 & 0x7FFF, 2) + (struct.pack("<L", 2) + fill(b"a\0")) * 2
    many_shorts = struct.pack("<HHL", 0x0002 | MANY, 0x0100, 3) + bytes(8)
    single = struct.pack("<HHHH", 0x000B, 0x0101, 1, 0) + struct.pack("<HHQ", 0x0040, 0x0039, 1)
    inner = properties(by_number, by_name, many_texts, many_shorts, single[:8], single[8:], unicode(TEXT, "after"))
    tnef = opened(make_tnef(attribute(MESSAGE, inner)))
    assert (tnef.text, tnef.damaged) == ("after", False)


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "long_name",
    [text8(LONG_NAME, "Élève à noter.pdf"), unicode(LONG_NAME, "Élève à noter.pdf")],
    ids=["cp1252", "utf-16"],
)
def test_the_long_name_wins_with_its_accents(long_name: bytes) -> None:
    shown = text8(DISPLAY_NAME, "shown")
    assert name_files(opened(make_tnef(make_file("ELEVE~1.PDF", b"x", shown, long_name)))) == [
        ("Élève à noter.pdf", b"x")
    ]


def test_a_file_may_have_no_name_but_the_one_shown_or_none() -> None:
    start = attribute(START, bytes(14))
    shown = start + attribute(FILE, properties(unicode(DISPLAY_NAME, "Photo"), binary(CONTENT, b"abc")))
    nameless = start + attribute(DATA, b"def")
    assert name_files(opened(make_tnef(shown, nameless))) == [("Photo", b"abc"), ("", b"def")]


def test_the_last_bytes_of_a_file_stay_though_they_are_zero() -> None:
    content = b"\xd0\xcf\x11\xe0" + bytes(12)
    inner = properties(unicode(DISPLAY_NAME, "a.doc"), binary(CONTENT, bytes(16) + content, OBJECT))
    tnef = opened(make_tnef(attribute(START, bytes(14)) + attribute(FILE, inner)))
    assert name_files(tnef) == [("a.doc", content)]


def test_pictures_of_the_text_and_types_are_told() -> None:
    assert [(one.content_type, one.inline) for one in opened(WHOLE).attachments] == [("", False), ("image/png", True)]


def embed(inner: bytes) -> bytes:
    held = properties(unicode(DISPLAY_NAME, "Mail"), binary(CONTENT, MESSAGE_ID + inner, OBJECT))
    return make_tnef(attribute(START, bytes(14)), attribute(FILE, held))


def test_files_of_a_mail_within_follow_it() -> None:
    names = [one.name for one in opened(embed(WHOLE)).attachments]
    assert names == ["Mail", "ELEVE~1.PDF", "logo.png"]


def test_mails_in_mails_end_at_a_depth() -> None:
    content = WHOLE
    for _ in range(40):
        content = embed(content)
    assert [one.name for one in opened(content).attachments] == ["Mail"] * 6


# --- rich text ---------------------------------------------------------------------------------------------------


def test_the_examples_of_the_specification_are_unpacked() -> None:
    assert unpack_rtf(HELLO) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert unpack_rtf(HELLO + b"\x00what follows the end mark") == unpack_rtf(HELLO)
    assert unpack_rtf(CROSSING) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (rb"{\rtf1 a\par b\line c\tab d}", "a\nb\nc\td"),
        (rb"{\rtf1\ansi\ansicpg1252 \'e9l\'e8ve \'80}", "élève €"),
        (rb"{\rtf1\ansi\ansicpg932 \'93\'fa\'96\'7b}", "日本"),
        (rb"{\rtf1\ansicpg99999 \'e9}", "é"),
        (rb"{\rtf1\uc1 \u233?l\u232\'e8ve}", "élève"),
        (rb"{\rtf1\uc1 \u-10179?\u-8704? ok}", "😀 ok"),
        (rb"{\rtf1\uc0 \u233 l}", "él"),
        (rb"{\rtf1{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}{\*\generator x;}{\info{\author y}}seen}", "seen"),
        (rb"{\rtf1{\pict\bin5 {{{{{}seen}", "seen"),
        (rb"{\rtf1 \{a\\b\}\~c}", "{a\\b} c"),
        (rb"{\rtf1\fromhtml1{\*\htmltag64 <p>}\htmlrtf \par\htmlrtf0 seen}", "seen"),
        (b"{\\rtf1 a\r\nb}", "ab"),
        (b"no rtf", ""),
    ],
)
def test_rich_text_becomes_plain(page: bytes, text: str) -> None:
    assert read_rtf(page).replace("\u00a0", " ") == text


# --- damaged and hostile -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\x78\x9f\x3e", b"%PDF-1.7", b"\0" * 100])
def test_other_files_are_no_tnef(content: bytes) -> None:
    assert open_tnef(content) is None


def test_what_is_cut_off_is_read_as_far_as_it_goes() -> None:
    tnef = opened(WHOLE[: WHOLE.index(b"%PDF") + 4])
    assert (tnef.text, tnef.damaged) == ("Voici l'élève.", True)
    assert name_files(tnef) == [("ELEVE~1.PDF", b"%PDF")]


def test_a_wrong_checksum_or_garbage_at_the_end_loses_nothing() -> None:
    assert opened(WHOLE[:-2] + b"\xab\xcd").attachments == opened(WHOLE).attachments
    assert opened(WHOLE + b"\xff" * 50) == opened(WHOLE)


@given(st.binary(max_size=500))
@settings(deadline=None)
def test_any_bytes_behind_the_mark_are_opened(rest: bytes) -> None:
    check_bounds(opened(HEAD + rest), len(rest))


@given(st.integers(6, len(WHOLE)), st.binary(min_size=1, max_size=6))
@settings(deadline=None, max_examples=300)
def test_any_damage_is_survived(position: int, patch: bytes) -> None:
    check_bounds(opened(WHOLE[:position] + patch + WHOLE[position + len(patch) :]), len(WHOLE) + len(patch))


@given(st.binary(max_size=300), st.sampled_from([b"{\\rtf1 ", HELLO[:16], CROSSING[:16] + b"\x04\x00\x04\x20"]))
@settings(deadline=None)
def test_any_bytes_may_stand_in_rich_text(rest: bytes, start: bytes) -> None:
    assert "\0" not in read_rtf(start + rest)


def check_bounds(tnef: Tnef, size_bytes: int) -> None:
    assert len(tnef.attachments) <= 200
    assert sum(len(one.content) for one in tnef.attachments) <= 6 * size_bytes
    assert "\0" not in tnef.text + tnef.html + "".join(one.name for one in tnef.attachments)


ODD_NAME = struct.pack("<HHLL", STRING8, LONG_NAME, 1, 4) + b"\xe9\xe8\xe7\0"


@pytest.mark.parametrize(
    "content",
    [
        HEAD + attribute(MESSAGE, struct.pack("<L", 0xFFFFFFFF)),
        HEAD + attribute(MESSAGE, struct.pack("<LHHL", 5, 0x0002 | MANY, 1, 0xFFFFFFFF)),
        HEAD + attribute(MESSAGE, struct.pack("<LHHL", 5, STRING8, 1, 0xFFFFFFFF) + bytes(5_000_000)),
        HEAD + attribute((1, 0x8005, 5), b"") * 1_000_000,
        HEAD + (attribute(START, b"") + attribute(TITLE, b"\xe9\xe8\xe7\0")) * 200_000,
        HEAD + attribute(START, b"") + attribute(FILE, struct.pack("<L", 500_000) + ODD_NAME * 500_000),
        make_tnef(attribute(MESSAGE, properties(binary(RTF, HELLO[:16] + b"\xff" + b"\x20\x0f" * 2_000_000)))),
        make_tnef(attribute(MESSAGE, properties(binary(RTF, b"{\\rtf1 " + b"{\\'e9" * 500_000)))),
    ],
    ids=["properties", "values", "texts", "attributes", "files", "names", "runs", "groups"],
)
def test_promises_without_end_are_not_waited_for(content: bytes) -> None:
    check_bounds(opened(content), len(content))


def test_unpacking_ends_at_half_a_megabyte() -> None:
    literal = HELLO[:16] + b"\x00{\\rtf1 a" + b"\x00aaaaaaaa" * 200_000
    assert 500_000 - 300 <= len(unpack_rtf(literal)) <= 500_000
