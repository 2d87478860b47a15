"""One of our workers: reads and decides kept mails until nothing waits, measured from inside.

    python -m bench.doors [--profile]      says `ready`, waits for a line, works, and prints one line of JSON

HOME and the API of a running Prefect server come from the environment, the desk's blocks from that server. It runs
the very tasks of `classify-and-reply` inside a flow, without the sending and filing, which need servers.
"""

from __future__ import annotations

import cProfile
import functools
import json
import pstats
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from prefect import flow

from flows.classify_and_reply import drain_deciding, drain_reading
from store.numbers import NumberStock
from tasks import deciding, hearing, reading
from tasks.judging import make_question, open_bench
from tasks.opening import open_policy, open_store

READING, DECIDING = "reading", "deciding"
PARTS: tuple[tuple[Any, str, str], ...] = (
    (reading, "open_store", "r open"),
    (reading, "open_policy", "r open"),
    (reading, "requeue_due", "r claim"),
    (reading, "claim_deliveries", "r claim"),
    (reading, "open_mail", "r unseal"),
    (reading, "read_mail", "r read"),
    (reading, "save_read", "r save"),
    (deciding, "open_desk", "d open"),
    (deciding, "claim_conversations", "d claim"),
    (deciding, "extend_claims", "d claim"),
    (deciding, "release_claims", "d claim"),
    (deciding, "locate", "d find"),
    (hearing, "open_mail", "d unseal"),
    (hearing, "read_mail", "d read"),
    (hearing, "look_up", "d look up"),
    (deciding, "gather", "d facts"),
    (deciding, "needs_judgement", "d decide"),
    (deciding, "judge_mail", "d judge"),
    (deciding, "decide", "d decide"),
    (NumberStock, "take", "d number"),
    (NumberStock, "expect", "d number"),
    (deciding, "write_letter", "d letters"),
    (deciding, "carry_all", "d commit"),
    (deciding, "report_quarantine", "d close"),
    (deciding, "report_judges", "d close"),
)


@dataclass(slots=True)
class Figures:
    """What one worker did; `begun` and `ended` on the machine's monotonic clock, everything else in seconds."""

    begun: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    claimed: int = 0
    decided: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    reading: float = 0.0
    deciding: float = 0.0
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)  # wall, CPU


def warm_up() -> None:
    """What a worker has behind it: imports, the local model trained, the language models loaded, the store open."""
    from desk.mail import Mail, read_mail

    open_store()
    mail = read_mail(b"From: a@ecole.example\r\nSubject: Connexion\r\n\r\nBonjour, je ne peux plus me connecter.\r\n")
    if not isinstance(mail, Mail):
        raise SystemExit("a plain mail is not read")
    with open_bench() as bench:
        bench.engines[-1].classify(make_question(mail, open_policy()).question)


def watch_parts() -> dict[str, tuple[float, float]]:
    """Seconds spent under each name, on the wall and of CPU; no part has another within it."""
    here = [row for row in PARTS if hasattr(row[0], row[1])]
    spent: dict[str, tuple[float, float]] = {part: (0.0, 0.0) for _, _, part in here}
    for owner, name, part in here:
        setattr(owner, name, wrap(getattr(owner, name), part, spent))
    for _, name, part in set(PARTS) - set(here):
        print(f"{part}: {name} is no more, so its time is in the rest", file=sys.stderr)
    return spent


def wrap(function: Callable[..., Any], part: str, spent: dict[str, tuple[float, float]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        start, cpu = time.perf_counter(), time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            wall, used = spent[part]
            spent[part] = wall + time.perf_counter() - start, used + time.thread_time() - cpu

    return timed


@flow(name="doors")
def run_doors() -> Figures:
    """Both doors in turn, as a worker's flow goes through them; all workers begin when the last of them is there."""
    print("ready", flush=True)
    sys.stdin.readline()
    figures, cpu = Figures(begun=time.monotonic()), time.process_time()
    figures.claimed = sum(count.claimed for count in drain_reading())
    middle = time.monotonic()
    counts = drain_deciding(None)
    figures.ended, figures.cpu = time.monotonic(), time.process_time() - cpu
    figures.reading, figures.deciding = middle - figures.begun, figures.ended - middle
    figures.decided = sum(count.claimed for count in counts)
    figures.verdicts = {
        word: sum((count.verdicts or {}).get(word, 0) for count in counts)
        for word in sorted({word for count in counts for word in count.verdicts or {}})
    }
    return figures


def profile_run(work: Callable[[], Figures]) -> Figures:
    profile = cProfile.Profile()
    figures = profile.runcall(work)
    for order in ("tottime", "cumulative"):
        pstats.Stats(profile, stream=sys.stderr).strip_dirs().sort_stats(order).print_stats(60)
    return figures


def main() -> None:
    warm_up()
    spent = watch_parts()
    figures = profile_run(run_doors) if "--profile" in sys.argv else run_doors()
    figures.parts = spent
    print(json.dumps(asdict(figures)), flush=True)


if __name__ == "__main__":
    main()
