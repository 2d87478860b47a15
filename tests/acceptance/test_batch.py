"""Large backfills judged in batches: asked once, at half the price, and nothing lost whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State

from blocks import MistralApi
from flows.backfill import backfill
from flows.judge_backfill import judge_backfill
from store.batches import batches
from store.engine import writing
from store.judgings import list_spending
from store.messages import contacts, judging_items
from tasks.opening import DESK
from tests.acceptance.again import empty_desk
from tests.acceptance.artifacts import read_latest
from tests.acceptance.mistral import ask_there
from tests.acceptance.scene import House, Scene
from tests.acceptance.workers import change_policy, write_mail
from tests.fake_batch import FakeBatch, Lines, fail_line
from tests.stores import count_rows, look_up

NOW = datetime.now(UTC).replace(microsecond=0)
NOON = NOW.replace(hour=12, minute=0, second=0) - timedelta(days=20)
MANY = 6


@pytest.fixture
def scene(standing: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An empty desk where more than three old mails are many."""
    monkeypatch.setenv("BYRETURN_POLICY", str(change_policy(tmp_path, ("batch_over: 500", "batch_over: 3"))))
    return empty_desk(standing)


@pytest.fixture
def server(scene: Scene) -> Iterator[FakeBatch]:
    with FakeBatch() as opened, ask_there(opened.url):
        yield opened


def bring_old(tmp_path: Path, count: int = MANY, first: int = 0, quiet: int = 0, told: bytes = b"") -> None:
    """So many mails of twenty days ago, read and waiting; of them some that a machine wrote; `told` ends their text."""
    from tasks.reading import read_mails

    folder = tmp_path / f"archive-{first}"
    folder.mkdir()
    for number in range(first, first + count):
        mark = b"Auto-Submitted: auto-replied\r\n" if number < quiet else b""
        (folder / f"{number:03}.eml").write_bytes(mark + write_mail(number, 0, NOON).raw.rstrip() + told)
    assert backfill(mailbox="support", path=str(folder), return_state=True).is_completed()
    read_mails()


def judge(minutes: int = 0) -> State[Any]:
    return judge_backfill(minutes=minutes, return_state=True)


def list_sources(scene: Scene) -> list[str]:
    return [one.source for one in scene.mails]


def get_states(name: str, scene: Scene) -> set[str]:
    return set(look_up(scene.store, name, "state"))


# --- the way of a batch --------------------------------------------------------------------------------------


def test_many_old_mails_are_asked_about_in_a_job_and_decided_by_its_answers(
    scene: Scene, server: FakeBatch, tmp_path: Path
) -> None:
    bring_old(tmp_path)
    state = judge()
    assert state.is_completed()
    assert str(state.message) == f"1 batches ended: {MANY} mails answered, 0 need no judge"
    assert len(server.batched) == MANY
    assert read_latest("batches") == 100.0
    assert look_up(scene.store, "judgement", "role") == ["ahead"] * MANY

    asked = len(server.chat.requests)
    assert scene.work().is_completed()
    assert list_sources(scene) == ["mistral"] * MANY
    assert count_rows(scene.store, "ticket") == MANY
    assert len(server.chat.requests) == asked
    assert str(judge().message) == "Nothing to judge in batches"


def test_a_batch_costs_half_of_what_the_same_questions_cost_one_by_one(
    scene: Scene, server: FakeBatch, tmp_path: Path
) -> None:
    bring_old(tmp_path)
    judge()
    (batched,) = list_spending(scene.store.engine, NOW.date() - timedelta(days=1))
    empty_desk(scene)
    bring_old(tmp_path, first=MANY, count=3)
    scene.work()
    (live,) = list_spending(scene.store.engine, NOW.date() - timedelta(days=1))
    assert (batched.calls, live.calls) == (MANY, 3)
    assert batched.input_tokens == 2 * live.input_tokens
    assert batched.euros == pytest.approx(live.euros, abs=5e-6)
    assert live.euros > 0


def test_a_job_asks_what_the_desk_itself_would_ask(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    bring_old(tmp_path)
    judge()
    batched = server.bodies
    empty_desk(scene)
    server.chat.requests.clear()
    (tmp_path / "live").mkdir()
    for name in (tmp_path / "archive-0").iterdir():
        name.rename(tmp_path / "live" / name.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BYRETURN_POLICY")  # where so few are not many
        backfill(mailbox="support", path=str(tmp_path / "live"), return_state=True)
        scene.work()
    live = [json.dumps({**one, "stream": None}, sort_keys=True) for one in server.chat.requests]
    assert len(live) == MANY
    assert sorted(json.dumps({**one, "stream": None}, sort_keys=True) for one in batched) == sorted(live)


def test_whom_the_desk_knows_is_hidden_in_a_job_too(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    with writing(scene.store.engine) as connection:
        connection.execute(sa.insert(contacts), {"address": "known@desk.example", "name": "Quetzal Xocoyotl"})
    bring_old(tmp_path, told=b" (avec quetzal xocoyotl)")
    judge()
    asked = json.dumps(server.bodies)
    assert asked.count("(avec ") == MANY
    assert "xocoyotl" not in asked


def test_few_old_mails_are_asked_about_one_by_one(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    bring_old(tmp_path, 3)
    assert str(judge().message) == "Nothing to judge in batches"
    scene.work()
    assert server.jobs == {}
    assert list_sources(scene) == ["mistral"] * 3


def test_while_a_job_lasts_its_mails_wait_and_others_do_not(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    server.polls = 2
    bring_old(tmp_path)
    assert "1 under way" in str(judge().message)
    scene.deliver([write_mail(90, 0, NOW).raw])
    scene.sync()
    scene.work()
    assert [one.verdict for one in scene.mails].count("") == MANY
    assert count_rows(scene.store, "message", state="decided") == 1
    assert "1 under way" in str(judge().message)
    assert "1 batches ended" in str(judge().message)
    scene.work()
    assert count_rows(scene.store, "message", state="decided") == MANY + 1
    assert len(server.batched) == MANY


def test_the_desk_holds_them_before_anybody_is_asked_one_by_one(
    scene: Scene, server: FakeBatch, tmp_path: Path
) -> None:
    bring_old(tmp_path)
    scene.work()
    assert server.chat.requests == []
    assert count_rows(scene.store, "message", state="waiting") == MANY
    judge()
    scene.work()
    assert len(server.batched) == MANY
    assert list_sources(scene) == ["mistral"] * MANY


def test_a_job_is_looked_at_again_and_again_within_a_run(
    scene: Scene, server: FakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.batching.PAUSES", (0.0, 0.0, 0.0))
    server.polls = 3
    bring_old(tmp_path)
    assert f"{MANY} mails answered" in str(judge(minutes=1).message)
    assert server.asked.count("GET /v1/batch/jobs/job-1") == 4


def test_mails_that_need_no_judge_are_not_asked_about(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    bring_old(tmp_path, quiet=2)
    assert f"{MANY - 2} mails answered, 2 need no judge" in str(judge().message)
    scene.work()
    assert sorted(one.verdict for one in scene.mails).count("ignored") == 2
    assert len(server.batched) == MANY - 2


def test_nothing_stays_with_the_provider(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    bring_old(tmp_path)
    judge()
    assert server.files == {}
    assert [one.status for one in server.jobs.values()] == ["DELETED"]


# --- what goes wrong -----------------------------------------------------------------------------------------


def spoil(lines: Lines) -> Lines:
    """Not one comes as it should but the last two; one comes twice."""
    numbers = [json.loads(line)["custom_id"] for line in lines]
    strange = json.dumps({"custom_id": "../../etc", "response": {"status_code": 200, "body": {}}})
    broken = json.loads(lines[1])
    broken["response"]["body"]["choices"][0]["message"]["content"] = "I'd rather not"
    return [
        "{", "[]", "null", "", strange, fail_line("4096"), fail_line(numbers[0]), json.dumps(broken), lines[3][:-9],
        fail_line(numbers[4]), lines[4], lines[4], lines[5],
    ]  # fmt: skip


@pytest.mark.parametrize("inline", [False, True])
def test_whatever_has_no_sound_answer_is_judged_like_all_others(
    scene: Scene, server: FakeBatch, tmp_path: Path, inline: bool
) -> None:
    server.spoil, server.inline = (spoil_inline if inline else spoil), inline
    bring_old(tmp_path)
    state = judge()
    assert (state.name, "4 not answered" in str(state.message)) == ("Partial", True)
    assert sorted(look_up(scene.store, "judgement", "role")) == ["ahead"] * 2 + ["trouble"] * 2
    assert sorted(look_up(scene.store, "judgement", "trouble")) == ["", "", "batch-failed", "model-answer"]
    (spent,) = list_spending(scene.store.engine, NOW.date() - timedelta(days=1))
    assert spent.input_tokens == 3 * 321  # an answer that is of no use is paid for too
    asked = len(server.chat.requests)
    scene.work()
    assert list_sources(scene) == ["mistral"] * MANY
    assert len(server.chat.requests) == asked + MANY - 2


def spoil_inline(lines: Lines) -> Lines:
    """The same as far as it is JSON objects: the SDK takes nothing else."""
    return [line for line in spoil(lines) if line.startswith("{") and line.endswith("}") and len(line) > 2]


@pytest.mark.parametrize("ending", ["FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"])
def test_mails_of_a_job_that_comes_to_nothing_are_judged_like_all_others(
    scene: Scene, server: FakeBatch, tmp_path: Path, ending: str
) -> None:
    server.ending = ending
    bring_old(tmp_path)
    assert judge().name == "Partial"
    assert get_states("judging_batch", scene) == {"failed"}
    scene.work()
    assert list_sources(scene) == ["mistral"] * MANY
    assert str(judge().message) == "Nothing to judge in batches"
    assert len(server.batched) == MANY


def test_a_server_without_batches_is_asked_one_by_one(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    server.refusal = 404
    bring_old(tmp_path)
    assert "Mistral: model-rejected" in str(judge().message)
    scene.work()
    assert list_sources(scene) == ["mistral"] * MANY
    assert len(server.chat.requests) == MANY


def test_a_server_that_is_down_gets_its_job_later(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    server.refusal = 503
    bring_old(tmp_path)
    assert "1 under way" in str(judge().message)
    server.refusal = 0
    assert f"{MANY} mails answered" in str(judge().message)
    assert len(server.batched) == MANY


def test_a_job_whose_making_was_not_confirmed_is_found_again_by_its_marker(
    scene: Scene, server: FakeBatch, tmp_path: Path
) -> None:
    server.mute, server.others = True, 150
    bring_old(tmp_path)
    assert "1 under way" in str(judge().message)
    assert len(server.jobs) == 1
    server.mute = False
    assert f"{MANY} mails answered" in str(judge().message)
    assert len(server.jobs) == 1


def test_mails_wait_for_no_batch_longer_than_a_day(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    server.polls = 99
    bring_old(tmp_path)
    judge()
    age(scene, timedelta(hours=25))
    scene.work()
    assert list_sources(scene) == ["mistral"] * MANY
    assert f"{MANY} not answered" in str(judge().message)
    assert [one.status for one in server.jobs.values()] == ["CANCELLED"]


def age(scene: Scene, span: timedelta) -> None:
    """As if that much time had gone by since the batches were made."""
    with writing(scene.store.engine) as connection:
        connection.execute(sa.update(batches).values(created_at=NOW - span, claimed_until=None))
        connection.execute(sa.update(judging_items).values(held_until=NOW - span + timedelta(days=1)))


def test_when_mistral_is_switched_off_the_mails_are_let_go(scene: Scene, server: FakeBatch, tmp_path: Path) -> None:
    server.polls = 99
    bring_old(tmp_path)
    judge()
    MistralApi().save(DESK, overwrite=True)
    assert f"{MANY} not answered" in str(judge().message)
    scene.work()
    assert list_sources(scene) == ["local"] * MANY


def test_answers_to_another_policy_are_not_used(
    scene: Scene, server: FakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_old(tmp_path)
    judge()
    monkeypatch.setenv("BYRETURN_POLICY", str(change_policy(tmp_path, ("batch_over: 500", "batch_over: 4"))))
    asked = len(server.chat.requests)
    scene.work()
    assert len(server.chat.requests) == asked + MANY


# --- killed on the way ---------------------------------------------------------------------------------------

# Runs the flow, and dies by its own hand `before` or `after` one of its steps.
DYING = """
import sys
from tests.acceptance.dying import Point, die, lay_mine
from flows.judge_backfill import judge_backfill

lay_mine(Point(sys.argv[1], sys.argv[2]), die)
judge_backfill(minutes=0)
"""
STEPS = (
    ("tasks.batching.claim_batches", "before"),
    ("tasks.batching.prepare_batch", "after"),
    ("tasks.batching.create_job", "after"),
    ("tasks.batching.name_job", "after"),
    ("tasks.batching.read_results", "after"),
    ("tasks.batching.keep_answers", "after"),
    ("tasks.batching.drop_job", "after"),
)


@pytest.mark.parametrize(("step", "when"), STEPS)
def test_a_run_that_was_killed_is_run_again_and_nothing_is_asked_twice_or_lost(
    scene: Scene, server: FakeBatch, house: House, tmp_path: Path, step: str, when: str
) -> None:
    bring_old(tmp_path)
    die_at(house, step, when)
    assert get_states("judging_batch", scene) <= {"open", "asked"}
    age(scene, timedelta(0))  # the dead run's claim is over
    judge()
    assert get_states("judging_batch", scene) == {"done"}
    assert sorted(server.batched) == sorted(map(str, look_up(scene.store, "message", "id")))
    assert count_rows(scene.store, "judgement", role="ahead") == MANY
    (spent,) = list_spending(scene.store.engine, NOW.date() - timedelta(days=1))
    assert spent.calls == MANY
    scene.work()
    assert list_sources(scene) == ["mistral"] * MANY
    assert len(server.jobs) == 1


def die_at(house: House, step: str, when: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DYING, step, when],
        env={**os.environ, "PREFECT_API_URL": house.url},
        capture_output=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]


# --- what Prefect sees ---------------------------------------------------------------------------------------


def test_no_word_of_a_mail_is_in_the_log(
    scene: Scene, server: FakeBatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.spoil = spoil
    bring_old(tmp_path)
    judge()
    assert "judge-backfill" in caplog.text or caplog.text
    assert [word for word in ("camille", "ecole-", "e-carnet", "Bonjour") if word in caplog.text] == []
