"""Mistral asked as the desk asks: within its budget, when its circuit lets us, and again when that may help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Semaphore
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from desk.circuit import CLOSED, FIRST_REST, LONGEST_REST, PATIENCE
from desk.classification import Classification, Question, Source, Usage
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable
from store.engines import change_circuit, read_circuit, read_spending
from store.memory import Store
from tasks.asking import Account, Asker, Patience
from tasks.pacing import Pace
from tests.stores import look_up, run_together

NAME = "mistral 1"
QUESTION = Question("", "Bonjour", (), (("account", "accounts"),), ("normal",))
USED = Usage("small", input_tokens=300, output_tokens=40, cost_eur=0.5)
SAID = Classification("account", "normal", "fr", 0.9, Source.MISTRAL, usage=USED)
DOWN = ModelUnavailable("timed out")
PARIS = ZoneInfo("Europe/Paris")


def throttle(seconds: float | None = None) -> ModelUnavailable:
    asked = None if seconds is None else timedelta(seconds=seconds)
    return ModelUnavailable("HTTP 429", retry_after=asked, code="model-throttled")


@dataclass
class Judge:
    """Raises its troubles one after the other, then answers."""

    troubles: list[ModelTrouble] = field(default_factory=list)
    asked: int = 0

    @property
    def source(self) -> Source:
        return Source.MISTRAL

    def classify(self, _question: Question) -> Classification:
        self.asked += 1
        if self.troubles:
            raise self.troubles.pop(0)
        return SAID


@dataclass
class Turns:
    """Lets everybody in, or nobody."""

    shut: bool = False

    @contextmanager
    def take_turn(self) -> Iterator[None]:
        if self.shut:
            raise ModelUnavailable("others have all turns", code="model-busy")
        yield


@dataclass
class Desk:
    """An asker with all that it stands on; `slept` are the seconds it would have waited."""

    store: Store
    judge: Judge = field(default_factory=Judge)
    turns: Turns = field(default_factory=Turns)
    slept: list[float] = field(default_factory=list)
    budget_eur: float = 100.0

    @property
    def asker(self) -> Asker:
        account = Account(self.store, self.budget_eur, PARIS)
        pace = cast(Pace, self.turns)
        return Asker(self.judge, account, pace, NAME, timedelta(minutes=1), Patience(), self.slept.append)

    def ask(self, *troubles: ModelTrouble) -> str:
        """What came of it: "answer", or the code of the trouble."""
        self.judge.troubles = list(troubles)
        try:
            self.asker.classify(QUESTION)
        except ModelTrouble as trouble:
            return trouble.code
        return "answer"

    def end_rest(self) -> None:
        change_circuit(self.store, NAME, lambda circuit: replace(circuit, open_until=datetime.now(UTC)))


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def test_what_passes_is_tried_again_twice_each_time_after_a_longer_pause(desk: Desk) -> None:
    assert desk.ask(DOWN, DOWN) == "answer"
    first, second = desk.slept
    assert 1 <= first < 1.5
    assert 2 <= second < 3
    assert read_circuit(desk.store, NAME) == CLOSED


def test_the_pause_that_the_server_asks_for_is_kept(desk: Desk) -> None:
    assert desk.ask(throttle(6), throttle(9)) == "answer"
    first, second = desk.slept
    assert 6 <= first < 9
    assert 9 <= second <= 10


def test_a_pause_too_long_is_not_waited_for_but_kept_by_all(desk: Desk) -> None:
    assert desk.ask(throttle(11)) == "model-throttled"
    assert (desk.judge.asked, desk.slept) == (1, [])
    assert desk.ask() == "model-resting"
    assert desk.judge.asked == 1


def test_a_storm_is_no_silence_unless_it_outlasts_our_patience(desk: Desk) -> None:
    assert desk.ask(throttle(0), throttle(0)) == "answer"
    assert look_up(desk.store, "engine_state", "failures") == []
    assert desk.ask(throttle(0), throttle(0), throttle(0)) == "model-throttled"
    assert read_circuit(desk.store, NAME).failures == 1


def test_after_as_many_silences_nobody_asks_until_the_rest_is_over(desk: Desk) -> None:
    assert desk.ask(*[DOWN] * PATIENCE) == "model-unavailable"
    assert desk.ask() == "model-resting"
    assert desk.judge.asked == PATIENCE
    assert read_circuit(desk.store, NAME).rest == FIRST_REST


def test_others_silences_end_ones_own_tries(desk: Desk) -> None:
    assert desk.ask(throttle(0), *[DOWN] * 2) == "model-unavailable"
    desk.judge.asked = 0
    assert desk.ask(*[DOWN] * 3) == "model-unavailable"
    assert desk.judge.asked == 1


def test_a_probe_is_one_try_and_its_silence_doubles_the_rest(desk: Desk) -> None:
    desk.ask(*[DOWN] * PATIENCE)
    desk.end_rest()
    desk.judge.asked = 0
    assert desk.ask(DOWN, DOWN) == "model-unavailable"
    assert desk.judge.asked == 1
    assert read_circuit(desk.store, NAME).rest == 2 * FIRST_REST


@pytest.mark.parametrize("trouble", [None, ModelAnswerInvalid("empty", usage=USED)])
def test_an_answered_probe_closes_the_circuit_be_the_answer_of_use_or_not(
    desk: Desk, trouble: ModelTrouble | None
) -> None:
    desk.ask(*[DOWN] * PATIENCE)
    desk.end_rest()
    desk.ask(*([trouble] if trouble else []))
    assert read_circuit(desk.store, NAME) == CLOSED


@dataclass
class SlowJudge(Judge):
    """Answers when so many others have been sent away, or after a while."""

    sent_away: Semaphore = field(default_factory=lambda: Semaphore(0))
    others: int = 3

    def classify(self, question: Question) -> Classification:
        for _ in range(self.others):
            self.sent_away.acquire(timeout=5)
        return super().classify(question)


def test_of_several_that_come_when_the_rest_is_over_one_asks(desk: Desk) -> None:
    desk.ask(*[DOWN] * PATIENCE)
    desk.end_rest()
    desk.judge = judge = SlowJudge()

    def ask() -> str:
        try:
            return desk.asker.classify(QUESTION).category
        except ModelUnavailable as trouble:
            judge.sent_away.release()
            return trouble.code

    assert sorted(run_together(*[ask] * 4)) == ["account", *["model-resting"] * 3]
    assert judge.asked == 1


@pytest.mark.parametrize("code", ["model-refused", "model-retired"])
def test_what_only_a_person_can_mend_is_asked_once_and_then_rests_long(desk: Desk, code: str) -> None:
    assert desk.ask(ModelUnavailable("HTTP", code=code), DOWN) == code
    assert desk.judge.asked == 1
    assert read_circuit(desk.store, NAME).rest == LONGEST_REST


def test_a_request_that_is_rejected_is_not_tried_again(desk: Desk) -> None:
    assert desk.ask(ModelUnavailable("HTTP 422", code="model-rejected"), DOWN) == "model-rejected"
    assert desk.judge.asked == 1


def test_an_answer_of_no_use_is_neither_tried_again_nor_a_silence_and_is_paid(desk: Desk) -> None:
    for _ in range(PATIENCE + 1):
        assert desk.ask(ModelAnswerInvalid("empty", usage=USED)) == "model-answer"
    assert desk.judge.asked == PATIENCE + 1
    assert read_circuit(desk.store, NAME) == CLOSED
    assert read_spending(desk.store, desk.asker.account.day) == 0.5 * (PATIENCE + 1)


def test_whose_turn_does_not_come_has_no_trouble_with_the_judge(desk: Desk) -> None:
    desk.turns.shut = True
    assert desk.ask() == "model-busy"
    assert look_up(desk.store, "engine_state", "failures") == []
    assert desk.slept == []


def test_the_budget_lets_calls_pass_until_it_is_spent(desk: Desk) -> None:
    desk.budget_eur = 1.0
    assert [desk.ask() for _ in range(4)] == ["answer", "answer", "budget-spent", "budget-spent"]
    assert desk.judge.asked == 2
    assert look_up(desk.store, "spending", "calls") == [2]


def test_a_spent_budget_leaves_the_circuit_alone(desk: Desk) -> None:
    desk.ask(*[DOWN] * PATIENCE)
    desk.end_rest()
    desk.budget_eur = 0.0
    assert desk.ask() == "budget-spent"
    desk.budget_eur = 1.0
    assert desk.ask() == "answer"  # the probe was not used up
