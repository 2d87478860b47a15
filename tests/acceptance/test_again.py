"""Decided mails judged once more: rehearsed first, carried out once, and nobody is written to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prefect.client.schemas.objects import State

from desk.facts import Status
from flows.classify_again import classify_again
from store.cases import change_status
from store.retention import forget_mails, hold_ticket
from tests.acceptance.again import empty_desk
from tests.acceptance.artifacts import read_latest, read_table
from tests.acceptance.command import Command, make_command
from tests.acceptance.mistral import ask_there
from tests.acceptance.scene import Scene
from tests.acceptance.workers import write_mail
from tests.fake_mistral import FakeMistral
from tests.stores import count_rows, look_up

MANY = 3
BEFORE = {"category": "account", "confidence": 0.9}
AFTER = {"category": "billing", "priority": "important", "confidence": 0.8}
TODAY = datetime.now(ZoneInfo("Europe/Paris")).date()


@pytest.fixture
def scene(standing: Scene) -> Scene:
    return empty_desk(standing)


@pytest.fixture
def server(scene: Scene) -> Iterator[FakeMistral]:
    """Mails were decided; by now the model thinks otherwise of them."""
    with FakeMistral(answer=BEFORE) as opened, ask_there(opened.url):
        scene.deliver(write_mail(one, 0, datetime.now(UTC)).raw for one in range(MANY))
        scene.sync()
        scene.work()
        opened.answer = AFTER
        opened.requests.clear()
        yield opened


def again(**more: Any) -> State[Any]:
    return classify_again(start=TODAY, end=TODAY, return_state=True, **more)


def get_tickets(scene: Scene) -> list[tuple[str, str]]:
    categories, priorities = (look_up(scene.store, "ticket", name) for name in ("category", "priority"))
    return list(zip(categories, priorities, strict=True))


def test_a_rehearsal_shows_what_would_change_and_changes_nothing(scene: Scene, server: FakeMistral) -> None:
    before, letters = get_tickets(scene), len(scene.letters)
    state = again()
    assert state.is_completed()
    assert f"{MANY} mails judged again, 0 answers used again, 0 as before; {MANY} would change" in str(state.message)
    rows = read_table("again-changes")
    assert sorted(one["message"] for one in rows) == look_up(scene.store, "message", "id")
    assert sorted(one["ticket"] for one in rows) == sorted(look_up(scene.store, "ticket", "number"))
    first = rows[0]
    assert (first["category_was"], first["category"], first["result"]) == ("account", "billing", "would change")
    assert (first["priority_was"], first["priority"], first["source"]) == ("normal", "important", "mistral")
    assert read_table("again-pairs") == [{"was": "account", "would be": "billing", "mails": MANY}]
    (estimate,) = read_table("again-estimate")
    assert (estimate["mails"], estimate["known"], estimate["model"]) == (MANY, MANY, "mistral-small-2603")
    assert estimate["euros"] > 0
    assert read_latest("again") == 100.0
    assert (get_tickets(scene), len(scene.letters)) == (before, letters)
    assert count_rows(scene.store, "judgement", role="again") == MANY


def test_what_was_rehearsed_is_carried_out_once_and_nobody_is_asked_again(scene: Scene, server: FakeMistral) -> None:
    again()
    letters, sent = len(scene.letters), len(scene.sink.accepted)
    assert f"{MANY} changed" in str(again(apply=True).message)
    assert get_tickets(scene) == [("billing", "important")] * MANY
    assert look_up(scene.store, "message", "category") == ["billing"] * MANY
    assert look_up(scene.store, "event", "word").count("reclassified") == MANY
    assert len(server.requests) == MANY
    versions = look_up(scene.store, "ticket", "version")
    assert f"{MANY} answers used again, {MANY} as before" in str(again(apply=True).message)
    assert look_up(scene.store, "ticket", "version") == versions
    assert read_table("again-changes") == []
    scene.work()
    assert (len(scene.letters), len(scene.sink.accepted)) == (letters, sent)


def test_without_mistral_the_local_model_alone_is_asked(scene: Scene, server: FakeMistral) -> None:
    assert again(classifier="local").is_completed()
    assert server.requests == []
    assert set(look_up(scene.store, "judgement", "source", role="again")) == {"local"}
    assert again().is_completed()  # its answers are not those of Mistral
    assert len(server.requests) == MANY


def test_a_judge_that_nobody_knows_is_refused(scene: Scene, server: FakeMistral) -> None:
    assert again(classifier="oracle").is_failed()
    assert server.requests == []


def test_another_mailbox_is_left_out(scene: Scene, server: FakeMistral) -> None:
    assert "0 mails judged again" in str(again(mailbox="contact").message)
    assert f"{MANY} mails judged again" in str(again(mailbox="support").message)


def close(scene: Scene, number: str) -> None:
    change_status(scene.store, number, Status.CLOSED, "closed", datetime.now(UTC))


def take(scene: Scene, number: str) -> None:
    change_status(scene.store, number, Status.IN_ANALYSIS, "by-hand", datetime.now(UTC))


def freeze(scene: Scene, number: str) -> None:
    hold_ticket(scene.store, number, "a lawsuit", datetime.now(UTC))


@pytest.mark.parametrize(("happen", "why"), [(close, "closed"), (take, "answered"), (freeze, "held")])
def test_what_a_person_has_in_hands_is_left_alone_and_told(
    scene: Scene, server: FakeMistral, happen: Callable[[Scene, str], None], why: str
) -> None:
    first = look_up(scene.store, "ticket", "number")[0]
    happen(scene, first)
    for apply, others in ((False, "would change"), (True, "changed")):
        again(apply=apply)
        rows = {one["ticket"]: (one["result"], one["why"]) for one in read_table("again-changes")}
        assert rows.pop(first) == ("left alone", why)
        assert set(rows.values()) == {(others, "")}
    assert look_up(scene.store, "ticket", "category", number=first) == ["account"]
    assert sorted(category for category, _ in get_tickets(scene)) == ["account", "billing", "billing"]


def test_erased_mails_are_passed_over_and_counted(scene: Scene, server: FakeMistral) -> None:
    forget_mails(scene.store, look_up(scene.store, "message", "id")[:1], datetime.now(UTC))
    state = again(apply=True)
    assert f"{MANY - 1} mails judged again" in str(state.message)
    assert "1 erased" in str(state.message)
    assert len(server.requests) == MANY - 1


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


def test_the_command_rehearses_unless_it_is_told_to_apply(scene: Scene, server: FakeMistral, byreturn: Command) -> None:
    told = byreturn("again", "--from", TODAY.isoformat(), "--json")
    rows = json.loads(told.out)
    assert (told.status, [one["result"] for one in rows]) == (0, ["would change"] * MANY)
    assert "changed" in byreturn("again", "--from", TODAY.isoformat(), "--apply").out
    assert [category for category, _ in get_tickets(scene)] == ["billing"] * MANY
    assert byreturn("again", "--from", "2026-02-30").status == 2
