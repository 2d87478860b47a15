"""Passages and questions as vectors of a model (Mistral API, POST /v1/embeddings), so that other words for the same
thing are found as well. Vectors are kept as little-endian float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from time import perf_counter

import numpy as np
from mistralai.client import Mistral
from mistralai.client.models import EmbeddingResponse
from numpy.typing import NDArray

from classifiers.mistral import ask_in_time
from classifiers.retrieval import Hit
from desk.classification import Usage
from desk.errors import ModelAnswerInvalid
from desk.knowledge import Passage
from desk.prices import Prices, price_usage

BATCH = 64  # texts in a request
TEXT_CHARS = 8_000  # of one text
KIND = "<f4"
PROMPT = "embedding"


@dataclass(frozen=True, slots=True)
class Embedded:
    vectors: tuple[bytes, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Embedder:
    """Who is asked. `timeout` bounds the whole request; the SDK never retries here."""

    client: Mistral
    model: str
    timeout: timedelta
    prices: Prices

    def embed(self, texts: Sequence[str]) -> Embedded:
        """A vector for each text, at most BATCH of them. Raises ModelUnavailable or ModelAnswerInvalid."""
        started = perf_counter()
        response = ask_in_time(lambda: self._create(texts), self.timeout)
        usage = self._read_usage(response, timedelta(seconds=perf_counter() - started))
        found = sorted(response.data, key=lambda one: one.index or 0)
        vectors = tuple(pack_vector(one.embedding or ()) for one in found)
        if len(vectors) != len(texts) or len({len(one) for one in vectors}) != 1 or not all(map(is_usable, vectors)):
            raise ModelAnswerInvalid("not a vector for each text", usage=usage)
        return Embedded(vectors, usage)

    def _create(self, texts: Sequence[str]) -> EmbeddingResponse:
        return self.client.embeddings.create(
            model=self.model,
            inputs=[one[:TEXT_CHARS] for one in texts],
            timeout_ms=int(self.timeout / timedelta(milliseconds=1)),
            retries=None,
        )

    def _read_usage(self, response: EmbeddingResponse, latency: timedelta) -> Usage:
        spent = Usage(
            model=response.model,
            prompt=PROMPT,
            input_tokens=response.usage.prompt_tokens or 0,
            latency_ms=int(latency / timedelta(milliseconds=1)),
        )
        return replace(spent, cost_eur=price_usage(spent, self.prices, self.model))


def name_text(model: str, text: str) -> str:
    """The key under which its vector is kept."""
    return sha256(f"{model}\0{text}".encode()).hexdigest()


def write_text(passage: Passage) -> str:
    return f"{passage.title}\n{passage.text}"


def pack_vector(values: Sequence[float]) -> bytes:
    return np.asarray(values, KIND).tobytes()


def is_usable(vector: bytes) -> bool:
    read = read_vector(vector)
    return bool(read.size and np.isfinite(read).all() and read.any())


def read_vector(vector: bytes) -> NDArray[np.float32]:
    read: NDArray[np.float32] = np.frombuffer(vector, KIND)
    return read


def rank_passages(question: bytes, passages: Mapping[Passage, bytes]) -> list[Hit]:
    """By the cosine of the angle between the vectors, nearest first; those of another length are left out."""
    asked = read_vector(question)
    alike = ((one, read_vector(vector)) for one, vector in passages.items() if len(vector) == len(question))
    hits = [Hit(one, measure_angle(asked, vector)) for one, vector in alike]
    return sorted(hits, key=lambda hit: (-hit.score, hit.passage.cites))


def measure_angle(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
