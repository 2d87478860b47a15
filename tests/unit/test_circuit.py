"""A judge that is silent is left alone for a while: every transition of its circuit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from desk.circuit import (
    CLOSED,
    FIRST_REST,
    LONGEST_REST,
    PATIENCE,
    Circuit,
    note_answer,
    note_silence,
    open_circuit,
)

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SHORT = timedelta(seconds=1)


def fall_silent(times: int, circuit: Circuit = CLOSED) -> Circuit:
    for _ in range(times):
        circuit = note_silence(circuit, NOW)
    return circuit


def test_it_opens_with_the_silence_that_ends_its_patience_and_not_before() -> None:
    assert fall_silent(PATIENCE - 1).closed
    opened = fall_silent(PATIENCE)
    assert (opened.open_until, opened.rest) == (NOW + FIRST_REST, FIRST_REST)


def test_an_answer_in_between_makes_it_patient_again() -> None:
    assert note_answer(fall_silent(PATIENCE - 1)) == CLOSED
    assert fall_silent(PATIENCE - 1, note_answer(fall_silent(PATIENCE - 1))).closed


def test_it_rests_until_its_time_is_over() -> None:
    opened = fall_silent(PATIENCE)
    assert opened.rests(NOW + FIRST_REST - SHORT)
    assert not opened.rests(NOW + FIRST_REST)
    assert not CLOSED.rests(NOW)


def test_what_was_on_its_way_when_it_opened_changes_nothing() -> None:
    opened = fall_silent(PATIENCE)
    assert note_silence(opened, NOW + SHORT) == opened
    assert note_answer(opened) == opened


def test_an_answered_probe_closes_it() -> None:
    assert note_answer(fall_silent(PATIENCE), probe=True) == CLOSED


def test_a_silent_probe_doubles_its_rest_up_to_the_longest() -> None:
    circuit, rests = fall_silent(PATIENCE), []
    for _ in range(7):
        circuit = note_silence(circuit, NOW, probe=True)
        rests.append(circuit.rest)
    assert rests[:4] == [FIRST_REST * 2, FIRST_REST * 4, FIRST_REST * 8, FIRST_REST * 16]
    assert rests[4:] == [LONGEST_REST] * 3


def test_after_a_closing_the_first_rest_is_short_again() -> None:
    tired = note_silence(fall_silent(PATIENCE), NOW, probe=True)
    assert fall_silent(PATIENCE, note_answer(tired, probe=True)).rest == FIRST_REST


@pytest.mark.parametrize(
    ("asked", "rest"),
    [
        (timedelta(minutes=2), timedelta(minutes=2)),
        (timedelta(days=1), LONGEST_REST),
        (SHORT, FIRST_REST),
    ],
)
def test_it_opens_at_once_for_as_long_as_is_asked_within_bounds(asked: timedelta, rest: timedelta) -> None:
    assert open_circuit(CLOSED, NOW, asked).open_until == NOW + rest


def test_a_shorter_pause_does_not_shorten_a_rest_that_has_begun() -> None:
    long = open_circuit(CLOSED, NOW, timedelta(minutes=8))
    assert open_circuit(long, NOW, timedelta(minutes=1)).open_until == NOW + timedelta(minutes=8)
