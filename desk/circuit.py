"""The circuit breaker of a judge: one that is silent is left alone for a while, then asked once, by one worker.

    closed ── PATIENCE silences in a row ──▶ open ── its rest is over ──▶ half-open: one probe
      ▲                                       ▲ │ (what was asked before it opened changes nothing)
      └──────────── the probe is answered ────┼─┘
                                              └──── the probe is not: twice the rest, at most LONGEST_REST

A circuit is a value; `store.engines` keeps it where all workers see it and gives the probe to one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

PATIENCE = 3  # silences in a row
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=10)
NO_REST = timedelta(0)


@dataclass(frozen=True, slots=True)
class Circuit:
    """`failures` in a row; `rest` is how long it was opened for the last time, `open_until` when that is over."""

    failures: int = 0
    rest: timedelta = NO_REST
    open_until: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.open_until is None

    def rests(self, now: datetime) -> bool:
        return self.open_until is not None and now < self.open_until


CLOSED = Circuit()


def note_answer(circuit: Circuit, *, probe: bool = False) -> Circuit:
    """After an answer. Its probe alone closes an open circuit: other answers were on their way before it opened."""
    return CLOSED if probe or circuit.closed else circuit


def note_silence(circuit: Circuit, now: datetime, *, probe: bool = False) -> Circuit:
    """After a silence."""
    if not (probe or circuit.closed):
        return circuit
    failures = circuit.failures + 1
    if probe or failures >= PATIENCE:
        return _open(circuit, failures, now, max(FIRST_REST, circuit.rest * 2))
    return replace(circuit, failures=failures)


def open_circuit(circuit: Circuit, now: datetime, rest: timedelta = LONGEST_REST) -> Circuit:
    """At once: the judge said itself that it is not to be asked for so long, or that it will not answer us at all."""
    return _open(circuit, circuit.failures + 1, now, max(rest, FIRST_REST))


def _open(circuit: Circuit, failures: int, now: datetime, rest: timedelta) -> Circuit:
    bounded = min(rest, LONGEST_REST)
    until = max(now + bounded, circuit.open_until or now)
    return Circuit(failures, bounded, until)
