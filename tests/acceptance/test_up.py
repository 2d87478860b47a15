"""`python -m demo up` in a folder of its own: what a person finds there, and that nothing is left when it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.house import find_port
from tests.acceptance.workers import ASK_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "blocks", "byreturn", "classifiers", "demo", "deployments", "desk", "flows", "letters", "reports", "store", "tasks",
)  # fmt: skip
FILES = ("policy.yaml", "prefect.yaml")
BY_HAND = {
    "backfill", "check-mailboxes", "classify-again", "compare-classifiers", "evaluate-classifier",
}  # no schedule  # fmt: skip
OPTIONAL = {"watch-inbox"}  # a schedule that is off
SCHEDULED = {
    "sync-inbox", "mailbox-watchdog", "classify-and-reply", "reconcile", "escalation-sweep", "daily-digest",
    "retention-cleanup", "learn-from-people", "propose-articles", "train-classifier", "judge-backfill",
    "follow-letters",
}  # fmt: skip
UNASKED = {"mailbox-watchdog", "propose-articles"}  # no parameters
ALL = SCHEDULED | OPTIONAL | BY_HAND
STARTING, STOPPING, WORKING = 200, 200, 120  # seconds on a busy machine
EVERY = {"limit": 200}

pytestmark = pytest.mark.timeout(2400)


@dataclass(frozen=True, slots=True)
class Up:
    """The command while it runs: its process, its folder and what it has printed so far."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    printed: Path = field(repr=False)

    @property
    def said(self) -> str:
        return self.printed.read_text(encoding="utf-8", errors="replace")

    @property
    def auth(self) -> tuple[str, str]:
        found = re.search(r"^PREFECT_API_AUTH_STRING=(.*):(.*)$", (self.folder / ".env").read_text(), re.MULTILINE)
        assert found
        return found[1], found[2]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The API's answer to a POST, signed in."""
        url = f"http://127.0.0.1:{self.port}/api/{path}"
        return insist(lambda: httpx.post(url, json=EVERY if body is None else body, auth=self.auth)).json()

    def family(self) -> set[int]:
        """Ids of every process that it started, and of those that they started."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        parents = {int(pid): int(parent) for pid, parent in map(str.split, listed.stdout.splitlines())}
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOPPING)


@dataclass(slots=True)
class Place:
    """A copy of the house, where the command is started when it does not run."""

    folder: Path
    stack: ExitStack
    running: Up | None = None

    def open(self) -> Up:
        if self.running is None or self.running.process.poll() is not None:
            self.running = self.stack.enter_context(start_up(self.folder))
        return self.running


@contextmanager
def start_up(folder: Path) -> Iterator[Up]:
    """The command, ready; killed with its whole family if a test leaves it running."""
    port, printed = find_port(), folder / "printed.txt"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", "up"], cwd=folder, env=clean_environment(port), stdout=out, stderr=out
        )
    up = Up(process, folder, port, printed)
    try:
        wait_until(lambda: "Ctrl-C ends it all." in up.said or process.poll() is not None, STARTING, "its address")
        assert process.poll() is None, up.said
        yield up
    finally:
        for pid in up.family() if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
        process.wait()


def clean_environment(port: int) -> dict[str, str]:
    """As in a fresh terminal: nothing of the Prefect of these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "BYRETURN_"))}
    return kept | {"BYRETURN_PORT": str(port), "PYTHONUNBUFFERED": "1"}


def copy_house(folder: Path) -> Path:
    """What is needed of the repository, so that `.env` and `.byreturn` are made apart from ours."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(copy_house(tmp_path_factory.mktemp("up")), stack)


@pytest.fixture
def up(place: Place) -> Up:
    return place.open()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def find_deployments(up: Up) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in up.ask("deployments/filter")}


def test_it_says_where_it_is_and_how_to_sign_in(up: Up) -> None:
    assert f"http://127.0.0.1:{up.port}" in up.said
    assert ":".join(up.auth) in up.said
    page = httpx.get(f"http://127.0.0.1:{up.port}", follow_redirects=True)
    assert page.headers["Content-Type"].startswith("text/html")


def test_nobody_gets_in_without_signing_in(up: Up) -> None:
    url = f"http://127.0.0.1:{up.port}/api/block_documents/filter"
    body = {"include_secrets": True}
    assert httpx.post(url, json=body).status_code == 401
    assert httpx.post(url, json=body, auth=("admin", "wrong")).status_code == 401
    assert httpx.post(url, json=body, auth=up.auth).status_code == 200


def test_the_command_without_the_password_is_told_so_in_one_line(up: Up) -> None:
    env = clean_environment(up.port) | {"PREFECT_API_URL": f"http://127.0.0.1:{up.port}/api"}
    env |= {"PREFECT_HOME": str(up.folder / "stranger"), "PREFECT_API_AUTH_STRING": "admin:wrong"}
    done = subprocess.run(
        [sys.executable, "-m", "byreturn.main", "doctor"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "byreturn: the Prefect server refuses us. Check PREFECT_API_AUTH_STRING.\n"


def test_its_secrets_are_for_nobody_else(up: Up) -> None:
    assert (up.folder / ".env").stat().st_mode & 0o777 == 0o600


def test_every_flow_is_deployed_with_schedule_tags_and_described_parameters(up: Up) -> None:
    found = find_deployments(up)
    assert set(found) == ALL
    for name, one in found.items():
        assert "byreturn" in one["tags"]
        assert one["description"]
        planned = [(each["active"], each["schedule"]["timezone"]) for each in one["schedules"]]
        assert planned == ([] if name in BY_HAND else [(name in SCHEDULED, "Europe/Paris")])
        fields = one["parameter_openapi_schema"]["properties"]
        assert bool(fields) is (name not in UNASKED)
        assert all(about.get("description") for about in fields.values()), name


def test_the_alarms_are_there(up: Up) -> None:
    names = {one["name"] for one in up.ask("automations/filter")}
    assert {f"Byreturn: {ending}" for ending in ("failed", "crashed", "cancelled", "zombie")} <= names


def test_after_run_on_sync_inbox_the_mails_come_in_and_letters_go_out_by_themselves(up: Up) -> None:
    run = order_sync(up)
    wait_until(lambda: read_state(up, run) == "COMPLETED", WORKING, "the end of the run", ASK_SECONDS)
    wait_until(
        lambda: "COMPLETED" in list_triggered(up), WORKING, "the end of the run that new mail set off", ASK_SECONDS
    )
    assert list((up.folder / ".byreturn/up/letters").iterdir())


def order_sync(up: Up) -> str:
    """The Run button of sync-inbox."""
    return str(up.ask(f"deployments/{find_deployments(up)['sync-inbox']['id']}/create_flow_run", {})["id"])


def read_state(up: Up, run: str) -> str:
    url = f"http://127.0.0.1:{up.port}/api/flow_runs/{run}"
    return str(insist(lambda: httpx.get(url, auth=up.auth)).json()["state_type"])


def list_triggered(up: Up) -> list[str]:
    """States of the runs of classify-and-reply that an event started, neither the schedule nor a person."""
    deployment = find_deployments(up)["classify-and-reply"]["id"]
    runs = up.ask("flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}, **EVERY})
    return [run["state_type"] for run in runs if (run["created_by"] or {}).get("type") == "AUTOMATION"]


def test_ctrl_c_leaves_nothing_running_and_the_next_start_finds_its_home(place: Place) -> None:
    first = place.open()
    run = order_sync(first)
    wait_until(lambda: read_state(first, run) == "RUNNING", WORKING, "a run in the middle")
    secrets, family = (place.folder / ".env").read_bytes(), first.family()
    assert first.stop(signal.SIGINT) == 0
    assert [pid for pid in family if is_alive(pid)] == []

    second = place.open()
    assert second is not first
    assert (place.folder / ".env").read_bytes() == secrets
    assert set(find_deployments(second)) == ALL
    assert second.stop(signal.SIGTERM) == 0


def insist(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Prefect's server says 503 while its SQLite is busy; its own client asks again, too."""
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        answers.append(ask())
        return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

    wait_until(is_answered, 15, "an answer", ASK_SECONDS)
    return answers[-1].raise_for_status()
