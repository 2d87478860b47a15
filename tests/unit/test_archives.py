"""Archives are listed, never unpacked, and what they say of themselves is not believed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.mail.archives import BOMB_BYTES, MAX_ENTRIES, MAX_NAMES, Archive, list_archive

Files = list[tuple[str, bytes]]
NOISE = hashlib.shake_128(b"noise").digest(1_000_000)


def make_zip(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def make_tar(files: Files, layout: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def make_rar4(files: Files, main_flags: int = 0, file_flags: int = 0x8000) -> bytes:
    """RAR 4: a mark, the archive's header, one block a file; stored, checksums left out."""
    blocks = [b"Rar!\x1a\x07\0", struct.pack("<HBHH6x", 0, 0x73, main_flags, 13)]
    for name, content in files:
        raw = name.encode()
        head = struct.pack("<LLBLLBBHL", len(content), len(content), 2, 0, 0, 29, 0x30, len(raw), 32) + raw
        blocks += struct.pack("<HBHH", 0, 0x74, file_flags, 7 + len(head)), head, content
    return b"".join(blocks)


def vint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def make_rar5(files: Files, extra: bytes = b"", sealed: bool = False) -> bytes:
    """RAR 5: the same; `extra` is each file's extra area, `sealed` puts the encryption of headers first."""
    blocks = [vint(1) + vint(0) + vint(0)] if not sealed else [vint(4) + vint(0) + vint(0) + vint(0)]
    bodies = [b""]
    for name, content in files:
        raw = name.encode()
        about = vint(0) + vint(len(content)) + vint(0) + vint(0) + vint(1) + vint(len(raw)) + raw
        flags = 2 | bool(extra)
        sizes = (vint(len(extra)) if extra else b"") + vint(len(content))
        blocks.append(vint(2) + vint(flags) + sizes + about + extra)
        bodies.append(content)
    framed = (b"\0\0\0\0" + vint(len(block)) + block + body for block, body in zip(blocks, bodies, strict=True))
    return b"Rar!\x1a\x07\x01\0" + b"".join(framed) + b"\0\0\0\0" + vint(3) + vint(5) + vint(0) + vint(0)


FILES = [("élèves/liste.txt", b"x" * 700), ("notes.pdf", b"%PDF")]
MAKERS: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "zip": (make_zip, "application/zip"),
    "stored zip": (lambda files: make_zip(files, zipfile.ZIP_STORED), "application/zip"),
    "zip behind a program": (lambda files: b"PK\3\4" + b"x" * 900 + make_zip(files), "application/zip"),
    "pax tar": (make_tar, "application/x-tar"),
    "GNU tar": (lambda files: make_tar(files, tarfile.GNU_FORMAT), "application/x-tar"),
    "ustar": (lambda files: make_tar(files, tarfile.USTAR_FORMAT), "application/x-tar"),
    "tar.gz": (lambda files: gzip.compress(make_tar(files)), "application/gzip"),
    "tar.bz2": (lambda files: bz2.compress(make_tar(files)), "application/x-bzip2"),
    "tar.xz": (lambda files: lzma.compress(make_tar(files)), "application/x-xz"),
    "rar 4": (make_rar4, "application/vnd.rar"),
    "rar 5": (make_rar5, "application/vnd.rar"),
}


def list_known(content: bytes) -> Archive:
    archive = list_archive(content)
    assert archive is not None
    return archive


@pytest.mark.parametrize("name", MAKERS)
def test_entries_are_named_counted_and_measured(name: str) -> None:
    make, kind = MAKERS[name]
    archive = list_known(make(FILES))
    assert archive == Archive(kind, ("élèves/liste.txt", "notes.pdf"), 2, 704)


@pytest.mark.parametrize("name", MAKERS)
def test_names_in_an_archive_are_safe_to_show(name: str) -> None:
    make, _ = MAKERS[name]
    claimed = ("../../etc/passwd", "a/CON/rap\u202efdp.exe", "C:\\x\\y.txt", "long/" * 30 + "end.txt")
    shown = list_known(make([(one, b"") for one in claimed])).entries
    assert shown[:3] == ("etc/passwd", "a/_CON/rapfdp.exe", "C/x/y.txt")
    assert shown[3].endswith("/end.txt")
    assert len(shown[3]) <= 120


@pytest.mark.parametrize("name", ["zip", "pax tar", "rar 4", "rar 5"])
def test_many_entries_are_counted_and_the_first_hundred_named(name: str) -> None:
    make, _ = MAKERS[name]
    archive = list_known(make([(f"{number}.txt", b"") for number in range(300)]))
    assert archive.count == 300
    assert archive.entries == tuple(f"{number}.txt" for number in range(MAX_NAMES))
    assert not archive.bomb


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("risky", ["setup.exe", "x/facture.pdf.js", "open me.lnk", "disk.iso"])
def test_a_program_inside_is_seen(name: str, risky: str) -> None:
    make, _ = MAKERS[name]
    assert list_known(make([*FILES, (risky, b"")])).executables
    assert not list_known(make(FILES)).executables


@pytest.mark.parametrize("name", ["zip", "pax tar", "rar 5"])
def test_archives_within_are_counted(name: str) -> None:
    make, _ = MAKERS[name]
    assert list_known(make([("a.zip", b"1"), ("b/c.tar.gz", b"2"), ("zip", b"")])).nested == 2


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "zip behind a program"])
def test_what_is_cut_off_is_damaged(name: str) -> None:
    make, kind = MAKERS[name]
    whole = make([("noise.bin", NOISE[:20_000])])
    cut = list_known(whole[:2_000])
    assert (cut.kind, cut.damaged or cut.entries == ("noise.bin",)) == (kind, True)
    assert not list_known(whole).damaged
    assert not cut.bomb


# --- bombs -------------------------------------------------------------------------------------------------------


def test_a_ratio_beyond_belief_is_a_bomb() -> None:
    zeros = bytes(3 * BOMB_BYTES)
    for packed in (make_zip([("a", zeros)]), gzip.compress(zeros), bz2.compress(zeros), lzma.compress(zeros)):
        assert list_known(packed).bomb
    assert list_known(make_zip([("a", zeros)])).size_bytes == len(zeros)


def pack_fast(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


def test_a_large_or_a_well_packed_file_alone_is_no_bomb() -> None:
    small = bytes(BOMB_BYTES // 10)
    for pack in (lambda data: make_zip([("a", data)]), gzip.compress, bz2.compress, pack_fast):
        assert not list_known(pack(small)).bomb
        assert not list_known(pack(NOISE * 11)).bomb


def test_the_length_at_the_end_of_a_gzip_is_believed_within_reason() -> None:
    packed = gzip.compress(NOISE + bytes(BOMB_BYTES))
    assert list_known(packed).size_bytes == len(NOISE) + BOMB_BYTES
    assert list_known(packed[:-4] + b"\xff\xff\xff\xff").size_bytes < 100 * len(NOISE)


def test_entries_that_share_their_bytes_are_a_bomb() -> None:
    """As in Fifield's: every entry of the directory points at the same kernel."""
    whole = make_zip([(f"{number}.txt", NOISE[:500]) for number in range(20)], zipfile.ZIP_STORED)
    assert not list_known(whole).bomb
    folded, position = bytearray(whole), 0
    while (position := folded.find(b"PK\x01\x02", position)) >= 0:
        folded[position + 42 : position + 46] = b"\0\0\0\0"
        position += 46
    assert list_known(bytes(folded)).bomb


def test_copies_of_one_archive_in_an_archive_are_a_bomb() -> None:
    inner = make_zip([("a.txt", b"a")])
    assert list_known(make_zip([(f"{number}.zip", inner) for number in range(16)])).bomb
    assert not list_known(make_zip([(f"{number}.zip", inner + bytes(number)) for number in range(16)])).bomb


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_more_than_ten_thousand_entries_are_a_bomb(make: Callable[[Files], bytes]) -> None:
    files = [(str(number), b"") for number in range(MAX_ENTRIES + 1)]
    assert list_known(make(files)).bomb
    assert not list_known(make(files[:-1])).bomb


def test_a_zip_full_of_entries_takes_little_memory() -> None:
    # Of 25 megabytes, as large as mails get; only a part of its 65,535 entries is read.
    many = make_zip([(f"{number:05}.txt", NOISE[:290]) for number in range(65_535)], zipfile.ZIP_STORED)
    assert len(many) > 24_000_000
    tracemalloc.start()
    archive = list_known(many)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (archive.count, archive.bomb, len(archive.entries)) == (65_535, True, MAX_NAMES)
    assert peak_bytes < 20_000_000


def test_a_bomb_is_not_unpacked_to_be_known() -> None:
    packed = [pack(bytes(6 * BOMB_BYTES)) for pack in (gzip.compress, bz2.compress, lzma.compress)]
    tracemalloc.start()
    assert all(list_known(one).bomb for one in packed)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 3 * BOMB_BYTES


# --- locked ------------------------------------------------------------------------------------------------------


def lock_zip(whole: bytes) -> bytes:
    """The flag that zip programs set in each header of a file under a password (APPNOTE §4.4.4)."""
    locked = bytearray(whole)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = 0
        while (position := locked.find(mark, position)) >= 0:
            locked[position + offset] |= 1
            position += 4
    return bytes(locked)


@pytest.mark.parametrize(
    ("content", "entries"),
    [
        (lock_zip(make_zip(FILES)), 2),
        (make_rar4(FILES, file_flags=0x8004), 2),
        (make_rar4(FILES, main_flags=0x0080), 0),
        (make_rar5(FILES, extra=vint(2) + vint(1) + vint(0)), 2),
        (make_rar5([], sealed=True), 0),
    ],
    ids=["zip", "rar 4", "rar 4 with its names", "rar 5", "rar 5 with its names"],
)
def test_a_password_is_seen(content: bytes, entries: int) -> None:
    archive = list_known(content)
    assert archive.encrypted
    assert len(archive.entries) == entries
    assert not archive.damaged


@pytest.mark.parametrize("name", MAKERS)
def test_an_open_archive_is_not_locked(name: str) -> None:
    assert not list_known(MAKERS[name][0](FILES)).encrypted


# --- what a zip is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["[Content_Types].xml", "word/document.xml"], "wordprocessingml.document"),
        (["[Content_Types].xml", "xl/workbook.xml"], "spreadsheetml.sheet"),
        (["[Content_Types].xml", "ppt/presentation.xml"], "presentationml.presentation"),
        (["META-INF/MANIFEST.MF", "A.class"], "java-archive"),
        (["AndroidManifest.xml", "META-INF/MANIFEST.MF"], "vnd.android.package-archive"),
        (["a.txt"], "application/zip"),
    ],
)
def test_a_document_is_told_from_a_zip(names: list[str], kind: str) -> None:
    assert list_known(make_zip([(name, b"") for name in names])).kind.endswith(kind)


@pytest.mark.parametrize("told", ["application/vnd.oasis.opendocument.text", "application/epub+zip"])
def test_an_open_document_says_what_it_is(told: str) -> None:
    files = [("mimetype", told.encode()), ("content.xml", b"<x/>")]
    assert list_known(make_zip(files, zipfile.ZIP_STORED)).kind == told
    assert list_known(make_zip([("mimetype", b"<script>"), *files[1:]], zipfile.ZIP_STORED)).kind == "application/zip"


@pytest.mark.parametrize(
    ("files", "macros"),
    [
        ([("word/document.xml", b""), ("word/vbaProject.bin", b"")], True),
        ([("xl/workbook.xml", b""), ("xl/macrosheets/sheet1.xml", b"")], True),
        ([("mimetype", b"application/vnd.oasis.opendocument.text"), ("Basic/script-lc.xml", b"")], True),
        ([("word/document.xml", b"")], False),
        ([("src/vbaProject.bin", b"")], False),
    ],
)
def test_macros_of_a_document_are_seen(files: Files, macros: bool) -> None:
    assert list_known(make_zip(files, zipfile.ZIP_STORED)).macros is macros


def test_names_of_western_windows_are_read() -> None:
    odd = make_zip([("XlXve.txt", b"")]).replace(b"XlXve", "élève".encode("cp850"))
    assert list_known(odd).entries == ("élève.txt",)


def test_sizes_beyond_32_bits_stand_in_a_field_of_their_own() -> None:
    wide = struct.pack("<HHQ", 1, 8, 700)
    content = make_zip([("a.txt", b"x" * 700)], zipfile.ZIP_STORED)
    start = content.index(b"PK\x01\x02")
    central = bytearray(content[start : content.index(b"PK\x05\x06")])
    central[24:28], central[30:32] = b"\xff" * 4, struct.pack("<H", len(wide))
    end = bytearray(content[content.index(b"PK\x05\x06") :])
    end[12:16] = struct.pack("<L", len(central) + len(wide))
    assert list_known(content[:start] + central + wide + end).size_bytes == 700


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(30), "application/x-7z-compressed"),
        (b"MSCF\0\0\0\0" + bytes(30), "application/vnd.ms-cab-compressed"),
    ],
)
def test_what_can_t_be_listed_is_named(content: bytes, kind: str) -> None:
    assert list_known(content) == Archive(kind)


def test_a_packed_file_alone_is_one_entry_by_its_own_name() -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile("mesures.csv", "wb", fileobj=buffer) as file:
        file.write(b"1;2;3\n")
    assert list_known(buffer.getvalue()) == Archive("application/gzip", ("mesures.csv",), 1, 6)


@pytest.mark.parametrize("content", [b"", b"Bonjour", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", bytes(2_000)])
def test_other_files_are_no_archives(content: bytes) -> None:
    assert list_archive(content) is None


# --- hostile -----------------------------------------------------------------------------------------------------

MARKS = [b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"Rar!\x1a\x07\x01\0", b"Rar!\x1a\x07\0"]


@given(st.sampled_from(MARKS), st.binary(max_size=600))
@example(b"PK\5\6", b"\xff" * 18)
@example(b"Rar!\x1a\x07\x01\0", b"\xff" * 30)
@settings(deadline=None, max_examples=300)
def test_any_bytes_behind_a_mark_are_listed_within_bounds(mark: bytes, rest: bytes) -> None:
    check_bounds(list_archive(mark + rest))


@given(st.sampled_from(sorted(MAKERS)), st.integers(0, 3_000), st.binary(min_size=1, max_size=8))
@settings(deadline=None, max_examples=300)
def test_any_damage_is_survived(name: str, position: int, patch: bytes) -> None:
    whole = MAKERS[name][0](FILES)
    start = position % len(whole)
    check_bounds(list_archive(whole[:start] + patch + whole[start + len(patch) :]))


def check_bounds(archive: Archive | None) -> None:
    if archive is not None:
        assert len(archive.entries) <= MAX_NAMES
        assert all(0 < len(name) <= 120 and name.isprintable() for name in archive.entries)


def test_blocks_of_no_file_are_not_passed_over_for_ever() -> None:
    empty = b"\0\0\0\0" + vint(3) + vint(9) + vint(0) + vint(0)
    listed = make_rar5(FILES)
    few, many = (listed[:8] + empty * count + listed[8:] for count in (1_000, 100_000))
    assert (list_known(few).count, list_known(many).count) == (2, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"Rar!\x1a\x07\x01\0" + bytes(5_000_000),
        b"Rar!\x1a\x07\0" + struct.pack("<HBHH", 0, 1, 0, 7) * 1_000_000,
        tarfile.TarInfo("x").tobuf().replace(b"00000000000", b"-0000000001", 1) * 3,
        tarfile.TarInfo("x").tobuf()[:124] + b"\xff" * 12 + tarfile.TarInfo("x").tobuf()[136:],
    ],
    ids=["blocks without end", "blocks of no file", "a size below zero", "a size without end"],
)
def test_what_would_run_for_ever_ends(content: bytes) -> None:
    check_bounds(list_archive(content))
