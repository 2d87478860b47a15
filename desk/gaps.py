"""What a folder's server shows against what the store holds of it: gaps to be fetched, and causes that explain one.

UIDs are those of one UIDVALIDITY (RFC 3501 §2.3.1.1).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Books:
    """What the store holds of a folder; `erased` and `too_large` are among `kept`."""

    last_uid: int  # the cursor: what lies above it is the next sync's to bring in
    kept: frozenset[int] = frozenset()
    erased: frozenset[int] = frozenset()
    too_large: frozenset[int] = frozenset()
    holes: frozenset[int] = frozenset()  # named by the server and withheld so far


@dataclass(frozen=True, slots=True)
class Gaps:
    """The difference, named. Only `missing` and `withheld` want something done."""

    missing: tuple[int, ...]  # on the server, passed by the cursor, and nothing in the store tells why
    withheld: tuple[int, ...]  # the same, known since the server withheld them
    too_large: tuple[int, ...]  # left on the server on purpose
    erased: tuple[int, ...]  # still on the server, forgotten here
    filled: tuple[int, ...]  # holes that are none any more: the server names them no longer
    waiting: int  # above the cursor
    gone: int  # in the store, deleted or moved away on the server

    @property
    def wanted(self) -> tuple[int, ...]:
        return tuple(sorted((*self.missing, *self.withheld)))


def find_gaps(server: Set[int], books: Books) -> Gaps:
    """Compare the server's UIDs, listed before the books were read, with the books."""
    passed = {uid for uid in server if uid <= books.last_uid or uid in books.holes}
    absent = passed - books.kept
    listed = max(server, default=0)  # a hole above it came after the list was made
    return Gaps(
        missing=tuple(sorted(absent - books.holes)),
        withheld=tuple(sorted(absent & books.holes)),
        too_large=tuple(sorted(server & books.too_large)),
        erased=tuple(sorted(server & books.erased)),
        filled=tuple(sorted(uid for uid in books.holes - server if uid <= listed)),
        waiting=len(server - passed - books.kept),
        gone=len(books.kept - server),
    )
