"""The erasure journal: tombstones in a file apart from the database, since a restored backup has lost them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ErasureJournal:
    """JSON lines {"at", "key", "digest"}: keyed digests only."""

    path: Path

    def append(self, stones: Sequence[tuple[str, str]], now: datetime) -> None:
        """Durable before the erasure is committed; a line too many does no harm."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = ("", *(json.dumps({"at": now.isoformat(), "key": key, "digest": digest}) for key, digest in stones))
        with self.path.open("a", encoding="ascii") as file:
            file.write("\n".join(lines))  # a new line first: the last one may have been cut by a crash
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[tuple[str, str], ...]:
        if not self.path.exists():
            return ()
        rows = map(_read_line, self.path.read_text(encoding="ascii").splitlines())
        return tuple((row["key"], row["digest"]) for row in rows if row)


def _read_line(line: str) -> dict[str, str]:
    """Empty for a line that a crash cut: its erasure was not committed either, and comes again."""
    try:
        found: dict[str, str] = json.loads(line)
    except ValueError:
        return {}
    return found
