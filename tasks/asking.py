"""How Mistral is asked: within its budget, when its circuit lets us, in its turn, and again when that may help.

What it costs is counted at once, whatever becomes of the mail; what it does not answer is noted where all workers see
it, so that one that is down costs a few time-outs and not a few in every run.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from desk.circuit import Circuit, note_answer, note_silence, open_circuit
from desk.classification import Classification, Classifier, Question, Source, Usage
from desk.errors import ModelAnswerInvalid, ModelUnavailable
from store.engines import change_circuit, claim_probe, count_spending, read_circuit, read_spending
from store.memory import Store
from tasks.pacing import Pace

ENGINE = "mistral"  # in the account of what judges cost

SPENT = "budget-spent"
RESTING = "model-resting"
THROTTLED = "model-throttled"
TRIED_AGAIN = frozenset({"model-unavailable", THROTTLED})
REFUSED = frozenset({"model-refused", "model-retired"})  # until somebody changes something
NOT_ASKED = frozenset({SPENT, RESTING, "model-busy"})  # these say nothing of the model itself


class Priced(Protocol):
    """An answer that tells what it cost."""

    @property
    def usage(self) -> Usage: ...


Told = TypeVar("Told", bound=Priced)

ASK_BUDGET = "The local model judges until tomorrow; raise budget_eur in the policy if that is too soon."


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a question is asked and how long we wait in between: `pause`, then twice that, or as the server asks,
    but never beyond `longest`.
    """

    tries: int = 3
    pause: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=10)

    def wait(self, tried: int, asked: timedelta | None) -> float:
        """Seconds, a little more by chance: workers that were refused together shall not come back together."""
        least = asked if asked is not None else self.pause * 2 ** (tried - 1)
        return min(least * (1 + secrets.randbelow(500) / 1000), self.longest).total_seconds()


PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class Account:
    """What judging may cost a day, in euros, and where the day begins."""

    store: Store
    budget_eur: float
    zone: ZoneInfo

    @property
    def day(self) -> str:
        return datetime.now(self.zone).date().isoformat()

    @property
    def spent(self) -> bool:
        return read_spending(self.store, self.day) >= self.budget_eur

    def count(self, usage: Usage, engine: str = ENGINE) -> None:
        count_spending(self.store, self.day, engine, usage)


@dataclass(frozen=True, slots=True)
class Asker:
    """A judge behind all that. `circuit` is the name of its circuit, `probe` how long a probe may take."""

    engine: Classifier
    account: Account
    pace: Pace
    circuit: str
    probe: timedelta
    patience: Patience = PATIENT
    sleep: Callable[[float], None] = time.sleep

    @property
    def source(self) -> Source:
        return self.engine.source

    def classify(self, question: Question) -> Classification:
        """As the judge itself; ModelUnavailable at once when it is not to be asked."""
        return self.ask(lambda: self.engine.classify(question))

    def ask(self, call: Callable[[], Told]) -> Told:
        """The same for whatever else the model is asked; it raises as a judge does."""
        if self.account.spent:
            raise ModelUnavailable("today's budget is spent", code=SPENT, remedy=ASK_BUDGET)
        before = self._read()
        if before.closed:
            return self._ask_patiently(call)
        self._claim_probe(before)
        return self._ask_once(call, probe=True, last=True)

    def _claim_probe(self, circuit: Circuit) -> None:
        now = datetime.now(UTC)
        if circuit.rests(now) or not claim_probe(self.account.store, self.circuit, now, self.probe):
            raise ModelUnavailable("left alone after silences", code=RESTING)

    def _ask_patiently(self, call: Callable[[], Told]) -> Told:
        for tried in range(1, self.patience.tries):
            try:
                return self._ask_once(call)
            except ModelUnavailable as trouble:
                if not self._may_help(trouble):
                    raise
                wait = self.patience.wait(tried, trouble.retry_after)
            self.sleep(wait)
        return self._ask_once(call, last=True)

    def _may_help(self, trouble: ModelUnavailable) -> bool:
        """Whether to ask again: the trouble may pass, and neither it nor others have opened the circuit."""
        return trouble.code in TRIED_AGAIN and self._read().closed

    def _ask_once(self, call: Callable[[], Told], *, probe: bool = False, last: bool = False) -> Told:
        try:
            with self.pace.take_turn():
                said = call()
        except ModelAnswerInvalid as trouble:
            self._count(trouble.usage, probe=probe)
            raise
        except ModelUnavailable as trouble:
            self._note(trouble, probe=probe, last=last)
            raise
        self._count(said.usage, probe=probe)
        return said

    def _count(self, usage: Usage, *, probe: bool) -> None:
        """After an answer, usable or not."""
        self.account.count(usage)
        if probe or self._read().failures:
            self._change(lambda circuit: note_answer(circuit, probe=probe))

    def _note(self, trouble: ModelUnavailable, *, probe: bool, last: bool) -> None:
        """After a silence. A server that asks for a pause is not down, unless we have no patience left for it."""
        now, asked = datetime.now(UTC), trouble.retry_after or timedelta(0)
        if trouble.code in NOT_ASKED:
            return
        if trouble.code in REFUSED:
            self._change(lambda circuit: open_circuit(circuit, now))
        elif asked > self.patience.longest:
            self._change(lambda circuit: open_circuit(circuit, now, asked))
        elif last or trouble.code != THROTTLED:
            self._change(lambda circuit: note_silence(circuit, now, probe=probe))

    def _read(self) -> Circuit:
        return read_circuit(self.account.store, self.circuit)

    def _change(self, change: Callable[[Circuit], Circuit]) -> None:
        change_circuit(self.account.store, self.circuit, change)
