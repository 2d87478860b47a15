"""Try a judge on labelled mails before the desk relies on it. What leaves for Mistral is pseudonymised, as mail is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import MistralApi
from blocks.base import load_block
from classifiers.asking import Patient, Told, ask_each, ask_learner, make_question
from classifiers.cutting import estimate_tokens
from classifiers.judge import Breaker
from classifiers.local import EXAMPLES, LEAST_EXAMPLES, load_classifier
from classifiers.mistral import MistralClassifier, Terms, make_body
from desk.classification import Question, Usage
from desk.errors import BlockError, ConfigurationError
from desk.evaluation import Example, check_known, check_meeting, draw_sample, read_examples, refuse
from desk.prices import price_usage
from reports.evaluation import Evaluation, evaluate_guesses
from reports.evaluation_book import build_book
from reports.evaluation_chart import draw_evaluation
from tasks.guard import guarded
from tasks.opening import DESK, open_policy
from tasks.progress import Progress

Judge = Literal["local", "mistral"]
Report = Callable[[int, int], None]  # (mails judged, all)
Words = tuple[str, ...]

PAID_LIMIT = 200  # mails that a judge who costs money is asked about, unless told otherwise
ANSWER_TOKENS = 120  # that the asked form takes as a rule
STEPS = 20  # of the bar in the Prefect UI: each asks the server
AS_TRAIN = "Give a file with these labels to learn from, too."


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be tried on what. `limit` counts mails; None is all, or PAID_LIMIT of a judge who costs money."""

    file: Path
    train: Path | None = None
    classifier: Judge = "local"
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """The mails that the judge will be shown, those it learns from, the labels it knows, and what to bear in mind."""

    order: Order
    examples: tuple[Example, ...]
    labels: Words
    lessons: tuple[Example, ...] = ()
    notes: Words = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a trial would take; euros are None when policy.yaml has no price for the model."""

    classifier: str
    mails: int
    labels: int
    notes: Words
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_eur: float | None = 0.0

    @property
    def said(self) -> str:
        plain = f"{self.mails} mails, {self.labels} labels, {self.classifier}"
        if not self.model:
            return f"{plain}: stays in the house, costs nothing"
        price = "no price in policy.yaml" if self.cost_eur is None else f"about {self.cost_eur:.2f} €"
        return f"{plain} {self.model}: about {self.input_tokens} tokens there and {self.output_tokens} back, {price}"


@dataclass(frozen=True, slots=True)
class Tried:
    """An evaluation, what to bear in mind about it, and where its workbook and its picture are."""

    evaluation: Evaluation
    notes: Words
    files: tuple[Path, ...] = ()


# --- before anything is judged or paid -----------------------------------------------------------------------


def prepare_trial(order: Order) -> Trial:
    """Read and check everything. Raises ConfigurationError."""
    if order.limit is not None and order.limit < 1:
        raise ConfigurationError("a limit of no mail", remedy="Leave it empty, or give at least 1.")
    return PREPARE[order.classifier](order, read_examples(order.file))


def prepare_local(order: Order, examples: Sequence[Example]) -> Trial:
    if order.train is None:
        return prepare_kept(order, examples)
    return prepare_learner(order, order.train, examples)


def prepare_kept(order: Order, examples: Sequence[Example]) -> Trial:
    """The desk's own judge, as it stands."""
    lessons = read_examples(EXAMPLES)
    labels = list_labels(lessons)
    check_meeting(order.file, examples, labels, AS_TRAIN)
    shown = draw_sample(examples, order.limit, order.seed)
    return Trial(order, shown, labels, notes=tuple(note_faults(shown, lessons)))


def prepare_learner(order: Order, train: Path, examples: Sequence[Example]) -> Trial:
    """A judge of the same kind, taught by a file; labels too rare to be learnt are left out of the lesson."""
    given = read_examples(train)
    counts = Counter(one.label for one in given)
    lessons = tuple(one for one in given if counts[one.label] >= LEAST_EXAMPLES)
    labels = list_labels(lessons)
    if len(labels) < 2:
        remedy = f"It takes {LEAST_EXAMPLES} mails or more of each of two labels or more."
        raise refuse(train, "too few mails to learn from", remedy)
    check_meeting(order.file, examples, labels, "Label both files alike.")
    shown, rare = draw_sample(examples, order.limit, order.seed), len(given) - len(lessons)
    left_out = (f"{rare} mails were not learnt from: fewer than {LEAST_EXAMPLES} bear their label",) if rare else ()
    return Trial(order, shown, labels, lessons, (*left_out, *note_faults(shown, lessons)))


def prepare_mistral(order: Order, examples: Sequence[Example]) -> Trial:
    """The model of the saved block, with the policy's categories."""
    if order.train:
        raise ConfigurationError("Mistral learns from no file", remedy="Leave the file to learn from out.")
    labels = tuple(open_policy().categories)
    check_known(order.file, examples, labels)
    shown = draw_sample(examples, order.limit or PAID_LIMIT, order.seed)
    drawn = f"{len(shown)} of {len(examples)} mails were drawn by lot"
    return Trial(order, shown, labels, notes=(drawn,) if len(shown) < len(examples) else ())


PREPARE: Mapping[Judge, Callable[[Order, Sequence[Example]], Trial]] = {
    "local": prepare_local,
    "mistral": prepare_mistral,
}


def list_labels(examples: Sequence[Example]) -> Words:
    return tuple(sorted({one.label for one in examples}))


def note_faults(shown: Sequence[Example], lessons: Sequence[Example]) -> Iterator[str]:
    """What makes the figures worse or better than the judge is. Texts are the same whatever their spaces."""
    labels, texts = {one.label for one in lessons}, {" ".join(one.text.split()) for one in lessons}
    if strange := sum(one.label not in labels for one in shown):
        yield f"{strange} mails bear a label that the judge doesn't know: it can't be right about them"
    if learnt := sum(" ".join(one.text.split()) in texts for one in shown):
        yield f"{learnt} mails are among those that the judge learnt from: the figures flatter it"


def forecast_trial(trial: Trial) -> Forecast:
    """What it would take; nobody is asked, and nothing leaves."""
    plain = Forecast(trial.order.classifier, len(trial.examples), len(trial.labels), trial.notes)
    return forecast_paid(trial, plain) if trial.order.classifier == "mistral" else plain


def forecast_paid(trial: Trial, plain: Forecast) -> Forecast:
    model, prices = open_mistral().model, open_policy().classification.prices
    bodies = [make_body(one, Terms(model)) for one in list_questions(trial)]
    there = sum(estimate_tokens(message["content"]) for body in bodies for message in body["messages"])
    usage = Usage(model=model, input_tokens=there, output_tokens=ANSWER_TOKENS * len(bodies))
    cost = price_usage(usage, prices) if model in prices else None
    return replace(plain, model=model, input_tokens=there, output_tokens=usage.output_tokens, cost_eur=cost)


# --- judging -------------------------------------------------------------------------------------------------


def judge_trial(trial: Trial, report: Report) -> Tried:
    """Ask the judge about every mail, and count; nothing is written yet. The time is that of learning, too."""
    told: list[Told] = []
    started = perf_counter()
    for one in JUDGE[trial.order.classifier](trial):
        told.append(one)
        report(len(told), len(trial.examples))
    seconds = perf_counter() - started
    evaluation = evaluate_guesses([one.guess for one in told], trial.labels, trial.order.seed, seconds)
    return Tried(evaluation, (*trial.notes, *note_troubles(told)))


def note_troubles(told: Sequence[Told]) -> Iterator[str]:
    for code, count in Counter(one.trouble for one in told if one.trouble).most_common():
        yield f"{count} mails got no answer: {code}"


def judge_local(trial: Trial) -> Iterator[Told]:
    if trial.lessons:
        return ask_learner(trial.lessons, trial.examples)
    categories = [(label, "") for label in trial.labels]
    questions = [make_question(one, categories, ("normal",)) for one in trial.examples]
    return ask_each(load_classifier(), questions, [one.label for one in trial.examples])


def judge_mistral(trial: Trial) -> Iterator[Told]:
    block, prices = open_mistral(), open_policy().classification.prices
    with block.open_client() as client:
        engine = MistralClassifier(client, block.model, timedelta(seconds=block.timeout_seconds), prices=prices)
        truths = [one.label for one in trial.examples]
        yield from ask_each(Breaker(Patient(engine)), list_questions(trial), truths)


JUDGE: Mapping[Judge, Callable[[Trial], Iterator[Told]]] = {"local": judge_local, "mistral": judge_mistral}


def list_questions(trial: Trial) -> list[Question]:
    policy = open_policy()
    categories = [(name, each.describe("en")) for name, each in policy.categories.items()]
    return [make_question(one, categories, tuple(policy.priorities)) for one in trial.examples]


def open_mistral() -> MistralApi:
    block = load_block(MistralApi, DESK)
    if not block.enabled:
        raise BlockError("byreturn-mistral-api/byreturn has neither key nor server")
    return block


# --- writing -------------------------------------------------------------------------------------------------


def write_files(tried: Tried, folder: Path, now: datetime) -> Tried:
    """Workbook and picture into the folder. Raises ConfigurationError when that can't be, or they are there already."""
    contents = {
        "evaluation.xlsx": build_book(tried.evaluation, tried.notes, now),
        "evaluation.png": draw_evaluation(tried.evaluation),
    }
    files = check_room(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.write_bytes(contents[file.name])
    except OSError as failure:
        raise ConfigurationError(f"{folder} can't be written ({failure.strerror})") from None
    return Tried(tried.evaluation, tried.notes, files)


def check_room(folder: Path) -> tuple[Path, ...]:
    """The files that will be written. Raises ConfigurationError when one is there: better known before it is paid."""
    files = (folder / "evaluation.xlsx", folder / "evaluation.png")
    for file in files:
        if file.exists():
            remedy = "Choose another folder; what is there is never overwritten."
            raise ConfigurationError(f"{file} exists", remedy=remedy)
    return files


def name_folder(now: datetime) -> Path:
    """One of its own in the desk's home for each trial."""
    home = Path(os.environ.get("BYRETURN_HOME", ".byreturn"))
    return home / "evaluations" / f"{now:%Y%m%dT%H%M%S.%fZ}"


# --- as tasks ------------------------------------------------------------------------------------------------


@task(name="forecast evaluation", cache_policy=NO_CACHE)
@guarded("forecast evaluation")
def forecast_evaluation(order: Order) -> Forecast:
    """What it would take. Raises ConfigurationError."""
    return forecast_trial(prepare_trial(order))


@task(name="evaluate classifier", cache_policy=NO_CACHE)
@guarded("evaluate classifier")
def evaluate_classifier(order: Order) -> Tried:
    """The whole of it, with a bar in the Prefect UI. Raises ConfigurationError."""
    trial, now = prepare_trial(order), datetime.now(UTC)
    return write_files(judge_trial(trial, begin_bar(len(trial.examples))), name_folder(now), now)


def begin_bar(total: int) -> Report:
    bar = Progress.begin("evaluation-progress", total, f"{total} mails to judge")
    return lambda done, _: move_bar(bar, done)


def move_bar(bar: Progress, done: int) -> None:
    if done == bar.total or done % max(1, bar.total // STEPS) == 0:
        bar.reach(done)
