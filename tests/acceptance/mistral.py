"""A desk whose mails Mistral judges: a fake server, the block that names it, limits that a test need not wait for.

Run as a module it is one worker that asks: `python -m tests.acceptance.mistral THREADS QUESTIONS` says `ready`, waits
for a line, asks as many questions from as many threads, and says what judged them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from pydantic import SecretStr

from blocks import MistralApi
from desk.classification import Question
from tasks.judging import Asked, ask_judges, open_bench
from tasks.opening import DESK, open_policy
from tasks.pacing import AT_ONCE, PER_SECOND
from tests.fake_mistral import FakeMistral

MODEL = "mistral-small-2603"


@contextmanager
def ask_mistral(fake: FakeMistral, seconds: float = 20, model: str = MODEL) -> Iterator[FakeMistral]:
    with fake:
        set_limits(4, 1_000)
        fill_block(fake, seconds, model)
        yield fake


@contextmanager
def ask_there(url: str, seconds: float = 20) -> Iterator[None]:
    """Mistral's block names this server, with a key, and is empty again afterwards."""
    MistralApi(api_key=SecretStr("any"), server_url=url, timeout_seconds=seconds).save(DESK, overwrite=True)
    try:
        yield
    finally:
        MistralApi().save(DESK, overwrite=True)


def fill_block(fake: FakeMistral, seconds: float = 20, model: str = MODEL) -> None:
    MistralApi(server_url=fake.url, timeout_seconds=seconds, model=model).save(DESK, overwrite=True)


def set_limits(at_once: int, per_second: int) -> None:
    """As the operator does in the UI."""
    changes: dict[str, dict[str, float]] = {
        AT_ONCE: {"limit": at_once}, PER_SECOND: {"limit": per_second, "slot_decay_per_second": per_second}
    }  # fmt: skip
    with get_client(sync_client=True) as client:
        for name, change in changes.items():
            client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate.model_validate(change))


def main() -> None:
    threads, questions = map(int, sys.argv[1:])
    policy = open_policy()
    categories = tuple((name, each.describe("en")) for name, each in policy.categories.items())
    asked = Asked(Question("", "Bonjour", (), categories, tuple(policy.priorities)), {})
    with open_bench() as bench, ThreadPoolExecutor(threads) as pool:
        print("ready", flush=True)  # noqa: T201 - to the parent process
        sys.stdin.readline()
        said = pool.map(lambda _: ask_judges(bench, asked, policy).classification.source.value, range(questions))
        print(dict(Counter(said)), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
