"""The sample mails of demo/mails/ with their twins: what each is and what the desk must make of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "mails"
DATE = re.compile(rb"(?im)^date:[^\r\n]*(\r?\n[ \t][^\r\n]*)*")


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail byte for byte, and its expected outcome (the fields of the twin)."""

    name: str
    raw: bytes
    about: str
    mailboxes: tuple[str, ...]
    kind: str
    category: str | None
    priority: str | None
    language: str
    verdict: str
    reason: str
    ticket: str
    people: tuple[str, ...]
    phrases: tuple[str, ...]


def list_samples() -> tuple[Sample, ...]:
    """All samples, in the order they are delivered."""
    return tuple(read_sample(path) for path in sorted(FOLDER.glob("*.eml")))


def read_sample(path: Path) -> Sample:
    twin: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    twin |= {name: tuple(twin[name]) for name in ("mailboxes", "people", "phrases")}
    return Sample(name=path.stem, raw=path.read_bytes(), **twin)


def redate(raw: bytes, now: datetime) -> bytes:
    """The same mail written now: the desk never answers old mail by itself."""
    return DATE.sub(b"Date: " + format_datetime(now).encode(), raw, count=1)
