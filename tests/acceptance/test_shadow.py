"""A second judge in the shadow of the first: without effect whatever it does, and compared with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from flows.compare_classifiers import compare_classifiers
from store.corrections import corrections
from store.engine import writing
from store.engines import spending
from tests.acceptance.again import empty_desk
from tests.acceptance.artifacts import read_table
from tests.acceptance.command import Command, make_command
from tests.acceptance.mistral import ask_there
from tests.acceptance.scene import Scene
from tests.acceptance.test_degrade import hear, is_partial
from tests.acceptance.workers import write_mail
from tests.fake_mistral import REPLIES, FakeMistral, Mode, Reply, Request
from tests.stores import count_rows, look_up

SHADOW = "mistral-shadow-2601"
LINE = "shadow: {classifier: mistral, share: 0.0}"
MANY = 4
ANSWERS = {SHADOW: {"category": "billing", "confidence": 0.7}}
VERDICT = {"category": "account", "confidence": 0.9}


def answer(request: Request) -> dict[str, object]:
    return ANSWERS.get(request["model"], VERDICT)


@dataclass
class TwoFaced(FakeMistral):
    """Good to everybody; to the shadow's model as `face` says."""

    face: Mode = Mode.GOOD

    def reply_to(self, request: Request, headers: Mapping[str, str]) -> Reply:
        if request["model"] != SHADOW or self.face is Mode.GOOD:
            return super().reply_to(request, headers)
        self.requests.append(request)
        return REPLIES[self.face](self, request)

    def list_asked(self, model: str) -> list[Request]:
        return [one for one in self.requests if one["model"] == model]


@pytest.fixture
def scene(standing: Scene) -> Scene:
    return empty_desk(standing)


@pytest.fixture
def server(scene: Scene) -> Iterator[TwoFaced]:
    with TwoFaced(answer=answer) as opened, ask_there(opened.url):
        yield opened


Choose = Callable[..., None]


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """The shadow of the policy."""

    def write(**more: object) -> None:
        text = Path("policy.yaml").read_text(encoding="utf-8")
        assert text.count(LINE) == 1
        told = {"classifier": "mistral", "share": 1.0, "model": SHADOW, **more}
        file = tmp_path / "with-shadow.yaml"
        file.write_text(text.replace(LINE, f"shadow: {json.dumps(told)}"), encoding="utf-8")
        monkeypatch.setenv("BYRETURN_POLICY", str(file))

    return write


def handle(scene: Scene, count: int = MANY) -> bool:
    """Mails of today, worked on; whether all went well."""
    scene.deliver(write_mail(one, 0, datetime.now(UTC)).raw for one in range(count))
    scene.sync()
    return scene.work().is_completed()


def list_verdicts(scene: Scene) -> list[tuple[str, str]]:
    return [(one.source, one.category) for one in scene.mails]


def today() -> str:
    return datetime.now(ZoneInfo("Europe/Paris")).date().isoformat()


# --- without effect ------------------------------------------------------------------------------------------


def sort_questions(requests: Sequence[Request]) -> list[str]:
    """All but the model's name; mails are judged side by side, in no order."""
    return sorted(json.dumps({**one, "model": ""}, sort_keys=True) for one in requests)


def test_a_shadow_judges_the_same_mails_and_changes_nothing(scene: Scene, server: TwoFaced, choose: Choose) -> None:
    choose()
    assert handle(scene)
    assert list_verdicts(scene) == [("mistral", "account")] * MANY
    assert set(look_up(scene.store, "ticket", "category")) == {"account"}
    assert sorted(look_up(scene.store, "judgement", "role")) == ["shadow"] * MANY + ["verdict"] * MANY
    assert look_up(scene.store, "judgement", "category", role="shadow") == ["billing"] * MANY
    live = [one for one in server.requests if one["model"] != SHADOW]
    assert sort_questions(live) == sort_questions(server.list_asked(SHADOW))
    (calls,) = look_up(scene.store, "spending", "calls")
    assert calls == 2 * MANY


@pytest.mark.parametrize(
    ("face", "troubles"),
    [(Mode.DOWN, {"model-unavailable"}), (Mode.BREAKING, {"model-answer"}), (Mode.REFUSED, {"model-refused"})],
)
def test_a_shadow_that_fails_is_no_trouble_of_the_desk(
    scene: Scene, server: TwoFaced, choose: Choose, face: Mode, troubles: set[str]
) -> None:
    choose()
    server.face = face
    assert handle(scene)
    assert list_verdicts(scene) == [("mistral", "account")] * MANY
    assert set(look_up(scene.store, "judgement", "trouble", role="shadow")) == troubles
    assert scene.hook.posts == []


def test_a_shadow_that_is_down_is_left_alone_after_a_while(scene: Scene, server: TwoFaced, choose: Choose) -> None:
    choose()
    server.face = Mode.DOWN
    handle(scene, 12)
    assert len(server.list_asked(SHADOW)) < 12
    assert len(scene.mails) == 12
    assert list_verdicts(scene) == [("mistral", "account")] * 12


def test_a_slow_shadow_holds_no_verdict_up_for_longer_than_its_time(
    scene: Scene, server: TwoFaced, choose: Choose
) -> None:
    choose()
    server.face, server.delay_s = Mode.SLOW, 60.0
    with ask_there(server.url, seconds=3):
        begun = datetime.now(UTC)
        assert handle(scene, 1)
    assert datetime.now(UTC) - begun < timedelta(seconds=50)
    assert list_verdicts(scene) == [("mistral", "account")]
    assert set(look_up(scene.store, "judgement", "trouble", role="shadow")) <= {"model-unavailable", "shadow-late"}


def test_a_share_is_drawn_by_the_mail_and_not_by_chance(scene: Scene, server: TwoFaced, choose: Choose) -> None:
    choose(share=0.5)
    drawn = []
    for _ in range(2):
        empty_desk(scene)
        server.requests.clear()
        handle(scene, 12)
        drawn.append({one["messages"][-1]["content"] for one in server.list_asked(SHADOW)})
    assert drawn[0] == drawn[1]
    assert 0 < len(drawn[0]) < 12


def test_before_the_budget_is_spent_the_shadow_falls_silent(scene: Scene, server: TwoFaced, choose: Choose) -> None:
    choose()
    with writing(scene.store.engine) as connection:
        spent = {"calls": 1, "input_tokens": 0, "output_tokens": 0, "micro_eur": 4_200_000}  # of five euros
        connection.execute(sa.insert(spending).values(day=today(), engine="mistral", **spent))
    assert handle(scene)
    assert server.list_asked(SHADOW) == []
    assert list_verdicts(scene) == [("mistral", "account")] * MANY
    assert count_rows(scene.store, "judgement", role="shadow") == 0


# --- what it may differ in -----------------------------------------------------------------------------------


def test_a_shadow_has_instructions_of_its_own(scene: Scene, server: TwoFaced, choose: Choose, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Sort like a librarian.", encoding="utf-8")
    choose(instructions=str(tmp_path / "prompt.txt"))
    handle(scene, 1)
    (asked,) = server.list_asked(SHADOW)
    assert asked["messages"][0]["content"].startswith("Sort like a librarian.")
    verdict, shadow = (look_up(scene.store, "judgement", "prompt", role=one)[0] for one in ("verdict", "shadow"))
    assert verdict != shadow


def test_a_shadow_sorts_by_the_categories_of_another_policy(
    scene: Scene, server: TwoFaced, choose: Choose, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    text = Path("policy.yaml").read_text(encoding="utf-8")
    other.write_text(text.replace("billing", "money"), encoding="utf-8")
    ANSWERS[SHADOW] = {"category": "money", "confidence": 0.8}
    choose(policy=str(other))
    try:
        handle(scene, 1)
    finally:
        ANSWERS[SHADOW] = {"category": "billing", "confidence": 0.7}
    assert look_up(scene.store, "judgement", "category", role="shadow") == ["money"]
    assert list_verdicts(scene) == [("mistral", "account")]


def test_the_local_model_may_be_the_shadow(scene: Scene, server: TwoFaced, choose: Choose) -> None:
    choose(classifier="local")
    handle(scene, 1)
    assert look_up(scene.store, "judgement", "source", role="shadow") == ["local"]
    assert list_verdicts(scene) == [("mistral", "account")]


def test_a_shadow_that_cannot_be_had_is_told_once_and_the_desk_goes_on(
    scene: Scene, server: TwoFaced, choose: Choose
) -> None:
    choose(instructions="nowhere.txt")
    assert handle(scene, 1)
    scene.work()
    assert hear(scene, "shadow") == ["configuration"]
    assert list_verdicts(scene) == [("mistral", "account")]
    choose()
    assert not is_partial(scene.work())
    assert hear(scene, "shadow") == ["configuration", "well again"]


# --- the report ----------------------------------------------------------------------------------------------


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


def correct(scene: Scene, message: int, became: str) -> None:
    row = {"message_id": message, "at": datetime.now(UTC), "kind": "moved", "was": "account", "became": became}
    with writing(scene.store.engine) as connection:
        connection.execute(sa.insert(corrections).values(**row, source="mistral", text=""))


def test_the_two_are_compared_in_prefect_and_by_command(
    scene: Scene, server: TwoFaced, choose: Choose, byreturn: Command, tmp_path: Path
) -> None:
    choose()
    handle(scene)
    first, *_, last = look_up(scene.store, "message", "id")
    correct(scene, first, "billing")
    day = datetime.now(ZoneInfo("Europe/Paris")).date()
    state = compare_classifiers(start=day, end=day, return_state=True)
    assert str(state.message).startswith(f"{MANY} mails compared with 1 shadows, 0% agree")
    (row,) = read_table("comparison")
    assert (row["mails"], row["agreed"], row["kappa"], row["95 % from"]) == (MANY, 0, 0.0, 0.0)
    assert read_table("comparison-confusion")[0] == {"verdict": "account", "account": 0, "billing": MANY}
    assert read_table("comparison-corrected") == [
        {"category": "billing", "corrected": 1, "verdict right": 0, "shadow right": 1}
    ]
    assert [one["message"] for one in read_table("comparison-apart")][-1] == last

    told = json.loads(byreturn("compare", "--json", "--out", str(tmp_path / "report")).out)
    (one,) = told["comparisons"]
    assert one["judge"][1] == SHADOW
    assert one["disagreeing"] == look_up(scene.store, "message", "id")
    assert (tmp_path / "report" / "comparison-1.png").read_bytes().startswith(b"\x89PNG")
    assert f"{MANY} mails, 0 agree" in byreturn("compare").out
    assert "No shadow" in byreturn("compare", "--from", "2020-01-01", "--to", "2020-01-02").out


def test_everything_said_of_a_mail_and_what_it_cost_is_shown(
    scene: Scene, server: TwoFaced, choose: Choose, byreturn: Command
) -> None:
    choose()
    handle(scene, 1)
    (message,) = look_up(scene.store, "message", "id")
    said = json.loads(byreturn("judgements", str(message), "--json").out)
    assert [(one["role"], one["model"], one["category"]) for one in said] == [
        ("shadow", SHADOW, "billing"),
        ("verdict", "mistral-small-2603", "account"),
    ]
    assert all(one["input_tokens"] == 321 and one["prompt"] and one["reason"] for one in said)
    assert "verdict" in byreturn("judgements", str(message)).out
    assert byreturn("judgements", "999").status == 2
    (spent,) = json.loads(byreturn("spending", "--json").out)
    assert (spent["day"], spent["calls"], spent["input_tokens"]) == (today(), 2, 642)
    assert spent["euros"] > 0
