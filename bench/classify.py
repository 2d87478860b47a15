"""Measure the local judge: how fast it judges beside scikit-learn, how soon it is there, how good it is.

    python -m bench.classify [--repetitions 5] [--json FILE]
    python -m bench.classify --train FILE --test FILE [--each 5,10,50,0]

The second form trains the same pipeline on somebody else's texts and labels (CSV, the text in the first column, the
label in the second, a header) beside words weighted by TF-IDF and a LinearSVC, what anybody would begin with.
`--each` takes so many examples of each label, chosen by three seeds; 0 takes all.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from bench.report import lay_table
from classifiers.flat import flatten_pipelines
from classifiers.local import EXAMPLES, build_pipeline, read_examples, train_pipelines

LEAST = 2_000  # mails a second
SLICE = 100
RACED = 4  # every fourth text: scikit-learn takes its time
BINS = 10
PRECISION = 0.95
SEEDS = 3
FOLDS = 5
LOADING = """
import sys, time
start = time.perf_counter()
from classifiers.local import load_classifier
load_classifier()
print(time.perf_counter() - start, "sklearn" in sys.modules)
"""
QUALITY = ("", "accuracy", "macro-F1", "ECE", "coverage at 0.95", "training CPU s")

Judge = Callable[[str], Any]
Texts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares of 0…1, and the CPU seconds of training; no ECE and no coverage for what tells no probability."""

    accuracy: float
    macro_f1: float
    seconds: float
    ece: float | None = None
    coverage: float | None = None


# --- speed ---------------------------------------------------------------------------------------------------


def race_judges(texts: Texts, repetitions: int) -> dict[str, list[float]]:
    """Mails a second, repetition by repetition, of the categories and the priorities together."""
    pipelines = tuple(train_pipelines(EXAMPLES))
    flat = flatten_pipelines(pipelines)
    judges: dict[str, Judge] = {
        "flat model": flat.judge,
        "scikit-learn, one by one": lambda text: [pipeline.predict_proba([text]) for pipeline in pipelines],
    }
    run_heats(judges, texts[:SLICE])  # imports and caches are nobody's mail
    heats = [run_heats(judges, texts) for _ in range(repetitions)]
    return {name: [len(texts) / heat[name] for heat in heats] for name in judges}


def run_heats(judges: dict[str, Judge], texts: Texts) -> dict[str, float]:
    """Seconds of each; they take turns every hundred mails, so a machine that gets warm or busy does so for all."""
    walls = dict.fromkeys(judges, 0.0)
    for start in range(0, len(texts), SLICE):
        for name, judge in judges.items():
            walls[name] += time_judge(judge, texts[start : start + SLICE])
    return walls


def time_judge(judge: Judge, texts: Texts) -> float:
    """Seconds of this process on a core, whoever else wants one."""
    start = time.process_time()
    for text in texts:
        judge(text)
    return time.process_time() - start


def time_loading(repetitions: int) -> tuple[float, list[float]]:
    """Seconds until the judge is there in a fresh process: where it has to learn, then where it has learnt."""
    with tempfile.TemporaryDirectory() as home:
        first = load_once(home)
        again = [load_once(home) for _ in range(repetitions)]
    if any(learnt for _, learnt in again):
        raise SystemExit("scikit-learn was loaded although the model had been kept")
    return first[0], [seconds for seconds, _ in again]


def load_once(home: str) -> tuple[float, bool]:
    """Seconds, and whether scikit-learn was loaded."""
    process = subprocess.run(
        [sys.executable, "-c", LOADING], env=os.environ | {"BYRETURN_HOME": home}, check=True, capture_output=True
    )
    seconds, learnt = process.stdout.split()
    return float(seconds), learnt == b"True"


# --- quality -------------------------------------------------------------------------------------------------


def cross_validate(texts: Texts, labels: Texts) -> Quality:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    start = time.process_time()
    chances = cross_val_predict(build_pipeline(), texts, labels, cv=folds, method="predict_proba")
    return rate_chances(chances, np.unique(labels), labels, (time.process_time() - start) / FOLDS)


def rate_chances(chances: NDArray[np.float64], known: Any, labels: Texts, seconds: float) -> Quality:
    guesses, sure = known[chances.argmax(axis=1)], chances.max(axis=1)
    right = guesses == np.array(labels)
    score = float(f1_score(labels, guesses, average="macro"))
    return Quality(float(right.mean()), score, seconds, measure_ece(sure, right), measure_coverage(sure, right))


def measure_ece(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How far confidence and success lie apart: the mean over bins of equally many mails, by rising confidence."""
    bins = np.array_split(sure.argsort(kind="stable"), BINS)
    return float(sum(abs(sure[one].mean() - right[one].mean()) * len(one) for one in bins if len(one)) / len(sure))


def measure_coverage(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The largest share of mails, the surest first, of which PRECISION were judged rightly."""
    hits = right[(-sure).argsort(kind="stable")].cumsum()
    reached = np.flatnonzero(hits >= PRECISION * np.arange(1, len(hits) + 1))
    return float((reached[-1] + 1) / len(hits)) if len(reached) else 0.0


# --- other people's sets -------------------------------------------------------------------------------------


def build_plain() -> Pipeline:
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC(random_state=0))


def compare_set(train: Path, test: Path, each: int) -> dict[str, list[Quality]]:
    texts, labels = read_pairs(train)
    unseen = read_pairs(test)
    results: dict[str, list[Quality]] = {"plain": [], "ours": []}
    for seed in range(SEEDS if each else 1):
        chosen = choose_rows(labels, each, seed)
        lesson = [texts[row] for row in chosen], [labels[row] for row in chosen]
        results["plain"].append(try_plain(lesson, unseen))
        results["ours"].append(try_ours(lesson, unseen))
    return results


def read_pairs(path: Path) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [row[0] for row in rows], [row[1] for row in rows]


def choose_rows(labels: Texts, each: int, seed: int) -> list[int]:
    if not each:
        return list(range(len(labels)))
    mixed, names = np.random.RandomState(seed).permutation(len(labels)), np.array(labels)
    return [int(row) for label in np.unique(names) for row in mixed[names[mixed] == label][:each]]


def try_plain(lesson: tuple[list[str], list[str]], unseen: tuple[list[str], list[str]]) -> Quality:
    start = time.process_time()
    model = build_plain().fit(*lesson)
    seconds = time.process_time() - start
    guesses = model.predict(unseen[0])
    right = guesses == np.array(unseen[1])
    return Quality(float(right.mean()), float(f1_score(unseen[1], guesses, average="macro")), seconds)


def try_ours(lesson: tuple[list[str], list[str]], unseen: tuple[list[str], list[str]]) -> Quality:
    start = time.process_time()
    model = build_pipeline().fit(*lesson)
    seconds = time.process_time() - start
    return rate_chances(model.predict_proba(unseen[0]), model.classes_, unseen[1], seconds)


# --- report --------------------------------------------------------------------------------------------------


def describe_quality(name: str, tries: Sequence[Quality]) -> Iterator[str]:
    yield name
    for field in ("accuracy", "macro_f1", "ece", "coverage"):
        figures = [getattr(one, field) for one in tries]
        yield "" if None in figures else f"{mean(figures):.3f}"
    yield f"{mean(one.seconds for one in tries):.2f}"


def report_set(asked: argparse.Namespace, console: Console) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in map(int, asked.each.split(",")):
        results = compare_set(asked.train, asked.test, each)
        title = f"{asked.train.stem}, {each or 'all'} examples of a label"
        console.print(
            lay_table(title, QUALITY, (tuple(describe_quality(name, tries)) for name, tries in results.items()))
        )
        found[title] = {name: [asdict(one) for one in tries] for name, tries in results.items()}
    return found


def report_ours(repetitions: int, console: Console) -> dict[str, Any]:
    rows = read_examples(EXAMPLES)
    texts = [row["text"] for row in rows]
    speeds, (first, again) = race_judges(texts[::RACED], repetitions), time_loading(repetitions)
    quality = {head: cross_validate(texts, [row[head] for row in rows]) for head in ("category", "priority")}
    console.print(lay_table("judging", ("judge", "mails/s", "× scikit-learn"), list_speeds(speeds)))
    cells = (tuple(describe_quality(head, [one])) for head, one in quality.items())
    console.print(lay_table(f"quality, {FOLDS}-fold cross-validation of {len(rows)} examples", QUALITY, cells))
    console.print(f"until the judge is there: {first:.1f} s where it has to learn, {median(again):.2f} s afterwards")
    reached = min(speeds["flat model"]) >= LEAST
    console.print(f"target: at least {LEAST:,} mails/s on one core — {'reached' if reached else 'missed'}")
    told = {head: asdict(one) for head, one in quality.items()}
    return {"mails a second": speeds, "loading": [first, *again], "quality": told}


def list_speeds(speeds: dict[str, list[float]]) -> Iterator[Sequence[str]]:
    base = list(speeds.values())[-1]
    for name, own in speeds.items():
        ratio = median(ours / theirs for ours, theirs in zip(own, base, strict=True))
        yield name, f"{median(own):,.0f} [{min(own):,.0f}–{max(own):,.0f}]", f"{ratio:.1f}"


def main() -> None:
    asked = read_arguments()
    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    console.print(f"\n{machine}\n")
    found = report_set(asked, console) if asked.train else report_ours(asked.repetitions, console)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps({"run": machine, "figures": found}, indent=1))
    print(f"every sample: {asked.json}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.classify", description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--train", type=Path, help="other texts and labels to learn from, instead of our examples")
    parser.add_argument("--test", type=Path, help="those to be judged by them")
    parser.add_argument("--each", default="0", help="examples of each label, several numbers with commas; 0: all")
    parser.add_argument("--json", type=Path, default=Path("build/bench-classify.json"), help="where every sample goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
