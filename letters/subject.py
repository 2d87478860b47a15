"""The subject of an answer: `Re:` once, the ticket's number once (RFC 5322 §3.6.5)."""

from __future__ import annotations

import re

from letters.lines import one_line

_NUMBER = re.compile(r"\[#\d{4}-\d+\]")
_AGAIN = re.compile(r"^(?:(?:re|ré|rép|aw|antw|sv)(?:\[\d+\])? ?: ?)+", re.IGNORECASE)


def answer_subject(subject: str, number: str) -> str:
    """'Re: [#2026-000123] Subject', whatever prefixes and numbers `subject` brought along; one line."""
    bare = _AGAIN.sub("", one_line(_NUMBER.sub(" ", subject)))
    return one_line(f"Re: [#{number}] {bare}")
