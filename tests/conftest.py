"""What tests of every floor share: a Prefect of their own, apart from the one of whoever runs them."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

# Prefect reads these while it is imported, so they stand here and not in a fixture.
HOME = tempfile.TemporaryDirectory(prefix="byreturn-prefect-")
atexit.register(HOME.cleanup)


def write_authority(folder: str) -> str:
    """A file of one authority: Prefect and httpx read all of them for each client they open, some 80 ms every time."""
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
    file = Path(folder, "authority.pem")
    file.write_text(first + end, encoding="utf-8")
    return str(file)


os.environ |= {
    "TESTS_SHARED": os.environ.get("TESTS_SHARED", HOME.name),  # the folder of the process that began them all
    "SSL_CERT_FILE": write_authority(HOME.name),  # what tests speak to is on loopback
    "PREFECT_HOME": HOME.name,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: half as many again as there are cores, since those that ask Prefect mostly wait."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture(scope="session")
def prefect_harness() -> Iterator[None]:
    """A Prefect server of this test process; ten seconds to start: ask only where it is needed."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from tests.acceptance.scene import open_house

    with open_house() as house, temporary_settings({PREFECT_API_URL: house.url}):
        yield
