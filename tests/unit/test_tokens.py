"""Whoever answers a letter of ours proves it with its Message-ID; whoever guesses a number proves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.errors import DeskKeyError
from desk.tokens import (
    TokenKeys,
    find_number,
    list_bases,
    make_message_id,
    make_plus_address,
    read_message_id,
    read_plus_address,
)

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
        ("Ticket 2026-000123", "2026-000123"),
        ("RE: TICKET : 2026-000123", "2026-000123"),
        ("Ticket n° 2026-000123 toujours en panne", "2026-000123"),
        ("Ma demande n°2026-000123", "2026-000123"),
        ("Demande Nº 2026-000123", "2026-000123"),
        ("Your request [2026-000123]", "2026-000123"),
        ("# 2026-000123", "2026-000123"),
        ("Anfrage Nr. 2026-000123", "2026-000123"),
        ("№ 2026-000123", "2026-000123"),
        ("Panne n°12 (#2026-000123)", "2026-000123"),
        ("Facture 2026-000123", None),
        ("Ticketing 2026-000123", None),
        ("Ticket de caisse du 2026-000123", None),
        ("#2026-000123456789", None),
        ("2026-000123", None),
        ("[#2026-000123-4]", None),
        ("[#2026-12]", None),
        ("", None),
    ],
)
def test_a_subject_shows_its_number(subject: str, number: str | None) -> None:
    assert find_number(subject) == number


ADDRESS = make_plus_address("support@desk.example", "2026-000123", KEYS) or ""


def test_an_address_with_a_token_names_its_ticket() -> None:
    assert ADDRESS.startswith("support+2026-000123.k1.")
    assert ADDRESS.endswith("@desk.example")
    assert read_plus_address(ADDRESS, KEYS) == "2026-000123"


@pytest.mark.parametrize("change", [str.upper, str.title, lambda one: one.replace("support", "info+all")])
def test_an_address_keeps_its_token_on_the_way(change: Callable[[str], str]) -> None:
    assert read_plus_address(change(ADDRESS), KEYS) == "2026-000123"


def test_the_token_of_an_address_outlives_the_rotation_of_keys_but_not_their_removal() -> None:
    assert read_plus_address(ADDRESS, ROTATED) == "2026-000123"
    assert read_plus_address(ADDRESS, TokenKeys("k2", {"k2": NEW})) is None
    assert read_plus_address(ADDRESS, TokenKeys("k1", {"k1": NEW})) is None


def test_keys_that_differ_by_case_alone_are_both_tried() -> None:
    for current in ("a", "A"):
        keys = TokenKeys(current, {"a": OLD, "A": NEW})
        made = make_plus_address("support@desk.example", "2026-000123", keys)
        assert made
        assert read_plus_address(made, keys) == "2026-000123"


@pytest.mark.parametrize(
    "forged",
    [
        ADDRESS.replace("2026-000123", "2026-000124"),
        ADDRESS.replace(".k1.", ".k2."),
        ADDRESS.replace("+", "-"),
        ADDRESS.partition("@")[0],
        "support+2026-000123@desk.example",
        "support+2026-000123.k1.aaaaaaaaaaaaaaaa@desk.example",
        f"support+{MADE.strip('<>')}",
        "support@desk.example",
        "",
    ],
)
def test_a_changed_or_plain_address_names_nothing(forged: str) -> None:
    assert read_plus_address(forged, ROTATED) is None


def test_every_letter_of_an_address_s_token_counts() -> None:
    start, end = ADDRESS.index("+") + 1, ADDRESS.index("@")
    for at in range(start, end):
        other = "b" if ADDRESS[at] != "b" else "c"
        assert read_plus_address(ADDRESS[:at] + other + ADDRESS[at + 1 :], KEYS) is None


@pytest.mark.parametrize(("length", "fits"), [(7, True), (32, True), (33, False), (60, False)])
def test_a_local_part_has_64_octets_and_no_more(length: int, fits: bool) -> None:
    made = make_plus_address("s" * length + "@desk.example", "2026-000123", KEYS)
    assert (made is not None) is fits
    assert len((made or "").partition("@")[0]) in (0, length + 32)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=120))
def test_no_address_raises(text: str) -> None:
    assert read_plus_address(text, KEYS) is None
    assert list_bases(text)[0] == text


@pytest.mark.parametrize(
    ("address", "bases"),
    [
        ("support@desk.example", ("support@desk.example",)),
        ("support+a@desk.example", ("support+a@desk.example", "support@desk.example")),
        ("s+a+b@x.example", ("s+a+b@x.example", "s@x.example", "s+a@x.example")),
        ("+a@x.example", ("+a@x.example",)),
        ("", ("",)),
    ],
)
def test_an_address_is_also_what_it_is_without_its_details(address: str, bases: tuple[str, ...]) -> None:
    assert list_bases(address) == bases
