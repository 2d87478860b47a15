"""What one process took, from the system's own books."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.server import Dovecot, read_cpu

SETTLE_SECONDS = 0.3  # for the server to end the session it has just served
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: seconds, MB of 10⁶ bytes. `wall` is a peer's whole process; ours is the session in the flow."""

    phase: str
    peer: str
    mails: int
    wall: float
    cpu: float
    server_cpu: float
    peak_mb: float
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spent:
    """A whole process: its output and what it took, the server's share apart."""

    output: str
    wall: float
    cpu: float
    server_cpu: float
    peak_mb: float


def time_process(command: list[str], dovecot: Dovecot, log: Path) -> Spent:
    """Run to its end. Raises SystemExit with the end of its log when it fails: no figure for half a sync."""
    served, start = read_cpu(dovecot.pid), time.perf_counter()
    with log.open("wb") as errors, log.with_suffix(".out").open("w+b") as output:
        child = subprocess.Popen(command, stdout=output, stderr=errors)
        with follow_peak(child.pid) as peaks:
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} ended with {child.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    time.sleep(SETTLE_SECONDS)
    cpu = usage.ru_utime + usage.ru_stime
    said = log.with_suffix(".out").read_text(errors="replace")
    return Spent(said, wall, cpu, read_cpu(dovecot.pid) - served, max(peaks))


@contextmanager
def follow_peak(pid: int) -> Iterator[list[float]]:
    """Peaks of a process in MB, looked up again and again: the one of wait4(2) begins with what forked it."""
    peaks, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=look_up, args=(pid, peaks, ended))
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


def look_up(pid: int, peaks: list[float], ended: threading.Event) -> None:
    status = Path(f"/proc/{pid}/status")
    while not ended.wait(LOOK_SECONDS):
        with suppress(OSError, StopIteration):  # it has just ended
            peaks.append(read_memory(status, "VmHWM"))


def read_memory(status: Path, field: str) -> float:
    """VmRSS, or VmHWM (its peak), in MB. Raises OSError or StopIteration for a process that has ended."""
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6
