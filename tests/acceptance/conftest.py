"""A whole desk for a test: a real Prefect server, real mail servers, blocks filled in, a fresh store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.scene import House, Scene, open_house, open_scene


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """A Prefect server of this test process, with its own folder."""
    with open_house() as opened:
        yield opened


@pytest.fixture
def scene(house: House, tmp_path: Path) -> Iterator[Scene]:
    """Blocks on embedded servers, an empty store, Prefect's client pointed at the house."""
    with open_scene(house, tmp_path) as opened:
        yield opened
