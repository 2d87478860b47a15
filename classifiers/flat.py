"""The fitted pipelines of `classifiers.local` as flat arrays: their very chances, many times sooner on a single text.

scikit-learn checks and wraps at every step and reads the text once a pipeline; here it is read once, by a few lines.
The arrays can be kept in a file that holds no code (NumPy's .npz, no pickles).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

TOKEN = re.compile(r"\w+")  # single letters too: in some scripts one is a word
WORDS_KEPT = 20_000  # already cut to pieces: the next mail has most of them again
LONGEST_KEPT = 30  # characters of such a word

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Word = tuple[tuple[str, ...], Rows]  # its tokens, and the rows of its pieces
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """One question to the text: its possible answers, and the power that makes their chances honest."""

    labels: Labels
    power: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """The chance of each label, head by head, and how many known words and pairs of words they rest on."""

    chances: tuple[dict[str, float], ...]
    terms: int


@dataclass(frozen=True, slots=True, eq=False)
class FlatModel:
    """A row a feature, words before pieces; a column a label, head after head. Safe to share between threads."""

    terms: dict[str, int]
    pieces: dict[str, int]
    sizes: tuple[int, int]  # of a piece: from, to
    idf: Floats
    slopes: Floats
    shifts: Floats
    heads: tuple[Head, ...]
    cut: Callable[[str], Word]

    def judge(self, text: str) -> Opinion:
        """What `predict_proba` of the pipelines says of this text."""
        rows, weights, terms = self._weigh(text)
        logs = -np.logaddexp(0, -(weights @ self.slopes.take(rows, axis=0) + self.shifts))
        return Opinion(tuple(self._share(logs)), terms)

    def _weigh(self, text: str) -> tuple[Rows, Floats, int]:
        """The features in the text, their weights, and how many of them are words and not pieces."""
        words = [self.cut(word) for word in text.lower().split()]
        tokens = [token for found, _ in words for token in found]
        pairs = map(" ".join, pairwise(tokens))
        met = np.array([row for term in (*tokens, *pairs) if (row := self.terms.get(term)) is not None], np.intp)
        counts = np.bincount(np.concatenate((met, *(pieces for _, pieces in words))), minlength=len(self.idf))
        rows = (counts > 0).nonzero()[0]
        weights = (1 + np.log(counts[rows])) * self.idf[rows]
        terms = int(rows.searchsorted(len(self.terms)))
        for block in (weights[:terms], weights[terms:]):
            block /= np.sqrt(block @ block) or 1
        return rows, weights, terms

    def _share(self, logs: Floats) -> Iterator[dict[str, float]]:
        at = 0
        for head in self.heads:
            own = logs[at : at + len(head.labels)]
            at += len(head.labels)
            heat = np.exp(head.power * (own - own.max()))
            yield dict(zip(head.labels, (heat / heat.sum()).tolist(), strict=True))


def cut_word(word: str, pieces: dict[str, int], sizes: tuple[int, int]) -> Word:
    """What stands between two spaces, as the vectorizers see it: stripped of its accents it may be several words."""
    plain = strip_accents(word)
    found = (pieces.get(piece) for one in plain.split() for piece in list_pieces(f" {one} ", sizes))
    return tuple(TOKEN.findall(plain)), np.array([row for row in found if row is not None], np.intp)


def list_pieces(padded: str, sizes: tuple[int, int]) -> Iterator[str]:
    """As the analyzer `char_wb` has them: none is longer than the word with its two spaces."""
    for size in range(sizes[0], min(sizes[1], len(padded)) + 1):
        for at in range(len(padded) - size + 1):
            yield padded[at : at + size]


def strip_accents(word: str) -> str:
    if word.isascii():
        return word
    return "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))


# --- from scikit-learn, to and from a file -------------------------------------------------------------------


def flatten_pipelines(pipelines: Sequence[Any]) -> FlatModel:
    """One model of several fitted `build_pipeline()`s; they learnt from the same texts, so their features are equal."""
    (_, words), (_, pieces) = pipelines[0][0].transformer_list
    columns = [_read_lines(pipeline[1]) for pipeline in pipelines]
    return assemble_model(
        terms=_sort_terms(words),
        pieces=_sort_terms(pieces),
        sizes=pieces.ngram_range,
        idf=np.concatenate((words.idf_, pieces.idf_)),
        slopes=np.hstack([slopes for slopes, _ in columns]),
        shifts=np.concatenate([shifts for _, shifts in columns]),
        heads=tuple(_read_head(pipeline[1]) for pipeline in pipelines),
    )


def assemble_model(
    terms: Sequence[str],
    pieces: Sequence[str],
    sizes: tuple[int, int],
    idf: Floats,
    slopes: Floats,
    shifts: Floats,
    heads: tuple[Head, ...],
) -> FlatModel:
    """Arrays and the names of their rows."""
    known = {piece: row for row, piece in enumerate(pieces, len(terms))}
    cut = _make_cutter(known, sizes)
    return FlatModel({term: row for row, term in enumerate(terms)}, known, sizes, idf, slopes, shifts, heads, cut)


def _make_cutter(pieces: dict[str, int], sizes: tuple[int, int]) -> Callable[[str], Word]:
    kept = lru_cache(WORDS_KEPT)(lambda word: cut_word(word, pieces, sizes))
    return lambda word: kept(word) if len(word) <= LONGEST_KEPT else cut_word(word, pieces, sizes)


def _sort_terms(vectorizer: Any) -> list[str]:
    return sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)


def _read_head(scaled: Any) -> Head:
    return Head(tuple(map(str, scaled.classes_)), scaled.curve_[2])


def _read_lines(scaled: Any) -> tuple[Floats, Floats]:
    """The lines with their curve folded in; of two labels scikit-learn has one line, whose mirror is the other's."""
    slope, shift, _ = scaled.curve_
    slopes, shifts = scaled.lines_.coef_.T * slope, scaled.lines_.intercept_ * slope
    if len(scaled.classes_) == 2:
        slopes, shifts = np.hstack((-slopes, slopes)), np.concatenate((-shifts, shifts))
    return slopes, shifts + shift


def write_model(model: FlatModel, key: str, path: Path) -> None:
    """Keep the model under `key`, for nobody else's eyes: its words are those of the examples. Raises OSError."""
    told = {
        "key": key,
        "terms": list(model.terms),
        "pieces": list(model.pieces),
        "sizes": model.sizes,
        "heads": [(head.labels, head.power) for head in model.heads],
    }
    text = np.frombuffer(json.dumps(told).encode(), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        np.savez(file, told=text, idf=model.idf, slopes=model.slopes, shifts=model.shifts)
    Path(file.name).replace(path)


def read_model(key: str, path: Path) -> FlatModel | None:
    """The model kept under `key`; None when there is none, another one or one that is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            told = json.loads(kept["told"].tobytes())
            return _restore(told, kept) if told["key"] == key else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _restore(told: Any, kept: Any) -> FlatModel:
    heads = tuple(Head(tuple(labels), power) for labels, power in told["heads"])
    idf, slopes, shifts = (kept[name] for name in ("idf", "slopes", "shifts"))
    return assemble_model(told["terms"], told["pieces"], tuple(told["sizes"]), idf, slopes, shifts, heads)
