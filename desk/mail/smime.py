"""The mail inside an S/MIME signature of one piece (RFC 8551 §3.5.2): no key is needed to read what is only signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2, RFC 5652 §5.1
_DATA = bytes.fromhex("2a864886f70d010701")  # 1.2.840.113549.1.7.1, RFC 5652 §4
_SEQUENCE, _OCTETS = 0x30, 0x04
_CONSTRUCTED = 0x20
_ENDLESS = 0x80
_MAX_DEPTH = 20
_MAX_FIELDS = 10  # of SignedData there are six
_MAX_PIECES = 100_000  # of 1,000 octets each, as is usual


@dataclass(frozen=True, slots=True)
class _Item:
    """A value of BER (X.690): its tag and where its content lies."""

    tag: int
    start: int
    end: int  # of the content
    after: int  # where the next item begins


def open_signed(content: bytes) -> bytes:
    """The mail that was signed; empty when there is none to be found, as in an encrypted one."""
    try:
        return b"".join(_read_signed(content))
    except (IndexError, ValueError, RecursionError):  # damaged, or fewer items than there must be
        return b""


def _read_signed(content: bytes) -> Iterator[bytes]:
    kind, wrapped = _list_items(content, _read_item(content, 0), 2)
    if content[kind.start : kind.end] != _SIGNED_DATA:
        return
    (signed,) = _list_items(content, wrapped, 1)
    for item in _list_items(content, signed, _MAX_FIELDS):
        inner = _list_items(content, item, 2) if item.tag == _SEQUENCE else []
        if len(inner) == 2 and content[inner[0].start : inner[0].end] == _DATA:
            yield from _read_octets(content, inner[1], 0)
            return


def _read_octets(content: bytes, item: _Item, depth: int) -> Iterator[bytes]:
    """Octet strings come in one piece or in many (X.690 §8.7)."""
    if item.tag == _OCTETS:
        yield content[item.start : item.end]
    elif item.tag & _CONSTRUCTED and depth < _MAX_DEPTH:
        for piece in _list_items(content, item, _MAX_PIECES):
            yield from _read_octets(content, piece, depth + 1)


def _list_items(content: bytes, parent: _Item, most: int) -> list[_Item]:
    items: list[_Item] = []
    at = parent.start
    while at < parent.end and len(items) < most:
        item = _read_item(content, at)
        items.append(item)
        at = item.after
    return items


def _read_item(content: bytes, at: int, depth: int = 0) -> _Item:
    tag, length, start = content[at], content[at + 1], at + 2
    if length == _ENDLESS:
        return _read_endless(content, tag, start, depth)
    if length > _ENDLESS:
        size = length - _ENDLESS
        length, start = int.from_bytes(content[start : start + size]), start + size
    if start + length > len(content):
        raise IndexError
    return _Item(tag, start, start + length, start + length)


def _read_endless(content: bytes, tag: int, start: int, depth: int) -> _Item:
    """A length that is not told: it ends with two zeros (X.690 §8.1.5)."""
    if depth > _MAX_DEPTH:
        raise IndexError
    at = start
    while content[at : at + 2] != b"\0\0":
        at = _read_item(content, at, depth + 1).after
    return _Item(tag, start, at, at + 2)
