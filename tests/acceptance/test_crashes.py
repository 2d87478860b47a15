"""SIGKILL or a sick server in the middle of the work: nothing lost, nothing twice, the desk goes on in two minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from demo.stay import POOL, call_prefect
from store.engine import writing
from store.memory import Store
from tests.acceptance.books import find_flaws
from tests.acceptance.scene import House, Scene, open_house
from tests.acceptance.workers import (
    ASK_SECONDS,
    Crew,
    Written,
    change_policy,
    has_ended,
    hire_crew,
    hold_letter,
    is_claimed,
    is_settled,
    kill_run,
    order_run,
    wait_until,
    write_mail,
    write_mails,
)
from tests.stores import count_rows, tables

# No run but those that a test orders: neither the schedules' nor the one that new mail sets off.
ON_ORDER = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}
THREADS = 75
ANSWERED, DRAFTED = (0, 1, 4), (2, 3, 7)  # threads whose openings the desk answers itself, and whose it drafts to
TWO_MINUTES = 120


@dataclass(frozen=True, slots=True)
class Shift:
    """A crew at a desk that has mail to do."""

    scene: Scene
    crew: Crew
    store: Store
    mails: Sequence[Written]


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
    """Mails brought in, a worker at work; the parameter is how long the policy's claims last."""
    mails = write_mails(THREADS, datetime.now(UTC))
    scene.deliver(one.raw for one in mails)
    scene.sync()
    policy = change_policy(tmp_path, ("claim: 45s", f"claim: {request.param}"))
    with hire_crew(tmp_path, {"BYRETURN_POLICY": str(policy)}) as crew:
        yield Shift(scene, crew, scene.store, mails)


def start_again(shift: Shift, seconds: float) -> list[UUID]:
    """A run, and others whenever there is something that nobody holds, until nothing waits."""
    runs = [order_run()]

    def is_done() -> bool:
        settled = is_settled(shift.store)
        if not settled and not is_claimed(shift.store) and has_ended(runs[-1]):
            runs.append(order_run())
        return settled and has_ended(runs[-1])

    wait_until(is_done, seconds, "an empty desk", ASK_SECONDS)
    return runs


@dataclass(frozen=True, slots=True)
class Crash:
    """When to kill and whom; `held` is the letter that the SMTP server takes and never acknowledges, 0 for none."""

    has_come: Callable[[Shift], bool]
    worker_too: bool
    held: int = 0


def is_deciding(shift: Shift) -> bool:
    return count_rows(shift.store, "message", state="decided") > 10


def is_sending(shift: Shift) -> bool:
    return len(shift.scene.sink.accepted) >= 20


CRASHES = {
    "run and worker, while deciding": ("45s", Crash(is_deciding, worker_too=True)),
    "run and worker, while sending": ("10s", Crash(is_sending, worker_too=True, held=20)),
    "run alone, while deciding": ("10s", Crash(is_deciding, worker_too=False)),
}


def strike(shift: Shift, crash: Crash) -> UUID:
    """Order a run and kill it in the middle; its worker after it, if that is to die too."""
    run = order_run()
    wait_until(lambda: crash.has_come(shift), 60, "the moment to strike")
    kill_run(run)
    if crash.worker_too:
        shift.crew.kill()
    return run


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("shift", "crash"), CRASHES.values(), ids=CRASHES, indirect=["shift"])
def test_after_sigkill_nothing_is_lost_nothing_is_twice_and_the_desk_goes_on(
    shift: Shift, crash: Crash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift.scene.sink, "handle_DATA", hold_letter(shift.scene.sink, crash.held))
    killed = strike(shift, crash)
    assert not is_settled(shift.store)
    if crash.worker_too:
        shift.crew.start()
    start_again(shift, TWO_MINUTES)
    assert find_flaws(shift.scene, shift.mails) == {}
    assert count_rows(shift.store, "letter", state="unknown") == bool(crash.held)  # what was in flight
    assert has_ended(killed) is not crash.worker_too  # nobody is left to say how the run ended


def test_a_letter_that_another_worker_took_over_does_not_spoil_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, store = scene.sink.handle_RCPT, scene.store

    async def take_over(*said: Any) -> str:
        if not scene.sink.accepted:
            steal_letter(store)
        return await answer(*said)

    monkeypatch.setattr(scene.sink, "handle_RCPT", take_over)
    bring_in(scene, *ANSWERED)
    scene.work()
    assert [one.state for one in scene.letters] == ["queued", "sent", "sent"]


def steal_letter(store: Store) -> None:
    """Another worker claims the first letter, as if ours had lapsed."""
    letter = tables()["letter"]
    first = sa.update(letter).where(letter.c.id == 1)
    with writing(store.engine) as connection:
        connection.execute(first.values(claimed_by="other", claimed_until=datetime.now(UTC) + timedelta(hours=1)))


def test_a_server_that_hangs_up_on_every_letter_ends_the_run_and_the_outbox_waits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang_up(server: Any, *_: Any) -> str:
        server.transport.abort()
        return "421 4.3.2 Going down"

    monkeypatch.setattr(scene.sink, "handle_MAIL", hang_up)
    bring_in(scene, *ANSWERED)
    assert "SMTP: network" in str(scene.work().message)
    assert [one.state for one in scene.letters] == ["deferred", "queued", "queued"]

    monkeypatch.undo()
    scene.work()
    assert [one.state for one in scene.letters] == ["deferred", "sent", "sent"]  # the first waits for its next try


def test_one_run_files_more_than_a_chunk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.filing.CHUNK", 1)
    bring_in(scene, *DRAFTED)
    scene.work()
    assert [one.state for one in scene.letters if one.purpose == "draft"] == ["drafted"] * 3
    assert is_settled(scene.store)


def bring_in(scene: Scene, *threads: int) -> None:
    """The openings of these threads."""
    scene.deliver(write_mail(one, 0, datetime.now(UTC)).raw for one in threads)
    scene.sync()
