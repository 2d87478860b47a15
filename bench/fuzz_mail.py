"""Reading one hostile mail: what must hold, and the fuzzer that looks for a mail where it does not.

    python -m bench.fuzz_mail FOLDER SEEDS SECONDS      with atheris where it is installed, else by chance alone

A mail that breaks a rule is kept in FOLDER under a name that tells the rule and the place, once for each; the run
goes on to its end.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from bench.mutants import mutate_mail

MOST_BYTES = 40_000  # what is quadratic shows by then, and the fuzzer gets on
TEXT_CHARS = 200_000
SLOW_SECONDS = 2.0  # of CPU
STOP_SECONDS = 20.0  # of CPU; then a mail is given up
REASONS = {"empty", "headerless", "nesting", "parts"}


class TooLong(BaseException):
    """Given up; nothing in between may catch it."""


class Stopwatch:
    """CPU seconds of one mail, and where it was when they were too many; then it is given up.

    It goes by the timer of user CPU time: the fuzzer has SIGALRM for itself.
    """

    def __init__(self) -> None:
        self.place = ""
        self.begun = time.process_time()

    @property
    def seconds(self) -> float:
        return time.process_time() - self.begun

    def __enter__(self) -> Stopwatch:
        signal.signal(signal.SIGVTALRM, self.look)
        signal.setitimer(signal.ITIMER_VIRTUAL, SLOW_SECONDS, STOP_SECONDS - SLOW_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def look(self, _: int, frame: FrameType | None) -> None:
        if self.place:
            raise TooLong
        while frame and "/desk/" not in frame.f_code.co_filename:
            frame = frame.f_back
        self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}" if frame else "elsewhere"


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` and `place` tell one finding from another."""

    rule: str
    place: str
    story: str
    seconds: float

    @property
    def name(self) -> str:
        digest = hashlib.sha256(f"{self.rule} {self.place}".encode()).hexdigest()[:8]
        return f"{self.rule}-{digest}"


def try_mail(raw: bytes) -> Finding | None:
    """Read it by the door behind the last resort: only MailTrouble may come out, soon, and a Mail within bounds."""
    watch = Stopwatch()
    try:
        with watch:
            read_whole(raw)
    except (Exception, TooLong) as failure:  # noqa: BLE001 - whatever it is, it is what we look for
        return describe_failure(failure, watch)
    said = f"{watch.seconds:.1f} s of CPU"
    return Finding("slow", watch.place, said, watch.seconds) if watch.place else None


def read_whole(raw: bytes) -> None:
    from desk.errors import MailTrouble
    from desk.mail.reading import compose_mail, identify_headers

    try:
        check_bounds(compose_mail(raw))
    except MailTrouble as trouble:
        if trouble.detail not in REASONS:
            raise
    identify_headers(raw)


def check_bounds(mail: Any) -> None:
    """What every reader of a Mail relies on."""
    for place, text in walk_texts(mail, "mail"):
        expect("\0" not in text, f"{place} holds NUL")
        expect(len(text) <= TEXT_CHARS, f"{place} is too long")
        expect(text.isascii() or text.encode("utf-8", "ignore").decode() == text, f"{place} holds a surrogate")
    expect(mail.date is None or mail.date.tzinfo is UTC, "mail.date is not in UTC")
    expect(len(mail.fingerprint) == 64, "mail.fingerprint is no SHA-256")
    expect(len(mail.attachments) <= 200, "mail.attachments are too many")
    expect(all(one.size_bytes >= 0 and one.name for one in mail.attachments), "an attachment has no name or size")
    expect(
        not any(mark in one.name for one in mail.attachments for mark in "/\\\n\r"), "an attachment's name is unsafe"
    )


def expect(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(rule)


def walk_texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in it, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from walk_texts(one, f"{place}[]")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from walk_texts(getattr(value, field.name), f"{place}.{field.name}")


def describe_failure(failure: BaseException, watch: Stopwatch) -> Finding:
    """Its place is the innermost function of ours."""
    story = "".join(traceback.format_exception(failure))
    if isinstance(failure, TooLong):
        return Finding("slow", watch.place, story, watch.seconds)
    frames = [one for one in traceback.extract_tb(failure.__traceback__) if "/desk/" in one.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else str(failure)
    return Finding(type(failure).__name__, place, story, watch.seconds)


def keep_finding(folder: Path, raw: bytes, finding: Finding) -> None:
    """The smallest mail so far of each kind."""
    file = folder / f"{finding.name}.eml"
    if not file.exists() or file.stat().st_size > len(raw):
        file.write_bytes(raw)
        file.with_suffix(".txt").write_text(
            f"{finding.rule} in {finding.place}, {finding.seconds:.1f} s\n{finding.story}"
        )


def load_seeds(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.glob("*.eml"))]


def run_guided(atheris: Any, folder: Path, seeds: Path, seconds: int) -> None:
    """libFuzzer, which learns from the lines of `desk` that a mail reaches. It leaves the process at its end."""
    with atheris.instrument_imports(include=["desk"]):
        import_module("desk.mail.reading")
    known = load_seeds(seeds)

    def mutate(raw: bytes, most: int, seed: int) -> bytes:
        return bytes(atheris.Mutate(raw, most)) if seed % 3 == 0 else mutate_mail(raw, most, seed, known)

    def look(raw: bytes) -> None:
        if finding := try_mail(raw):
            keep_finding(folder, raw, finding)

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        "-timeout=120",
        "-rss_limit_mb=3000",
        "-report_slow_units=120",
    ]
    atheris.Setup(
        [sys.argv[0], *limits, "-print_final_stats=1", f"-artifact_prefix={folder}/", str(corpus), str(seeds)],
        look,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def run_blind(folder: Path, seeds: Sequence[bytes], seconds: int) -> None:
    """The same changes by chance alone: finds less, needs nothing."""
    chance, end, tried = random.Random(seconds), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        raw = mutate_mail(chance.choice(seeds), MOST_BYTES, chance.getrandbits(32), seeds)
        if finding := try_mail(raw):
            keep_finding(folder, raw, finding)
        tried += 1
    print(f"tried {tried} mails by chance alone", flush=True)


def main() -> None:
    folder, seeds, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    try:
        atheris = import_module("atheris")
    except ImportError:
        run_blind(folder, load_seeds(seeds), seconds)
        return
    run_guided(atheris, folder, seeds, seconds)


if __name__ == "__main__":
    main()
