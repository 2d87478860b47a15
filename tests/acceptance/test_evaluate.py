"""A judge is tried before it is relied on: by the flow, by the command, with Mistral's API answering or not."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from openpyxl import load_workbook
from prefect.client.schemas.objects import State

from blocks import MistralApi
from classifiers.asking import TRIES
from classifiers.local import EXAMPLES
from desk.circuit import PATIENCE
from desk.evaluation import read_examples
from flows.evaluate_classifier import evaluate_classifier
from tasks.opening import DESK
from tests.acceptance.artifacts import read_latest, read_table
from tests.acceptance.command import Command, Said, make_command
from tests.acceptance.scene import Scene
from tests.fake_mistral import FakeMistral, Mode, Reply, Request, follow_rules

Rows = Sequence[tuple[str, str]]

PERSON = "Zoé Krzywinski"
TOPICS = {
    "kitchen": ("chop the onion", "boil the soup", "fry the egg", "peel the carrot"),
    "garden": ("water the rose", "mow the lawn", "prune the tree", "sow the salad"),
}
LESSON = [(f"{text} please, {at}", label) for label, texts in TOPICS.items() for text in texts for at in range(30)]
TEST = [
    (f"{PERSON} asks to {text} now {at}", label)
    for label, texts in TOPICS.items()
    for text in texts
    for at in range(15)
]
MAILS = [
    *[(f"Facture {at}\nUne facture pour {PERSON}, +33 6 12 34 56 78, SVP", "billing") for at in range(6)],
    *[(f"Panne {at}\nTout est en panne chez zoe.k{at}@ecole.example", "technical") for at in range(4)],
]  # fmt: skip
RULES = {"facture": "billing", "panne": "technical"}


def write_mails(path: Path, rows: Rows, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("text", "label"), *rows])
    return path


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    return write_mails(tmp_path / "lesson.csv", LESSON)


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    """As Excel saves it in France."""
    return write_mails(tmp_path / "mails.csv", TEST, ";", "utf-8-sig")


# --- the command ---------------------------------------------------------------------------------------------


def run_command(home: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """On its own, and with nobody behind PREFECT_API_URL."""
    environment = os.environ | {"BYRETURN_HOME": str(home), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    entry = Path(sys.executable).with_name("byreturn")
    command = [entry, "evaluate", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_needs_no_server_and_shows_which_categories_are_safe(
    tmp_path: Path, mails: Path, lesson: Path
) -> None:
    out = tmp_path / "out"
    done = run_command(tmp_path, mails, "--train", lesson, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^macro-F1 +1\.00 \(1\.00–1\.00\)", done.stdout, re.MULTILINE)
    assert re.search(r"^garden +60 +60 +1\.000 +1\.000 +1\.000 +from 0\.\d\d +not yet", done.stdout, re.MULTILINE)
    proposal = yaml.safe_load(done.stdout[done.stdout.index("categories:") : done.stdout.index("Written:")])
    assert set(proposal["categories"]) == set(TOPICS)
    assert sorted(one.name for one in out.iterdir()) == ["evaluation.png", "evaluation.xlsx"]
    assert load_workbook(out / "evaluation.xlsx")["Summary"]["B3"].value == len(TEST)
    assert PERSON not in done.stdout


def test_what_is_there_is_never_overwritten(tmp_path: Path, mails: Path, lesson: Path) -> None:
    (tmp_path / "evaluation.png").write_bytes(b"kept")
    done = run_command(tmp_path, mails, "--train", lesson, "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "evaluation.png exists" in done.stderr
    assert (tmp_path / "evaluation.png").read_bytes() == b"kept"
    assert not (tmp_path / "evaluation.xlsx").exists()


def test_programs_get_everything_and_the_files_lie_in_the_desks_home(tmp_path: Path, mails: Path, lesson: Path) -> None:
    done = run_command(tmp_path, mails, "--train", lesson, "--json", "--limit", "30")
    told = json.loads(done.stdout)
    assert (told["count"], told["source"], len(told["confusion"])) == (30, "local", 2)
    assert told["headline"].startswith("macro-F1 1.00 (1.00–1.00), ECE ")
    assert told["policy"].startswith("# from its threshold on")
    assert [Path(one).parents[1] for one in told["files"]] == [tmp_path / "evaluations"] * 2
    assert all(Path(one).stat().st_size > 1_000 for one in told["files"])


def test_the_desks_own_judge_is_told_when_it_knows_the_mails_already(tmp_path: Path) -> None:
    known = [(one.text, one.label) for one in read_examples(EXAMPLES)[::10]]
    rows = [*known, ("Rien de connu ici", "unheard-of")]
    done = run_command(tmp_path, write_mails(tmp_path / "known.csv", rows), "--json")
    notes = json.loads(done.stdout)["notes"]
    assert notes == [
        "1 mails bear a label that the judge doesn't know: it can't be right about them",
        f"{len(known)} mails are among those that the judge learnt from: the figures flatter it",
    ]


def test_a_dry_run_judges_nothing_and_writes_nothing(
    byreturn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mails: Path, lesson: Path
) -> None:
    monkeypatch.setenv("BYRETURN_HOME", str(tmp_path / "home"))
    done = byreturn("evaluate", str(mails), "--train", str(lesson), "--dry-run")
    assert done == Said(0, "Would try 120 mails, 2 labels, local: stays in the house, costs nothing.", "")
    assert not (tmp_path / "home").exists()


def test_labels_too_rare_to_be_learnt_are_left_out_and_told(tmp_path: Path, mails: Path) -> None:
    lesson = write_mails(tmp_path / "rare.csv", [*LESSON, ("mend the roof", "house"), ("paint the wall", "house")])
    done = run_command(tmp_path, mails, "--train", lesson, "--json")
    assert json.loads(done.stdout)["notes"] == ["2 mails were not learnt from: fewer than 5 bear their label"]


@pytest.mark.parametrize(
    ("test", "train", "said"),
    [
        ([("a", "kitchen"), ("b", "")], LESSON, "mails.csv, line 3: no label. Give each mail one"),
        ([("a", "x"), ("b", "y")], LESSON, "mails.csv: the judge knows none of its labels. It knows garden, kitchen."),
        ([("a", "x"), ("b", "y")], None, "mails.csv: the judge knows none of its labels. It knows account, billing,"),
        (TEST, LESSON[:4] + LESSON[-4:], "lesson.csv: too few mails to learn from. It takes 5 mails or more of each"),
    ],
    ids=["a fault", "labels that don't meet", "labels that the desk's judge doesn't know", "too few"],
)
def test_bad_files_are_told_with_exit_status_2(
    byreturn: Command, tmp_path: Path, test: Rows, train: Rows | None, said: str
) -> None:
    words = ["--train", str(write_mails(tmp_path / "lesson.csv", train))] if train else []
    done = byreturn("evaluate", str(write_mails(tmp_path / "mails.csv", test)), *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.error


# --- the flow ------------------------------------------------------------------------------------------------


def try_judge(file: Path, **parameters: Any) -> State[Any]:
    return evaluate_classifier(file=str(file), return_state=True, **parameters)


def test_the_flow_shows_figures_picture_and_proposal_and_no_word_of_a_mail(
    scene: Scene, mails: Path, lesson: Path
) -> None:
    state = try_judge(mails, train=str(lesson))
    assert (state.name, state.message) == ("Completed", find_headline(read_latest("evaluation")))
    page = str(read_latest("evaluation"))
    assert "](data:image/png;base64,iVBOR" in page
    assert set(yaml.safe_load(page.split("```")[1].removeprefix("yaml"))["categories"]) == set(TOPICS)
    rows = read_table("evaluation-categories")
    assert [(row["category"], row["mails"], row["F1"]) for row in rows] == [
        ("garden", 60, "1.000"),
        ("kitchen", 60, "1.000"),
    ]
    verdicts = [row["verdict"].split(":")[0] for row in read_table("evaluation-thresholds")]
    assert verdicts == ["safe", "not safe to automate yet"] * 2
    assert read_latest("evaluation-progress") == 100
    (folder,) = (scene.home / "evaluations").iterdir()
    assert sorted(one.name for one in folder.iterdir()) == ["evaluation.png", "evaluation.xlsx"]
    shown = page + json.dumps(rows) + json.dumps(read_table("evaluation-thresholds"))
    assert not [word for word in (*PERSON.split(), "onion", "lawn") if word in shown]


def find_headline(page: object) -> str:
    return str(page).splitlines()[0].removeprefix("## ")


def test_the_flow_tells_a_fault_as_what_it_is(scene: Scene, tmp_path: Path) -> None:
    state = try_judge(write_mails(tmp_path / "bad.csv", [("a", "x")]))
    assert state.is_failed()
    assert "bad.csv: all mails bear the same label. A judge is tried on two labels or more." in str(state.message)


# --- Mistral -------------------------------------------------------------------------------------------------


@contextmanager
def ask_mistral(fake: FakeMistral) -> Iterator[FakeMistral]:
    with fake:
        MistralApi(server_url=fake.url).save(DESK, overwrite=True)
        try:
            yield fake
        finally:
            MistralApi().save(DESK, overwrite=True)


def read_prompts(fake: FakeMistral) -> str:
    return json.dumps(fake.requests, ensure_ascii=False)


def test_mistral_is_shown_pseudonyms_and_the_policys_categories_and_its_cost_is_told(
    scene: Scene, tmp_path: Path
) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS)
    with ask_mistral(FakeMistral(answer=follow_rules(RULES))) as fake:
        state = try_judge(file, classifier="mistral")
    assert str(state.message).startswith("macro-F1 1.00 (1.00–1.00), ECE 0.10, 100 % at precision 0.95")
    assert len(fake.requests) == len(MAILS)
    prompts = read_prompts(fake)
    assert re.search(r"facture pour .+, phone_\d+, SVP", prompts, re.IGNORECASE)
    assert re.search(r"en panne chez email_\d+", prompts, re.IGNORECASE)
    assert not [word for word in ("zoe.k", "12 34 56") if word in prompts]
    assert all(name in prompts for name in ("programme", "timetable", "billing"))
    each = (321 * 0.14 + 45 * 0.56) / 1_000_000  # euros, by the price list of policy.yaml
    assert f"| cost | {10 * each:.4f} € ({1_000 * each:.4f} € per 1,000 mails) |" in str(read_latest("evaluation"))


def test_mistral_is_asked_about_so_many_mails_and_no_more(scene: Scene, tmp_path: Path) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS)
    with ask_mistral(FakeMistral(answer=follow_rules(RULES))) as fake:
        try_judge(file, classifier="mistral", limit=3)
    assert len(fake.requests) == 3
    assert "- 3 of 10 mails were drawn by lot" in str(read_latest("evaluation"))


def test_a_dry_run_tells_the_cost_and_asks_nobody(scene: Scene, tmp_path: Path) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS * 30)
    with ask_mistral(FakeMistral()) as fake:
        state = try_judge(file, classifier="mistral", dry_run=True)
    (plan,) = read_table("evaluation-plan")
    assert (plan["mails"], plan["model"], plan["output_tokens"]) == (200, "mistral-small-2603", 200 * 120)
    assert 200 * 200 < plan["input_tokens"] < 200 * 2_000
    assert plan["cost_eur"] == pytest.approx((plan["input_tokens"] * 0.14 + plan["output_tokens"] * 0.56) / 1_000_000)
    assert str(state.message).endswith(f"about {plan['cost_eur']:.2f} €")
    assert fake.requests == []


def test_a_mistral_that_is_down_is_left_alone_and_its_mails_count_as_wrong(scene: Scene, tmp_path: Path) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS)
    with ask_mistral(FakeMistral(mode=Mode.DOWN)) as fake:
        state = try_judge(file, classifier="mistral")
    assert (state.name, len(fake.requests)) == ("Partial", PATIENCE)
    said = "macro-F1 0.00 (0.00–0.00), no ECE, 0 % at precision 0.95; 10 of 10 mails without an answer"
    assert state.message == said
    page = str(read_latest("evaluation"))
    assert "- 10 mails got no answer: model-unavailable" in page
    assert "| accuracy | 0.000 |" in page


class Absent(FakeMistral):
    """Says nothing usable of the mails that hold this word."""

    def reply_to(self, request: Request, headers: Any) -> Reply:
        self.mode = Mode.EMPTY if "Panne 3" in str(request["messages"]) else Mode.GOOD
        return super().reply_to(request, headers)


def test_an_unusable_answer_costs_one_mail_and_its_price(scene: Scene, tmp_path: Path) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS)
    with ask_mistral(Absent(answer=follow_rules(RULES))):
        state = try_judge(file, classifier="mistral")
    assert (state.name, str(state.message).partition("; ")[2]) == ("Partial", "1 of 10 mails without an answer")
    page = str(read_latest("evaluation"))
    assert "- 1 mails got no answer: model-answer" in page
    assert "| accuracy | 0.900 |" in page
    assert "| cost | 0.0007 € " in page


class Busy(FakeMistral):
    """Sends every request back once; `retry_after` says when to come again."""

    def reply_to(self, request: Request, headers: Any) -> Reply:
        self.mode = Mode.THROTTLED if len(self.requests) % 2 == 0 else Mode.GOOD
        return super().reply_to(request, headers)


def test_a_throttled_mail_is_asked_again_after_the_pause(scene: Scene, tmp_path: Path) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS)
    with ask_mistral(Busy(answer=follow_rules(RULES), retry_after="0")) as fake:
        state = try_judge(file, classifier="mistral")
    assert (state.name, len(fake.requests)) == ("Completed", 2 * len(MAILS))


def test_who_only_ever_asks_for_pauses_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    file = write_mails(tmp_path / "mails.csv", MAILS)
    with ask_mistral(FakeMistral(mode=Mode.THROTTLED, retry_after="0")) as fake:
        state = try_judge(file, classifier="mistral")
    assert (state.name, len(fake.requests)) == ("Partial", TRIES * PATIENCE)


@pytest.mark.parametrize(
    ("rows", "parameters", "said"),
    [
        ([*MAILS, ("a", "bills")], {}, "line 22: its label is none that is allowed. Allowed: account, billing, other,"),
        (MAILS, {"train": "mails.csv"}, "Mistral learns from no file"),
        (MAILS, {"limit": 0}, "a limit of no mail"),
    ],
    ids=["a label of no category", "a lesson", "no mail"],
)
def test_what_mistral_can_not_be_tried_on_is_told_before_anything_leaves(
    scene: Scene, tmp_path: Path, rows: Rows, parameters: dict[str, Any], said: str
) -> None:
    file = write_mails(tmp_path / "mails.csv", rows)
    with ask_mistral(FakeMistral()) as fake:
        state = try_judge(file, classifier="mistral", **parameters)
    assert state.is_failed()
    assert said in str(state.message)
    assert fake.requests == []


def test_without_a_filled_block_there_is_no_mistral_to_try(scene: Scene, tmp_path: Path) -> None:
    state = try_judge(write_mails(tmp_path / "mails.csv", MAILS), classifier="mistral")
    assert "has neither key nor server" in str(state.message)
