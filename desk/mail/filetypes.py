"""What a file is, told from its content alone; no library: fifty marks tell all that mails carry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from desk.mail.archives import Archive, list_archive

_HEAD_BYTES = 1_024
_PAGE_BYTES = 1_000_000  # of a page or a picture in SVG, from either end, that are searched for scripts

EXECUTABLE = "application/x-executable"  # of any system
SCRIPT = "text/x-script"
SHORTCUT = "application/x-ms-shortcut"
DISK_IMAGE = "application/x-disk-image"
ONENOTE = "application/onenote"
HELP = "application/vnd.ms-htmlhelp"
OLE = "application/x-ole-storage"

# (offset, bytes, media type); the first that fits wins. Archives are told by desk.mail.archives.
_MARKS = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"%!PS", "application/postscript"),
    (0, b"wOF", "font/woff"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"{\\rt", "application/rtf"),  # Word takes what is shorter than "{\rtf1"
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (0, b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (0, b"\x7fELF", EXECUTABLE),
    (0, b"\xcf\xfa\xed\xfe", EXECUTABLE),  # Mach-O, four ways
    (0, b"\xce\xfa\xed\xfe", EXECUTABLE),
    (0, b"\xfe\xed\xfa\xcf", EXECUTABLE),
    (0, b"\xfe\xed\xfa\xce", EXECUTABLE),
    (0, b"\xca\xfe\xba\xbe", EXECUTABLE),  # Mach-O for several processors, or a Java class
    (0, b"dex\n", EXECUTABLE),
    (0, b"L\0\0\0\x01\x14\x02\0", SHORTCUT),
    (0, b"[InternetShortcut]", SHORTCUT),
    (0, b"[Desktop Entry]", SHORTCUT),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", ONENOTE),  # MS-ONESTORE §2.3.1
    (0, b"ITSF", HELP),
    (0, b"vhdxfile", DISK_IMAGE),
    (0, b"conectix", DISK_IMAGE),
    (0, b"MSWIM\0\0\0", DISK_IMAGE),
    (-512, b"conectix", DISK_IMAGE),
    (-512, b"koly", DISK_IMAGE),
    (32_769, b"CD001", DISK_IMAGE),  # ISO 9660 §8
    (32_769, b"BEA01", DISK_IMAGE),  # UDF
)
# An OLE file by what its directory names (MS-CFB §2.6), in UTF-16.
_OLE_KINDS = (
    (bytes.fromhex("84100c0000000000c000000000000046"), EXECUTABLE),  # class of Windows Installer
    ("EncryptedPackage".encode("utf-16-le"), "application/x-encrypted-office"),
    ("__substg1.0_".encode("utf-16-le"), "application/vnd.ms-outlook"),
    ("WordDocument".encode("utf-16-le"), "application/msword"),
    ("Workbook".encode("utf-16-le"), "application/vnd.ms-excel"),
    ("PowerPoint Document".encode("utf-16-le"), "application/vnd.ms-powerpoint"),
)
_OLE_MACROS = tuple(word.encode("utf-16-le") for word in ("_VBA_PROJECT", "_VBA_PROJECT_CUR"))

# How a text begins, in lower case, after white space.
_BEGINNINGS = (
    (re.compile(rb"<!doctype html|<html|<head[ >]|<body[ >]|<script|<meta |<iframe|<table[ >]|<div[ >]"), "text/html"),
    (re.compile(rb"<svg|<!doctype svg"), "image/svg+xml"),
    (re.compile(rb"<\?xml|<!--"), "application/xml"),
    (re.compile(rb"begin:vcalendar"), "text/calendar"),
    (re.compile(rb"begin:vcard"), "text/vcard"),
    (re.compile(rb"#![ \t]{0,10}/"), SCRIPT),
    (re.compile(rb"@echo off|<\?php|<job[ >]|<%@|<package[ >]"), SCRIPT),
    (re.compile(rb"(?:return-path|received|message-id|delivered-to|mime-version): "), "message/rfc822"),
    (re.compile(rb"-----begin [a-z0-9 ]{1,40}-----"), "application/x-pem-file"),
)
_INNER = ((b"<svg", "image/svg+xml"), (b"<html", "text/html"), (b"<hta:", SCRIPT))  # after a declaration or a comment
_MARKS_OF_ORDER = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"))
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x80-\x9f]")
_ACTIVE = re.compile(
    rb"<script|<(?:iframe|object|embed|applet)[\s>]|(?:java|vb)script:|http-equiv=[\"']?refresh|"
    rb"[\s\"'/]on[a-z]{4,20}\s{0,5}=\s{0,5}[\"'a-z]|data:text/html"
)


@dataclass(frozen=True, slots=True)
class FileType:
    """`media_type` is empty when the content tells nothing; `archive` is set for archives and zipped documents."""

    media_type: str
    archive: Archive | None = None
    macros: bool = False


def sniff_type(content: bytes) -> FileType:
    """What the content looks like, whatever its name. Never raises."""
    if archive := list_archive(content):
        return FileType(archive.kind, archive, archive.macros)
    marked = next((media_type for offset, mark, media_type in _MARKS if _stands(content, offset, mark)), "")
    if marked == OLE:
        return FileType(_tell_ole(content), None, any(word in content for word in _OLE_MACROS))
    return FileType(marked or _tell_short(content) or _tell_text(content[:_HEAD_BYTES]))


def is_active(content: bytes) -> bool:
    """Whether a page or an SVG picture does something when it is opened."""
    searched = content if len(content) <= 2 * _PAGE_BYTES else content[:_PAGE_BYTES] + content[-_PAGE_BYTES:]
    return bool(_ACTIVE.search(searched.replace(b"\0", b"").lower()))


def _stands(content: bytes, offset: int, mark: bytes) -> bool:
    start = len(content) + offset if offset < 0 else offset
    return start >= 0 and content.startswith(mark, start)


def _tell_ole(content: bytes) -> str:
    return next((kind for mark, kind in _OLE_KINDS if mark in content), OLE)


def _tell_short(content: bytes) -> str:
    """Marks of two letters, which a text may begin with too: programs of DOS and Windows, bitmaps."""
    if content.startswith((b"MZ", b"ZM")) and _NO_TEXT.search(content[:64]):
        return EXECUTABLE
    return "image/bmp" if content.startswith(b"BM") and content[6:10] == b"\0\0\0\0" else ""


def _tell_text(head: bytes) -> str:
    encoding = next((name for mark, name in _MARKS_OF_ORDER if head.startswith(mark)), "")
    plain = head.decode(encoding, "ignore").encode("utf-8", "ignore") if encoding.startswith("utf-16") else head
    lowered = plain.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not lowered or _BINARY.search(lowered):
        return ""
    told = next((media_type for start, media_type in _BEGINNINGS if start.match(lowered)), "text/plain")
    if told != "application/xml":
        return told
    return next((media_type for mark, media_type in _INNER if mark in lowered), told)
