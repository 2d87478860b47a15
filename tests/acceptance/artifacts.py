"""What flows show in the Prefect UI, as tests read it."""

from __future__ import annotations

import json
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort


def read_latest(key: str) -> Any:
    """The content of the latest artifact under a key."""
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        found = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC, limit=1)
    return found[0].data


def read_table(key: str) -> list[dict[str, Any]]:
    """Rows of the latest table under a key."""
    rows: list[dict[str, Any]] = json.loads(str(read_latest(key)))
    return rows
