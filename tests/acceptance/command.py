"""The `byreturn` command as an operator types it, in the test's own process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from byreturn.main import main


@dataclass(frozen=True, slots=True)
class Said:
    """What a command ended with and said, line breaks and columns made single spaces."""

    status: int
    out: str
    error: str


Command = Callable[..., Said]


def make_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The entry of the installed command."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["byreturn", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), " ".join(said.out.split()), " ".join(said.err.split()))

    return run
