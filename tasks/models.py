"""The local model's versions: trained from the repository's examples and people's corrections, measured, put in use."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from classifiers.flat import FlatModel, flatten_pipelines, read_model, write_model
from classifiers.local import (
    EXAMPLES,
    LEAST_EXAMPLES,
    LocalClassifier,
    build_pipeline,
    load_classifier,
    name_lesson,
    rank_labels,
    read_examples,
)
from desk.corrections import Lesson, mix_lessons, pick_common
from desk.errors import ConfigurationError
from desk.evaluation import Guess
from desk.policy import Policy
from reports.evaluation import Evaluation, evaluate_guesses
from store.corrections import list_lessons
from store.memory import Store
from store.models import ModelView, find_in_use, keep_model, list_models, read_artefact
from tasks.guard import guarded
from tasks.opening import open_policy, open_store
from tasks.progress import Progress

HEADS = ("category", "priority")
FOLDS = 3
LEAST_TESTED = LEAST_EXAMPLES + FOLDS  # of a label: without a fold of them there are enough left to learn from
WORSE = 0.01  # of macro-F1: by no more than this may a model be worse than the one in use to take its place
STEPS = 2 * FOLDS + 1

Words = tuple[str, ...]
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Syllabus:
    """What a model learns from, and what the one in use did; `key` hashes the first and the code that learns."""

    lessons: tuple[Lesson, ...]
    before: tuple[Lesson, ...]
    too_few: Words  # categories of the policy that have not enough examples to be learnt
    key: str

    @property
    def corrections(self) -> int:
        return sum(one.at is not None for one in self.lessons)

    @property
    def examples(self) -> int:
        return len(self.lessons) - self.corrections


@dataclass(frozen=True, slots=True)
class CategoryFigure:
    """What a category was learnt from, and how well; None is a share of nothing, or too few to try."""

    category: str
    examples: int
    corrections: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended; `state`: in_use | kept | known (nothing new to learn) | tried (a dry run)."""

    id: int | None
    state: str
    figures: Mapping[str, Any]


@task(name="train model", cache_policy=NO_CACHE)
@guarded("train model")
def train_model(dry_run: bool = False) -> Trained:
    """Learn, measure beside the model in use, keep, and put in use what is not worse."""
    store, now = open_store(), datetime.now(UTC)
    syllabus = gather_lessons(store, open_policy())
    known = next((one for one in list_models(store) if one.key == syllabus.key and one.state != "retired"), None)
    if known and not dry_run:
        return Trained(known.id, "known", known.figures)
    bar = Progress.begin("training", STEPS, f"{len(syllabus.lessons)} lessons to learn and to try")
    figures = measure_lessons(syllabus, lambda: bar.move(1))
    better = figures["macro_f1"] >= figures["macro_f1_in_use"] - WORSE
    if dry_run:
        return Trained(None, "tried", figures)
    artefact = pack_model(fit_lessons(syllabus.lessons), syllabus.key)
    bar.move(1)
    counts = (syllabus.examples, syllabus.corrections)
    made = keep_model(store, syllabus.key, counts, figures, artefact, better, now)
    get_run_logger().info("model %d is %s", made, "in use" if better else "kept, not in use")
    return Trained(made, "in_use" if better else "kept", figures)


# --- what is learnt from -------------------------------------------------------------------------------------


def gather_lessons(store: Store, policy: Policy) -> Syllabus:
    """The repository's examples and people's corrections, as far as the policy still knows their labels.

    Raises ConfigurationError when two categories can't be made of them.
    """
    examples = [Lesson(row["text"], row["category"], row["priority"]) for row in read_examples(EXAMPLES)]
    said = [one for one in list_lessons(store) if one.category in policy.categories]
    in_use = next((one for one in list_models(store) if one.state == "in_use"), None)
    lessons = pick_common(mix_lessons(examples, said), LEAST_EXAMPLES)
    before = pick_common(mix_lessons(examples, list_older(said, in_use)), LEAST_EXAMPLES)
    learnt = {one.category for one in lessons}
    check_labels(lessons, LEAST_EXAMPLES)
    return Syllabus(lessons, before, tuple(one for one in policy.categories if one not in learnt), name_key(lessons))


def check_labels(lessons: Sequence[Lesson], least: int) -> None:
    """Raises ConfigurationError where there is nothing to tell apart."""
    if not can_tell(lessons):
        wanted = f"two categories and two priorities or more, each {least} times or more"
        raise ConfigurationError(f"the examples need {wanted}")


def can_tell(lessons: Sequence[Lesson]) -> bool:
    return all(len({getattr(one, head) for one in lessons}) > 1 for head in HEADS)


def list_older(said: Sequence[Lesson], model: ModelView | None) -> list[Lesson]:
    """Corrections that this model could know."""
    return [one for one in said if model and one.at and one.at <= model.at]


def name_key(lessons: Sequence[Lesson]) -> str:
    told = json.dumps(sorted([one.text, one.category, one.priority] for one in lessons))
    return sha256(f"{name_lesson(EXAMPLES)} {told}".encode()).hexdigest()


# --- figures -------------------------------------------------------------------------------------------------


def measure_lessons(syllabus: Syllabus, step: Step) -> dict[str, Any]:
    """Figures of cross-validation: each lesson judged by a model that did not learn it. The model in use is measured on
    the same lessons, learnt anew from what it knew: as it is, it would be asked what it has learnt by heart.
    """
    judged = list(cross_validate(syllabus, step))
    sure, urgent, before = (evaluate_guesses(list(column), ()) for column in zip(*judged, strict=True))
    return {
        "macro_f1": round(sure.macro_f1.value, 4),
        "macro_f1_in_use": round(before.macro_f1.value, 4),
        "ece": _round(sure.ece.value if sure.ece else None),
        "priority_macro_f1": round(urgent.macro_f1.value, 4),
        "tested": sure.count,
        "categories": [asdict(one) for one in describe_categories(syllabus.lessons, sure)],
        "too_few": list(syllabus.too_few),
    }


def cross_validate(syllabus: Syllabus, step: Step) -> Iterator[tuple[Guess, Guess, Guess]]:
    """Of each lesson the guess of its category, of its priority, and of its category by the model in use."""
    for tested in split_folds(pick_common(syllabus.lessons, LEAST_TESTED)):
        texts = {one.text for one in tested}
        model = fit_rest(syllabus.lessons, texts)
        step()
        before = model if syllabus.before == syllabus.lessons else fit_rest(syllabus.before, texts)
        step()
        for one in tested:
            yield guess_label(model, one, 0), guess_label(model, one, 1), guess_label(before, one, 0)


def split_folds(lessons: Sequence[Lesson]) -> Iterator[list[Lesson]]:
    from sklearn.model_selection import StratifiedKFold

    check_labels(lessons, LEAST_TESTED)
    labels = [one.category for one in lessons]
    for _, places in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(labels, labels):
        yield [lessons[at] for at in places]


def fit_rest(lessons: Sequence[Lesson], texts: set[str]) -> FlatModel | None:
    """What is learnt without these texts; None where they leave nothing to tell apart."""
    left = pick_common([one for one in lessons if one.text not in texts], LEAST_EXAMPLES)
    return fit_lessons(left) if can_tell(left) else None


def guess_label(model: FlatModel | None, lesson: Lesson, head: int) -> Guess:
    if model is None:
        return Guess("", getattr(lesson, HEADS[head]), 0.0)
    labels = tuple(one.labels for one in model.heads)
    label, share = rank_labels(model.judge(lesson.text), labels)[head][0]
    return Guess(label, getattr(lesson, HEADS[head]), share)


def describe_categories(lessons: Sequence[Lesson], measured: Evaluation) -> Iterator[CategoryFigure]:
    given = Counter((one.category, one.at is not None) for one in lessons)
    rows = {one.label: one for one in measured.categories}
    for name in sorted({one.category for one in lessons}):
        row = rows.get(name)
        shares = (row.precision, row.recall) if row else (None, None)
        yield CategoryFigure(name, given[name, False], given[name, True], *map(_round, shares))


def _round(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


# --- learning ------------------------------------------------------------------------------------------------


def fit_lessons(lessons: Sequence[Lesson]) -> FlatModel:
    texts = [one.text for one in lessons]
    return flatten_pipelines([build_pipeline().fit(texts, [getattr(one, head) for one in lessons]) for head in HEADS])


def pack_model(model: FlatModel, key: str) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder, "judge.npz")
        write_model(model, key, file)
        return file.read_bytes()


# --- the model in use ----------------------------------------------------------------------------------------

_LOADED: dict[Path, FlatModel | None] = {}  # by this process: one, or None where its artefact is of no use


def load_local(store: Store, languages: Words = ("fr", "en")) -> LocalClassifier:
    """The local judge in use: the trained version, else that of the repository's examples.

    Once a process, until another version is in use; without scikit-learn.
    """
    in_use = find_in_use(store)
    model = read_version(store, *in_use) if in_use else None
    return LocalClassifier(model, languages) if model else load_classifier(languages=languages)


def read_version(store: Store, model_id: int, key: str) -> FlatModel | None:
    """From the desk's home, where it is written the first time; None when it is damaged, or of another age."""
    file = Path(os.environ.get("BYRETURN_HOME", ".byreturn")) / f"judge-{key}.npz"
    if file not in _LOADED:
        found = read_model(key, file) or _fetch_version(store, model_id, key, file)
        _LOADED.clear()
        _LOADED[file] = found
        return found
    return _LOADED.get(file)


def _fetch_version(store: Store, model_id: int, key: str, file: Path) -> FlatModel | None:
    """The versions before it go: their words are those of people's mails."""
    with suppress(OSError):
        _write_file(file, read_artefact(store, model_id))
        for other in set(file.parent.glob("judge-*.npz")) - {file}:
            other.unlink(missing_ok=True)
    return read_model(key, file)


def _write_file(file: Path, content: bytes) -> None:
    """Whole or not at all, for nobody else's eyes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=file.stem, delete=False) as draft:
        draft.write(content)
    Path(draft.name).replace(file)
