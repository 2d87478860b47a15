"""Automations on a real Prefect server, which sends their alarms by its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.events import Event
from prefect.events.clients import get_events_client
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.utilities.asyncutils import run_coro_as_sync

from blocks import AlertChannel, SmtpServer
from demo.house import find_port
from demo.servers import SmtpSink, WebhookSink
from deployments.automations import HEARTBEAT, allow_silence, bury_zombies, install_automations, put_automation
from desk.errors import BlockError, ConfigurationError

ROOT = Path(__file__).parents[2]
ENTRY_POINT = "[prefect.collections]\nbyreturn = blocks\n"
NAMES = ("Byreturn: failed", "Byreturn: crashed", "Byreturn: cancelled", "Byreturn: zombie")


def test_the_package_tells_prefect_of_its_blocks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["prefect.collections"] == {"byreturn": "blocks"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect server that finds our blocks by entry point, as where the package is installed."""
    home = tmp_path_factory.mktemp("server")
    port = find_port()
    url = f"http://127.0.0.1:{port}/api"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            env=os.environ | {"PREFECT_HOME": str(home), "PYTHONPATH": f"{install_entry(home)}:{ROOT}"},
            stdout=log, stderr=log, cwd=home, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: is_healthy(url), 90)
            with temporary_settings({PREFECT_API_URL: url}):
                yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def install_entry(home: Path) -> Path:
    """A folder that holds nothing but a distribution's entry point."""
    folder = home / "site" / "byreturn_entry-0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: byreturn-entry\nVersion: 0\n")
    (folder / "entry_points.txt").write_text(ENTRY_POINT)
    return folder.parent


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


def wait_for(happened: Callable[[], object], seconds: float) -> None:
    """Until it has happened; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def operator(server: None) -> Iterator[tuple[SmtpSink, WebhookSink]]:
    """The operator's mail and webhook, known to the server's automations."""
    with SmtpSink() as mail, WebhookSink() as hook:
        relay = SmtpServer(sender="desk@atelier.example", host="127.0.0.1", port=mail.port, security="none")
        channel = AlertChannel(smtp=relay, recipients=["ops@atelier.example"], webhook_url=hook.url)
        channel.save("byreturn", overwrite=True)
        install_automations()
        yield mail, hook


@pytest.mark.usefixtures("operator")
def test_installing_again_leaves_the_same_four() -> None:
    assert install_automations() == NAMES
    with get_client(sync_client=True) as client:
        assert sorted(automation.name for automation in client.read_automations()) == sorted(NAMES)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (StateType.FAILED, "Failed"), (StateType.FAILED, "TimedOut"), (StateType.CRASHED, "Crashed"),
        (StateType.CANCELLED, "Cancelled"),
    ],
)  # fmt: skip
def test_a_run_that_ends_badly_rings_by_mail_and_webhook(
    kind: StateType, name: str, operator: tuple[SmtpSink, WebhookSink]
) -> None:
    mail, hook = operator
    end_run(f"good-{name}", State(type=StateType.COMPLETED))
    end_run(f"told-{name}", State(type=StateType.FAILED, name="Partial"))
    end_run(f"bad-{name}", State(type=kind, name=name, message="a secret of somebody@school.example"))
    wait_for(lambda: mail.accepted and hook.posts, 30)
    said = json.loads(hook.posts[0].body)
    assert said["subject"] == f"Byreturn: bad-{name} is {name}"
    assert "secret" not in hook.posts[0].body.decode() + mail.accepted[0].raw.decode()
    assert (len(mail.accepted), len(hook.posts)) == (1, 1)


def test_many_runs_that_end_alike_ring_once(operator: tuple[SmtpSink, WebhookSink]) -> None:
    mail, hook = operator
    for _ in range(5):
        end_run("storm", State(type=StateType.CRASHED, name="Crashed"))
    end_run("after-the-storm", State(type=StateType.CRASHED, name="Crashed"))
    wait_for(lambda: len(hook.posts) > 1 and len(mail.accepted) > 1, 30)
    subjects = sorted(json.loads(post.body)["subject"] for post in hook.posts)
    assert subjects == ["Byreturn: after-the-storm is Crashed", "Byreturn: storm is Crashed"]


def test_a_run_whose_heart_stops_is_marked_as_crashed_and_rings(operator: tuple[SmtpSink, WebhookSink]) -> None:
    _, hook = operator
    with get_client(sync_client=True) as client:
        put_automation(client, bury_zombies(timedelta(seconds=10)))
    run = end_run("undead", State(type=StateType.RUNNING))
    run_coro_as_sync(beat_heart(run))
    wait_for(lambda: hook.posts, 60)
    assert json.loads(hook.posts[0].body)["subject"] == "Byreturn: undead is Crashed"


async def beat_heart(run: UUID) -> None:
    async with get_events_client() as events:
        await events.emit(Event(event=HEARTBEAT, resource={"prefect.resource.id": f"prefect.flow-run.{run}"}))


def end_run(flow_name: str, state: State) -> UUID:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(flow(name=flow_name)(do_nothing), state=State(type=StateType.PENDING))
        client.set_flow_run_state(run.id, state, force=True)
        return run.id


def do_nothing() -> None:
    """A flow's body; only its states matter here."""


@pytest.mark.usefixtures("server")
def test_without_an_alert_channel_nothing_is_installed() -> None:
    with pytest.raises(BlockError, match="byreturn-alert-channel/nobody does not exist"):
        install_automations("nobody")


@pytest.mark.parametrize(("frequency", "seconds"), [(30, 90), (180, 540)])
def test_silence_is_three_heartbeats_long(frequency: int, seconds: int) -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: frequency}):
        assert allow_silence() == timedelta(seconds=seconds)


def test_without_heartbeats_zombies_are_not_guessed_at() -> None:
    with (
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        pytest.raises(ConfigurationError, match="no heartbeats"),
    ):
        allow_silence()
