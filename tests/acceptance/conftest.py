"""A whole desk for a test: a real Prefect server, real mail servers, blocks filled in, a fresh store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.house import MAILBOXES
from demo.once import MORNING
from demo.samples import list_samples
from tests.acceptance.scene import House, Scene, open_house, open_scene
from tests.acceptance.workers import change_policy


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


@pytest.fixture(scope="module")
def standing(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One scene for all tests of a file, which empties it between them."""
    with open_scene(house, tmp_path_factory.mktemp("standing")) as opened:
        yield opened


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The organisation's policy with other values: (key and value, other value) pairs."""
    monkeypatch.setenv("BYRETURN_POLICY", str(change_policy(tmp_path, *request.param)))


@pytest.fixture(scope="session")
def morning(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a desk that has worked on all samples."""
    home = tmp_path_factory.mktemp("morning")
    with open_scene(house, home) as scene:
        for name in MAILBOXES:
            scene.deliver((one.raw for one in list_samples() if name in one.mailboxes), name)
        scene.sync()
        scene.work(at=MORNING)
        scene.store.engine.dispose()  # writes its journal back into the file
    return home


@pytest.fixture(scope="module")
def worked(house: House, morning: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One scene for all tests of a file that ask for `desk`; such a file can't ask for `scene` as well."""
    with open_scene(house, tmp_path_factory.mktemp("worked")) as opened:
        yield opened


@pytest.fixture
def desk(worked: Scene, morning: Path) -> Scene:
    """The desk as `morning` left it, with empty mailboxes and nothing sent."""
    worked.restore(morning)
    return worked
