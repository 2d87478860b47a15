"""While a mailbox is visited: its lease is renewed, and the visit is ended when it has lasted too long.

A server that sends one byte now and then keeps every read within its time-out; only the end of the connection helps.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from blocks.wires import cut_off

LEASE = timedelta(minutes=2)  # of a worker that died; a living one renews it
RENEWALS = 4  # in the time of a lease
LEAST_PAUSE = timedelta(milliseconds=10)


class Tender:
    """Holds a lease from a thread of its own until `limit` is over; `why` tells why it has cut the connection off."""

    def __init__(self, renew: Callable[[datetime], bool], limit: timedelta, lease: timedelta = LEASE) -> None:
        self.why: Literal["", "late", "lost"] = ""
        self.ends_at = datetime.now(UTC) + limit
        self._renew, self._lease = renew, lease
        self._wire: socket.socket | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="tend", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def is_late(self) -> bool:
        return datetime.now(UTC) >= self.ends_at

    def watch(self, wire: socket.socket) -> None:
        """From now on it is this connection that is cut off."""
        self._wire = wire
        if self.why:
            cut_off(wire)

    def _tend(self) -> None:
        while not self.why and not self._done.wait(self._pause().total_seconds()):
            self.why = self._find_fault()
        if self.why and self._wire is not None:
            cut_off(self._wire)

    def _pause(self) -> timedelta:
        return max(min(self._lease / RENEWALS, self.ends_at - datetime.now(UTC)), LEAST_PAUSE)

    def _find_fault(self) -> Literal["", "late", "lost"]:
        if self.is_late:
            return "late"
        try:
            return "" if self._renew(datetime.now(UTC) + self._lease) else "lost"
        except Exception:  # noqa: BLE001 - a database out of reach for a moment: what is committed is fenced anyway
            return ""
