"""Runs that end badly ring the operator by mail and by webhook, whoever is left to say so."""

from __future__ import annotations

import email
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import State, StateType
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.states import Cancelled, Scheduled
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials, load_block
from demo.stay import POOL, call_prefect
from deployments.automations import HEARTBEAT, bury_zombies, install_automations, put_automation
from tests.acceptance.scene import House, Scene, open_house
from tests.acceptance.workers import ASK_SECONDS, Crew, hire_crew, kill_run, order_run, read_run, wait_until

ON_ORDER = {"PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false"}  # no run but those that a test orders
SOON = 60
SILENCE = timedelta(seconds=40)  # less than in the house, more than the 30 s between two heartbeats
RUN = "classify-and-reply"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house of this file alone, with all flows deployed."""
    with open_house(**ON_ORDER) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", opened.url)
        call_prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
        call_prefect("--no-prompt", "deploy", "--all")
        yield opened


@pytest.fixture
def alarmed(scene: Scene) -> Iterator[Scene]:
    """Alarms made anew, since each is quiet for a while after it rang."""
    names = install_automations()
    yield scene
    with get_client(sync_client=True) as client:
        for name in names:
            for one in client.read_automations_by_name(name):
                client.delete_automation(one.id)


@pytest.fixture
def crew(alarmed: Scene, tmp_path: Path) -> Iterator[Crew]:
    with hire_crew(tmp_path, {}) as hired:
        yield hired


def heard(scene: Scene) -> tuple[list[str], list[str]]:
    """Subjects that reached the operator: by webhook, by mail."""
    mails = [email.message_from_bytes(one.raw) for one in scene.sink.accepted]
    return [json.loads(one.body)["subject"] for one in scene.hook.posts], [str(one["Subject"]) for one in mails]


def expect_alarm(scene: Scene, ending: str, seconds: float = SOON) -> None:
    """Both ways ring, and once each."""
    subject = f"Byreturn: {ending}"
    wait_until(lambda: all(subject in way for way in heard(scene)), seconds, subject)
    assert [way.count(subject) for way in heard(scene)] == [1, 1]


@contextmanager
def hold_database(home: Path) -> Iterator[None]:
    """Nobody else may write: a run that wants to is in the middle of its work for as long as this lasts."""
    with closing(sqlite3.connect(home / "desk.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


def order_stuck() -> UUID:
    """A run that has begun."""
    run = order_run()
    wait_until(lambda: is_running(run), SOON, "a running process", ASK_SECONDS)
    return run


def is_running(run: UUID) -> bool:
    found = read_run(run)
    return found.state_type == StateType.RUNNING and found.infrastructure_pid is not None


def has_beaten(run: UUID) -> bool:
    wanted = EventFilter(
        event=EventNameFilter(name=[HEARTBEAT]), resource=EventResourceFilter(id=[f"prefect.flow-run.{run}"])
    )
    with get_client(sync_client=True) as client:
        return bool(client.read_events(wanted, limit=1).events)


def test_a_failed_run_rings_both_ways_and_a_partial_one_does_not(
    alarmed: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = load_block(ImapMailbox, "contact")
    mailbox.credentials = PasswordCredentials(user="contact", password=SecretStr("wrong"))
    mailbox.save("contact", overwrite=True)
    assert alarmed.sync().name == "Partial"
    told = heard(alarmed)
    monkeypatch.setenv("BYRETURN_POLICY", "nowhere.yaml")
    assert alarmed.work().name == "Failed"
    expect_alarm(alarmed, f"{RUN} is Failed")
    assert heard(alarmed) == tuple([*way, f"Byreturn: {RUN} is Failed"] for way in told)
    assert [len(way) for way in told] == [1, 1]  # of the mailbox the desk told itself


def test_a_cancelled_run_rings_both_ways(alarmed: Scene) -> None:
    with get_client(sync_client=True) as client:
        (found,) = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=["sync-inbox"])))
        later: State[Any] = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1))
        run = client.create_flow_run_from_deployment(found.id, state=later)
        client.set_flow_run_state(run.id, Cancelled())
    expect_alarm(alarmed, "sync-inbox is Cancelled")


def test_a_run_whose_process_is_killed_rings_both_ways(alarmed: Scene, crew: Crew) -> None:
    assert alarmed.store
    with hold_database(alarmed.home):
        run = order_stuck()
        kill_run(run)
        expect_alarm(alarmed, f"{RUN} is Crashed")
    assert read_run(run).state_type == StateType.CRASHED


def test_a_run_that_died_with_its_worker_is_found_by_its_silence(alarmed: Scene, crew: Crew) -> None:
    with get_client(sync_client=True) as client:
        put_automation(client, bury_zombies(SILENCE))
    assert alarmed.store
    with hold_database(alarmed.home):
        run = order_stuck()
        wait_until(lambda: has_beaten(run), SOON, "a sign of life", ASK_SECONDS)
        kill_run(run)
        crew.kill()
    assert read_run(run).state_type == StateType.RUNNING  # nobody is left to say otherwise
    expect_alarm(alarmed, f"{RUN} is Crashed", 2 * SILENCE.total_seconds() + SOON)
    assert read_run(run).state_type == StateType.CRASHED
