"""What is in a winmail.dat (MS-OXTNEF): the text and the files that Outlook wrapped up.

Read by ourselves: the library tnefparse runs for minutes on 35 bytes that promise four billion properties, takes
quadratic time on many small ones, and cuts the zero bytes off the end of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from struct import Struct

from desk.mail.charsets import clean_text, decode_bytes
from desk.mail.rtf import read_rtf

SIGNATURE = b"\x78\x9f\x3e\x22"

_MAX_FILES = 200
_MAX_ATTRIBUTES = 5_000
_MAX_PROPERTIES = 50_000  # of all that is at one depth
_MAX_VALUES = 1_000  # of one property
_MAX_DEPTH = 5
_TEXT_BYTES = 2_000_000
_NAME_BYTES = 2_000

_ATTRIBUTE = Struct("<BHHL")  # level, name, type, length; a checksum of two bytes follows the data
# Attributes, §2.1.3.3
_BODY, _FILE_DATA, _FILE_TITLE, _TRANSPORT_NAME = 0x800C, 0x800F, 0x8010, 0x9001
_FILE_START, _MESSAGE_PROPERTIES, _FILE_PROPERTIES, _CODEPAGE = 0x9002, 0x9003, 0x9005, 0x9007
# Properties, MS-OXPROPS
_TEXT, _UNPACKED_RTF, _PACKED_RTF, _HTML, _INTERNET_CODEPAGE = 0x1000, 0x3FD9, 0x1009, 0x1013, 0x3FDE
_DISPLAY_NAME, _CONTENT, _SHORT_NAME, _LONG_NAME = 0x3001, 0x3701, 0x3704, 0x3707
_MIME_TYPE, _CONTENT_ID = 0x370E, 0x3712
_NAMES = (_LONG_NAME, _TRANSPORT_NAME, _FILE_TITLE, _SHORT_NAME, _DISPLAY_NAME)  # the best first
_FILE_VALUES = frozenset({*_NAMES, _MIME_TYPE, _CONTENT_ID})
_FILE_ATTRIBUTES = frozenset({_FILE_DATA, _FILE_TITLE, _TRANSPORT_NAME, _FILE_PROPERTIES})
# Types of properties, MS-OXCDATA §2.11.1
_STRING8, _UNICODE, _BINARY, _OBJECT, _MANY = 0x001E, 0x001F, 0x0102, 0x000D, 0x1000
_VARIABLE = frozenset({_STRING8, _UNICODE, _BINARY, _OBJECT})
_SIZES = {2: 2, 11: 2, 3: 4, 4: 4, 10: 4, 5: 8, 6: 8, 7: 8, 20: 8, 64: 8, 72: 16}
_INTERFACE_BYTES = 16  # before an object's data
_CODECS = {20127: "ascii", 20866: "koi8-r", 21866: "koi8-u", 65001: "utf-8", 932: "cp932", 936: "gb18030"}


@dataclass(frozen=True, slots=True)
class TnefFile:
    """A file as it came: its name is not safe yet, its type may be empty."""

    name: str
    content: bytes
    content_type: str = ""
    inline: bool = False  # has a Content-ID: the HTML shows it


@dataclass(frozen=True, slots=True)
class Tnef:
    """What was found; `text` is empty when there is only HTML."""

    text: str = ""
    html: str = ""
    attachments: tuple[TnefFile, ...] = ()
    damaged: bool = False


_Value = tuple[int, bytes]  # a property's type and its bytes, decoded only when wanted
_NONE: _Value = (0, b"")


@dataclass(slots=True)
class _File:
    values: dict[int, _Value] = field(default_factory=dict)
    content: bytes = b""
    embedded: bool = False


@dataclass(slots=True)
class _Found:
    codec: str = "cp1252"
    bodies: dict[int, _Value] = field(default_factory=dict)
    internet_codec: str = ""
    files: list[_File] = field(default_factory=list)
    properties: int = 0  # read so far
    damaged: bool = False


class _Cut(Exception):
    """A length points beyond the end."""


def open_tnef(content: bytes, depth: int = 0) -> Tnef | None:
    """The text and files of a winmail.dat; None when it is none. Never raises: what is damaged is read as far as
    it goes. Files of mails within it follow those of the outermost.
    """
    if not content.startswith(SIGNATURE):
        return None
    found = _Found()
    try:
        for name, data in islice(_split_attributes(content), _MAX_ATTRIBUTES):
            _read_attribute(found, name, data)
    except _Cut:
        found.damaged = True
    files = [file for one in found.files for file in _list_files(one, found.codec, depth)]
    html = _read_body(found, _HTML)
    plain = _read_body(found, _TEXT) or _read_body(found, _UNPACKED_RTF)
    rich = "" if plain or html else read_rtf(found.bodies.get(_PACKED_RTF, _NONE)[1])
    return Tnef(plain or rich, html, tuple(files[:_MAX_FILES]), found.damaged)


def _split_attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 6  # signature and key
    while position + _ATTRIBUTE.size + 2 <= len(content):
        level, name, _, length = _ATTRIBUTE.unpack_from(content, position)
        start = position + _ATTRIBUTE.size
        if level not in (1, 2):
            return  # garbage after the end
        yield name, content[start : start + length]
        position = start + length + 2
    if position > len(content):
        raise _Cut


def _read_attribute(found: _Found, name: int, data: bytes) -> None:
    if name == _CODEPAGE and len(data) >= 4:
        found.codec = _name_codec(int.from_bytes(data[:4], "little"))
    elif name == _BODY:
        found.bodies.setdefault(_TEXT, (_STRING8, data))
    elif name == _MESSAGE_PROPERTIES:
        _read_message(found, data)
    elif name == _FILE_START:
        found.files.append(_File())
    elif name in _FILE_ATTRIBUTES:
        if not found.files:  # its start is missing
            found.files.append(_File())
        _read_file(found, found.files[-1], name, data)


def _read_message(found: _Found, data: bytes) -> None:
    for name, kind, value in _split_properties(found, data):
        if name in (_TEXT, _UNPACKED_RTF, _HTML, _PACKED_RTF):
            found.bodies[name] = (kind, value)
        elif name == _INTERNET_CODEPAGE:
            found.internet_codec = _name_codec(int.from_bytes(value[:4], "little"))


def _read_file(found: _Found, file: _File, name: int, data: bytes) -> None:
    if name == _FILE_DATA:
        file.content = data
    elif name == _FILE_PROPERTIES:
        _read_properties(found, file, data)
    else:
        file.values[name] = (_STRING8, data[:_NAME_BYTES])


def _read_properties(found: _Found, file: _File, data: bytes) -> None:
    for name, kind, value in _split_properties(found, data):
        if name == _CONTENT:
            file.embedded = kind == _OBJECT
            file.content = value[_INTERFACE_BYTES:] if kind == _OBJECT else value
        elif name in _FILE_VALUES:
            file.values[name] = (kind, value[:_NAME_BYTES])


def _list_files(file: _File, codec: str, depth: int) -> Iterator[TnefFile]:
    """The file itself, then the files of the mail that it is."""
    names = (_decode_value(*file.values.get(key, _NONE), codec) for key in _NAMES)
    name = next((name for name in names if name), "")
    content_type = _decode_value(*file.values.get(_MIME_TYPE, _NONE), codec).strip().lower()
    shown = bool(_decode_value(*file.values.get(_CONTENT_ID, _NONE), codec))
    yield TnefFile(name, file.content, content_type, shown)
    inner = open_tnef(file.content, depth + 1) if file.embedded and depth < _MAX_DEPTH else None
    yield from inner.attachments if inner else ()


def _split_properties(found: _Found, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(name, type, first value) of each property of §2.1.3.4; notes it when the list breaks off."""
    try:
        for one in islice(_walk_properties(data), _MAX_PROPERTIES - found.properties):
            found.properties += 1
            yield one
    except _Cut:
        found.damaged = True


def _walk_properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 4
    for _ in range(_take_number(data, 0)):  # each takes bytes or breaks off: four billion are never reached
        kind, name = _take_number(data, position, 2), _take_number(data, position + 2, 2)
        position += 4
        if name >= 0x8000:
            position = _pass_name(data, position)
        value, position = _take_value(data, position, kind)
        yield name, kind & ~_MANY, value


def _pass_name(data: bytes, position: int) -> int:
    """A named property has a class, then a number or a text, before its value."""
    after = position + 20
    return after + 4 if _take_number(data, position + 16) == 0 else after + 4 + _pad(_take_number(data, after))


def _take_value(data: bytes, position: int, kind: int) -> tuple[bytes, int]:
    """The first value and where the next property starts."""
    variable = kind & ~_MANY in _VARIABLE
    count = _take_number(data, position) if variable or kind & _MANY else 1
    position += 4 if variable or kind & _MANY else 0
    return _take_texts(data, position, count) if variable else _take_fixed(data, position, count, kind & ~_MANY)


def _take_texts(data: bytes, position: int, count: int) -> tuple[bytes, int]:
    first = b""
    if count > _MAX_VALUES:
        raise _Cut
    for number in range(count):
        length = _take_number(data, position)
        if position + 4 + length > len(data):
            raise _Cut
        first = data[position + 4 : position + 4 + length] if number == 0 else first
        position += 4 + _pad(length)
    return first, position


def _take_fixed(data: bytes, position: int, count: int, kind: int) -> tuple[bytes, int]:
    size = _SIZES.get(kind, 0)
    after = position + _pad(size * count)
    if not size or after > len(data):
        raise _Cut
    return data[position : position + size], after


def _take_number(data: bytes, position: int, size: int = 4) -> int:
    if position + size > len(data):
        raise _Cut
    return int.from_bytes(data[position : position + size], "little")


def _pad(length: int) -> int:
    return -(-length // 4) * 4


def _read_body(found: _Found, name: int) -> str:
    kind, value = found.bodies.get(name, _NONE)
    text = _decode_value(kind, value[:_TEXT_BYTES], found.internet_codec or found.codec)
    return "" if text.startswith("{\\rtf") else clean_text(text).strip()


def _decode_value(kind: int, value: bytes, codec: str) -> str:
    if kind == _UNICODE:
        return value.decode("utf-16-le", "replace").partition("\0")[0]
    return decode_bytes(value.partition(b"\0")[0], codec)


def _name_codec(number: int) -> str:
    """Python's name of a Windows code page; an unknown one is guessed later."""
    iso = number - 28_590
    return _CODECS.get(number) or (f"iso8859-{iso}" if 1 <= iso <= 16 else f"cp{number}")
