"""Texts that are as good as one text: told by the pieces they share once case, accents and signs are gone."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

PIECE = 5  # characters
SHORT = 60  # characters, folded: up to there mails are alike by chance, and only the same words count
ALIKE = 0.5  # of the pieces of both (Jaccard)
HELD = 0.7  # of the pieces of the shorter one, found in the longer one

Grid = NDArray[np.bool_]  # a row for each of the ones, a column for each of the others


def find_likenesses(ones: list[str], others: list[str]) -> list[tuple[int, int]]:
    """(place in `ones`, place in `others`) of each two that are near-duplicates."""
    plain, against = [fold_text(text) for text in ones], [fold_text(text) for text in others]
    alike = _compare_words(plain, against) | _compare_pieces(plain, against)
    return [(int(one), int(other)) for one, other in np.argwhere(alike)]


def find_repeats(texts: list[str]) -> list[tuple[int, int]]:
    """Places, the lower one first, of each two of `texts` that are near-duplicates."""
    return [(one, other) for one, other in find_likenesses(texts, texts) if one < other]


def fold_text(text: str) -> str:
    """Its words only, in small letters without accents, one space between them."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in spread if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", bare))


def _compare_words(ones: list[str], others: list[str]) -> Grid:
    numbers = {text: number for number, text in enumerate({*ones, *others})}
    left, right = (np.array([numbers[text] for text in texts], np.intp) for texts in (ones, others))
    same: Grid = left[:, np.newaxis] == right
    return same


def _compare_pieces(ones: list[str], others: list[str]) -> Grid:
    pieces = _cut_pieces([*ones, *others])
    left, right = pieces[: len(ones)], pieces[len(ones) :]
    common = (left @ right.T).toarray()
    sizes = np.asarray(left.sum(axis=1)), np.asarray(right.sum(axis=1)).T
    long: Grid = np.outer([len(text) > SHORT for text in ones], [len(text) > SHORT for text in others])
    alike: Grid = (common >= ALIKE * (sizes[0] + sizes[1] - common)) | (common >= HELD * np.minimum(*sizes))
    return long & alike


def _cut_pieces(texts: list[str]) -> Any:
    """A sparse row a text, a column a piece, 1 where it occurs."""
    cutter = CountVectorizer(
        analyzer="char", ngram_range=(PIECE, PIECE), lowercase=False, binary=True, dtype=np.float32
    )
    return cutter.fit_transform(texts)
