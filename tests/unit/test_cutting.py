"""Texts cut to a number of tokens that no tokenizer need be asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.cutting import MARK, cut_text, estimate_tokens

PROSE = "Bonjour, l'élève n'arrive plus à se connecter depuis la mise à jour. "
TEXTS = st.text(max_size=400) | st.text(alphabet="aé9 <\n.", max_size=4_000)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abc", 1), ("abcd", 2), ("2026", 4), ("été", 2), ("a, b", 2), ("<<<", 3)]
)
def test_digits_and_signs_count_one_each_and_prose_a_third_of_its_bytes(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_prose_is_overestimated_and_by_less_than_two() -> None:
    words = len(PROSE.split())  # tokenizers make between one and two tokens of a French word
    assert words < estimate_tokens(PROSE) < 2.5 * words


@given(TEXTS, st.integers(4, 200))
def test_what_is_cut_costs_no_more_than_allowed_and_is_its_beginning_and_its_end(text: str, tokens: int) -> None:
    cut = cut_text(text, tokens)
    assert estimate_tokens(cut) <= tokens + estimate_tokens(MARK)
    if cut != text:
        head, _, tail = cut.partition(MARK)
        assert estimate_tokens(text) > tokens
        assert text.startswith(head)
        assert text.endswith(tail)


@given(TEXTS, st.integers(4, 200))
def test_a_text_that_is_short_enough_stays_as_it_is(text: str, tokens: int) -> None:
    assert (cut_text(text, tokens) == text) is (estimate_tokens(text) <= tokens)


def test_a_cut_falls_between_words_and_leaves_most_of_what_is_allowed() -> None:
    cut = cut_text(PROSE * 1_000, 300)
    head, _, tail = cut.partition(MARK)
    assert head.rsplit(" ", 1)[1] in PROSE.split()
    assert tail.split(" ", 1)[0] in PROSE.split()
    assert 250 < estimate_tokens(cut) < 310
    assert len(head) > 2 * len(tail)
