"""How many tokens a text may cost, and how it is cut to so many, without the model's own tokenizer.

Byte-level tokenizers (Mistral's Tekken, Llama's, Qwen's) make about one token of four bytes of French or English
prose, of each digit and of most signs a token of its own. Here three bytes of prose count one and each digit or sign
counts one: more than any of them makes of a mail or of a log, so the bound holds; only rare scripts may cost more.
"""

from __future__ import annotations

import re

MARK = "\n[…]\n"  # something was left out here
HEAD = 0.75  # of what is kept: what a mail is about stands at its beginning, what it asks for often at its end
_SIGN = re.compile(r"[^\w\s]|[\d_]")
_WORD_CHARS = 40  # within which a cut goes back to a space


def estimate_tokens(text: str) -> int:
    """At least as many as a tokenizer makes of French or English."""
    return -(-_weigh(text) // 3)


def _weigh(text: str) -> int:
    """Thirds of tokens."""
    return len(text.encode(errors="replace")) + 2 * len(_SIGN.findall(text))


def cut_text(text: str, tokens: int) -> str:
    """The text, or its beginning and end with MARK between, of at most so many tokens (MARK not counted)."""
    if len(text) <= tokens * 3 and estimate_tokens(text) <= tokens:
        return text
    ahead = int(tokens * HEAD)
    head, tail = _take(text, ahead), _take(text[::-1], tokens - ahead)[::-1]
    return f"{head.rstrip()}{MARK}{tail.lstrip()}"


def _take(text: str, tokens: int) -> str:
    """The longest beginning that costs no more, ended between words where there is a space near."""
    shown, left = text[: tokens * 3], tokens * 3
    for at, letter in enumerate(shown):
        left -= _weigh(letter)
        if left < 0:
            return _end_word(shown[:at])
    return _end_word(shown) if len(shown) < len(text) else shown


def _end_word(cut: str) -> str:
    kept = cut[-_WORD_CHARS:]
    space = max(kept.rfind(" "), kept.rfind("\n"))
    return cut[: len(cut) - len(kept) + space] if space > 0 else cut
