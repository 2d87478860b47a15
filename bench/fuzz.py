"""Look for a mail that the reader can't bear, guided by what code each mail reaches.

    python -m bench.fuzz [--seconds 60] [--seeds tests/mails] [--keep build/fuzz]

What is found is made as small as it gets and told with its traceback; the exit code is 1 then. The corpus of mails that
reach new code stays in KEEP/corpus, so the next run begins where this one ended.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from bench.fuzz_mail import try_mail
from bench.rooms import open_room

ROOT = Path(__file__).resolve().parents[1]
PIN = "atheris==3.0.0"
SMALLER_SECONDS = 60  # at most, for each finding
CUTS = (0.5, 0.25, 0.1, 0.02, 0.0)  # shares of a mail that are left out in turn, down to one line or byte


def run_fuzzer(seeds: Path, folder: Path, seconds: int) -> None:
    """In the peers' environment, with our own packages behind: atheris has no business in ours."""
    room, missing = open_room("venv-bench", [PIN])
    if missing:
        print(f"{PIN} can't be installed for this Python: mails are changed by chance alone, unguided", flush=True)
    python = Path(sys.executable) if missing else room.python
    paths = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    command = [str(python), "-m", "bench.fuzz_mail", str(folder), str(seeds), str(seconds)]
    with (folder / "fuzzer.log").open("w") as log:
        ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, stdout=log, stderr=log, check=False)
    tail = (folder / "fuzzer.log").read_text(errors="replace").splitlines()
    print("\n".join(line for line in tail if line.startswith(("stat::", "tried", "Done"))))
    if ended.returncode:
        print("\n".join(tail[-30:]))


def make_smaller(raw: bytes, name: str) -> bytes:
    """Lines, then bytes, left out as long as the same finding comes back."""
    deadline = time.monotonic() + SMALLER_SECONDS

    def same(tried: bytes) -> bool:
        found = try_mail(tried)
        return found is not None and found.name == name

    lines = leave_out(raw.splitlines(keepends=True), lambda some: same(b"".join(some)), deadline)
    pieces = [bytes([one]) for one in b"".join(lines)]
    return b"".join(leave_out(pieces, lambda some: same(b"".join(some)), deadline))


def leave_out(pieces: list[bytes], same: Callable[[list[bytes]], bool], deadline: float) -> list[bytes]:
    for share in CUTS:
        size, at = max(1, int(len(pieces) * share)), 0
        while at < len(pieces) and time.monotonic() < deadline:
            rest = pieces[:at] + pieces[at + size :]
            if same(rest):
                pieces = rest
            else:
                at += size
    return pieces


def tell_finding(file: Path) -> bool:
    """Whether it is one without the fuzzer's own slowness too."""
    raw = file.read_bytes()
    finding = try_mail(raw)
    if finding is None:
        print(f"{file.name}: nothing without the fuzzer around; kept all the same")
        return False
    small = make_smaller(raw, finding.name)
    file.with_suffix(".small").write_bytes(small)
    print(f"\n{file.name}: {finding.rule} in {finding.place}, {finding.seconds:.1f} s, {len(small)} bytes")
    print(f"{small[:600]!r}\n{finding.story}", flush=True)
    return True


def main() -> None:
    asked = read_arguments()
    asked.keep.mkdir(parents=True, exist_ok=True)
    run_fuzzer(asked.seeds.resolve(), asked.keep.resolve(), asked.seconds)
    files = sorted(
        file for file in asked.keep.iterdir() if file.suffix == ".eml" or ("-" in file.name and not file.suffix)
    )
    found = [file for file in files if tell_finding(file)]
    print(f"{len(found)} {'finding' if len(found) == 1 else 'findings'} in {asked.keep}")
    sys.exit(bool(found))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seeds", type=Path, default=ROOT / "tests" / "mails", help="a folder of .eml files")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz", help="where findings and the corpus go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
