"""The language of a text: lingua's answer where it leads clearly, else UNDETERMINED."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lingua import LanguageDetector

KNOWN = ("fr", "en", "de", "es", "it", "nl", "pt")  # ISO 639-1: those in which mails are taken apart
UNDETERMINED = "undetermined"

_TEXT_CHARS = 1_000  # more never changed an answer
_SOURCE_CHARS = 20_000  # looked at for words
_WORD = re.compile(r"(?<!\S)[\"'(«“„¿¡-]{0,3}[^\W\d_]\S{0,60}(?!\S)")
_NO_WORD = re.compile(r"[@/\\_\d]|\.\w")  # addresses, links, paths and references are in no language
# Letters that none of KNOWN has: lingua can't say "another one" and would take Polish for Portuguese.
_FOREIGN = re.compile("[ÅåØøÐðÞþ\u0100-\u0151\u0154-\u0177\u0179-\u1fff\u2c00-\uffef]")
_FOREIGN_SHARE = 0.03  # of the characters; a foreign name makes no foreign text
# By how much the likeliest language must lead, from so many words on. Measured over the first words of the mails in
# classifiers/examples.csv: 8 of 423 wrong at two words, 5 of 575 at four, 1 of 611 at six, none from eight on.
_LEADS = ((6, 0.05), (4, 0.1), (2, 0.2), (1, 0.5))


def tell_language(text: str, known: tuple[str, ...] = KNOWN) -> str:
    """ISO 639-1 code, one of `known`; UNDETERMINED when the text is too short or could be several. Never raises."""
    composed = unicodedata.normalize("NFC", text[:_SOURCE_CHARS])
    words = [word for word in _WORD.findall(composed) if not _NO_WORD.search(word)]
    detector = _load_detector(frozenset(known))
    if not words or detector is None:
        return UNDETERMINED
    plain = " ".join(words)[:_TEXT_CHARS].encode("utf-8", "replace").decode("utf-8")
    first, second = detector.compute_language_confidence_values(plain)[:2]
    leads = first.value - second.value >= next(least for count, least in _LEADS if len(words) >= count)
    language = str(first.language.iso_code_639_1.name).lower()
    return language if first.value and leads and not _is_foreign(plain, language) else UNDETERMINED


def _is_foreign(plain: str, language: str) -> bool:
    return language in KNOWN and len(_FOREIGN.findall(plain)) > _FOREIGN_SHARE * len(plain)


@lru_cache(maxsize=8)
def _load_detector(known: frozenset[str]) -> LanguageDetector | None:
    """None when there is nothing to choose between. Safe to share between threads.

    The full models: those of `with_low_accuracy_mode` take 30 MB instead of 200 and load in 0.1 s instead of 1.5,
    but are wrong ten times as often on one line.
    """
    # Imported late, as its models are loaded: a flow run that judges nothing pays for neither.
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, name.upper(), None) for name in sorted(known)]
    usable = [code for code in codes if code is not None]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*usable).build() if len(usable) > 1 else None
