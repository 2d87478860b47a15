"""What one process took, from the system's own books."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.server import Dovecot, read_cpu

SETTLE_SECONDS = 0.3  # for the server to end the session it has just served


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
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} ended with {child.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    time.sleep(SETTLE_SECONDS)
    cpu = usage.ru_utime + usage.ru_stime
    said = log.with_suffix(".out").read_text(errors="replace")
    return Spent(said, wall, cpu, read_cpu(dovecot.pid) - served, usage.ru_maxrss * 1024 / 1e6)
