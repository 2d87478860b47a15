"""Files that come with a mail: named safely, told by their content, marked when dangerous; never opened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from desk.mail.archives import Archive
from desk.mail.filenames import read_ending, save_name, tell_apart, warn_ending
from desk.mail.filetypes import (
    DISK_IMAGE,
    EXECUTABLE,
    HELP,
    ONENOTE,
    SCRIPT,
    SHORTCUT,
    FileType,
    is_active,
    sniff_type,
)
from desk.mail.values import Attachment

__all__ = ["describe_file", "name_nameless", "save_name", "tell_apart", "warn_attachment"]

_ENDINGS = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "text/rfc822-headers": ".txt",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/rtf": ".rtf",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.ms-outlook": ".msg",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "image/tiff": ".tiff",
    "image/bmp": ".bmp",
    "image/svg+xml": ".svg",
    "audio/mpeg": ".mp3",
    "video/mp4": ".mp4",
}
_CLAIMS = {  # media types that mean a program, whatever the name
    "application/x-msdownload": "executable",
    "application/x-msdos-program": "executable",
    "application/x-dosexec": "executable",
    "application/x-executable": "executable",
    "application/vnd.microsoft.portable-executable": "executable",
    "application/vnd.android.package-archive": "executable",
    "application/java-archive": "executable",
    "application/hta": "script",
    "application/x-ms-shortcut": "shortcut",
}
_CONTENTS = {
    EXECUTABLE: "executable",
    "application/vnd.android.package-archive": "executable",
    "application/vnd.ms-appx": "executable",
    "application/java-archive": "executable",
    SCRIPT: "script",
    SHORTCUT: "shortcut",
    DISK_IMAGE: "disk-image",
    ONENOTE: "dangerous",
    HELP: "dangerous",
}
_PAGES = frozenset({"text/html", "image/svg+xml"})
_PACKED = frozenset({
    "application/zip", "application/gzip", "application/x-bzip2", "application/x-xz", "application/x-tar",
    "application/vnd.rar", "application/x-7z-compressed", "application/vnd.ms-cab-compressed",
})  # fmt: skip
# What is opened without a thought. Left out are xls and csv: programs of accounting export pages under these names.
_TRUSTED = frozenset(
    {"avi", "bmp", "doc", "docx", "gif", "heic", "jpeg", "jpg", "mov", "mp3", "mp4", "odp", "ods", "odt", "pdf", "png",
     "ppt", "pptx", "rtf", "tif", "tiff", "wav", "webp", "xlsx"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _File:
    """What a row of the table may look at."""

    name: str
    claim: str
    content: bytes
    told: FileType

    @property
    def archive(self) -> Archive:
        return self.told.archive or Archive("")


def describe_file(name_claimed: str, content_type: str, content: bytes, position: int, inline: bool) -> Attachment:
    """What is to be known of an attachment; `position` (from 1) names the nameless. Never raises.

    An empty `content_type`, as files of a winmail.dat have, is filled in by what the content looks like.
    """
    told = sniff_type(content)
    name = save_name(name_claimed) or name_nameless(content_type, told.media_type, position)
    return Attachment(
        name=name,
        content_type=content_type or told.media_type or "application/octet-stream",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inline=inline,
        warning=_warn_file(_File(name, content_type, content, told)),
        sniffed_type=told.media_type,
        entries=told.archive.entries if told.archive else (),
    )


def name_nameless(content_type: str, sniffed_type: str, position: int) -> str:
    """ "attachment-2.pdf", by what the mail says it is, else by what it looks like."""
    return f"attachment-{position}{_ENDINGS.get(content_type) or _ENDINGS.get(sniffed_type, '.bin')}"


def warn_attachment(name: str, content: bytes, content_type: str = "") -> str:
    """One word about a dangerous file, the gravest that holds (see the table); empty when it looks harmless."""
    return _warn_file(_File(name, content_type, content, sniff_type(content)))


def _warn_file(file: _File) -> str:
    return next((word for word in (rule(file) for rule in _RULES) if word), "")


def _warn_claims(file: _File) -> str:
    """By the worst of what the name, the content and the mail say, in the order of severity."""
    said = (warn_ending(file.name), _CONTENTS.get(file.told.media_type, ""), _CLAIMS.get(file.claim, ""))
    return next((word for word in _SEVERITY if word in said), "")


def _is_posing(file: _File) -> bool:
    """A page or an archive under the name of something that is opened without a thought."""
    return read_ending(file.name) in _TRUSTED and file.told.media_type in _PAGES | _PACKED


def _is_active_page(file: _File) -> bool:
    return (file.told.media_type in _PAGES or read_ending(file.name) in _PAGE_ENDINGS) and is_active(file.content)


def _when(word: str, holds: Callable[[_File], bool]) -> Callable[[_File], str]:
    return lambda file: word if holds(file) else ""


_SEVERITY = ("double-extension", "executable", "script", "shortcut", "disk-image", "dangerous")
_PAGE_ENDINGS = frozenset({"htm", "html", "shtml", "svg", "xhtml", "xht", "xml"})
# The table: the gravest first, the first that holds is the warning.
_RULES: tuple[Callable[[_File], str], ...] = (
    _warn_claims,
    _when("zip-bomb", lambda file: file.archive.bomb),
    _when("archive-of-executables", lambda file: file.archive.executables),
    _when("macro", lambda file: file.told.macros or warn_ending(file.name) == "macro"),
    _when("type-mismatch", _is_posing),
    _when("encrypted-archive", lambda file: file.archive.encrypted),
    _when("active-html", _is_active_page),
    _when("damaged", lambda file: file.archive.damaged),
)
