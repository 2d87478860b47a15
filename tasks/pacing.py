"""How many requests Mistral gets at once and in a second, from all workers together: Prefect's global limits.

The operator changes them in the Prefect UI under Concurrency; a limit that is not there, or switched off, holds nothing
back. Prefect's own `concurrency()` opens two HTTP clients and a thread for every slot, which takes a third of a second;
these are the same slots, taken in a tenth of that through one client that the run keeps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from desk.errors import ModelUnavailable

AT_ONCE = "byreturn-mistral"
PER_SECOND = "byreturn-mistral-per-second"
# What set-up makes of them. Prefect begins the decay of slots anew with every refusal: workers that wait for a single
# one starve each other, while of several each pause frees some.
LIMITS = (
    GlobalConcurrencyLimitCreate(name=AT_ONCE, limit=4),
    GlobalConcurrencyLimitCreate(name=PER_SECOND, limit=5, slot_decay_per_second=5.0),
)
THREADS = 4  # where no limit says otherwise
MOST_THREADS = 12  # each has a connection to the database now and then, of which a process opens 15
SHORTEST_LEASE = 60.0  # seconds; Prefect grants none for less
LONGEST_POLL = 1.0  # seconds between two looks at a limit that is full
FULL = 423  # HTTP status of a limit without a free slot
BUSY = "model-busy"


@dataclass(slots=True)
class Door:
    """Where the threads of a process queue; it opens for the next one at this second of the monotonic clock."""

    lock: Lock = field(default_factory=Lock)
    opens: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Turns at Mistral. `limits` are those that are there; `wait` is the longest that one waits for its turn, `lease`
    how long a slot is held for a worker that does not come back.
    """

    client: SyncPrefectClient
    limits: frozenset[str]
    threads: int
    wait: timedelta
    lease: float
    spacing: float = 0.0  # seconds between two requests of this process
    door: Door = field(default_factory=Door)

    @contextmanager
    def take_turn(self) -> Iterator[None]:
        """Hold a slot. Raises ModelUnavailable, "model-busy", when none is free for too long: no fault of the model."""
        deadline = time.monotonic() + self.wait.total_seconds()
        lease = self._take_slot(deadline) if AT_ONCE in self.limits else None
        try:
            if PER_SECOND in self.limits:
                self._take_second(deadline)
            yield
        finally:
            if lease:
                self._give_back(lease)

    def _take_slot(self, deadline: float) -> UUID:
        take = self.client.increment_concurrency_slots_with_lease
        given = keep_asking(lambda: take([AT_ONCE], 1, "concurrency", self.lease), deadline, LONGEST_POLL)
        return UUID(given.json()["lease_id"])

    def _take_second(self, deadline: float) -> None:
        # One thread at a time, and not too soon: every refusal begins the decay of the slots anew.
        if not self.door.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise ModelUnavailable("others have all turns", code=BUSY)
        try:
            _rest_until(self.door.opens, deadline)
            keep_asking(lambda: self.client.increment_concurrency_slots([PER_SECOND], 1, "rate_limit"), deadline)
            self.door.opens = time.monotonic() + self.spacing
        finally:
            self.door.lock.release()

    def _give_back(self, lease: UUID) -> None:
        with suppress(httpx.HTTPError):  # it ends by itself
            self.client.release_concurrency_slots_with_lease(lease)


@contextmanager
def open_pace(wait: timedelta, request: timedelta) -> Iterator[Pace]:
    """The limits as they are now. `request` is the longest that a request may last, `wait` that one waits for it."""
    with get_client(sync_client=True) as client:
        found = {name: limit for name in (AT_ONCE, PER_SECOND) if (limit := find_limit(client, name))}
        threads = found[AT_ONCE].limit if AT_ONCE in found else THREADS
        decay = found[PER_SECOND].slot_decay_per_second if PER_SECOND in found else 0.0
        yield Pace(
            client,
            frozenset(found),
            max(1, min(threads, MOST_THREADS)),
            wait,
            max(SHORTEST_LEASE, request.total_seconds()),
            1 / decay if decay else 0.0,
        )


def find_limit(client: SyncPrefectClient, name: str) -> GlobalConcurrencyLimitResponse | None:
    """None when it is not there or switched off."""
    try:
        found = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        return None
    return found if found.active else None


def make_limits() -> tuple[str, ...]:
    """Make the limits that are not there; their names. What is there is the operator's: it stays as it is."""
    with get_client(sync_client=True) as client:
        return tuple(limit.name for limit in LIMITS if make_limit(client, limit))


def make_limit(client: SyncPrefectClient, limit: GlobalConcurrencyLimitCreate) -> bool:
    with suppress(ObjectAlreadyExists):
        try:
            client.read_global_concurrency_limit_by_name(limit.name)
        except ObjectNotFound:
            client.create_global_concurrency_limit(limit)
            return True
    return False


def keep_asking(take: Callable[[], httpx.Response], deadline: float, poll: float = math.inf) -> httpx.Response:
    """Until there is a free slot. Raises ModelUnavailable, "model-busy", at the deadline or when Prefect is silent."""
    while True:
        try:
            return take()
        except httpx.HTTPStatusError as refusal:
            if refusal.response.status_code != FULL:
                raise ModelUnavailable("the limits can't be asked", code=BUSY) from None
            rest = min(float(refusal.response.headers["retry-after"]), poll)
        except httpx.HTTPError:
            raise ModelUnavailable("the limits can't be asked", code=BUSY) from None
        _rest_until(time.monotonic() + rest, deadline)


def _rest_until(moment: float, deadline: float) -> None:
    if moment > max(deadline, time.monotonic()):
        raise ModelUnavailable("others have all turns", code=BUSY)
    time.sleep(max(0.0, moment - time.monotonic()))
