"""A letter too large for its way: packed, then linked, then told of; never a file that is silently missing."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from datetime import timedelta
from zipfile import ZipFile

import pytest

from letters.compose import Part
from letters.parts import File, take_apart
from letters.shrink import Links, pack_file, say_size, shrink_letter
from tests.offices import read_letter, write_body
from tests.stores import NOW

UNTIL = NOW + timedelta(days=14)
NOISE = random.Random(7).randbytes(30_000)  # noqa: S311 - bytes that nothing packs
WORDS = b"the same words again and again\n" * 1_000
PLAN, LIST, NOTE = (
    Part("plan.pdf", "application/pdf", NOISE),
    Part("liste des élèves.csv", "text/csv", WORDS),
    Part("note.bin", "application/octet-stream", b"small"),
)


def share(files: Sequence[File]) -> Links:
    return Links(tuple(f"https://files.example/{len(one.data)}/{at}" for at, one in enumerate(files)), UNTIL)


def share_nothing(_: Sequence[File]) -> None:
    return None


def never_share(_: Sequence[File]) -> Links:
    raise AssertionError("nothing is to be shared here")


def get_files(body: bytes) -> dict[str, bytes]:
    return {one.name: one.data for one in take_apart(body).files}


def get_texts(body: bytes) -> tuple[str, str]:
    taken = take_apart(body)
    return taken.text, taken.html


@pytest.mark.parametrize("room", [0, 200_000])
def test_a_letter_that_fits_is_not_touched(room: int) -> None:
    body = write_body("letter", PLAN, LIST)
    assert shrink_letter(body, room, "fr", never_share).body is body


def test_packing_is_enough_where_it_is_and_leaves_alone_what_does_not_pack() -> None:
    shrunk = shrink_letter(write_body("letter", LIST, NOTE), 10_000, "fr", never_share)
    files = get_files(shrunk.body)
    assert (shrunk.shape, list(files), files["note.bin"]) == (
        "zipped",
        ["liste des élèves.csv.zip", "note.bin"],
        b"small",
    )
    assert ZipFile(io.BytesIO(files["liste des élèves.csv.zip"])).read("liste des élèves.csv") == WORDS
    assert len(shrunk.body) <= 10_000


def test_of_files_as_few_as_will_do_are_linked_the_largest_first() -> None:
    shrunk = shrink_letter(write_body("letter", PLAN, LIST, NOTE), 10_000, "fr", share)
    assert (shrunk.shape, sorted(get_files(shrunk.body))) == ("linked", ["liste des élèves.csv.zip", "note.bin"])
    assert len(shrunk.body) <= 10_000
    for words in get_texts(shrunk.body):
        assert f"https://files.example/{len(NOISE)}/0" in words
        assert "plan.pdf (30\N{NO-BREAK SPACE}ko)" in words
        assert "mardi 1er décembre 2026" in words
        assert "note.bin" not in words


def test_what_is_linked_is_the_file_itself_not_its_packed_shape() -> None:
    shrunk = shrink_letter(write_body("letter", LIST), 10_000, "en", share, bare=True)
    assert f"https://files.example/{len(WORDS)}/0" in get_texts(shrunk.body)[0]


@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "Trop volumineux pour un e-mail"), ("en", "Too large for an e-mail"), ("de", "Too large for an e-mail")],
)
def test_without_sharing_each_file_that_is_left_out_is_named_with_its_size(language: str, said: str) -> None:
    shrunk = shrink_letter(write_body("letter", PLAN, LIST), 2_000, language, share_nothing)
    assert (shrunk.shape, get_files(shrunk.body)) == ("noted", {})
    for words in get_texts(shrunk.body):
        assert said in words
        assert "plan.pdf (30" in words
        assert "liste des élèves.csv (31" in words


def test_what_is_said_of_files_stands_within_the_page_and_cannot_break_it() -> None:
    odd = Part("<b>&.pdf", "application/pdf", NOISE)
    _, page = get_texts(shrink_letter(write_body("letter", odd), 4_000, "en", share).body)
    assert page.rstrip().endswith("</body></html>")
    assert "<b>" not in page
    assert 'href="https://files.example/30000/0"' in page


def test_a_letter_that_is_to_go_bare_loses_all_its_files_whatever_their_size() -> None:
    shrunk = shrink_letter(write_body("letter", NOTE, LIST), 0, "fr", share, bare=True)
    assert (shrunk.shape, get_files(shrunk.body)) == ("linked", {})


def test_nothing_is_shared_for_a_letter_that_is_too_large_all_the_same() -> None:
    shrunk = shrink_letter(write_body("letter", PLAN), 200, "fr", never_share)
    assert len(shrunk.body) > 200


def test_a_letter_without_files_cannot_be_made_smaller() -> None:
    body = write_body()
    assert shrink_letter(body, 200, "fr", never_share).body == body


def test_the_head_of_a_smaller_letter_is_the_same() -> None:
    body = write_body("letter", PLAN)
    before, after = (read_letter(one) for one in (body, shrink_letter(body, 4_000, "fr", share).body))
    for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        assert after.get_all(name) == before.get_all(name)
        assert len(after.get_all(name, [])) == 1


def test_a_file_is_packed_only_where_that_is_worth_it_and_always_to_the_same_bytes() -> None:
    words, noise = File("a.txt", "text/plain", WORDS), File("b.bin", "application/octet-stream", NOISE)
    assert pack_file(words).name == "a.txt.zip"
    assert pack_file(words) == pack_file(words)
    assert pack_file(noise) is noise


@pytest.mark.parametrize(
    ("size", "language", "said"),
    [(0, "fr", "0 octets"), (999, "en", "999 bytes"), (12_400_000, "fr", "12,4 Mo"), (1_000, "en", "1 kB"),
     (2_500_000_000_000, "en", "2500 GB")],
)  # fmt: skip
def test_sizes_are_said_as_people_say_them(size: int, language: str, said: str) -> None:
    assert say_size(size, language).replace("\N{NO-BREAK SPACE}", " ") == said
