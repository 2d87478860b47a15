"""No personal data in Prefect: after the samples, and after planted failures that carry people in their texts.

Everything Prefect holds is searched: every row of its database, the server's log, and what the flows logged.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

import tasks.reading
from blocks import MistralApi
from demo.house import flush_prefect
from demo.once import AFTERNOON, MORNING, NEXT_DAY
from demo.samples import list_samples
from desk.mail import Mail, Unreadable, read_mail
from store.engine import writing
from tasks.opening import DESK
from tests.acceptance.scene import Scene
from tests.fake_mistral import FakeMistral, Mode

SAMPLES = list_samples()


def spell(text: str) -> set[str]:
    """A text as it may stand in a log, in JSON, or in a repr."""
    return {text, json.dumps(text)[1:-1], repr(text)[1:-1]}


NEEDLES = {
    spelling
    for sample in SAMPLES
    for text in (*sample.people, *sample.phrases)
    if "@atelier.example" not in text  # our own addresses are configuration
    for spelling in spell(text)
}


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything that any logger says during the test."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    listener = Listener()
    loggers = [logging.getLogger(name) for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs")]
    for logger in loggers:
        logger.addHandler(listener)
    yield said
    for logger in loggers:
        logger.removeHandler(listener)


def dump_prefect(home: Path) -> str:
    """Every row of Prefect's database as text, and the server's log."""
    with sqlite3.connect(f"file:{home / 'prefect' / 'prefect.db'}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [str(row) for table in tables for row in database.execute(f'SELECT * FROM "{table}"')]  # noqa: S608
    return "\n".join(rows) + (home / "server.log").read_text(errors="replace")


def find_people(scene: Scene, logged: list[str]) -> list[str]:
    flush_prefect()
    held = dump_prefect(scene.house.home) + "\n".join(logged)
    assert "classify-and-reply" in held  # what is searched is the right place
    return sorted(needle for needle in NEEDLES if needle in held)


def deliver_samples(scene: Scene) -> None:
    for name in ("support", "contact"):
        scene.deliver((one.raw for one in SAMPLES if name in one.mailboxes), name)


def run_all(scene: Scene) -> None:
    from flows.daily_digest import daily_digest
    from flows.escalation_sweep import escalation_sweep
    from flows.retention_cleanup import retention_cleanup

    scene.sync()
    scene.work(at=MORNING)
    escalation_sweep(at=AFTERNOON, return_state=True)
    daily_digest(at=NEXT_DAY, return_state=True)
    retention_cleanup(dry_run=True, return_state=True)


def test_there_is_enough_to_look_for() -> None:
    assert len(NEEDLES) > 2 * len(SAMPLES)


def test_prefect_knows_nobody_after_the_samples(scene: Scene, logged: list[str]) -> None:
    deliver_samples(scene)
    run_all(scene)
    assert scene.letters
    assert find_people(scene, logged) == []


def test_prefect_knows_nobody_after_refused_recipients_and_lost_connections(scene: Scene, logged: list[str]) -> None:
    deliver_samples(scene)
    scene.sink.manners.refusals = {"camille": "550 5.1.1 camille.roussel unknown", "fabienne": "451 4.2.0 later"}
    scene.sink.manners.drops = 2
    run_all(scene)
    states = {one.state for one in scene.letters}
    assert {"refused", "unknown", "deferred"} <= states
    assert find_people(scene, logged) == []


def test_prefect_knows_nobody_after_an_sql_integrity_error(scene: Scene, logged: list[str]) -> None:
    deliver_samples(scene)
    with writing(scene.store.engine) as connection:
        for table in ("ticket", "contact"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER planted_{table} BEFORE INSERT ON {table} "
                f"WHEN NEW.{'subject' if table == 'ticket' else 'address'} LIKE '%a%' "
                "BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: Camille Roussel'); END"
            )
    run_all(scene)
    assert any(one.state in ("quarantined", "kept") or not one.verdict for one in scene.mails)
    assert find_people(scene, logged) == []


def test_prefect_knows_nobody_after_a_parse_crash(
    scene: Scene, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(raw: bytes) -> Mail | Unreadable:
        mail = read_mail(raw)
        if isinstance(mail, Mail) and "lakeside" in mail.sender.address:
            raise ValueError(f"can't read {mail.sender} {mail.subject} {mail.text}")
        return mail

    deliver_samples(scene)
    monkeypatch.setattr(tasks.reading, "read_mail", crash)
    run_all(scene)
    assert [one for one in scene.mails if one.state == "quarantined"]
    assert find_people(scene, logged) == []


def test_prefect_knows_nobody_after_a_model_answer_that_breaks_the_schema(scene: Scene, logged: list[str]) -> None:
    deliver_samples(scene)
    broken = {"category": "Camille Roussel", "reason": "camille.roussel@ecole-les-tilleuls.example"}
    with FakeMistral(Mode.BREAKING, content=json.dumps(broken)) as fake:
        MistralApi(api_key=SecretStr("key"), server_url=fake.url).save(DESK, overwrite=True)
        run_all(scene)
        assert fake.requests
    assert {one.source for one in scene.mails if one.source} == {"local"}
    assert find_people(scene, logged) == []


def test_prefect_knows_nobody_after_a_whole_task_breaks(
    scene: Scene, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("Camille Roussel <camille.roussel@ecole-les-tilleuls.example> broke the desk")

    deliver_samples(scene)
    scene.sync()
    monkeypatch.setattr("tasks.deciding.claim_conversations", break_down)
    state = scene.work(at=MORNING)
    assert state.is_failed()
    assert "in decide mails (RuntimeError)" in str(state.message)
    assert find_people(scene, logged) == []
