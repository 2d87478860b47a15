"""Names of files as mails claim them: made safe to show and to save, and what their endings give away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from desk.mail.charsets import clean_line

NAME_CHARS = 120
NAME_BYTES = 200  # most file systems hold 255; this leaves room for what a program adds

_CLAIM_CHARS = 4_000  # of a claimed name, from its end, where the ending is
_ENDING_CHARS = 19
_FOLDERS = 10  # of an entry in an archive, from its end
_FORBIDDEN = re.compile(r"""[<>:"|?*\u115f\u1160\u3164\uffa0]""")  # kept by Windows; the last are blank letters
_STREAM = re.compile(r":[^:]{0,255}:\$\w{1,30}$")  # "a.exe::$DATA": NTFS opens a.exe
# Windows takes the superscripts for digits, and looks neither at the ending nor at spaces before it.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[\d¹²³]) *(?:\.|$)", re.IGNORECASE)

# Endings by what opening such a file does; the first row that knows an ending names it.
_ENDINGS = (
    ("executable", re.compile(
        r"apk|app|appimage|appx(?:bundle)?|com|cpl|deb|dll|drv|exe|gadget|ipa|jar|msc|ms[ip]|msix|ocx|pif|pkg|rpm|scr|"
        r"sys|wll|xll"
    )),
    ("script", re.compile(
        r"applescript|bash|bat|cmd|command|csh|hta|jse?|jnlp|ksh|msh\d?(?:xml)?|mst|php\d?|pl|ps[12](?:xml)?|psc[12]|"
        r"ps[dm]1|pyw?|pyzw?|rb|reg|sct|sh|shb|vb[es]?|vbscript|ws[cfh]?|wsb|xbap|zsh"
    )),
    ("shortcut", re.compile(r"desktop|library-ms|lnk|scf|search-ms|searchconnector-ms|url|webloc|website")),
    ("disk-image", re.compile(r"dmg|img|iso|nrg|toast|udf|vhdx?|vmdk|wim")),
    ("macro", re.compile(r"ad[ep]|doc[mb]|dotm|ma[dmq]|md[aetw]|potm|ppam|pp[ts]m|sldm|xlam?|xlsb|xl[st]m")),
    ("dangerous", re.compile(
        r"application|appref-ms|chm|diagcab|grp|hlp|inf|ins|iqy|isp|its|mht(?:ml)?|one(?:pkg)?|oqy|pcd|"
        r"rdp|rqy|settingcontent-ms|shs|slk|theme(?:pack)?|xnk|xslt?"
    )),
)  # fmt: skip
_DOCUMENT = re.compile(
    r"avi|bmp|csv|docx?|eml|gif|heic|html?|jpe?g|mov|mp[34]|msg|od[pst]|pdf|png|pp[st]x?|rtf|tiff?|txt|wav|webp|"
    r"xlsx?|xml|zip"
)
_PAGE = re.compile(r"s?html?|xhtml?|svgz?")  # a page that ends in ".pdf.html" is a false door, one in ".html" is none
_ARCHIVE = re.compile(r"7z|ace|arj|bz2|cab|gz|lzh|lzma|rar|tar|tbz2?|tgz|txz|xz|z|zipx?|zst")


def save_name(claimed: str) -> str:
    """A name safe to show and to save on any system; empty when nothing is left of it.

    One path segment in NFC, no control, invisible or bidirectional character, not hidden, no device of Windows, at
    most NAME_CHARS characters and NAME_BYTES bytes of UTF-8, its ending kept.
    """
    line = clean_line(unicodedata.normalize("NFC", claimed[-_CLAIM_CHARS:]))
    base = _STREAM.sub("", line).replace("\\", "/").rpartition("/")[2]
    shown = base if base.isascii() else "".join(letter for letter in base if unicodedata.category(letter) != "Cf")
    bare = " ".join(_FORBIDDEN.sub("", unicodedata.normalize("NFC", shown)).split()).strip(" .")
    return _cut_name(f"_{bare}" if _RESERVED.match(bare) else bare)


def save_path(claimed: str) -> str:
    """A file's name in an archive with its folders, each made safe; shortened at its beginning."""
    segments = claimed[-_CLAIM_CHARS:].replace("\\", "/").split("/")[-_FOLDERS:]
    path = "/".join(safe for safe in map(save_name, segments) if safe)
    return path if len(path) <= NAME_CHARS else path[-NAME_CHARS:].lstrip("/. ")


def tell_apart(names: Iterable[str]) -> tuple[str, ...]:
    """The same names, the second "a.pdf" as "a-2.pdf": no two alike, even where case counts for nothing."""
    taken: set[str] = set()
    copies: dict[str, int] = {}
    told = []
    for name in names:
        told.append(_find_free(name, taken, copies))
        taken.add(told[-1].casefold())
    return tuple(told)


def read_ending(name: str) -> str:
    """ "pdf" of "Facture.PDF"; empty when there is none."""
    stem, dot, ending = name.rpartition(".")
    return ending.strip().lower() if dot and stem else ""


def warn_ending(name: str) -> str:
    """What a name alone gives away: "double-extension", a word of the table of endings, or nothing."""
    *before, last = (piece.strip().lower() for piece in name.split(".")[-3:])
    word = next((word for word, endings in _ENDINGS if endings.fullmatch(last)), "") if before else ""
    disguised = len(before) > 1 and _DOCUMENT.fullmatch(before[-1])
    return "double-extension" if disguised and (word or _PAGE.fullmatch(last)) else word


def is_archive_name(name: str) -> bool:
    """Whether the ending is an archive's."""
    return bool(_ARCHIVE.fullmatch(read_ending(name)))


def _cut_name(bare: str) -> str:
    stem, dot, ending = bare.rpartition(".")
    if len(bare) <= NAME_CHARS and len(bare.encode()) <= NAME_BYTES:
        return bare
    tail = dot + ending[:_ENDING_CHARS]
    if not (dot and stem):
        stem, tail = bare, ""
    room = NAME_BYTES - len(tail.encode())
    whole = stem[: NAME_CHARS - 1 - _ENDING_CHARS if tail else NAME_CHARS]
    return (whole.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + tail).rstrip(" .")


def _find_free(name: str, taken: set[str], copies: dict[str, int]) -> str:
    stem, dot, ending = name.rpartition(".")
    found, number = name, copies.get(name.casefold(), 1)
    while found.casefold() in taken:
        number += 1
        found = _cut_name(f"{stem[:90]}-{number}{dot}{ending}" if dot and stem else f"{name[:90]}-{number}")
    copies[name.casefold()] = number
    return found
