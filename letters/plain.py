"""A letter as plain text alone: what filters that took it for spam are more likely to let through."""

from __future__ import annotations

from dataclasses import replace

from letters.parts import Taken, put_together, take_apart


def make_plain(body: bytes) -> bytes:
    """The letter without its page and the pictures in it; head, text and attached files stay as they are."""
    return put_together(_drop_page(take_apart(body)))


def can_be_plain(body: bytes) -> bool:
    """Whether that would make it another letter."""
    taken = take_apart(body)
    return bool(taken.html and taken.text)


def _drop_page(taken: Taken) -> Taken:
    return replace(taken, html="", shown=()) if taken.text else taken
