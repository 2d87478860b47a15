"""A whole desk for a test: a real Prefect server, real mail servers, blocks filled in, a fresh store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.scene import House, Scene, open_scene


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """A Prefect server of this test process, with its own folder."""
    from demo.house import find_port, flush_prefect, run_server

    with tempfile.TemporaryDirectory(prefix="byreturn-house-") as folder:
        home, port = Path(folder), find_port()
        kept = dict(os.environ)
        os.environ["PREFECT_HOME"] = str(home / "prefect")
        try:
            with run_server(home, port) as url:
                yield House(home, url)
                flush_prefect()
        finally:
            os.environ.clear()
            os.environ.update(kept)


@pytest.fixture
def scene(house: House, tmp_path: Path) -> Iterator[Scene]:
    """Blocks on embedded servers, an empty store, Prefect's client pointed at the house."""
    with open_scene(house, tmp_path) as opened:
        yield opened
