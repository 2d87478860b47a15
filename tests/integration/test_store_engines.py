"""What all workers know of a judge, on both databases: its circuit, who may probe it, what it cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from desk.circuit import CLOSED, FIRST_REST, PATIENCE, Circuit, note_answer, note_silence
from desk.classification import Usage
from store.engines import change_circuit, claim_probe, count_spending, read_circuit, read_spending
from store.memory import Store
from tests.stores import NOW, look_up, run_together

NAME, DAY = "mistral 1", "2026-11-17"
SPAN = timedelta(minutes=1)
USED = Usage("small", input_tokens=300, output_tokens=40, cost_eur=0.0000641)


def silence(store: Store) -> Circuit:
    return change_circuit(store, NAME, lambda circuit: note_silence(circuit, NOW))


def test_a_judge_that_nobody_asked_yet_has_a_closed_circuit(store: Store) -> None:
    assert read_circuit(store, NAME) == CLOSED


def test_a_circuit_is_read_as_it_was_kept_and_none_is_anothers(store: Store) -> None:
    for _ in range(PATIENCE):
        kept = silence(store)
    assert read_circuit(store, NAME) == kept == Circuit(PATIENCE, FIRST_REST, NOW + FIRST_REST)
    assert read_circuit(store, "mistral 2") == CLOSED
    change_circuit(store, NAME, lambda circuit: note_answer(circuit, probe=True))
    assert read_circuit(store, NAME) == CLOSED


def test_silences_of_workers_that_meet_are_all_counted(store: Store) -> None:
    def fail() -> None:
        change_circuit(store, NAME, lambda circuit: replace(circuit, failures=circuit.failures + 1))

    fail()
    for _ in range(5):
        run_together(*[fail] * 4)
    assert read_circuit(store, NAME) == Circuit(21)


def test_one_of_all_workers_probes_when_the_rest_is_over_and_none_before(store: Store) -> None:
    for _ in range(PATIENCE):
        silence(store)
    assert not claim_probe(store, NAME, NOW + FIRST_REST - SPAN / 60, SPAN)
    due = NOW + FIRST_REST
    assert sorted(run_together(*[lambda: claim_probe(store, NAME, due, SPAN)] * 4)) == [False, False, False, True]
    assert read_circuit(store, NAME).rests(due)
    assert not claim_probe(store, NAME, due + SPAN / 2, SPAN)


def test_a_probe_whose_worker_died_is_anothers_after_its_span(store: Store) -> None:
    for _ in range(PATIENCE):
        silence(store)
    assert claim_probe(store, NAME, NOW + FIRST_REST, SPAN)
    assert claim_probe(store, NAME, NOW + FIRST_REST + SPAN, SPAN)


def test_a_closed_circuit_has_no_probe(store: Store) -> None:
    assert not claim_probe(store, NAME, NOW, SPAN)
    silence(store)
    assert not claim_probe(store, NAME, NOW, SPAN)


def test_what_calls_cost_adds_up_by_the_day_whoever_counts(store: Store) -> None:
    run_together(*[lambda: count_spending(store, DAY, "mistral", USED)] * 4)
    count_spending(store, DAY, "batch", Usage(cost_eur=1.5))
    count_spending(store, "2026-11-18", "mistral", USED)
    assert look_up(store, "spending", "calls", day=DAY, engine="mistral") == [4]
    assert look_up(store, "spending", "input_tokens", day=DAY, engine="mistral") == [1_200]
    assert look_up(store, "spending", "output_tokens", day=DAY, engine="mistral") == [160]
    assert read_spending(store, DAY) == 1.5 + 4 * 65 / 1e6  # rounded up to a millionth
    assert read_spending(store, "2026-11-19") == 0.0
