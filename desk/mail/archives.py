"""Archives listed without unpacking: what is in them, how large they say it is, and whether that can be true.

Read by ourselves, within bounds: the standard library makes an object of each of a zip's entries before it can be
asked to stop, and its `tarfile` of some Python versions runs for ever on a negative size.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from struct import Struct, error
from typing import Protocol

from desk.mail.filenames import is_archive_name, save_path, warn_ending

MAX_NAMES = 100
MAX_ENTRIES = 10_000  # more make a bomb of names
BOMB_BYTES = 10_000_000  # declared, from which the ratio counts
BOMB_RATIO = 100
_COPIES = 6  # of one archive within another: 42.zip is made so
_PEEK_IN = 1_000_000  # bytes of a compressed stream that are looked at, and how many may come out of them
_PEEK_OUT = 2_000_000
_PEEK_STEP = 16_384
_LZMA_BYTES = 64_000_000
_DEFLATE_RATIO = 1_032  # the most that deflate reaches
_MAX_BLOCKS = 4 * MAX_ENTRIES  # of a rar: a block may be a few bytes long and no file

_RISKY = frozenset({"executable", "script", "shortcut", "double-extension", "disk-image", "dangerous"})


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive says of itself. `kind` is a media type; of an office document, the document's."""

    kind: str
    entries: tuple[str, ...] = ()  # the first MAX_NAMES files, safe to show
    count: int = 0  # of all entries, at least: a compressed tar is not read to its end
    size_bytes: int = 0  # unpacked, as declared
    encrypted: bool = False
    bomb: bool = False
    damaged: bool = False  # cut off, or not what its header says
    executables: bool = False  # holds a file that does something when opened
    macros: bool = False
    nested: int = 0  # archives within it


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    size: int
    packed: int = 0
    start: int = -1  # where it lies; -1 when that proves nothing
    crc: int = 0
    encrypted: bool = False


@dataclass(slots=True)
class _Listing:
    """What a walk has found so far."""

    entries: list[_Entry] = field(default_factory=list)
    encrypted: bool = False
    damaged: bool = False
    count: int = 0


class _Cut(Exception):
    """The archive ends in the middle of a header, or lies about its length."""


def list_archive(content: bytes) -> Archive | None:
    """The archive that `content` is, None when it is none. Never raises, never unpacks more than a peek."""
    for magic, list_kind in _KINDS:
        if content.startswith(magic):
            return list_kind(content)
    return _list_tar(content) if content[257:262] == b"ustar" else None


def _walk(entries: Iterator[_Entry], listing: _Listing) -> _Listing:
    try:
        listing.entries.extend(islice(entries, MAX_ENTRIES + 1))
    except (_Cut, error, ValueError, IndexError):
        listing.damaged = True
    return listing


def _describe(kind: str, content: bytes, listing: _Listing) -> Archive:
    names = [one.name for one in listing.entries]
    total = sum(one.size for one in listing.entries)
    shown = (safe for name in names if not name.endswith(("/", "\\")) if (safe := save_path(name)))
    return Archive(
        kind=kind,
        entries=tuple(islice(shown, MAX_NAMES)),
        count=max(listing.count, len(names)),
        size_bytes=total,
        encrypted=listing.encrypted or any(one.encrypted for one in listing.entries),
        bomb=is_inflated(total, len(content)) or len(names) > MAX_ENTRIES or _is_folded(listing.entries),
        damaged=listing.damaged,
        executables=any(warn_ending(name.rpartition("/")[2]) in _RISKY for name in names),
        macros=kind != _ZIP and _has_macros(names),
        nested=sum(map(is_archive_name, names)),
    )


def is_inflated(size_bytes: int, packed_bytes: int) -> bool:
    """Whether so much from so little is a bomb: honest files rarely reach twenty to one."""
    return size_bytes > BOMB_BYTES and size_bytes > BOMB_RATIO * max(packed_bytes, 1)


def _is_folded(entries: list[_Entry]) -> bool:
    """Entries that share their bytes (Fifield 2019), or many copies of one archive."""
    spans = sorted((one.start, one.start + one.packed) for one in entries if one.start >= 0)
    copies = Counter((one.crc, one.size) for one in entries if one.crc and is_archive_name(one.name))
    return any(end > start for (_, end), (start, _) in pairwise(spans)) or max(copies.values(), default=0) >= _COPIES


def _has_macros(names: list[str]) -> bool:
    """Office Open XML keeps them in vbaProject.bin or macrosheets, OpenDocument in Basic/ or Scripts/."""
    starts = ("xl/macrosheets/", "basic/script", "scripts/")
    return any(name.endswith("vbaproject.bin") or name.startswith(starts) for name in map(str.lower, names))


# --- zip (PKWARE APPNOTE 6.3.10) ---------------------------------------------------------------------------------

_END = Struct("<4s4H2LH")  # §4.3.16
_END_SEARCH = 65_535 + _END.size
_CENTRAL = Struct("<4s6H3L5H2L")  # §4.3.12
_LOCAL = Struct("<4s5H3L2H")  # §4.3.7
_WIDE = 0xFFFFFFFF  # the true value is in the Zip64 field, §4.5.3
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_ZIP = "application/zip"

# What a zip is by a name in it (lower case), first match wins; the names that say most stand first.
_ZIP_KINDS = (
    ("androidmanifest.xml", "application/vnd.android.package-archive"),
    ("appxmanifest.xml", "application/vnd.ms-appx"),
    ("word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("meta-inf/manifest.mf", "application/java-archive"),
)


def _list_zip(content: bytes) -> Archive:
    listing = _Listing()
    _walk(_walk_zip(content, listing), listing)
    return _describe(_tell_zip(content, listing.entries), content, listing)


def _walk_zip(content: bytes, listing: _Listing) -> Iterator[_Entry]:
    end = content.rfind(b"PK\x05\x06", max(0, len(content) - _END_SEARCH))
    if end < 0:
        raise _Cut
    _, _, _, _, listing.count, size, offset, _ = _END.unpack_from(content, end)
    # A zip may follow something else, such as the program that unpacks it: then its offsets are too small.
    begin = position = max(0, end - size) if content.startswith(b"PK\x01\x02", max(0, end - size)) else offset
    while position < end and content[position : position + 4] == b"PK\x01\x02":
        entry, position = _read_central(content, position)
        yield entry
    if position == begin and listing.count:
        raise _Cut


def _read_central(content: bytes, position: int) -> tuple[_Entry, int]:
    values = _CENTRAL.unpack_from(content, position)
    flags, crc, packed, size, names, extras, comments, start = *values[3:4], *values[7:13], values[16]
    after = position + _CENTRAL.size
    raw, extra = content[after : after + names], content[after + names : after + names + extras]
    if _WIDE in (size, packed, start):
        size, packed, start = _read_wide(extra, (size, packed, start))
    entry = _Entry(_decode_name(raw), size, packed + _LOCAL.size, start, crc, bool(flags & _ENCRYPTED))
    return entry, after + names + extras + comments


def _read_wide(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Those of `values` that did not fit, from the Zip64 field."""
    fields = dict(_split_extra(extra))
    wide = iter(Struct(f"<{len(fields.get(1, b'')) // 8}Q").unpack_from(fields.get(1, b"")))
    size, packed, start = (next(wide, value) if value == _WIDE else value for value in values)
    return size, packed, start


def _split_extra(extra: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(extra):
        length = int.from_bytes(extra[position + 2 : position + 4], "little")
        yield int.from_bytes(extra[position : position + 2], "little"), extra[position + 4 : position + 4 + length]
        position += 4 + length


def _decode_name(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp850", "replace")  # what Windows of Western Europe writes; its é is that of cp437


def _tell_zip(content: bytes, entries: list[_Entry]) -> str:
    names = [one.name.lower() for one in entries]
    if names[:1] == ["mimetype"]:  # OpenDocument 1.3 part 2 §3.3, EPUB: first and stored, so that it can be read here
        told = _read_stored(content, entries[0])
        return told if told.startswith("application/") else _ZIP
    known = (kind for start, kind in _ZIP_KINDS if any(name.startswith(start) for name in names))
    return next(known, _ZIP)


def _read_stored(content: bytes, entry: _Entry) -> str:
    names, extras = (int.from_bytes(content[at : at + 2], "little") for at in (26, 28))
    start = _LOCAL.size + names + extras
    return content[start : start + min(entry.size, 80)].decode("ascii", "replace")


# --- tar (POSIX.1-2017 pax), compressed streams ------------------------------------------------------------------

_BLOCK = 512
_LONG_NAMES = frozenset({b"L", b"x"})  # GNU's and pax's: the name of the entry that follows


def _list_tar(content: bytes) -> Archive:
    listing = _Listing()
    return _describe("application/x-tar", content, _walk(_walk_tar(content), listing))


def _walk_tar(content: bytes) -> Iterator[_Entry]:
    position, longer = 0, ""
    while position + _BLOCK <= len(content) and content[position] != 0:
        head = content[position : position + _BLOCK]
        size, position = _read_number(head[124:136]), position + _BLOCK
        if head[156:157] in _LONG_NAMES:
            longer = _read_long(head[156:157], content[position : position + min(size, _BLOCK * 16)])
        elif head[156:157] != b"g":
            prefix = _decode_field(head[345:500]) if head[257:263] == b"ustar\0" else ""
            yield _Entry(longer or f"{prefix}/{_decode_field(head[:100])}".lstrip("/"), size)
            longer = ""
        position += -(-size // _BLOCK) * _BLOCK
    if position > len(content):
        raise _Cut


def _read_number(raw: bytes) -> int:
    """Octal digits, or GNU's binary; ValueError for neither."""
    if raw[0] & 0x80:
        return int.from_bytes(raw, "big") & ((1 << 63) - 1)
    return int(raw.rstrip(b" \0").lstrip() or b"0", 8) if not raw.strip().startswith(b"-") else 0


def _read_long(kind: bytes, raw: bytes) -> str:
    if kind == b"L":
        return _decode_field(raw)
    line = next((line for line in raw.split(b"\n") if b" path=" in line[:30]), b"")
    return _decode_name(line.partition(b"path=")[2])


def _decode_field(raw: bytes) -> str:
    return _decode_name(raw.partition(b"\0")[0])


@dataclass(frozen=True, slots=True)
class _Peek:
    """The beginning of a stream."""

    head: bytes
    size: int  # that came out
    taken: int  # that went in
    whole: bool = False  # nothing is left
    damaged: bool = False


class _Stream(Protocol):
    """What zlib, bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _peek(content: bytes, stream: _Stream) -> _Peek:
    head, size, taken = bytearray(), 0, 0
    try:
        while not stream.eof and taken < min(len(content), _PEEK_IN) and size < _PEEK_OUT:
            piece = stream.decompress(content[taken : taken + _PEEK_STEP], BOMB_BYTES + 1 - size)
            head += piece[: _PEEK_OUT - len(head)]
            size, taken = size + len(piece), min(taken + _PEEK_STEP, len(content))
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError):
        return _Peek(bytes(head), size, max(taken, 1), damaged=True)
    cut = taken == len(content) and size <= BOMB_BYTES and not stream.eof
    return _Peek(bytes(head), size, max(taken, 1), stream.eof, cut)


def _list_stream(kind: str, content: bytes, peek: _Peek, name: str = "", declared: int = 0) -> Archive:
    """A compressed file: the tar within, as far as the peek reaches, or one entry."""
    if peek.head[257:262] == b"ustar":
        entries = islice(_until_cut(_walk_tar(peek.head)), MAX_ENTRIES + 1)
        return _describe(kind, content, _Listing(list(entries), damaged=peek.damaged))
    likely = peek.size if peek.whole or peek.damaged else max(declared, peek.size * len(content) // peek.taken)
    return _describe(kind, content, _Listing([_Entry(name, likely)], damaged=peek.damaged))


def _until_cut(entries: Iterator[_Entry]) -> Iterator[_Entry]:
    try:
        yield from entries
    except (_Cut, ValueError, IndexError):  # the peek ends somewhere within
        return


def _list_gzip(content: bytes) -> Archive:
    """RFC 1952 §2.3.1: the name in the header, the length (modulo 4 GB) at the end unless something follows."""
    named = content[10:1_034].partition(b"\0")[0] if content[3:4] and content[3] & 0x0C == 0x08 else b""
    length = int.from_bytes(content[-4:], "little")
    declared = length if length <= _DEFLATE_RATIO * len(content) else 0
    return _list_stream(
        "application/gzip", content, _peek(content, zlib.decompressobj(31)), _decode_name(named), declared
    )


def _list_bzip2(content: bytes) -> Archive:
    return _list_stream("application/x-bzip2", content, _peek(content, bz2.BZ2Decompressor()))


def _list_xz(content: bytes) -> Archive:
    stream = lzma.LZMADecompressor(memlimit=_LZMA_BYTES)
    return _list_stream("application/x-xz", content, _peek(content, stream))


# --- rar ---------------------------------------------------------------------------------------------------------

_RAR4_BLOCK = Struct("<HBHH")
_RAR4_FILE = Struct("<LLBLLBBHL")
_RAR4_MAIN, _RAR4_FILE_TYPE = 0x73, 0x74


def _list_rar4(content: bytes) -> Archive:
    listing = _Listing()
    return _describe("application/vnd.rar", content, _walk(_walk_rar4(content, listing), listing))


def _walk_rar4(content: bytes, listing: _Listing) -> Iterator[_Entry]:
    position = 7
    for _ in range(_MAX_BLOCKS):
        if position + _RAR4_BLOCK.size > len(content):
            return
        _, kind, flags, length = _RAR4_BLOCK.unpack_from(content, position)
        data = int.from_bytes(content[position + 7 : position + 11], "little") if flags & 0x8000 else 0
        if kind == _RAR4_MAIN and flags & 0x0080:
            listing.encrypted = True
            return
        if kind == _RAR4_FILE_TYPE:
            yield _read_rar4(content, position, flags)
        if length < _RAR4_BLOCK.size:
            raise _Cut
        position += length + data


def _read_rar4(content: bytes, position: int, flags: int) -> _Entry:
    packed, size, _, crc, _, _, _, names, _ = _RAR4_FILE.unpack_from(content, position + 7)
    start = position + 7 + _RAR4_FILE.size + (8 if flags & 0x0100 else 0)
    return _Entry(_decode_field(content[start : start + names]), size, packed, -1, crc, bool(flags & 0x0004))


_RAR5_FILE, _RAR5_ENCRYPTION, _RAR5_END = 2, 4, 5


def _list_rar5(content: bytes) -> Archive:
    listing = _Listing()
    return _describe("application/vnd.rar", content, _walk(_walk_rar5(content, listing), listing))


def _walk_rar5(content: bytes, listing: _Listing) -> Iterator[_Entry]:
    position, kind = 8, 0
    for _ in range(_MAX_BLOCKS):
        if position + 7 > len(content) or kind == _RAR5_END:
            return
        length, start = _read_vint(content, position + 4)
        kind, at = _read_vint(content, start)
        flags, at = _read_vint(content, at)
        extra, at = _read_vint(content, at) if flags & 1 else (0, at)
        data, at = _read_vint(content, at) if flags & 2 else (0, at)
        if kind == _RAR5_ENCRYPTION:
            listing.encrypted = True
            return
        if kind == _RAR5_FILE:
            yield _read_rar5(content, at, content[start + length - extra : start + length] if extra else b"")
        position = start + length + data


def _read_rar5(content: bytes, at: int, extra: bytes) -> _Entry:
    flags, at = _read_vint(content, at)
    size, at = _read_vint(content, at)
    _, at = _read_vint(content, at)  # attributes
    at += 4 * bool(flags & 2) + 4 * bool(flags & 4)  # time, checksum
    for _ in range(2):  # method, system
        _, at = _read_vint(content, at)
    names, at = _read_vint(content, at)
    return _Entry(_decode_name(content[at : at + names]), size, encrypted=_read_record(extra) == 1)


def _read_record(extra: bytes) -> int:
    """Type of the first record of an extra area; encryption (1) is written first."""
    return _read_vint(extra, _read_vint(extra, 0)[1])[0] if len(extra) > 1 else 0


def _read_vint(content: bytes, position: int) -> tuple[int, int]:
    """RAR 5's number: seven bits a byte, lowest first, the eighth says that more follow."""
    value = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _Cut


def _name_only(kind: str) -> Callable[[bytes], Archive]:
    return lambda _content: Archive(kind)


_KINDS: tuple[tuple[bytes, Callable[[bytes], Archive]], ...] = (
    (b"PK\x03\x04", _list_zip),
    (b"PK\x05\x06", _list_zip),  # empty
    (b"\x1f\x8b\x08", _list_gzip),
    (b"BZh", _list_bzip2),
    (b"\xfd7zXZ\0", _list_xz),
    (b"Rar!\x1a\x07\x01\0", _list_rar5),
    (b"Rar!\x1a\x07\0", _list_rar4),
    (b"7z\xbc\xaf\x27\x1c", _name_only("application/x-7z-compressed")),
    (b"MSCF\0\0\0\0", _name_only("application/vnd.ms-cab-compressed")),
)
