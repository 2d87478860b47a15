"""SIGKILL in the middle of the work: nothing lost, nothing twice, and the desk goes on within two minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from demo.stay import POOL, call_prefect
from store.memory import Store
from tests.acceptance.books import find_flaws
from tests.acceptance.scene import House, Scene, open_house
from tests.acceptance.workers import (
    Crew,
    Written,
    has_ended,
    hire_crew,
    is_settled,
    kill_run,
    order_run,
    wait_until,
    write_mails,
)
from tests.stores import count_rows

# No run but those that a test orders: neither the schedules' nor the one that new mail sets off.
ON_ORDER = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}
THREADS = 150
TWO_MINUTES = 120


@dataclass(frozen=True, slots=True)
class Shift:
    """A crew at a desk that has mail to do."""

    scene: Scene
    crew: Crew
    store: Store
    mails: Sequence[Written]

    def decided(self) -> int:
        return count_rows(self.store, "message", state="decided")

    def sent(self) -> int:
        return len(self.scene.sink.accepted)

    def unknown(self) -> int:
        return count_rows(self.store, "letter", state="unknown")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house of this file alone, with all flows deployed."""
    with open_house(**ON_ORDER) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", opened.url)
        call_prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
        call_prefect("--no-prompt", "deploy", "--all")
        yield opened


@pytest.fixture
def shift(request: pytest.FixtureRequest, scene: Scene, tmp_path: Path) -> Iterator[Shift]:
    """A policy's claim (seconds, as the parameter says), mails brought in, a worker at work."""
    mails = write_mails(THREADS, datetime.now(UTC))
    scene.deliver(one.raw for one in mails)
    scene.sync()
    with hire_crew(tmp_path, {"BYRETURN_POLICY": str(shorten_claim(tmp_path, request.param))}) as crew:
        yield Shift(scene, crew, scene.store, mails)


def shorten_claim(folder: Path, claim: str) -> Path:
    """The organisation's policy with another claim."""
    text = Path("policy.yaml").read_text(encoding="utf-8")
    assert text.count("claim: 60s") == 1
    file = folder / "policy.yaml"
    file.write_text(text.replace("claim: 60s", f"claim: {claim}"), encoding="utf-8")
    return file


def start_again(shift: Shift, seconds: float) -> list[UUID]:
    """One run after another, as the schedule orders them, until nothing waits."""
    runs = [order_run()]

    def is_done() -> bool:
        if has_ended(runs[-1]) and not is_settled(shift.store):
            runs.append(order_run())
        return has_ended(runs[-1]) and is_settled(shift.store)

    wait_until(is_done, seconds, "an empty desk")
    return runs


@pytest.mark.parametrize("shift", ["60s"], indirect=True)
def test_run_and_worker_killed_while_deciding(shift: Shift) -> None:
    first = order_run()
    wait_until(lambda: shift.decided() > 20, 60, "the first decisions")
    kill_run(first)
    shift.crew.kill()
    assert 20 < shift.decided() < len(shift.mails)

    shift.crew.start()
    start_again(shift, TWO_MINUTES)
    assert find_flaws(shift.scene, shift.mails) == {}
    assert shift.unknown() == 0
