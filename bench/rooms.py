"""Virtual environments of the peers, below `build/`: made when first asked for, at pinned versions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parents[1] / "build"


@dataclass(frozen=True, slots=True)
class Room:
    """An environment of its own, made by the Python that runs this."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        return self.folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def open_room(name: str, pins: Sequence[str]) -> tuple[Room, list[str]]:
    """The environment `build/NAME` with all of `pins` that can be installed, and those that can't."""
    room = Room(BUILD / name)
    if not room.packages.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(room.folder)], check=True)
    return room, [pin for pin in pins if not install_pin(room, pin)]


def install_pin(room: Room, pin: str) -> bool:
    """One by one, so that one which can't be had keeps nobody else out."""
    name, _, version = pin.partition("==")
    if any(room.packages.glob(f"{name.replace('-', '_')}-{version}.dist-info")):
        return True
    print(f"installing {pin}", flush=True)
    command = [str(room.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
