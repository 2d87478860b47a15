"""What other projects expect of a reader of mails: the scores on their corpora, where these are at hand, don't fall.

They lie beside the repository as `*/corpora`, or where BYRETURN_CORPORA says; `docs/reading.md` tells which of their
expectations are not ours, and why.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAST = {
    "zammad": 40,
    "imap_tools": 52,
    "sisimai-bounce": 317,
    "sisimai-address": 202,
    "sisimai-vacation": 3,
    "sisimai-control": 1,
    "reply-trimmer": 27,
    "reply-crisp": 26,
    "reply-talon-text": 17,
    "reply-talon-html": 9,
}


def find_scorer() -> Path | None:
    named = os.environ.get("BYRETURN_CORPORA")
    beside = sorted(ROOT.parent.glob("*/corpora/score.py"))
    return Path(named) / "score.py" if named else next(iter(beside), None)


SCORER = find_scorer()


@pytest.fixture(scope="module")
def scores() -> dict[str, int]:
    command = [sys.executable, str(SCORER), "tests.corpora:parse"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {suite: int(passed) for suite, passed in re.findall(r"^([\w-]+): (\d+)/\d+$", said, re.MULTILINE)}


@pytest.mark.skipif(SCORER is None, reason="no corpora of other projects beside the repository")
@pytest.mark.parametrize(("suite", "least"), LEAST.items())
def test_the_scores_on_other_projects_corpora_do_not_fall(scores: dict[str, int], suite: str, least: int) -> None:
    assert scores[suite] >= least
