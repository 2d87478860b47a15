"""Whoever answers a letter of ours proves it with its Message-ID; whoever guesses a number proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.errors import DeskKeyError
from desk.tokens import TokenKeys, find_number, make_message_id, read_message_id

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = TokenKeys("k1", {"k1": OLD})
ROTATED = TokenKeys("k2", {"k1": OLD, "k2": NEW})
MADE = make_message_id("2026-000123", "a1b2", KEYS, "desk.example")


def test_a_message_id_of_ours_names_its_ticket() -> None:
    assert MADE.startswith("<2026-000123.a1b2.k1.")
    assert MADE.endswith("@desk.example>")
    assert read_message_id(MADE, KEYS) == "2026-000123"
    assert read_message_id(MADE.strip("<>"), KEYS) == "2026-000123"


def test_a_token_outlives_the_rotation_of_keys_but_not_their_removal() -> None:
    assert read_message_id(MADE, ROTATED) == "2026-000123"
    assert read_message_id(MADE, TokenKeys("k2", {"k2": NEW})) is None
    assert ".k2." in make_message_id("2026-000123", "a1b2", ROTATED, "desk.example")


@pytest.mark.parametrize(
    "forged",
    [
        MADE.replace("2026-000123", "2026-000124"),
        MADE.replace("a1b2", "a1b3"),
        MADE.replace(".k1.", ".k2."),
        MADE.replace(".k1.", ".k9."),
        "<2026-000123@desk.example>",
        "<2026-000123.a1b2.k1." + "a" * 24 + "@desk.example>",
        "<CAF=abc@mail.gmail.com>",
        MADE + MADE,
        "",
    ],
)
def test_a_changed_or_foreign_message_id_names_nothing(forged: str) -> None:
    assert read_message_id(forged, ROTATED) is None


def test_every_letter_of_the_token_counts() -> None:
    start, end = MADE.rindex(".k1.") + 4, MADE.index("@")
    for at in range(start, end):
        other = "b" if MADE[at] != "b" else "c"
        assert read_message_id(MADE[:at] + other + MADE[at + 1 :], KEYS) is None


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.text(max_size=120))
def test_no_text_raises(text: str) -> None:
    assert read_message_id(text, KEYS) is None


@pytest.mark.parametrize("number", ["2026-000123", "digest"])
def test_letters_on_no_ticket_have_a_word_for_a_number(number: str) -> None:
    assert read_message_id(make_message_id(number, "u", KEYS, "desk.example"), KEYS) == number


@pytest.mark.parametrize(("number", "unique"), [("", "u"), ("2026-1", ""), ("a.b", "u"), ("a", "u@x"), ("a\r\n", "u")])
def test_what_would_break_a_message_id_is_refused(number: str, unique: str) -> None:
    with pytest.raises(DeskKeyError):
        make_message_id(number, unique, KEYS, "desk.example")


@pytest.mark.parametrize(
    ("current", "keys"),
    [("k1", {}), ("k2", {"k1": OLD}), ("k1", {"k1": b"short"}), ("k.1", {"k.1": OLD}), ("k1", {"k1": OLD, "k2": b""})],
)
def test_unfit_keys_are_refused(current: str, keys: dict[str, bytes]) -> None:
    with pytest.raises(DeskKeyError):
        TokenKeys(current, keys)


def test_keys_do_not_show_themselves() -> None:
    assert "ooo" not in repr(KEYS)


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Re: [#2026-000123] Panne", "2026-000123"),
        ("RE : TR : #2026-000123 Panne", "2026-000123"),
        ("[#2026-1000000] x", "2026-1000000"),
        ("Facture 2026-000123", None),
        ("[#2026-000123-4]", None),
        ("[#2026-12]", None),
        ("", None),
    ],
)
def test_a_subject_shows_its_number(subject: str, number: str | None) -> None:
    assert find_number(subject) == number
