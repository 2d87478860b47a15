"""What tests of every floor share: a Prefect of their own, apart from the one of whoever runs them."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator

import pytest

# Prefect reads these while it is imported, so they stand here and not in a fixture.
HOME = tempfile.TemporaryDirectory(prefix="byreturn-prefect-")
atexit.register(HOME.cleanup)
os.environ |= {
    "PREFECT_HOME": HOME.name,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


@pytest.fixture(scope="session")
def prefect_harness() -> Iterator[None]:
    """A Prefect server of this test process; ten seconds to start: ask only where it is needed."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
