"""A bar in the Prefect UI."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact


@dataclass(slots=True)
class Progress:
    """`total` and `done` count mails."""

    artifact: UUID
    total: int
    done: int = 0

    @classmethod
    def begin(cls, key: str, total: int, description: str) -> Progress:
        made = create_progress_artifact(progress=0.0, key=key, description=description)
        return cls(made, total)  # type: ignore[arg-type]  # Prefect's sync and async faces share one type

    def move(self, mails: int) -> None:
        self.reach(self.done + mails)

    def reach(self, done: int) -> None:
        """To so many of them, when that is any news: every update is a request."""
        if done != self.done:
            self.done = done
            update_progress_artifact(self.artifact, progress=min(100.0, 100.0 * done / max(self.total, 1)))
