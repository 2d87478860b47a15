"""Measure how fast letters are written: every template in every language, rendered and composed.

    python -m bench.words [--repetitions 9] [--profile]

Each step goes through all letters again and again; the best round counts, in processor time. Beside ours stands the
standard library, given the same words and no more than the plainest headers.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import TypeVar

from desk.mail import Address
from letters.compose import compose_letter
from letters.dates import SPEECH
from letters.render import Rendered, render_letter
from letters.slots import SLOTS, sample_slots

T = TypeVar("T")
PAIRS = tuple((name, language) for name in SLOTS for language in SPEECH)
SAMPLES = {pair: sample_slots(*pair) for pair in PAIRS}
SENDER = Address("L'Atelier des Carnets, école", "support@atelier.example")
MOMENT = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
NUMBER = "<2026-000123.1a2b3c4d5e6f.9f8e7d6c@atelier.example>"
PARENT = "<CAFo0k1234567890abcdef@mail.ecole.example>"


def render_pair(pair: tuple[str, str]) -> Rendered:
    return render_letter(*pair, SAMPLES[pair])


def compose_ours(shown: Rendered) -> bytes:
    return compose_letter(
        shown,
        message_id=NUMBER,
        sender=SENDER,
        recipients=("camille@ecole.example",),
        date=MOMENT,
        in_reply_to=PARENT,
        references=("<first@ecole.example>",),
        reply_to="support+2026-000123@atelier.example",
    )


def compose_library(shown: Rendered) -> bytes:
    letter = EmailMessage(policy=SMTP)
    letter["From"], letter["To"] = f'"{SENDER.name}" <{SENDER.address}>', "camille@ecole.example"
    letter["Date"], letter["Subject"], letter["Message-ID"] = MOMENT, shown.subject, NUMBER
    letter["In-Reply-To"] = letter["References"] = PARENT
    letter.set_content(shown.text, cte="quoted-printable")
    letter.add_alternative(shown.html, subtype="html", cte="quoted-printable")
    return letter.as_bytes()


def time_step(step: Callable[[T], object], given: Sequence[T], repetitions: int) -> float:
    """Milliseconds of processor time a letter, in the best round."""
    return min(_time_round(step, given) for _ in range(repetitions)) * 1000 / len(given)


def _time_round(step: Callable[[T], object], given: Sequence[T]) -> float:
    start = time.process_time()
    for one in given:
        step(one)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="show what our time goes into instead")
    chosen = parser.parse_args()
    shown = [render_pair(pair) for pair in PAIRS]  # templates are compiled once a process
    profile_steps(shown) if chosen.profile else time_steps(shown, chosen.repetitions)


def time_steps(shown: Sequence[Rendered], repetitions: int) -> None:
    rendered = time_step(render_pair, PAIRS, repetitions)
    composed = time_step(compose_ours, shown, repetitions)
    library = time_step(compose_library, shown, repetitions)
    print(f"{len(PAIRS)} letters, ms a letter: render {rendered:.3f}, compose {composed:.3f}", end="; ")
    print(f"together {rendered + composed:.3f}; composed by the standard library {library:.3f}")


def profile_steps(shown: Sequence[Rendered]) -> None:
    with cProfile.Profile() as profile:
        for _ in range(20):
            _time_round(render_pair, PAIRS)
            _time_round(compose_ours, shown)
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
